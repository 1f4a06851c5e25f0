"""Cells as Arrow's columns: for Parquet, DuckDB, pandas, polars and whatever else reads Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.errors import MissingExtra
from penstock.store.layout import READERS, Field

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_schema", "arrow_table", "import_arrow"]


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
