"""One limit of a server, followed from its own reports: how many more calls, and until when.

Servers report whole seconds, rounded up, and answers overtake each other; both make a naive
reader either late at every renewal or too early. So a window keeps intervals and narrows them with
every answer, and takes an answer's ``remaining`` only for what it certainly says.
"""

from __future__ import annotations

import math
from typing import final

from penstock.resilience.hints import Quota, Reset

__all__ = ["ServerClock", "Window"]

_TOLERANCE = 0.05


@final
class ServerClock:
    """The server's wall clock in terms of our monotonic one, from its ``Date`` headers.

    ``Date`` is cut to whole seconds, so each answer bounds the offset to one second and many
    answers together to a few milliseconds. Where the bounds allow it, our own wall clock is right.
    """

    __slots__ = ("_high", "_low", "_ours")

    def __init__(self, ours: float) -> None:
        self._ours = ours
        self._low = -math.inf
        self._high = math.inf

    def saw(self, date: float, sent: float, received: float) -> None:
        """Learn from an answer that was ``sent`` for and ``received`` at monotonic times."""
        # The server stamped it in between, at a moment within [date, date + 1).
        low, high = date - received, date + 1.0 - sent
        if low > self._high or high < self._low:
            self._low, self._high = low, high  # a clock was set: start again
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)

    def offset(self) -> tuple[float, float]:
        """Return the least and the greatest of (server's wall clock - our monotonic clock)."""
        if self._low <= self._ours <= self._high or math.isinf(self._low):
            return self._ours, self._ours
        return self._low, self._high

    def interval(self, reset: Reset, sent: float, received: float) -> tuple[float, float]:
        """Return the earliest and latest monotonic time ``reset`` can mean."""
        slack = 0.0 if reset.exact else 1.0
        if reset.epoch:
            low, high = self.offset()
            return reset.value - slack - high, reset.value - low
        return sent + reset.value - slack, received + reset.value


@final
class Window:
    """One limit's state. All times are monotonic seconds; all amounts are in the limit's unit.

    Attributes:
        name: The limit's name.
        unit: What it counts.
        limit: Units a window allows, or None where unknown.
        allowed: The total ever sent up to which sending is safe; None where unknown.
        remaining: What the server last said is left.
    """

    __slots__ = (
        "_high",
        "_inferred",
        "_length",
        "_low",
        "_start",
        "allowed",
        "limit",
        "name",
        "remaining",
        "unit",
    )

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.limit: float | None = None
        self.allowed: float | None = None
        self.remaining: float | None = None
        self._low = self._high = -math.inf
        self._start: tuple[float, float] | None = None
        self._length: float | None = None
        self._inferred: tuple[float, float] = (0.0, math.inf)

    def report(
        self, quota: Quota, *, counted: float, cost: float, first: bool, times: tuple[float, float]
    ) -> None:
        """Take over what an answer says of how much is left.

        Args:
            quota: The server's words.
            counted: Units that were certainly counted when the answer was written: all those
                whose answers were in before its request went out.
            cost: Units of the request itself.
            first: Whether the answer may open a new window (its request was sent after the
                last renewal was due).
            times: When its request was sent, and when the answer came.
        """
        self.limit = self.limit if quota.limit is None else quota.limit
        self._length = self._length if quota.window is None else quota.window
        if quota.remaining is not None:
            self.remaining = quota.remaining
            self.allowed = quota.remaining + counted + cost
        if first or self._start is None:
            fresh = self.limit is not None and quota.remaining == self.limit - cost
            self._start = times if fresh else None

    def renews(self, low: float, high: float) -> None:
        """Narrow when this window ends to lie within [``low``, ``high``]."""
        apart = low > self._high + _TOLERANCE or high < self._low - _TOLERANCE
        if apart:
            self._low, self._high = low, high  # another window than the one we knew
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)
        if self._start is not None and self._length is None:
            self._infer(self._low - self._start[1], self._high - self._start[0])

    def _infer(self, low: float, high: float) -> None:
        """Window lengths stay the same from window to window: keep what all have in common."""
        known_low, known_high = self._inferred
        both = (max(low, known_low), min(high, known_high))
        self._inferred = both if both[0] <= both[1] else (low, high)

    @property
    def length(self) -> float | None:
        """Seconds a window lasts, as told or as inferred; None where neither is sure."""
        if self._length is not None:
            return self._length
        return roundest(*self._inferred)

    def opens(self) -> float:
        """Return the time from which a new window certainly is open."""
        length = self.length
        if self._start is not None and length is not None:
            due = self._start[1] + length
            # Without a reset the length alone has to do.
            if self._low - _TOLERANCE <= due <= self._high or math.isinf(self._high):
                return due
        return self._high

    def expire(self) -> None:
        """Forget what is left: the renewal is due, and the next answer will tell."""
        self.allowed = None
        self.remaining = None
        self._start = None
        self._low = self._high = -math.inf


def roundest(low: float, high: float) -> float | None:
    """Return the roundest whole number of seconds in (``low``, ``high``], or None.

    Limits are set by people: 900 s is likelier than 899.

    >>> roundest(4.4, 5.4), roundest(898.8, 900.3), roundest(0.1, 0.9)
    (5.0, 900.0, None)
    """
    if math.isinf(high) or high > 1e8:
        return None
    for step in (3600, 900, 300, 60, 30, 10, 5, 1):
        candidate = math.floor((high + _TOLERANCE) / step) * step
        if candidate > max(0.0, low):
            return float(candidate)
    return None
