"""What everything promises that starts workers."""

from __future__ import annotations

import time

from penstock.cluster import Ended, Launch, Launcher
from penstock.errors import InputError

__all__ = ["LauncherContract"]

_MOST = 2
_PATIENCE = 60.0  # seconds for a scheduler to start and end its workers


def _done() -> dict[str, object]:
    return {"complete": True}


def _failing() -> dict[str, object]:
    raise InputError("a variable is not set")


def _looked(launcher: Launcher) -> list[Ended]:
    """Return those that have ended, when none is at work any more."""
    ended, until = launcher.look(), time.monotonic() + _PATIENCE
    while (launcher.running or not ended) and time.monotonic() < until:
        assert launcher.running <= _MOST
        time.sleep(0.01)
        ended += launcher.look()
    return ended


class LauncherContract:
    """Tests of a :class:`~penstock.cluster.Launcher`; needs the fixture ``launch``, a ``Launch``.

    The scheduler has at least one place for a worker, where this module can be imported.
    """

    def test_each_worker_does_the_work_and_says_what_it_returned(self, launch: Launch) -> None:
        """One that returned is not started again."""
        launcher = launch(_done, _MOST)
        ended = _looked(launcher)
        assert 1 <= len(ended) <= _MOST
        assert [one.summary for one in ended] == [{"complete": True}] * len(ended)
        assert launcher.look() == []
        launcher.close()

    def test_what_a_worker_raised_is_told_and_not_raised(self, launch: Launch) -> None:
        """The error comes whole, since it says what to do; one that raised is not started again."""
        launcher = launch(_failing, _MOST)
        ended = _looked(launcher)
        assert 1 <= len(ended) <= _MOST
        for one in ended:
            assert one.summary is None
            assert isinstance(one.error, InputError)
            assert str(one.error) == "a variable is not set"
        assert launcher.look() == []
        launcher.close()

    def test_closing_twice_is_allowed(self, launch: Launch) -> None:
        """Also before anything was started."""
        launcher = launch(_done, _MOST)
        launcher.close()
        launcher.close()
