"""Java data as Arrow record batches and Parquet files, and back, in constant memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from penstock.errors import InputError, MissingExtra
from penstock.javadata.arrow import arrow_schema, rows_of
from penstock.javadata.blocks import Blocks
from penstock.javadata.sources import ReplacedOnClose

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingExtra("Parquet", "pyarrow", "javadata") from error

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from penstock.javadata.arrow import LoneSurrogates
    from penstock.javadata.schema import Schema
    from penstock.javadata.sources import Sink, Source

__all__ = ["batches", "from_parquet", "table", "to_parquet", "write_batches"]

R = TypeVar("R", bound=tuple[object, ...])
BLOCK = 1 << 21
# Rows gathered to one group of a Parquet file: enough to compress well, few enough to hold.
GROUP_ROWS = 1 << 18
GROUP_BYTES = 32 << 20


def batches(
    schema: Schema[R], source: Source, *, lone: LoneSurrogates, largest: int
) -> Iterator[pa.RecordBatch]:
    """Yield record batches, about one for each megabyte of the source."""
    columns = schema.codec.columns(lone)
    with Blocks(source, schema.kind, largest=largest, block=BLOCK) as blocks:
        while blocks.fill():
            batch, position = columns(blocks.data, blocks.position)
            if batch.num_rows:
                yield batch
            blocks.advance(batch.num_rows, position)
            blocks.settle()


def table(schema: Schema[R], given: Iterable[pa.RecordBatch], lone: LoneSurrogates) -> pa.Table:
    """Return all batches as one table."""
    return pa.Table.from_batches(given, schema=arrow_schema(schema.kind, lone))


def to_parquet(given: Iterable[pa.RecordBatch], columns: pa.Schema, path: Path) -> int:
    """Write batches to a Parquet file that appears when it is whole. Returns the rows written."""
    target, rows = ReplacedOnClose(path), 0
    try:
        with pq.ParquetWriter(target.file, columns) as writer:
            for group in groups(given):
                writer.write_table(pa.Table.from_batches(group))
                rows += sum(batch.num_rows for batch in group)
    except BaseException:
        target.discard()
        raise
    target.close()
    return rows


def groups(given: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Gather batches to row groups."""
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in given:
        group.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


def from_parquet(schema: Schema[R], path: str | os.PathLike[str], sink: Sink) -> int:
    """Write the rows of a Parquet file as Java data. Returns how many."""
    try:
        with pq.ParquetFile(Path(path)) as file:
            return write_batches(schema, file.iter_batches(batch_size=1 << 14), sink)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: {error}") from error


def write_batches(schema: Schema[R], given: Iterable[pa.RecordBatch], sink: Sink) -> int:
    """Write record batches as Java data, columns found by name. Returns the rows written."""
    rows = (row for batch in given for row in rows_of(batch, schema.kind))
    return schema.write_records(rows, sink)  # type: ignore[arg-type] # rows_of makes schema.made
