"""What a pipeline needs of the world, as protocols: any class of that shape fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from penstock.pipeline.result import Entry, Key

__all__ = ["Store"]


class Store(Protocol):
    """Where data lands. A key is landed, failed, or still to do; never two of them."""

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once.

        A key that landed or failed before is passed over, and so is one that this store
        object has yielded already and that is not settled yet.
        """
        ...

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return at once; call ``durable(n)`` when n more are safe.

        ``durable`` is called from the store's own thread, in the order of the entries, marks
        included. Entries become safe in groups: as soon as ``group`` of them wait, or after
        50 ms at the latest.

        Raises:
            StorageError: An earlier entry could not be made safe; nothing after it was.
        """
        ...

    def flush(self) -> None:
        """Return when everything settled so far is safe.

        Raises:
            StorageError: It could not be made safe.
        """
        ...
