"""Settling on the rate of a server that gives no hint but a bare 429.

Until the first refusal the number of calls in flight grows by one with each answer (slow start).
Then single calls, twice as long apart each time, find out when the server lets one pass again, and
slow start once more whether that was one token of a bucket or a whole new window. From then on
calls are spaced. Leaky buckets and fixed windows alike are full at the moment they begin to refuse;
so between two such moments a server let pass exactly what its limit gives: accepted calls over
seconds. That is the rate, measured. We go a little below it, creep up, and measure again at
the next refusal: additive increase, multiplicative decrease around a known centre.
"""

from __future__ import annotations

import math
from typing import final

__all__ = ["Pace"]

_FIRST_BACKOFF = 0.004
_LONGEST_BACKOFF = 60.0
_BELOW = 0.985
_CREEP = 0.0015
_QUIET = 30.0
_CATCH_UP = 0.1
_MOST_CREDIT = 10.0
_ENOUGH = 20
_CAREFUL = 8.0


@final
class Pace:
    """The state of the search for an unknown rate. Times are monotonic seconds.

    >>> pace = Pace()
    >>> pace.wait(0.0, outstanding=1) > 0, pace.wait(0.0, outstanding=0)
    (True, 0.0)
    >>> pace.accepted(0.1, sent=0.0)
    >>> pace.wait(0.1, outstanding=1)
    0.0
    """

    def __init__(self) -> None:
        self._open: float = 1.0  # calls in flight allowed by slow start; infinite when spaced
        self._searching = False
        self._rate: float | None = None
        self._measured = False
        self._since = 0.0
        self._next = 0.0
        self._backoff = 0.0
        self._full: float | None = None
        self._accepted = 0
        self._decided = -math.inf
        self._credit = 1.0

    @property
    def rate(self) -> float | None:
        """Calls a second we believe in, or None while that is not known."""
        return self._rate

    def wait(self, now: float, outstanding: int) -> float:
        """Return the seconds until one more call may go out; 0 means now."""
        if self._searching:
            return math.inf if outstanding else max(0.0, self._next - now)
        if self._rate is None:
            return 0.0 if outstanding < self._open else math.inf
        return max(0.0, self._next - now)

    def granted(self, now: float) -> None:
        """Note that a call goes out."""
        if self._rate is not None:
            gap = 1.0 / self._current(now)
            late = min(_CATCH_UP, self._credit * gap)  # time we lost ourselves may be made up for
            self._next = max(self._next, now - late) + gap

    def accepted(self, now: float, sent: float) -> None:
        """Note an answer that was not a refusal, to a call that went out at ``sent``."""
        if self._full is None or sent > self._full:
            self._accepted += 1
        if sent <= self._decided:
            return  # let pass before the refusal that was answered for already
        if self._searching:
            self._searching = False
            self._backoff = 0.0
            self._since = now
            if self._rate is None:
                self._open = 2.0
        elif self._rate is None:
            # Doubling at first, then half as much again each round trip: a late refusal costs
            # as many calls as are in flight.
            self._open += 1.0 if self._open < _CAREFUL else 0.5

    def refused(self, now: float, sent: float) -> None:
        """Note a refusal of a call that went out at ``sent``."""
        if sent <= self._decided:
            return  # belongs to a burst that was answered for already
        self._decided = now
        if self._full is None:
            # What it let pass at once is the burst it tolerates: a quarter of it is ours to use.
            self._credit = min(_MOST_CREDIT, max(1.0, self._accepted / 4.0))
        if self._full is None or self._searching or self._accepted == 0:
            self._search(now)
        else:
            self._settle(now, sent - self._full)
        if self._full is None or self._accepted >= _ENOUGH:
            self._full = sent  # the next measurement begins here; a short one goes on instead
            self._accepted = 0

    def _search(self, now: float) -> None:
        first = _FIRST_BACKOFF if self._rate is None else 1.0 / self._rate
        self._searching = True
        self._backoff = min(_LONGEST_BACKOFF, max(first, 2.0 * self._backoff))
        self._next = now + self._backoff

    def _settle(self, now: float, elapsed: float) -> None:
        self._rate = max(1, self._accepted) / max(elapsed, _FIRST_BACKOFF)
        self._measured = self._accepted >= _ENOUGH or elapsed > 2.0
        self._since = now
        self._next = now + 2.0 / self._rate

    def _current(self, now: float) -> float:
        assert self._rate is not None  # noqa: S101 - only asked once there is one
        age = now - self._since
        if not self._measured:
            return float(self._rate * 2.0 ** min(age, 30.0))
        # Creep past the rate slowly; when nothing refuses for long, the limit may have been raised.
        quiet = min(max(0.0, age - _QUIET), 200.0)
        return float(self._rate * (_BELOW + _CREEP * age) * 2.0 ** (quiet / 20.0))
