"""Cells as Arrow's columns: for Parquet, DuckDB, pandas, polars and whatever else reads Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from penstock.errors import InputError, MissingExtra
from penstock.pipeline import Key, LandedRecord
from penstock.registry import did_you_mean
from penstock.store.cells import fields
from penstock.store.layout import READERS, Field, Layout, read_given

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Frames", "arrow_schema", "arrow_table", "import_arrow", "read_arrow", "to_duckdb"]

Where: TypeAlias = Callable[[Key], bool]

_ROWS, _BYTES = 20_000, 8 << 20  # what a batch holds at most
_encode = msgspec.json.Encoder().encode


class Records(Protocol):
    """What has records in an order that does not change while more land."""

    def records(self) -> Iterator[LandedRecord]:
        """Yield what has landed, in landing order."""
        ...


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
    return pa.schema([(field.name, types.get(field.kind, pa.string())) for field in fields])


def arrow_table(
    columns: Sequence[tuple[int, Field]], rows: Sequence[Sequence[bytes | None]]
) -> pa.Table:
    """Return rows of cells as a table of ``columns``, each with its place in a row."""
    import pyarrow as pa

    schema = arrow_schema([field for _, field in columns])
    arrays = []
    for (spot, field), kind in zip(columns, schema.types, strict=True):
        read = READERS[field.kind]
        values = [
            None if (cell := row[spot]) is None or cell == b"null" else read(cell) for row in rows
        ]
        arrays.append(pa.array(values, kind))
    return pa.Table.from_arrays(arrays, schema=schema)


def read_arrow(
    store: Records,
    *,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    flatten: bool = False,
    schema: str = "",
) -> pa.RecordBatchReader:
    """Return what has landed up to now as Arrow's batches, of at most 20,000 rows or 8 MB each.

    The records are read twice, in constant memory: once to learn the columns, once to give them.
    Times become timestamps and dates; a value that its column cannot hold has a column beside it.

    Args:
        store: A store, also while a run lands in it.
        columns: The columns to give, in this order; unset: all, the key first.
        where: Which keys; unset: all.
        flatten: Give nested objects as columns ``a.b.c`` instead of as JSON.
        schema: Kinds that are asked for, such as ``"created: epoch, price: decimal"``.

    Raises:
        InputError: There is no such column, or no such kind.
        MissingExtra: pyarrow is not installed.
        StorageError: A record is damaged.
    """
    import_arrow("to_arrow")
    import pyarrow as pa

    layout, count = Layout(given=read_given(schema)), 0

    def learned() -> Iterator[tuple[bytes, dict[tuple[str, ...], bytes]]]:
        nonlocal count
        for record in store.records():
            count += 1
            if where is None or where(record.key):
                yield _encode(record.key), fields(record.body, flatten=flatten)

    layout.learn(learned())
    chosen = _chosen(layout.fields, columns)

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[list[bytes | None]] = []
        size = 0
        for record in islice(store.records(), count):
            if where is None or where(record.key):
                cells = fields(record.body, flatten=flatten)
                rows.append(layout.row(_encode(record.key), cells))
                size += len(record.body)
            if len(rows) >= _ROWS or size >= _BYTES:
                yield from arrow_table(chosen, rows).to_batches()
                rows, size = [], 0
        yield from arrow_table(chosen, rows).to_batches()

    return pa.RecordBatchReader.from_batches(arrow_schema([one for _, one in chosen]), batches())


def _chosen(known: Sequence[Field], columns: Sequence[str] | None) -> list[tuple[int, Field]]:
    named = {field.name: (spot, field) for spot, field in enumerate(known)}
    for name in columns or ():
        if name not in named:
            raise InputError(f"column {name!r} is not there: {did_you_mean(name, named)}")
    return [named[name] for name in (named if columns is None else columns)]


def to_duckdb(store: Records, *, flatten: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database of its own with what has landed as the table ``records``.

    Raises:
        MissingExtra: duckdb or pyarrow is not installed.
        StorageError: A record is damaged.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("to_duckdb", "duckdb", "duckdb") from error
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.register("_landed", read_arrow(store, flatten=flatten))
    connection.execute("CREATE TABLE records AS SELECT * FROM _landed")
    connection.unregister("_landed")
    return connection


class Frames:
    """What a store's reader gives to other programs' tables; see :func:`read_arrow`."""

    def records(self) -> Iterator[LandedRecord]:
        """Yield what has landed up to now, in landing order."""
        raise NotImplementedError

    def to_arrow(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        flatten: bool = False,
        schema: str = "",
    ) -> pa.RecordBatchReader:
        """Return what has landed as batches of Arrow, each of bounded memory."""
        return read_arrow(self, columns=columns, where=where, flatten=flatten, schema=schema)

    def to_pandas(
        self, *, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pd.DataFrame:
        """Return what has landed as a frame of pandas, in memory as a whole."""
        return self.to_arrow(columns=columns, where=where).read_pandas()

    def to_polars(
        self, *, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pl.DataFrame:
        """Return what has landed as a frame of polars, in memory as a whole."""
        try:
            import polars as pl
        except ImportError as error:
            raise InputError("to_polars needs polars: pip install polars") from error
        found = pl.from_arrow(self.to_arrow(columns=columns, where=where).read_all())
        assert isinstance(found, pl.DataFrame)
        return found

    def to_duckdb(self) -> duckdb.DuckDBPyConnection:
        """Return a database in memory with what has landed as the table ``records``."""
        return to_duckdb(self)
