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

import msgspec
from msgspec.structs import replace

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
class Pace(msgspec.Struct, frozen=True, gc=False):
    """The state of the search for an unknown rate. Times are monotonic seconds.

    ``accepted`` of its methods is a running total: the answers, ever, that were not refusals.

    Attributes:
        rate: Calls a second we believe in, or None while that is not known.
        measured: Whether it was measured long enough to be trusted.
        since: From when ``rate`` holds.
        following: When the next call may go out, where calls are spaced.
        searching: Whether single calls find out when one passes again.
        backoff: Seconds between those.
        full: When the last call went out that found the limit reached.
        counted_from: The total at that moment: what passed since then measures the rate.
        opened_from: The total at which slow start began.
        opened: Calls in flight it began with.
        decided: When a refusal was last answered for.
        credit: Calls that may be made up for where we lost time ourselves.

    >>> pace = Pace()
    >>> pace.wait(0.0, outstanding=1, accepted=0) > 0, pace.wait(0.0, outstanding=0, accepted=0)
    (True, 0.0)
    >>> pace.wait(0.1, outstanding=1, accepted=1)
    0.0
    """

    rate: float | None = None
    measured: bool = False
    since: float = 0.0
    following: float = 0.0
    searching: bool = False
    backoff: float = 0.0
    full: float | None = None
    counted_from: float = 0.0
    opened_from: float = 0.0
    opened: float = 1.0
    decided: float = -math.inf
    credit: float = 1.0

    def wait(self, now: float, outstanding: float, accepted: float) -> float:
        """Return the seconds until one more call may go out; 0 means now."""
        if self.searching:
            return math.inf if outstanding else max(0.0, self.following - now)
        if self.rate is None:
            return 0.0 if outstanding < self._open(accepted) else math.inf
        return max(0.0, self.following - now)

    def _open(self, accepted: float) -> float:
        """Calls in flight that slow start allows.

        Doubling at first, then half as much again each round trip: a late refusal costs as many
        calls as are in flight.
        """
        answers = accepted - self.opened_from
        careful = max(0.0, _CAREFUL - self.opened)
        return self.opened + answers - max(0.0, answers - careful) / 2.0

    def granted(self, now: float) -> Pace:
        """Note that a call goes out."""
        if self.rate is None:
            return self
        gap = 1.0 / self._current(now)
        late = min(_CATCH_UP, self.credit * gap)  # time we lost ourselves may be made up for
        return replace(self, following=max(self.following, now - late) + gap)

    def accepted(self, now: float, sent: float, accepted: float) -> Pace:
        """Note an answer that was not a refusal, to a call that went out at ``sent``."""
        if self.full is None and not self.searching:
            return self  # nearly always: the total counts it
        pace = self
        if self.full is not None and sent <= self.full:
            pace = replace(pace, counted_from=pace.counted_from + 1.0)
        if sent <= self.decided:
            # Let pass before the refusal that was answered for already.
            return replace(pace, opened_from=pace.opened_from + 1.0)
        if not self.searching:
            return pace
        return replace(
            pace, searching=False, backoff=0.0, since=now, opened=2.0, opened_from=accepted
        )

    def refused(self, now: float, sent: float, accepted: float) -> Pace:
        """Note a refusal of a call that went out at ``sent``."""
        if sent <= self.decided:
            return self  # belongs to a burst that was answered for already
        passed = accepted - self.counted_from
        pace = replace(self, decided=now)
        if self.full is None:
            # What it let pass at once is the burst it tolerates: a quarter of it is ours to use.
            pace = replace(pace, credit=min(_MOST_CREDIT, max(1.0, passed / 4.0)))
        if self.full is None or self.searching or passed == 0:
            pace = _searched(pace, now)
        else:
            pace = _settled(pace, now, sent - self.full, passed)
        if self.full is None or passed >= _ENOUGH:
            # The next measurement begins here; a short one goes on instead.
            pace = replace(pace, full=sent, counted_from=accepted)
        return pace

    def _current(self, now: float) -> float:
        assert self.rate is not None  # only asked once there is one
        age = now - self.since
        if not self.measured:
            return float(self.rate * 2.0 ** min(age, 30.0))
        # Creep past the rate slowly; when nothing refuses for long, the limit may have been raised.
        quiet = min(max(0.0, age - _QUIET), 200.0)
        return float(self.rate * (_BELOW + _CREEP * age) * 2.0 ** (quiet / 20.0))


def _searched(pace: Pace, now: float) -> Pace:
    first = _FIRST_BACKOFF if pace.rate is None else 1.0 / pace.rate
    backoff = min(_LONGEST_BACKOFF, max(first, 2.0 * pace.backoff))
    return replace(pace, searching=True, backoff=backoff, following=now + backoff)


def _settled(pace: Pace, now: float, elapsed: float, passed: float) -> Pace:
    rate = max(1.0, passed) / max(elapsed, _FIRST_BACKOFF)
    return replace(
        pace,
        rate=rate,
        measured=passed >= _ENOUGH or elapsed > 2.0,
        since=now,
        following=now + 2.0 / rate,
    )
