"""Two guards against making an outage worse: a circuit breaker and a retry budget."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import final

from penstock.errors import InputError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to stop calling a server that only fails, and when to give it up.

    Attributes:
        failures: Failures in a row, of any items, that open the breaker.
        pause: Seconds until the first single call tries whether the server is back.
        cap: Longest pause in seconds; it doubles with every vain try.
        outage: Seconds of nothing but failures after which the run ends (exit code 4,
            resumable), or None to go on trying indefinitely.
    """

    failures: int = 20
    pause: float = 1.0
    cap: float = 60.0
    outage: float | None = 3600.0

    def __post_init__(self) -> None:
        if self.failures < 1 or self.pause <= 0 or self.cap < self.pause:
            raise InputError("BreakerPolicy: failures is 1 or more, 0 < pause <= cap (seconds)")


@final
class Breaker:
    """A circuit breaker: closed, open, or half open with one call trying. Threads may share it.

    >>> breaker = Breaker(BreakerPolicy(failures=2, pause=1.0))
    >>> breaker.failed(0.0); breaker.failed(0.1)
    >>> breaker.wait(0.1), breaker.wait(1.2)
    (1.0, 0.0)
    >>> breaker.started(1.2); breaker.succeeded(); breaker.wait(1.2)
    0.0
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._row = 0
        self._pause = 0.0
        self._until = -math.inf
        self._first = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether ordinary calls are held back."""
        return self._row >= self._policy.failures

    def wait(self, now: float) -> float:
        """Return the seconds until a call may go out; infinity while one is trying."""
        if not self.is_open:
            return 0.0
        with self._lock:
            return math.inf if self._trying else max(0.0, self._until - now)

    def started(self, now: float) -> None:
        """Note that a call goes out."""
        if self._row or self._trying:  # nothing to note while all is well: no lock either
            with self._lock:
                self._trying = self.is_open

    def failed(self, now: float) -> None:
        """Note a call that found no working server."""
        with self._lock:
            if self._row == 0:
                self._first = now
            self._row += 1
            if self._row == self._policy.failures:
                self._pause = self._policy.pause
                self._until = now + self._pause
            elif self._trying:
                self._pause = min(self._policy.cap, 2.0 * self._pause)
                self._until = now + self._pause
            self._trying = False

    def succeeded(self) -> None:
        """Note a call that was answered properly: all is well again."""
        if self._row or self._trying:
            with self._lock:
                self._row = 0
                self._trying = False

    def dropped(self) -> None:
        """Note a call that nobody waits for any longer: it tells nothing, another may try."""
        self._trying = False  # without the lock: the garbage collector may call this within it

    def gave_up(self, now: float) -> bool:
        """Whether the outage has lasted longer than the policy waits for."""
        outage = self._policy.outage
        with self._lock:
            return self.is_open and outage is not None and now - self._first > outage


@final
class RetryBudget:
    """Retries as a share of calls: when most calls fail, retries do not multiply the load.

    A token bucket. Each first call pays in ``ratio``; each retry takes 1; ``floor`` tokens a
    second come by themselves, so that small work is never stuck. A retry without a token waits.
    Threads may share it.

    >>> retries = RetryBudget(ratio=0.5, floor=1.0, most=1.0)
    >>> retries.take(0.0), retries.take(0.0)
    (0.0, 1.0)
    """

    def __init__(self, *, ratio: float = 0.2, floor: float = 10.0, most: float = 100.0) -> None:
        if ratio < 0 or floor <= 0 or most < 1:
            raise InputError("RetryBudget: ratio is 0 or more, floor above 0, most at least 1")
        self._ratio = ratio
        self._floor = floor
        self._most = most
        self._lock = threading.Lock()
        self._tokens = most
        self._at: float | None = None

    def called(self) -> None:
        """Note a first call."""
        if self._tokens < self._most:
            with self._lock:
                self._tokens = min(self._most, self._tokens + self._ratio)

    def take(self, now: float) -> float:
        """Take one token and return 0, or return the seconds until there is one."""
        with self._lock:
            if self._at is not None and now > self._at:
                earned = (now - self._at) * self._floor
                self._tokens = min(self._most, self._tokens + earned)
            # Threads read the clock before they come here, so it may seem to go back.
            self._at = now if self._at is None else max(self._at, now)
            if self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0.0
            return (1.0 - self._tokens) / self._floor
