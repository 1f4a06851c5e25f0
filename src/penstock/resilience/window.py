"""One limit of a server, followed from its own reports: how many more calls, and until when.

Servers report whole seconds, rounded up, and answers overtake each other; both make a naive
reader either late at every renewal or too early. So a window keeps intervals and narrows them with
every answer, and takes an answer's ``remaining`` only for what it certainly says.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

from penstock.resilience.hints import Quota, Reset

__all__ = ["Reported", "ServerClock", "Window", "roundest"]

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
class Reported(NamedTuple):
    """The call that a report came with.

    Attributes:
        number: Its place in the order of sending.
        latest: The number of the call sent last when the answer came.
        cost: Units it costs.
        first: Whether it is the first call of a window.
        sent: When its request went out.
        received: When the answer came.
    """

    number: int
    latest: int
    cost: float
    first: bool
    sent: float
    received: float


@final
class Window:
    """One limit's state. All times are monotonic seconds; all amounts are in the limit's unit.

    Of what is left only a lower bound is certain. The answered call that the server counted last
    has the least ``remaining`` of all; only calls still out can have been counted after it. So
    at least ``remaining - outstanding`` is left, whatever order answers come in.

    Attributes:
        name: The limit's name.
        unit: What it counts.
        limit: Units a window allows, or None where unknown.
        remaining: The least the server has reported in this window; None where unknown.
    """

    __slots__ = (
        "_blind",
        "_blind_number",
        "_high",
        "_inferred",
        "_length",
        "_low",
        "_reported_number",
        "_start",
        "limit",
        "name",
        "remaining",
        "unit",
    )

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.limit: float | None = None
        self.remaining: float | None = None
        self._reported_number = 0
        self._blind = 0.0
        self._blind_number = 0
        self._low = self._high = -math.inf
        self._start: tuple[float, float] | None = None
        self._length: float | None = None
        self._inferred: tuple[float, float] = (0.0, math.inf)

    def report(self, quota: Quota, call: Reported) -> None:
        """Take over what the answer to ``call`` says of how much is left."""
        self.limit = self.limit if quota.limit is None else quota.limit
        self._length = self._length if quota.window is None else quota.window
        if quota.remaining is None:
            return
        if call.first or self._start is None:
            fresh = self.limit is not None and quota.remaining == self.limit - call.cost
            self._start = (call.sent, call.received) if fresh else None
        if call.number > self._blind_number:
            self._blind = 0.0  # sent after those were answered: it counts them
        # More left than before, in an answer to a later call: the server gives quota back.
        grown = call.number > self._reported_number
        if self.remaining is None or quota.remaining <= self.remaining or grown:
            self.remaining = quota.remaining
            self._reported_number = call.latest

    def unreported(self, cost: float, latest: int) -> None:
        """Note a call that has ended without saying what is left; ``latest`` was sent last."""
        self._blind += cost
        self._blind_number = latest

    def left(self, outstanding: float) -> float | None:
        """Return what certainly is left with ``outstanding`` units out, or None where unknown."""
        if self.remaining is None:
            return None
        return self.remaining - outstanding - self._blind

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
        self.remaining = None
        self._blind = 0.0
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
