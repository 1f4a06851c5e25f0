"""Cells as Arrow's columns: for Parquet, DuckDB, pandas, polars and whatever else reads Arrow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, final

import msgspec

from penstock.errors import InputError, MissingExtra, PenstockError, StorageError
from penstock.markup import html_table
from penstock.pipeline import Key, LandedRecord
from penstock.registry import did_you_mean
from penstock.store.cells import fields, text_of
from penstock.store.in_portions import portions
from penstock.store.layout import Field, Item, Layout, read_given
from penstock.store.nested import arrow_type
from penstock.store.shape import Column, published
from penstock.store.values import StoreStatus

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = [
    "Frames",
    "LiveRecords",
    "arrow_reader",
    "arrow_schema",
    "arrow_table",
    "connect_duckdb",
    "import_arrow",
    "read_arrow",
    "table_of",
    "to_duckdb",
]

Where: TypeAlias = Callable[[Key], bool]

_HEAD = 10  # records that a notebook shows
_ROWS, _BYTES = 20_000, 8 << 20  # what a batch holds, and a little more
_encode = msgspec.json.Encoder().encode


class StoredRecords(Protocol):
    """What has records in an order that does not change while more land."""

    def records(self) -> Iterator[LandedRecord]:
        """Yield what has landed, in landing order."""

    def moments(self) -> Iterator[tuple[LandedRecord, float]]:
        """Yield the same, each record with when it landed, in seconds since 1970."""


def import_arrow(what: str) -> None:
    """Import pyarrow.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: F401 - to see whether it can be
    except ImportError as error:
        raise MissingExtra(what, "pyarrow", "parquet") from error


