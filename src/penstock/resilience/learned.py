"""The limit of a server that tells nothing but ``Retry-After``: what it let pass in a window."""

from __future__ import annotations

import math
from typing import final

from penstock.resilience.ticket import Tally, Ticket
from penstock.resilience.window import roundest

__all__ = ["LearnedWindow"]

_CLEAN_WINDOWS = 3


@final
class LearnedWindow:
    """A window of a server that tells only ``Retry-After``: the limit is what it let pass.

    After some clean windows one more call than that is tried, then two, four …, so that a limit
    learned too low (a window already half spent when we came) does not stay. With a reserve nothing
    is tried: the limit has to be met once to be known, and from then on the reserve is left.
    """

    def __init__(self, reserve: float = 0.0) -> None:
        self.limit: float | None = None
        self._reserve = reserve
        self.opens = -math.inf
        self._start: tuple[float, float] | None = None
        self._accepted = 0.0
        self._base = 0.0
        self._interval: tuple[float, float] | None = None
        self._length: float | None = None
        self._clean = 0
        self._extra = 0.0

    def accepted(self, ticket: Ticket, now: float) -> None:
        """Note an answer that was not a refusal."""
        if self._start is None:
            self._start = (ticket.sent, now)
            if self._length is not None:
                self.opens = now + self._length
        self._accepted += 1.0

    def refused(self, low: float, high: float) -> None:
        """Note a refusal that says: come back between the times ``low`` and ``high``."""
        known = self._interval
        if known is not None and known[0] <= high and low <= known[1]:
            low, high = max(low, known[0]), min(high, known[1])
        self._interval = (low, high)
        self._clean = 0
        self._extra = 0.0
        self.opens = high
        if self._start is not None:
            self._length = roundest(low - self._start[1], high - self._start[0])
            if self._length is not None and low <= self._start[1] + self._length <= high:
                self.opens = self._start[1] + self._length

    def wait(self, now: float, tally: Tally) -> float:
        """Return the seconds until the next window, where this one is spent."""
        if self._interval is not None:
            return self.opens - now
        if self.limit is None or self.left(tally) >= 1.0:
            return 0.0
        if self._start is None:
            return math.inf  # the first answer of the window is still out
        return self.opens - now

    def due(self, now: float) -> bool:
        """Whether a new window is to be opened: this one was spent, and its time is over."""
        if self._interval is not None:
            return now >= self.opens
        return self.limit is not None and self._start is not None and now >= self.opens

    def left(self, tally: Tally) -> float:
        """Units that may still be sent in this window."""
        if self.limit is None:
            return math.inf
        return self._base + max(1.0, self.limit - self._reserve) + self._extra - tally.sent

    def reopen(self, tally: Tally) -> None:
        """Begin a new window."""
        if self._interval is not None:
            if self._accepted or self.limit is None:  # else we only came too early
                self.limit = max(1.0, self._accepted)
        else:
            self._clean += 1
            if self._clean > _CLEAN_WINDOWS and not self._reserve:
                self._extra = max(1.0, 2.0 * self._extra)
        self._interval = None
        self._start = None
        self._accepted = 0.0
        self._base = tally.sent
