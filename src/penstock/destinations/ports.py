"""What a destination offers: a table that takes batches, each with the position behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias, final

from penstock.pipeline import Key
from penstock.store import READERS, Field, Value

__all__ = ["Batch", "Destination", "Reader"]

Reader: TypeAlias = Callable[[bytes], Value]
_NONE: Mapping[str, Reader] = MappingProxyType({})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows, and what else has to become true together with them.

    Attributes:
        table: Its name.
        before: The state that the table has now, as :meth:`Destination.state` returned it.
        after: The state that it has with this batch.
        fields: All columns, the key first, new ones at the end.
        rows: For each column the JSON text, None where the record has none.
        gone: Keys whose rows are to go, before the new ones come.
        widened: Names of columns of whole numbers that have come to hold fractions.
        known: How many of the columns the table has already; 0: there is no table yet.
    """

    table: str
    before: bytes | None
    after: bytes
    fields: Sequence[Field]
    rows: Sequence[Sequence[bytes | None]]
    gone: Sequence[Key] = ()
    widened: Sequence[str] = ()
    known: int = 0

    @property
    def typed(self) -> list[tuple[int, Field]]:
        """The columns that hold something else than null, each with its place in a row."""
        return [(spot, field) for spot, field in enumerate(self.fields) if field.kind != "null"]

    def values(self, others: Mapping[str, Reader] = _NONE) -> Iterator[list[Value]]:
        """Yield the rows as values of Python; ``others`` read some kinds in their own way."""
        columns = [(spot, others.get(one.kind, READERS[one.kind])) for spot, one in self.typed]
        for row in self.rows:
            yield [
                None if (cell := row[spot]) is None or cell == b"null" else read(cell)
                for spot, read in columns
            ]


class Destination(Protocol):
    """Where a table is kept up to date. A batch comes to be whole, with its state, or not at all.

    Raises of each method: ``StorageError`` where it cannot be reached, is full, or another process
    keeps the table; ``InputError`` where it cannot hold what is given.
    """

    def state(self, table: str) -> bytes | None:
        """Return the state of a table as the last batch left it; None where there is no table."""
        ...

    def commit(self, batch: Batch) -> None:
        """Make a batch true, if the table's state is ``batch.before``."""
        ...

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""
        ...
