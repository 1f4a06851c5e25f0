"""What a resilient client is told, and what it counts."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import final

from pymongo import _csot

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError
from penstock.events import Events, Retry

__all__ = ["ClientCounters", "Core", "Counters", "Settings"]

_FIRST_CEILING = 0.010
_LAST_CEILING = 1.0


def _is_span(seconds: object) -> bool:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return number and 0 < seconds < float("inf")  # type: ignore[operator] # a number, see above


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how to try.

    Attributes:
        deadline: Seconds from a call's first try to its last.
        idempotent: The caller's word that repeating any operation is harmless.
        remember: Identities a cursor without an order remembers to resume without repeating.
        clock: Where the time comes from.
        rng: Where the jitter comes from.
        events: Where each retry is told.
    """

    deadline: float = 60.0
    idempotent: bool = False
    remember: int = 100_000
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        if not _is_span(self.deadline):
            raise InputError(f"deadline={self.deadline!r}: a finite number of seconds above 0")

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after ``failures`` failures (1 or more).

        Full jitter: clients that lost the same primary must not come back together.
        """
        doublings = min(failures - 1, 16)
        return self.rng.uniform(0.0, min(_LAST_CEILING, _FIRST_CEILING * 2.0**doublings))


@final
@dataclass(frozen=True, slots=True)
class ClientCounters:
    """What a client went through so far.

    Attributes:
        retries: Calls that were made again, by operation (``insert_one``, ``find`` ...).
        resumed: Cursors and change streams that went on where they were cut off.
        replayed: Transactions that were done again from their first statement.
        gave_up: Operations that ended in an error after the last try.

    >>> ClientCounters(retries={"find_one": 2}).total
    2
    """

    retries: Mapping[str, int] = field(default_factory=dict)
    resumed: int = 0
    replayed: int = 0
    gave_up: int = 0

    @property
    def total(self) -> int:
        """All calls that were made again."""
        return sum(self.retries.values())


@final
class Core:
    """What all objects reached through one resilient client share."""

    __slots__ = ("_lock", "_retries", "_sums", "client", "limit", "now", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = settings.clock.monotonic
        # The client's proxy, while there is one: PyMongo compares clients by ``is``.
        self.client: Callable[[], object] = lambda: None
        self.limit = float("inf")  # the client's timeoutMS, in seconds
        self._lock = threading.Lock()
        self._retries: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()

    def with_settings(self, settings: Settings) -> Core:
        """Return another core with these settings that counts into the same counters."""
        other = Core(settings)
        other.limit = self.limit
        other._lock, other._retries, other._sums = self._lock, self._retries, self._sums
        return other

    @property
    def deadline(self) -> float:
        """Seconds for one operation, its repetitions included.

        A ``timeoutMS`` of the client is obeyed, unless ``pymongo.timeout`` is in its place.
        """
        own = self.limit if _csot.get_timeout() is None else float("inf")
        return min(own, self.settings.deadline)

    def retrying(self, what: str, place: str, attempt: int, wait: float, reason: str) -> None:
        """Count one more try of ``what`` and tell it."""
        with self._lock:
            self._retries[what] += 1
        key = f"{place} {what}".lstrip()
        self.settings.events.emit(Retry(key=key, attempt=attempt, wait=wait, reason=reason))

    def count(self, sum_name: str) -> None:
        """Add one to ``resumed``, ``replayed`` or ``gave_up``."""
        with self._lock:
            self._sums[sum_name] += 1

    def counters(self) -> ClientCounters:
        """Return what was counted so far."""
        with self._lock:
            return ClientCounters(
                retries=dict(self._retries),
                resumed=self._sums["resumed"],
                replayed=self._sums["replayed"],
                gave_up=self._sums["gave_up"],
            )


Counters = ClientCounters  # its name in earlier versions
