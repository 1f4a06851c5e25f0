"""How a run is doing, in numbers: counted from its events, for whoever wants to show it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from penstock.events import BudgetSeen, Event, Failed, Landed, Retry, Waiting

_SPAN = 10.0
_STEP = 0.2


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. Times are seconds.

    Attributes:
        done: Keys that landed or failed, those of earlier runs included.
        total: Keys in the source, or None where that is not known.
        failed: Keys that failed in this run.
        retries: Calls made again after a failure.
        refused: Calls refused for lack of quota (420, 429).
        rate: Keys a second over the last ten seconds.
        eta: Seconds until the end at that rate, or None where that is not known.
        remaining: What the server still allows, or None where it did not say.
        limit: Of how many, or None.
        reset: Seconds until that is renewed, or None.
        waiting: Seconds for which nothing may be sent; 0 while calls go out.
        reason: What closed the gate, while we wait.
    """

    done: int = 0
    total: int | None = None
    failed: int = 0
    retries: int = 0
    refused: int = 0
    rate: float = 0.0
    eta: float | None = None
    remaining: float | None = None
    limit: float | None = None
    reset: float | None = None
    waiting: float = 0.0
    reason: str = ""


@final
class Rate:
    """How quickly a count grows: over the last ten seconds, a second.

    >>> now = iter([0.0, 2.0])
    >>> Rate(5, clock=lambda: next(now)).at(25)
    10.0
    """

    def __init__(self, count: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque([(clock(), count)])
        self._lock = threading.Lock()  # several may look at once

    def at(self, count: int) -> float:
        """Return the rate, now that the count is ``count``."""
        with self._lock:
            now = self._clock()
            if now - self._recent[-1][0] >= _STEP:
                self._recent.append((now, count))
            while len(self._recent) > 2 and self._recent[0][0] < now - _SPAN:
                self._recent.popleft()
            then, had = self._recent[0]
        return (count - had) / (now - then) if now > then else 0.0


@final
class Meter:
    """Counts what events tell of a run. Subscribe :meth:`saw`, and ask :meth:`look`.

    Args:
        total: Keys in the source, where that is known.
        done: Keys that were settled before.
        clock: Monotonic seconds.

    >>> meter = Meter(total=10, done=2, clock=lambda: 0.0)
    >>> meter.saw(Landed(count=3)); meter.saw(Failed(key=7, reason="404"))
    >>> meter.look().done, meter.look().failed
    (6, 1)
    """

    def __init__(
        self, total: int | None, done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.done = done
        self.failed = 0
        self.retries = 0
        self.refused = 0
        self._clock = clock
        self._rate = Rate(done, clock)
        self._budget = BudgetSeen(limit=None, remaining=None, reset=None)
        self._budget_at = 0.0
        self._waiting_until = 0.0
        self._reason = ""

    def saw(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Landed():
                self.done += event.count
            case Failed():
                self.done += 1
                self.failed += 1
            case Retry():
                if event.status in (420, 429):
                    self.refused += 1
                else:
                    self.retries += 1
            case BudgetSeen():
                self._budget, self._budget_at = event, self._clock()
            case Waiting():
                self._waiting_until = self._clock() + event.seconds
                self._reason = event.reason
            case _:
                pass

    def look(self) -> Progress:
        """Return how far it is now. May be asked from any thread."""
        now, rate, seen = self._clock(), self._rate.at(self.done), self._budget
        waiting = max(0.0, self._waiting_until - now)
        known = self.total is not None and rate > 0
        return Progress(
            done=self.done,
            total=self.total,
            failed=self.failed,
            retries=self.retries,
            refused=self.refused,
            rate=rate,
            eta=max(0, (self.total or 0) - self.done) / rate if known else None,
            remaining=seen.remaining,
            limit=seen.limit,
            reset=None if seen.reset is None else max(0.0, seen.reset - (now - self._budget_at)),
            waiting=waiting,
            reason=self._reason if waiting else "",
        )
