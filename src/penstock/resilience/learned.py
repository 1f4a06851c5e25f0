"""The limit of a server that tells nothing but ``Retry-After``: what it let pass in a window."""

from __future__ import annotations

import math
from typing import final

import msgspec
from msgspec.structs import replace

from penstock.resilience.window import roundest

_CLEAN_WINDOWS = 3
_MARKS = 64  # moments that are remembered of a window


@final
class LearnedWindow(msgspec.Struct, frozen=True, gc=False):
    """A window of a server that tells only ``Retry-After``: the limit is what it let pass.

    After some clean windows one more call than that is tried, then two, four …, so that a limit
    learned too low (a window already half spent when we came) does not stay. With a reserve nothing
    is tried: the limit has to be met once to be known, and from then on the reserve is left.

    Where the server counts the last seconds, and not windows that begin and end, a call's place is
    free again a window's length after it: nothing goes out earlier than that.

    ``sent`` and ``accepted`` of its methods are running totals of requests.
    """

    reserve: float = 0.0
    limit: float | None = None
    opens: float = -math.inf
    start: tuple[float, float] | None = None
    accepted_before: float = 0.0
    sent_before: float = 0.0
    interval: tuple[float, float] | None = None
    length: float | None = None
    clean: int = 0
    extra: float = 0.0
    marks: tuple[tuple[float, float], ...] = ()
    before: tuple[tuple[float, float], ...] = ()

    def began(self, sent: float, now: float) -> LearnedWindow:
        """Note the first answer of a window, to a call that went out at ``sent``."""
        opens = self.opens if self.length is None else now + self.length
        return replace(self, start=(sent, now), opens=opens)

    def counted(self, accepted: float, now: float) -> LearnedWindow:
        """Note an answer that was no refusal; ``accepted`` counts it."""
        marks = (*self.marks, (accepted - self.accepted_before, now))
        # Thinned out, a mark stands for those before it, too: they were earlier than it says.
        return replace(self, marks=marks if len(marks) <= _MARKS else marks[1::2])

    def _freed(self, now: float) -> tuple[float, float]:
        """Return how many calls may have gone out by ``now``, and when there may be more."""
        if self.length is None or not self.before:
            return math.inf, now
        late = [(count, at + self.length) for count, at in self.before if at + self.length > now]
        if not late:
            return math.inf, now
        freed = max((count for count, at in self.before if at + self.length <= now), default=0.0)
        spare = max(1.0, (self.limit or 1.0) - self.reserve) - self.before[-1][0]
        return max(0.0, spare + freed), late[0][1]

    def refused(self, low: float, high: float) -> LearnedWindow:
        """Note a refusal that says: come back between the times ``low`` and ``high``."""
        known = self.interval
        if known is not None and known[0] <= high and low <= known[1]:
            low, high = max(low, known[0]), min(high, known[1])
        opens, length = high, self.length
        if self.start is not None:
            length = roundest(low - self.start[1], high - self.start[0])
            if length is not None:
                opens = min(high, self.start[1] + length)
        return replace(self, interval=(low, high), clean=0, extra=0.0, opens=opens, length=length)

    def wait(self, now: float, sent: float) -> float:
        """Return the seconds until the next window, where this one is spent."""
        if self.interval is not None:
            return self.opens - now
        if self.limit is None or self.left(sent) >= 1.0:
            freed, more = self._freed(now)
            return 0.0 if sent - self.sent_before < freed else more - now
        if self.start is None:
            return math.inf  # the first answer of the window is still out
        return self.opens - now

    def due(self, now: float) -> bool:
        """Whether a new window is to be opened: this one was spent, and its time is over."""
        if self.interval is not None:
            return now >= self.opens
        return self.limit is not None and self.start is not None and now >= self.opens

    def left(self, sent: float) -> float:
        """Units that may still be sent in this window."""
        if self.limit is None:
            return math.inf
        return self.sent_before + max(1.0, self.limit - self.reserve) + self.extra - sent

    def begun_by_another(self, sent: float) -> LearnedWindow:
        """Let one call more begin the window: no call of it is out, and no answer began it.

        They were refused, or lost; the server may have counted them, so it is only one.
        """
        return replace(self, sent_before=self.sent_before + 1.0 - self.left(sent))

    def reopened(self, sent: float, accepted: float) -> LearnedWindow:
        """Begin a new window."""
        limit, clean, extra = self.limit, self.clean, self.extra
        passed = accepted - self.accepted_before
        if self.interval is not None:
            if passed or limit is None:  # else we only came too early
                limit = max(1.0, passed)
        else:
            clean += 1
            if clean > _CLEAN_WINDOWS and not self.reserve:
                extra = max(1.0, 2.0 * extra)
        return replace(
            self,
            limit=limit,
            clean=clean,
            extra=extra,
            interval=None,
            start=None,
            marks=(),
            before=self.marks,
            accepted_before=accepted,
            sent_before=sent,
        )
