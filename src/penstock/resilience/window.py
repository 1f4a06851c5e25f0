"""One limit of a server, followed from its own reports: how many more calls, and until when.

Servers report whole seconds, rounded up, and answers overtake each other; both make a naive
reader either late at every renewal or too early. So a window keeps intervals and narrows them with
every answer, and takes an answer's ``remaining`` only for what it certainly says.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import msgspec
from msgspec.structs import replace

from penstock.resilience.hints import Quota, Reset, believable

_TOLERANCE = 0.05


@final
class ServerClock(msgspec.Struct, frozen=True, gc=False):
    """The server's wall clock in terms of our monotonic one, from its ``Date`` headers.

    ``Date`` is cut to whole seconds, so each answer bounds the offset to one second and many
    answers together to a few milliseconds. Where the bounds allow it, our own wall clock is right.
    """

    ours: float
    low: float = -math.inf
    high: float = math.inf

    def saw(self, date: float, sent: float, received: float) -> ServerClock:
        """Learn from an answer that was ``sent`` for and ``received`` at monotonic times."""
        # The server stamped it in between, at a moment within [date, date + 1).
        low, high = date - received, date + 1.0 - sent
        if low > self.high or high < self.low:
            return replace(self, low=low, high=high)  # a clock was set: start again
        if low <= self.low and high >= self.high:
            return self
        return replace(self, low=max(low, self.low), high=min(high, self.high))

    def offset(self) -> tuple[float, float]:
        """Return the least and the greatest of (server's wall clock - our monotonic clock)."""
        if self.low <= self.ours <= self.high or math.isinf(self.low):
            return self.ours, self.ours
        return self.low, self.high

    def interval(self, reset: Reset, sent: float, received: float) -> tuple[float, float]:
        """Return the earliest and latest monotonic time ``reset`` can mean."""
        slack = 0.0 if reset.exact else 1.0
        if reset.epoch:
            low, high = self.offset()
            latest = received + believable(reset.value - low - received)
            return min(latest, reset.value - slack - high), latest
        seconds = believable(reset.value)
        return sent + seconds - slack, received + seconds


@final
class Reported(NamedTuple):
    """The call that a report came with.

    Attributes:
        number: Its place in the order of sending.
        latest: The number of the call sent last when the answer came.
        cost: Units it costs.
        sent: When its request went out.
        received: When the answer came.
    """

    number: int
    latest: int
    cost: float
    sent: float
    received: float


@final
class Window(msgspec.Struct, frozen=True, gc=False):
    """One limit's state. All times are monotonic seconds; all amounts are in the limit's unit.

    Of what is left only a lower bound is certain. The answered call that the server counted last
    has the least ``remaining`` of all; only calls still out can have been counted after it. So
    at least ``remaining - outstanding`` is left, whatever order answers come in.

    Attributes:
        name: The limit's name.
        unit: What it counts.
        resource: The server's name for what it counts in; ``""`` where it counts every call.
        limit: Units a window allows, or None where unknown.
        remaining: The least the server has reported in this window; None where unknown.
        reported: The number of the last call that ``remaining`` may count.
        blind: Units of answered calls that may have been counted since.
        blind_until: The number of the last call that ``blind`` may count.
        renewed: The number of the first call of this window; answers to earlier ones are stale.
        probe: The call that finds out what is left after a renewal; 0 for none.
        low: The earliest time at which it may end.
        high: The latest.
        start: Between which times it began, or None where unknown.
        told_length: Seconds it lasts, as the server says.
        inferred: Bounds of that, as worked out.
    """

    name: str
    unit: str = "requests"
    resource: str = ""
    limit: float | None = None
    remaining: float | None = None
    reported: int = 0
    blind: float = 0.0
    blind_until: int = 0
    renewed: int = 1
    probe: int = 0
    low: float = -math.inf
    high: float = -math.inf
    start: tuple[float, float] | None = None
    told_length: float | None = None
    inferred: tuple[float, float] = (0.0, math.inf)

    def report(self, quota: Quota, call: Reported) -> Window:
        """Take over what the answer to ``call`` says of how much is left."""
        limit = self.limit if quota.limit is None else quota.limit
        length = self.told_length if quota.window is None else quota.window
        left = quota.remaining
        if left is None:
            return replace(self, limit=limit, told_length=length)
        start = self.start
        if start is None or call.number == self.renewed:
            fresh = limit is not None and left == limit - call.cost
            start = (call.sent, call.received) if fresh else None
        # Sent after those that ended unreported were answered: it counts them.
        blind = 0.0 if call.number > self.blind_until else self.blind
        # More left than before, in an answer to a later call: the server gives quota back.
        if self.remaining is None or left <= self.remaining or call.number > self.reported:
            remaining, reported = left, call.latest
        else:
            remaining, reported = self.remaining, self.reported
        return replace(
            self,
            limit=limit,
            told_length=length,
            start=start,
            blind=blind,
            remaining=remaining,
            reported=reported,
            probe=0,
        )

    def unreported(self, cost: float, latest: int) -> Window:
        """Note a call that has ended without saying what is left; ``latest`` was sent last."""
        return replace(self, blind=self.blind + cost, blind_until=latest)

    def left(self, outstanding: float) -> float | None:
        """Return what certainly is left with ``outstanding`` units out, or None where unknown."""
        if self.remaining is None:
            return None
        return self.remaining - outstanding - self.blind

    def renews(self, low: float, high: float, began: tuple[float, float] | None = None) -> Window:
        """Narrow when this window ends to lie within [``low``, ``high``].

        Args:
            low: The earliest time.
            high: The latest.
            began: Between which times it began, where the answer was to its first call.
        """
        start = self.start
        if low <= self.high + _TOLERANCE and high >= self.low - _TOLERANCE:
            low, high = max(low, self.low), min(high, self.high)
        elif self.high > -math.inf:
            start = began  # another window than the one we knew
        inferred = self.inferred
        if start is not None and self.told_length is None:
            inferred = _common(inferred, (low - start[1], high - start[0]))
        known = (self.low, self.high, self.start, self.inferred)
        if (low, high, start, inferred) == known:
            return self
        return replace(self, low=low, high=high, start=start, inferred=inferred)

    @property
    def length(self) -> float | None:
        """Seconds a window lasts, as stated or as inferred; None where neither is sure."""
        if self.told_length is not None:
            return self.told_length
        return roundest(*self.inferred)

    def opens(self) -> float:
        """Return the time from which a new window certainly is open."""
        length = self.length
        if self.start is not None and length is not None:
            due = self.start[1] + length
            # Without a reset the length alone has to do. Our clock may be a little ahead.
            at_latest = self.high + _TOLERANCE
            if self.low - _TOLERANCE <= due <= at_latest or math.isinf(self.high):
                return due
        return self.high

    def expired(self, number: int) -> Window:
        """Forget what is left: the renewal is due, and an answer from call ``number`` on tells."""
        return replace(
            self,
            remaining=None,
            blind=0.0,
            start=None,
            low=-math.inf,
            high=-math.inf,
            renewed=number,
            probe=0,
        )


def _common(known: tuple[float, float], seen: tuple[float, float]) -> tuple[float, float]:
    """Window lengths stay the same from window to window: keep what all have in common."""
    both = (max(seen[0], known[0]), min(seen[1], known[1]))
    return both if both[0] <= both[1] else seen


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
