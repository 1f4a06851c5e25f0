"""What every store offers, whatever it is made of: as protocols, so that code asks for no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from penstock.pipeline import Entry, Key, Landing
from penstock.store.values import Failure, OnSame, State, StoredGap, StoreStatus
from penstock.store.verification import Damage

__all__ = ["StoreReader", "WritableStore"]


class StoreReader(Protocol):
    """A store as it is now, also while a run lands in it: only what is safe is seen."""

    @property
    def path(self) -> Path | str:
        """Where it is: a directory, or the address of a database without its credentials."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""

    def records(self) -> Iterator[Landing]:
        """Yield what has landed up to now, in landing order, in constant memory."""

    def moments(self) -> Iterator[tuple[Landing, float]]:
        """Yield what has landed, each record with when, in seconds since 1970."""

    def versions(self, after: str = "") -> Iterator[tuple[Landing, float, str]]:
        """Yield every version after a position: the record, when it landed, the position behind."""

    def deletions(self) -> int:
        """Return a number that is another one once keys have been deleted."""

    def replaced(self, keys: Sequence[Key]) -> set[Key]:
        """Return which of ``keys`` have a record that took the place of an earlier one."""

    def whole_records(self, damaged: Callable[[Damage], object]) -> Iterator[Landing]:
        """Yield what has landed and is as it was written; call ``damaged`` with what is not."""

    def follow(self, after: str = "") -> Iterator[tuple[Landing, str]]:
        """Yield what has landed after a position, each record with the position behind it."""

    def get(self, key: Key) -> bytes | None:
        """Return the record of ``key`` as JSON bytes, or None where it has not landed."""

    def state(self, key: Key) -> State:
        """Return whether ``key`` has landed, has failed, was deleted, or else ``pending``."""

    def deleted(self) -> Iterator[Key]:
        """Yield the keys that were deleted, also those whose record had not come."""

    def failures(self) -> Iterator[Failure]:
        """Yield the keys that are failed now, oldest failure first, in constant memory."""

    def latest(self, count: int) -> list[Landing]:
        """Return about the last ``count`` records that landed, newest first, to be shown."""

    def gaps(self) -> Iterator[StoredGap]:
        """Yield the gaps of a stream, oldest first, in constant memory."""

    def mark(self, name: str) -> str | None:
        """Return the value last settled as ``Checkpoint(name, value)``, or None."""

    def status(self) -> StoreStatus:
        """Return where the store stands."""

    def verify(self) -> int:
        """Compare every record with what is known of it; return how many there are."""


class WritableStore(StoreReader, Protocol):
    """A store open for a run. What :class:`penstock.pipeline.ports.Store` asks for, and more."""

    @property
    def skipped(self) -> int:
        """Keys that :meth:`claim` passed over since an earlier run settled them."""

    @property
    def repeated(self) -> int:
        """Keys that :meth:`claim` passed over since they came before in this run."""

    @property
    def new(self) -> int:
        """Records that became safe through this object: those of this run alone."""

    @property
    def again(self) -> int:
        """Entries that :meth:`settle` dropped since their key had landed before."""

    @property
    def changed(self) -> int:
        """Those of :attr:`again` whose record was another than the one that landed."""

    @property
    def takes_again(self) -> bool:
        """Whether a record whose key has landed before is looked at: it may be a newer version."""

    @property
    def stale(self) -> int:
        """Keys that failed when they were fetched again: their earlier records stay."""

    def keep(self, on_same: OnSame) -> None:
        """Say what becomes of a record whose key has landed before; to be said after opening."""

    def refresh(self, before: float) -> None:
        """Let :meth:`claim` yield keys again that were last seen before ``before`` (since 1970)."""

    def accept(self, keys: Iterable[Key]) -> int:
        """Take failed keys as they are: they have no record and need none; return how many."""

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once."""

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return; call ``durable(n)`` when n more are safe."""

    def flush(self) -> None:
        """Return when everything settled so far is safe."""

    def expect(self, total: int | None) -> None:
        """Remember how many keys the source has, so that status can tell what is pending."""

    def retry_failed(self, keys: Iterable[Key] | None = None) -> int:
        """Put failed keys, all or the given ones, back to do; return how many."""

    def acknowledge(self, keys: Iterable[Key]) -> int:
        """Accept that failed keys failed, and return how many; they stay failed and kept."""
