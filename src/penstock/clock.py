"""Time as a parameter: a real clock, and a fake one that jumps instead of sleeping.

Rules take ``now`` as an argument; whatever waits takes a :class:`Clock`.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol, final

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """What penstock needs of time. All values are seconds."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def time(self) -> float:
        """Return seconds since 1970-01-01 UTC, as this machine believes."""
        ...

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait on a held ``condition`` until notified or ``timeout`` seconds have passed."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        ...


@final
class SystemClock:
    """The machine's own clock."""

    sleep = staticmethod(time.sleep)
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)  # last: from here on the name is the method

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait on a held ``condition`` until notified or ``timeout`` seconds have passed."""
        condition.wait(timeout)


@final
class FakeClock:
    """A clock for tests: waiting with a timeout moves it forward at once.

    Args:
        start: The first value of :meth:`monotonic`, in seconds.
        epoch: What :meth:`time` returns when :meth:`monotonic` returns ``start``.

    >>> clock = FakeClock()
    >>> clock.sleep(3600)
    >>> clock.monotonic()
    3600.0
    """

    def __init__(self, start: float = 0.0, epoch: float = 1_800_000_000.0) -> None:
        self._now = float(start)
        self._offset = epoch - start

    def monotonic(self) -> float:
        """Return the fake time in seconds."""
        return self._now

    def time(self) -> float:
        """Return the fake time as seconds since 1970."""
        return self._now + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``."""
        self._now += seconds

    def sleep(self, seconds: float) -> None:
        """Move the clock forward by ``seconds`` and return at once."""
        self.advance(max(0.0, seconds))

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Advance by ``timeout``; with none, wait for a real notification."""
        if timeout is None:
            condition.wait()
        else:
            self.sleep(timeout)
