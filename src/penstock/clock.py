"""Time as a parameter: a real clock, and a fake one that jumps instead of sleeping.

Rules take ``now`` as an argument; whatever waits takes a :class:`Clock`.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol, final

__all__ = ["Clock", "FakeClock", "Interrupt", "Interrupted", "SystemClock"]


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


class Interrupted(BaseException):
    """Ends what a thread does, wherever it waits: no handler of errors is meant to take it."""


@final
class Interrupt:
    """Ends the waits of one thread from another one."""

    def __init__(self) -> None:
        self._is_set = False
        self._condition: threading.Condition | None = None

    def adopt(self) -> None:
        """Be the interrupt of this thread's waits from now on."""
        _OF_THREAD.interrupt = self

    def set(self) -> None:
        """End the present wait of the thread, and each one to come."""
        self._is_set = True
        condition = self._condition
        if condition is not None:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait on a held ``condition``.

        Raises:
            Interrupted: Somebody called :meth:`set`.
        """
        self._condition = condition  # first: who sets it later finds the condition
        if not self._is_set:
            condition.wait(timeout)
        self._condition = None
        if self._is_set:
            raise Interrupted


_OF_THREAD = threading.local()


@final
class SystemClock:
    """The machine's own clock."""

    sleep = staticmethod(time.sleep)
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)  # last: from here on the name is the method

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait on a held ``condition`` until notified or ``timeout`` seconds have passed."""
        interrupt: Interrupt | None = getattr(_OF_THREAD, "interrupt", None)
        if interrupt is None:
            condition.wait(timeout)
        else:
            interrupt.wait(condition, timeout)


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
