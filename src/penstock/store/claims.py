"""Which keys are still to do: looked up lazily, remembered only while they are in flight."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, final

from penstock.clock import Clock
from penstock.errors import InputError
from penstock.pipeline import Key

__all__ = ["Claims"]

Lookup: TypeAlias = Callable[[Sequence[Key]], dict[Key, tuple[str, float]]]
"""Returns the (state, at) of those of the given keys that landed or failed."""

_LARGEST = 256  # keys looked up at once, at most
_PATIENCE = 0.01  # seconds a key may wait for its neighbours before all of them are looked up


@final
class Claims:
    """The keys in flight: given out and not settled yet.

    Args:
        clock: Tells when a source is slow, so that it is not read ahead.
        opened: Seconds since 1970; a key settled later than that repeats in this run.

    Attributes:
        skipped: Keys passed over since they landed or failed in an earlier run.
        repeated: Keys passed over since they came before in this run.
    """

    def __init__(self, clock: Clock, opened: float) -> None:
        self._clock = clock
        self._opened = opened
        self._in_flight: set[Key] = set()
        self._one_at_a_time = threading.Lock()
        self.before = -math.inf  # keys settled before that are to do again
        self.latest = math.inf  # what shows a later moment was settled when the clock was wrong
        self.skipped = 0
        self.repeated = 0

    def __len__(self) -> int:
        return len(self._in_flight)

    def claim(self, keys: Iterable[Key], lookup: Lookup) -> Iterator[Key]:
        """Yield those of ``keys`` that are neither settled nor in flight, each once."""
        for chunk in self._chunks(keys):
            fresh = self._reserve(chunk, lookup)
            given = 0
            try:
                for key in fresh:
                    given += 1
                    yield key
            finally:
                self._in_flight.difference_update(fresh[given:])

    def release(self, keys: Iterable[Key]) -> None:
        """Forget ``keys``; to be called after the ledger shows them, so that none can slip by."""
        self._in_flight.difference_update(keys)

    def forget(self) -> None:
        """Forget all keys in flight: nobody settles them any more."""
        self._in_flight.clear()

    def _reserve(self, chunk: list[Key], lookup: Lookup) -> list[Key]:
        wanted = dict.fromkeys(chunk)
        with self._one_at_a_time:
            # First what is in flight, then the ledger: a key settled between the two looks is
            # seen by the second, since it leaves the set only after its commit.
            unknown = [key for key in wanted if key not in self._in_flight]
            self.repeated += len(chunk) - len(unknown)
            done = lookup(unknown) if unknown else {}
            if self.before > -math.inf:
                done = {key: found for key, found in done.items() if not self._is_due(*found)}
            before = sum(not self._is_ours(at) for _, at in done.values())
            self.skipped += before
            self.repeated += len(done) - before
            fresh = [key for key in unknown if key not in done] if done else unknown
            self._in_flight.update(fresh)
        return fresh

    def _is_due(self, state: str, at: float) -> bool:
        return state != "deleted" and not self._is_ours(at) and not self.before <= at < self._opened

    def _is_ours(self, at: float) -> bool:
        return self._opened <= at <= self.latest

    def _chunks(self, keys: Iterable[Key]) -> Iterator[list[Key]]:
        """Yield growing chunks, small again as soon as the source makes us wait."""
        # What is there already, such as the keys of a page, keeps nobody waiting.
        now, size = self._clock.monotonic, _LARGEST if isinstance(keys, dict | list) else 1
        chunk: list[Key] = []
        latest = now() + _PATIENCE
        for key in keys:
            if not isinstance(key, (int, str)):
                raise InputError(f"a key is a text or a whole number, not {key!r}")
            chunk.append(key)
            slow = now() > latest
            if slow or len(chunk) >= size:
                yield chunk
                size = 1 if slow else min(2 * size, _LARGEST)
                chunk = []
                latest = now() + _PATIENCE
        if chunk:
            yield chunk
