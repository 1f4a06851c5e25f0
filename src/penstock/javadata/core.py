"""The two cores behind a schema: generated Python everywhere, compiled C where it was built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, final

from penstock.javadata.generate import generated_reader
from penstock.javadata.generate_write import generated_writer
from penstock.javadata.native import NATIVE, specification

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.javadata.arrow import LoneSurrogates
    from penstock.javadata.kinds import RecordKind

__all__ = ["BEST", "NATIVE_CODEC", "PURE", "Codec", "Core"]

Row = tuple[object, ...]
MOST = 1 << 62
Read = Callable[[bytes, int, int], tuple[list[Row], int]]
Write = Callable[[Sequence[Row]], bytes]
if TYPE_CHECKING:
    Columns = Callable[[bytes, int], tuple[pa.RecordBatch, int]]


@final
@dataclass(frozen=True, slots=True)
class Codec:
    """Reads and writes blocks of records of one schema.

    Attributes:
        read: ``(data, start, limit)`` to the whole records and the position behind them.
        write: Rows to their bytes.
        columns: What to do with lone surrogates to a function of ``(data, start)``, which returns
            the whole records as a record batch, and the position behind them.
    """

    read: Read
    write: Write
    columns: Callable[[LoneSurrogates], Columns]


Core = Callable[["RecordKind"], Codec]


def PURE(kind: RecordKind) -> Codec:  # noqa: N802 - a constant like BEST
    """Return the codec in pure Python."""
    read = generated_reader(kind)
    return Codec(read, generated_writer(kind), partial(pure_columns, kind, read))


def pure_columns(kind: RecordKind, read: Read, lone: LoneSurrogates) -> Columns:
    """Return the reader of record batches: by NumPy where nothing is nested, else by rows."""
    from penstock.javadata.flat import flat_reader, is_flat

    by_rows = columns_of_rows(kind, read, lone)
    return flat_reader(kind, lone, by_rows) if is_flat(kind) else by_rows


def columns_of_rows(kind: RecordKind, read: Read, lone: LoneSurrogates) -> Columns:
    """Return the reader of record batches that works for every schema: by way of rows."""
    from penstock.javadata.arrow import batch_of

    def columns(data: bytes, start: int) -> tuple[pa.RecordBatch, int]:
        rows, position = read(data, start, MOST)
        return batch_of(rows, kind, lone), position

    return columns


def native_codec(kind: RecordKind) -> Codec:
    """Return the codec in C. Call it only where NATIVE is there."""
    assert NATIVE is not None  # BEST and NATIVE_CODEC see to it
    program = NATIVE.compile(specification(kind))
    write = NATIVE.write
    return Codec(
        partial(NATIVE.read, program),
        lambda rows: write(program, rows if isinstance(rows, list) else list(rows)),
        partial(native_columns, kind, program),
    )


def native_columns(kind: RecordKind, program: object, lone: LoneSurrogates) -> Columns:
    """Return the reader of record batches that C feeds."""
    from penstock.javadata.columns import column_reader

    assert NATIVE is not None
    slow = columns_of_rows(kind, partial(NATIVE.read, program), lone)
    return column_reader(kind, partial(NATIVE.columns, program), lone, slow)


NATIVE_CODEC: Final[Core | None] = native_codec if NATIVE else None
BEST: Final[Core] = NATIVE_CODEC or PURE
