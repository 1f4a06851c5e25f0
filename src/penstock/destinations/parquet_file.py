"""Export to Parquet by pyarrow, the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from penstock.destinations.text_files import Row
from penstock.errors import MissingExtra
from penstock.store import Column, text_of

__all__ = ["write_parquet"]

_ROWS = 20_000  # rows a row group holds at most
_BYTES = 16 << 20  # and bytes of JSON, so that memory stays flat for large records too

_READERS: dict[str, Callable[[bytes], object]] = {
    "bool": lambda cell: cell == b"true",
    "int": int,
    "float": float,
    "text": text_of,
}


def write_parquet(rows: Iterable[Row], columns: Sequence[Column], path: Path) -> None:
    """Write ``rows`` in row groups of at most 20,000 rows, compressed with zstd.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("parquet export", "pyarrow", "parquet") from error
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    schema = pa.schema([(column.name, types.get(column.kind, pa.string())) for column in columns])
    readers = [_READERS.get(column.kind, bytes.decode) for column in columns]
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            arrays: list[Any] = [
                pa.array([_value(row[index], read) for row in batch], schema.field(index).type)
                for index, read in enumerate(readers)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _value(cell: bytes | None, read: Callable[[bytes], object]) -> object:
    return None if cell is None or cell == b"null" else read(cell)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(cell) for cell in row if cell is not None)
        if len(batch) >= _ROWS or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
