"""Java data as Arrow record batches and Parquet files, and back, in constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from penstock.errors import InputError
from penstock.javadata import arrow
from penstock.javadata.arrow import arrow_schema, batch_of, one_line, rows_of
from penstock.javadata.blocks import BlockReader, RecordDecoder
from penstock.javadata.columnar import pa, pq
from penstock.whole import Replacement

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from penstock.javadata.core import Codec
    from penstock.javadata.files import Source
    from penstock.javadata.kinds import LoneSurrogates, RecordKind

__all__ = ["batches", "row_batches", "rows_of_batches", "rows_of_parquet", "to_parquet"]

Row = tuple[object, ...]
BLOCK = 1 << 21
# Rows gathered to one group of a Parquet file: enough to compress well, few enough to hold.
GROUP_ROWS = 1 << 18
GROUP_BYTES = 32 << 20
MOST_EXPANDED = 1 << 30
# What is absent, as of bytes[65536]?, takes room in columns; no batch has more of it.
MOST_ABSENT = 1 << 26
ROWS_AT_ONCE = 4096


def batches(
    kind: RecordKind, codec: Codec, source: Source, *, lone: LoneSurrogates, largest: int
) -> Iterator[pa.RecordBatch]:
    """Yield record batches, about one for each two megabytes of the source.

    Where absent parts take room in columns, as of ``bytes[65536]?``, the blocks are smaller.
    """
    columns = codec.columns(lone)
    arrow_schema(kind, lone)  # refuses a tree before anything is read
    growth = bounded(arrow.expansion(kind), "a byte of data", MOST_ABSENT)

    def take(block: bytes, position: int) -> tuple[pa.RecordBatch, int, int]:
        batch, end = columns(block, position)
        return batch, batch.num_rows, end

    def one(row: tuple[object, ...]) -> pa.RecordBatch:
        size = decoder.last_size
        bounded(size * growth, f"the {size} bytes of record {decoder.number - 1}", MOST_EXPANDED)
        return batch_of([row], kind, lone)

    decoder = RecordDecoder(codec, largest=largest)
    block = max(1, min(256, MOST_ABSENT // growth), min(BLOCK, 8 * BLOCK // growth))
    blocks = BlockReader(source, decoder, take, one, block)
    try:
        while (batch := blocks.next()) is not None:
            yield batch
    finally:
        blocks.close()


def bounded(size: int, what: str, most: int) -> int:
    """Return the bytes that something may become in Arrow's columns, if they are not too many."""
    if size > most:
        raise InputError(f"{what} may become {size} bytes in Arrow's columns, most of them absent")
    return size


def row_batches(
    rows: Iterable[tuple[object, ...]], kind: RecordKind, lone: LoneSurrogates
) -> Iterator[pa.RecordBatch]:
    """Yield rows as record batches."""
    left = iter(rows)
    most = MOST_ABSENT // bounded(arrow.least_null(kind), "a row", MOST_EXPANDED)
    while some := list(itertools.islice(left, max(1, min(most, ROWS_AT_ONCE)))):
        yield batch_of(some, kind, lone)


def to_parquet(
    given: Iterable[pa.RecordBatch], kind: RecordKind, lone: LoneSurrogates, path: Path
) -> int:
    """Write batches to a Parquet file that appears when it is whole. Returns the rows written."""
    columns, rows = arrow_schema(kind, lone), 0
    target = Replacement(path)
    try:
        with parquet_writer(target.file, columns) as writer:
            for group in groups(given):
                writer.write_table(pa.Table.from_batches(group))
                rows += sum(batch.num_rows for batch in group)
    except BaseException:
        target.discard()
        raise
    target.close()
    return rows


def parquet_writer(file: BinaryIO, columns: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of these columns, if Parquet can hold them."""
    with translated("Parquet cannot hold this schema"):
        return pq.ParquetWriter(file, columns)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Make what pyarrow says of data and schemas one line; the system's own errors are not its."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{what}: {one_line(error)}") from error


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


def rows_of_parquet(path: str | os.PathLike[str], kind: RecordKind) -> Iterator[Row]:
    """Yield the rows of a Parquet file, columns found by name."""
    with translated(f"{path}"), pq.ParquetFile(Path(path)) as file:
        yield from rows_of_batches(file.iter_batches(batch_size=1 << 14), kind)


def rows_of_batches(given: Iterable[pa.RecordBatch], kind: RecordKind) -> Iterator[Row]:
    """Yield the rows of record batches, columns found by name."""
    first = 0
    for batch in given:
        yield from rows_of(batch, kind, first)
        first += batch.num_rows
