"""What a destination offers: a table that takes batches, each with the position behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, final

from penstock.pipeline import Key
from penstock.store import READERS, Field, Value, arrow_table, table_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Batch", "Destination", "Reader", "wants_structs"]

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
        ended: Keys with the time, as JSON, at which the version that was theirs ended; only in a
            table of versions, whose second and third columns say from when and until when.
        versions: Whether a key may have several rows.
        widened: Names of columns whose type has come to hold more than it did.
        known: How many of the columns the table has already; 0: there is no table yet.
        arrays: The values of columns but the key, by their names, where they came as Arrow's; the
            rows hold the key alone then. One that is not there is null.
        children: Batches for the tables of its lists, to become true together with it: rows of
            ``gone`` keys go from each. They have no states of their own.
    """

    table: str
    before: bytes | None
    after: bytes
    fields: Sequence[Field]
    rows: Sequence[Sequence[bytes | None]]
    gone: Sequence[Key] = ()
    ended: Sequence[tuple[Key, bytes]] = ()
    versions: bool = False
    widened: Sequence[str] = ()
    known: int = 0
    arrays: Mapping[str, pa.Array] | None = None
    children: Sequence[Batch] = ()

    @property
    def typed(self) -> list[tuple[int, Field]]:
        """The columns that hold something else than null, each with its place in a row."""
        return [(spot, field) for spot, field in enumerate(self.fields) if field.kind != "null"]

    @property
    def columns(self) -> list[tuple[bytes | None, ...]]:
        """The cells of each column."""
        return list(zip(*self.rows, strict=True))

    def arrow(self) -> pa.Table:
        """Return the rows as Arrow's table, whose columns are the typed ones."""
        if self.arrays is not None:
            return table_of(self.typed, [row[0] or b"" for row in self.rows], self.arrays)
        return arrow_table(self.typed, self.columns)

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

    @property
    def holds_versions(self) -> bool:
        """Whether it can hold several versions of a record, and say until when each held."""

    @property
    def holds_children(self) -> bool:
        """Whether it takes batches with children."""

    @property
    def holds_structs(self) -> bool:
        """Whether columns may be ``nested``: structs and lists. One that says nothing has JSON."""

    def state(self, table: str) -> bytes | None:
        """Return the state of a table as the last batch left it; None where there is no table."""

    def commit(self, batch: Batch) -> None:
        """Make a batch true, if the table's state is ``batch.before``."""

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""


def wants_structs(nested: str | None) -> bool | None:
    """Return whether ``structs`` or ``json`` was asked for; None: structs where there are some.

    >>> [wants_structs(nested) for nested in ("structs", "json", "tables", None)]
    [True, False, None, None]
    """
    return {"structs": True, "json": False}.get(nested or "")
