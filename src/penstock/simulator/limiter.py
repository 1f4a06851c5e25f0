"""Rate limits as state and time: ``take(now)`` decides, nothing here waits or reads a clock."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple, Protocol, final

from penstock.simulator.settings import SimulatorSettings

__all__ = [
    "Bucket",
    "FixedWindow",
    "LimitVerdict",
    "Limiter",
    "SlidingWindow",
    "Unlimited",
    "limiter_for",
]


class LimitVerdict(NamedTuple):
    """What a limiter decided, and what its headers say. Times are seconds from now."""

    accepted: bool
    limit: int
    remaining: int
    reset: float
    retry_after: float


PLENTY = 1_000_000_000
ALWAYS = LimitVerdict(accepted=True, limit=PLENTY, remaining=PLENTY, reset=0.0, retry_after=0.0)


class Limiter(Protocol):
    """One key's limit."""

    def take(self, now: float) -> LimitVerdict:
        """Decide on one request at ``now``."""
        ...

    def look(self, now: float) -> LimitVerdict:
        """Return the state at ``now`` without spending."""
        ...


@final
class FixedWindow:
    """``limit`` requests in ``window`` seconds from the key's first request on.

    The first request after a window's end begins the next one, as in express-rate-limit.

    >>> limiter = FixedWindow(2, 5.0)
    >>> [limiter.take(now).accepted for now in (100.0, 101.0, 104.9, 105.0)]
    [True, True, False, True]
    >>> limiter.look(106.0)
    LimitVerdict(accepted=True, limit=2, remaining=1, reset=4.0, retry_after=4.0)
    """

    __slots__ = ("_end", "_limit", "_used", "_window")

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._end = -math.inf
        self._used = 0

    def take(self, now: float) -> LimitVerdict:
        """Decide on one request at ``now``; a refused one costs nothing."""
        if now >= self._end:
            self._end = now + self._window
            self._used = 0
        accepted = self._used < self._limit
        self._used += accepted
        left = self._end - now
        return LimitVerdict(accepted, self._limit, self._limit - self._used, left, left)

    def look(self, now: float) -> LimitVerdict:
        """Return the state at ``now`` without spending."""
        if now >= self._end:
            left, remaining = self._window, self._limit
        else:
            left, remaining = self._end - now, self._limit - self._used
        return LimitVerdict(remaining > 0, self._limit, remaining, left, left)


@final
class SlidingWindow:
    """``limit`` requests in any ``window`` seconds: each counts for so long.

    ``reset`` is when the oldest of them counts no longer.

    >>> limiter = SlidingWindow(2, 5.0)
    >>> [limiter.take(now).accepted for now in (100.0, 101.0, 104.9, 105.0, 105.5)]
    [True, True, False, True, False]
    """

    __slots__ = ("_counted", "_limit", "_window")

    def __init__(self, limit: int, window: float) -> None:
        self._limit, self._window = limit, window
        self._counted: deque[float] = deque()

    def take(self, now: float) -> LimitVerdict:
        """Decide on one request at ``now``; a refused one costs nothing."""
        accepted = self.look(now).accepted
        if accepted:
            self._counted.append(now)
        return self.look(now)._replace(accepted=accepted)

    def look(self, now: float) -> LimitVerdict:
        """Return the state at ``now`` without spending."""
        while self._counted and self._counted[0] <= now - self._window:
            self._counted.popleft()
        left = self._limit - len(self._counted)
        reset = self._counted[0] + self._window - now if self._counted else self._window
        return LimitVerdict(left > 0, self._limit, left, reset, reset)


@final
class Bucket:
    """A leaky bucket: ``limit / window`` a second, and ``burst`` more at once.

    The arithmetic is that of nginx's ``limit_req`` with ``nodelay``: a request that would raise
    the excess above ``burst`` is refused and adds nothing. ``reset`` is when the bucket will
    be empty, ``retry_after`` when one more request would pass.

    >>> limiter = Bucket(10, 1.0, burst=1)
    >>> [limiter.take(now).accepted for now in (0.0, 0.0, 0.0, 0.1)]
    [True, True, False, True]
    """

    __slots__ = ("_burst", "_excess", "_limit", "_rate", "_seen")

    def __init__(self, limit: int, window: float, burst: int) -> None:
        self._limit = limit
        self._rate = limit / window
        self._burst = burst
        self._excess = -1.0  # so that the first request finds room for burst + 1
        self._seen = -math.inf

    def take(self, now: float) -> LimitVerdict:
        """Decide on one request at ``now``; a refused one costs nothing."""
        excess = self._excess_at(now)
        accepted = excess + 1 <= self._burst + 1e-9
        if accepted:
            self._excess = excess + 1
            self._seen = now
        return self._verdict(now, accepted=accepted)

    def look(self, now: float) -> LimitVerdict:
        """Return the state at ``now`` without spending."""
        return self._verdict(now, accepted=self._excess_at(now) + 1 <= self._burst + 1e-9)

    def _excess_at(self, now: float) -> float:
        if self._seen == -math.inf:
            return -1.0
        return max(-1.0, self._excess - (now - self._seen) * self._rate)

    def _verdict(self, now: float, *, accepted: bool) -> LimitVerdict:
        excess = self._excess_at(now)
        return LimitVerdict(
            accepted,
            self._limit,
            max(0, math.floor(self._burst - excess + 1e-9)),
            (excess + 1) / self._rate,
            max(0.0, excess + 1 - self._burst) / self._rate,
        )


@final
class Unlimited:
    """No limit: every request passes.

    >>> Unlimited().take(0.0).accepted
    True
    """

    __slots__ = ()

    def take(self, now: float) -> LimitVerdict:
        """Let the request at ``now`` pass."""
        return self.look(now)

    def look(self, now: float) -> LimitVerdict:
        """Return that there is plenty."""
        return ALWAYS


def limiter_for(settings: SimulatorSettings) -> Limiter:
    """Return a fresh limiter for one key."""
    if not settings.limit:
        return Unlimited()
    if settings.limiter == "bucket":
        return Bucket(settings.limit, settings.window, settings.burst)
    if settings.limiter == "sliding":
        return SlidingWindow(settings.limit, settings.window)
    return FixedWindow(settings.limit, settings.window)