def arrow_schema(fields: Sequence[Field]) -> pa.Schema:
    """Return the schema of columns; what no other type holds is text."""
    import pyarrow as pa

    moment = pa.timestamp("us", "UTC")
    types = {
        "bool": pa.bool_(),
        "int": pa.int64(),
        "long": pa.int64(),
        "float": pa.float64(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us"),
        "timestamp": moment,
        "decimal": pa.decimal128(38, 9),
        "epoch": moment,
        "epoch-ms": moment,
    }
    return pa.schema(
        [
            (
                one.name,
                arrow_type(one.nested)
                if one.kind == "nested"
                else types.get(one.kind, pa.string()),
            )
            for one in fields
        ]
    )


def arrow_table(
    columns: Sequence[tuple[int, Field]], cells: Sequence[Sequence[bytes | None]]
) -> pa.Table:
    """Return the cells of all columns as a table of some, each with its place among all."""
    import pyarrow as pa

    schema = arrow_schema([field for _, field in columns])
    arrays = []
    for (spot, field), kind in zip(columns, schema.types, strict=True):
        read = field.read
        values = [None if one is None or one == b"null" else read(one) for one in cells[spot]]
        arrays.append(pa.array(values, kind))
    return pa.Table.from_arrays(arrays, schema=schema)


def table_of(
    columns: Sequence[tuple[int, Field]], keys: Sequence[bytes], arrays: Mapping[str, pa.Array]
) -> pa.Table:
    """Return the table of some columns, each with its place among all: the first is the keys'."""
    import pyarrow as pa

    schema, found = arrow_schema([field for _, field in columns]), []
    for (spot, field), kind in zip(columns, schema.types, strict=True):
        if spot:
            array = arrays.get(field.name)
            array = pa.nulls(len(keys), kind) if array is None else array.cast(kind)
        else:
            array = arrow_table([(0, field)], [keys])[field.name]
        found.append(array)
    return pa.Table.from_arrays(found, schema=schema)


def _size_of(table: pa.Table) -> int:
    by_rows: int = table.num_rows * (_BYTES // _ROWS)
    return max(by_rows, int(table.nbytes))


def _shown(cell: bytes | None) -> str | None:
    if cell is None or not cell.startswith(b'"'):
        return None if cell is None else cell.decode()
    return text_of(cell)


def arrow_reader(
    items: Callable[[], Iterator[Item]],
    *,
    columns: Sequence[str] | None = None,
    nested: bool = False,
    given: Mapping[str, str] | None = None,
) -> tuple[list[Column], pa.RecordBatchReader]:
    """Return columns, and rows as Arrow's batches of about 20,000 rows or 8 MB each.

    Args:
        items: Called twice: once to learn the columns, once to give them; what the second call
            has more than the first is left out.
        columns: The columns to give, in this order; unset: all, the key first.
        nested: Give objects and lists as structs and lists instead of as JSON.
        given: Kinds that are asked for, by the dotted name of a field.

    Raises:
        InputError: There is no such column.
        MissingExtra: pyarrow is not installed.
    """
    source = _Source(items, Layout(given=given, nested=nested), columns)
    return [Column(one.name, published(one.kind)) for _, one in source.chosen], source.reader()


@final
class _Source:
    """Rows of which the columns are known, after one pass; each reader reads them again."""

    def __init__(
        self, items: Callable[[], Iterator[Item]], layout: Layout, columns: Sequence[str] | None
    ) -> None:
        import_arrow("Arrow")
        self._items = items
        self._layout = layout
        self._count = 0
        layout.learn(self._counted())
        self._known = list(layout.fields)
        self.chosen = _chosen(layout.fields, columns)

    def _counted(self) -> Iterator[Item]:
        for item in self._items():
            self._count += 1
            yield item

    def _tables(self) -> Iterator[pa.Table]:
        for block in self._layout.blocks(islice(self._items(), self._count)):
            if (arrays := self._layout.arrays(block)) is not None:
                yield table_of(self.chosen, [key for key, _ in block], arrays)
            else:
                yield from self._one_by_one(block)

    def _one_by_one(self, block: Sequence[Item]) -> Iterator[pa.Table]:
        for part in self._layout.portions(block):
            cells = self._layout.columns(part)
            if self._layout.fields != self._known:
                raise StorageError(
                    "records were replaced meanwhile by some that their columns do not hold: "
                    "call again"
                )
            yield arrow_table(self.chosen, cells)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for part in portions(self._tables(), _size_of, _BYTES):
            yield from pa.concat_tables(part).combine_chunks().to_batches()

    def reader(self) -> pa.RecordBatchReader:
        import pyarrow as pa

        schema = arrow_schema([one for _, one in self.chosen])
        return pa.RecordBatchReader.from_batches(schema, self._batches())


def read_arrow(  # noqa: PLR0913 - each is one choice of the caller, all but one with a default
    store: StoredRecords,
    *,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    flatten: bool = False,
    nested: bool = True,
    schema: str = "",
) -> pa.RecordBatchReader:
    """Return what has landed up to now as Arrow's batches, of about 20,000 rows or 8 MB each.

    The records are read twice, in constant memory: once to learn the columns, once to give them.
    Times become timestamps and dates; a value that its column cannot hold has a column beside it.

    Args:
        store: A store, also while a run lands in it.
        columns: The columns to give, in this order; unset: all, the key first.
        where: Which keys; unset: all.
        since: When they landed at the earliest; one without a zone is of this machine.
        until: Before when they landed.
        flatten: Give nested objects as columns ``a.b.c`` instead of as JSON.
        nested: Give objects and lists as structs and lists, and not as JSON text; what no such
            type holds without loss stays JSON text at its place.
        schema: Kinds that are asked for, such as ``"created: epoch, price: decimal"``.

    Raises:
        InputError: There is no such column, or no such kind.
        MissingExtra: pyarrow is not installed.
        StorageError: A record is damaged.
    """

    def landed() -> Iterator[LandedRecord]:
        if since is None and until is None:
            return store.records()
        first = -math.inf if since is None else since.timestamp()
        last = math.inf if until is None else until.timestamp()
        return (record for record, at in store.moments() if first <= at < last)

    def items() -> Iterator[Item]:
        return _items(landed(), where, flatten=flatten)

    return arrow_reader(items, columns=columns, nested=nested, given=read_given(schema))[1]


def _items(
    records: Iterable[LandedRecord], where: Where | None, *, flatten: bool
) -> Iterator[Item]:
    for record in records:
        if where is None or where(record.key):
            yield _encode(record.key), fields(record.body, flatten=True) if flatten else record.body


@final
class LiveRecords:
    """What has landed up to now, for programs that read Arrow: each scan reads the store again.

    Attributes:
        error: What ended a scan, if something did; the program knows but its text.
    """

    def __init__(self, store: StoredRecords, *, flatten: bool = False) -> None:
        self.error: PenstockError | None = None
        items = partial(self._items, store, flatten=flatten)
        self._source = _Source(items, Layout(nested=True), None)

    def _items(self, store: StoredRecords, *, flatten: bool) -> Iterator[Item]:
        try:
            yield from _items(store.records(), None, flatten=flatten)
        except PenstockError as error:
            self.error = error
            raise

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Begin a scan, by Arrow's interface between programs."""
        return self._source.reader().__arrow_c_stream__(requested_schema)


def _chosen(known: Sequence[Field], columns: Sequence[str] | None) -> list[tuple[int, Field]]:
    named = {field.name: (spot, field) for spot, field in enumerate(known)}
    for name in columns or ():
        if name not in named:
            raise InputError(f"column {name!r} is not there: {did_you_mean(name, named)}")
    return [named[name] for name in (named if columns is None else columns)]


def connect_duckdb(what: str) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory.

    Raises:
        MissingExtra: duckdb is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra(what, "duckdb", "duckdb") from error
    return duckdb.connect(config={"autoinstall_known_extensions": False})


def to_duckdb(store: StoredRecords, *, flatten: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database of its own with what has landed as the table ``records``.

    Raises:
        MissingExtra: duckdb or pyarrow is not installed.
        StorageError: A record is damaged.
    """
    connection = connect_duckdb("to_duckdb")
    connection.register("_landed", read_arrow(store, flatten=flatten))
    connection.execute("CREATE TABLE records AS SELECT * FROM _landed")
    connection.unregister("_landed")
    return connection


class Frames:
    """What every reader of a store has: ``with``, and what other programs' tables are made of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        raise NotImplementedError

    def records(self) -> Iterator[LandedRecord]:
        """Yield what has landed up to now, in landing order."""
        raise NotImplementedError

    def moments(self) -> Iterator[tuple[LandedRecord, float]]:
        """Yield the same, each record with when it landed, in seconds since 1970."""
        raise NotImplementedError

    def status(self) -> StoreStatus:
        """Return where the store stands."""
        raise NotImplementedError

    to_arrow = read_arrow
    to_duckdb = to_duckdb

    def to_pandas(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pd.DataFrame:
        """Return what :meth:`to_arrow` gives as a frame of pandas, in memory as a whole."""
        found = self.to_arrow(columns=columns, where=where, since=since, until=until)
        return found.read_pandas()

    def to_polars(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pl.DataFrame:
        """Return what :meth:`to_arrow` gives as a frame of polars, in memory as a whole."""
        try:
            import polars as pl
        except ImportError as error:
            raise InputError("to_polars needs polars: pip install polars") from error
        given = self.to_arrow(columns=columns, where=where, since=since, until=until)
        found = pl.from_arrow(given.read_all())
        assert isinstance(found, pl.DataFrame)
        return found

    def _repr_html_(self) -> str:
        head = [(one.key, fields(one.body, flatten=False)) for one in islice(self.records(), _HEAD)]
        names = dict.fromkeys(name for _, cells in head for name in cells)
        rows = ([key, *(_shown(cells.get(name)) for name in names)] for key, cells in head)
        return html_table(["key", *(".".join(name) for name in names)], rows, self._title())

    def _title(self) -> str:
        status = self.status()
        return f"{status.path}: {status.landed:,} landed, {status.failed:,} failed"
