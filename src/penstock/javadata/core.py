"""The two cores behind a schema: Python everywhere, compiled C where it was built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, cast, final

from penstock.javadata.coders import Coders
from penstock.javadata.decoding import CodingFault, Reader, drive, whole_reader
from penstock.javadata.encoding import Writer
from penstock.javadata.errors import MalformedText
from penstock.javadata.native import NATIVE, NotNative, specification

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.javadata.kinds import LoneSurrogates, RecordKind

__all__ = ["BEST", "NATIVE_CODEC", "PURE", "Codec", "Core"]

Row = tuple[object, ...]
MOST = 1 << 62
Read = Callable[[bytes, int, int], tuple[list[Row], int]]
Whole = Callable[[bytes, int], tuple[Row, int]]
if TYPE_CHECKING:
    Columns = Callable[[bytes, int], tuple[pa.RecordBatch, int]]


@final
@dataclass(frozen=True, slots=True)
class Codec:
    """Reads and writes blocks of records of one schema.

    Attributes:
        name: "native" or "pure".
        read: ``(data, start, limit)`` to the whole records and the position behind them.
        write: Rows to their bytes; raises whatever it likes where ``writer`` says why.
        columns: What to do with lone surrogates to a function of ``(data, start)``, which returns
            the whole records as a record batch, and the position behind them.
        reader: Of one record, from bytes that come piece by piece; it says what is wrong.
        writer: Of one record; likewise.
    """

    name: str
    read: Read
    write: Callable[[Sequence[Row]], bytes]
    columns: Callable[[LoneSurrogates], Columns]
    reader: Reader
    writer: Writer


Core = Callable[["RecordKind"], Codec]


def pure_codec(kind: RecordKind) -> Codec:
    """Return the codec in pure Python."""
    reader, writer = Coders().record(kind)
    read = partial(read_block, reader, whole_reader(kind))
    columns = partial(pure_columns, kind, read)
    return Codec("pure", read, partial(write_block, writer), columns, reader, writer)


def read_block(
    reader: Reader, whole: Whole | None, data: bytes, start: int, limit: int
) -> tuple[list[Row], int]:
    """Return the whole records from ``start``, and where the next begins."""
    rows: list[Row] = []
    size = len(data)
    if whole is not None:
        try:
            while start < size and len(rows) < limit:
                row, start = whole(data, start)
                rows.append(row)
        except (IndexError, EOFError, MalformedText):
            return rows, start
    while start < size and len(rows) < limit:
        try:
            found = drive(reader({}), data, start, final=False)
        except CodingFault:
            break
        if found is None:
            break
        value, start = found
        rows.append(cast("Row", value))
    return rows, start


def write_block(writer: Writer, rows: Sequence[Row]) -> bytes:
    """Return the bytes of rows."""
    out = bytearray()
    for row in rows:
        writer(row, out, {})
    return bytes(out)


def pure_columns(kind: RecordKind, read: Read, lone: LoneSurrogates) -> Columns:
    """Return the reader of record batches: by NumPy where nothing is nested, else by rows."""
    from penstock.javadata.numpy_columns import flat_reader, is_flat

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
    """Return the codec in C, or the pure one for kinds that C does not know."""
    pure = pure_codec(kind)
    try:
        assert NATIVE is not None
        program = NATIVE.compile(specification(kind))
    except NotNative:
        return pure
    write = NATIVE.write
    return Codec(
        "native",
        partial(NATIVE.read, program),
        lambda rows: write(program, rows if isinstance(rows, list) else list(rows)),
        partial(native_columns, kind, program),
        pure.reader,
        pure.writer,
    )


def native_columns(kind: RecordKind, program: object, lone: LoneSurrogates) -> Columns:
    """Return the reader of record batches that C feeds."""
    from penstock.javadata.columns import column_reader

    assert NATIVE is not None
    slow = columns_of_rows(kind, partial(NATIVE.read, program), lone)
    return column_reader(kind, partial(NATIVE.columns, program), lone, slow)


PURE: Final[Core] = pure_codec
NATIVE_CODEC: Final[Core | None] = native_codec if NATIVE else None
BEST: Final[Core] = NATIVE_CODEC or PURE
