"""What every store does with claims and entries, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType

from penstock.errors import StorageError, StoreInUse
from penstock.pipeline import Entry, Failing, Landing
from penstock.store.claims import Claims
from penstock.store.values import OnSame, Tally
from penstock.store.writer import Writer

__all__ = ["Settlement"]


class Settlement(ABC):
    """Claims and groups of entries: the writing half of a store."""

    _claims: Claims
    _writer: Writer
    _commit: Tally

    @property
    def takes_again(self) -> bool:
        """Whether a record whose key has landed before is looked at: it may be a newer version."""
        return self._commit.on_same != "first"

    def keep(self, on_same: OnSame) -> None:
        """Say what becomes of a record whose key has landed before; to be said after opening.

        Args:
            on_same: ``"first"`` drops it. ``"replace"`` and ``"history"`` let one that differs take
                the place of the one before; with ``"history"`` all versions can be read.

        Raises:
            StorageError: The store cannot be prepared for it.
        """
        self._commit.on_same = on_same
        if self.takes_again:
            self._keep_versions()

    def refresh(self, before: float) -> None:
        """Let :meth:`claim` yield keys again that were last seen before ``before`` (since 1970)."""
        self._claims.before = before

    @abstractmethod
    def _keep_versions(self) -> None:
        """Prepare the store for more than one record of a key."""

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return; call ``durable(n)`` when n more are safe.

        ``durable`` is called in the store's own thread, in the order of the entries, and must be
        quick. Groups become safe when ``group`` entries wait or 8 ms after the first came. An
        entry whose key has landed before is dropped and counted in :attr:`again`. Where the store
        is more than 32 groups behind, the call waits for it.

        A record must be one JSON text; it is written as it is. In a directory the entries of one
        call become safe together: all of them, or, where the process dies before, none; only
        records that had reached the disk by then are taken in by the next opening. In MongoDB a
        record that no document holds, not even as compressed text, ends as failed (``TooLarge``).

        Raises:
            StorageError: An earlier entry could not be made safe; nothing after it was.
        """
        self._writer.settle(entries, durable, group)

    def flush(self) -> None:
        """Return when everything settled so far is safe.

        Raises:
            StorageError: It could not be made safe.
        """
        self._writer.flush()

    @property
    def skipped(self) -> int:
        """Keys that :meth:`claim` passed over since an earlier run settled them."""
        return self._claims.skipped

    @property
    def repeated(self) -> int:
        """Keys that :meth:`claim` passed over since they came before in this run."""
        return self._claims.repeated

    @property
    def new(self) -> int:
        """Records that became safe through this object."""
        return self._commit.new

    @property
    def again(self) -> int:
        """Entries that :meth:`settle` dropped since their key had landed before."""
        return self._commit.again

    @property
    def changed(self) -> int:
        """Those of :attr:`again` whose record was another than the one that landed."""
        return self._commit.changed

    @property
    def stale(self) -> int:
        """Keys that failed when they were fetched again: their earlier records stay."""
        return self._commit.stale

    @abstractmethod
    def close(self) -> None:
        """Make safe what was settled, then let go. Closing twice is allowed."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except (StorageError, StoreInUse):
            # Told already where this is what ends the block; it must not hide another error.
            if error is None:
                raise

    def _in_flight(self) -> int:
        return len(self._claims)

    def _release(self, entries: Sequence[Entry]) -> None:
        """Forget the keys of entries that are safe."""
        if len(self._claims):
            self._claims.release(
                entry.key for entry in entries if isinstance(entry, Landing | Failing)
            )
