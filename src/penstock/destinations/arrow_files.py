"""Export to Parquet and to Arrow's own format by pyarrow, the extra ``parquet``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["write_arrow", "write_parquet"]


def write_parquet(batches: pa.RecordBatchReader, output: Path | BinaryIO) -> int:
    """Write a row group a batch, compressed with zstd; return how many rows."""
    from pyarrow import parquet

    with parquet.ParquetWriter(output, batches.schema, compression="zstd") as writer:
        return _copied(batches, writer)


def write_arrow(batches: pa.RecordBatchReader, output: Path | BinaryIO) -> int:
    """Write a file of Arrow IPC, which can be mapped into memory, or a stream; likewise."""
    import pyarrow as pa

    opened = pa.ipc.new_file if isinstance(output, Path) else pa.ipc.new_stream
    with opened(output, batches.schema) as writer:
        return _copied(batches, writer)


def _copied(
    batches: pa.RecordBatchReader, writer: pa.parquet.ParquetWriter | pa.ipc.RecordBatchStreamWriter
) -> int:
    count = 0
    for batch in batches:
        writer.write_batch(batch)
        count += batch.num_rows
    return count
