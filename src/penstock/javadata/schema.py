"""Schemas: a NamedTuple or a text, compiled to read and write whole records."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Generic, TypeVar, cast, final

from penstock.javadata import core as cores
from penstock.javadata.blocks import LARGEST_RECORD, AsyncRecords, Feeder, Records, read_record
from penstock.javadata.data_input import DataInput
from penstock.javadata.data_output import DataOutput, DataOutputStream
from penstock.javadata.declarations import record_kind
from penstock.javadata.decoding import CodingFault
from penstock.javadata.errors import SchemaMismatch
from penstock.javadata.files import bytes_left
from penstock.javadata.kinds import RecordKind, records_in
from penstock.javadata.notation import fields_text, parse_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from penstock.javadata.files import AsyncReadable, Sink, Source
    from penstock.javadata.kinds import LoneSurrogates

__all__ = ["Schema", "guess_schema", "parse_schema", "records", "write_records"]

R = TypeVar("R", bound=tuple[object, ...])
Row = tuple[object, ...]
ROWS_AT_ONCE = 4096


@final
class Schema(Generic[R]):
    r"""How the records of a file are laid out.

    Args:
        declared: A NamedTuple class whose fields are annotated with this room's kinds.
        core: What reads and writes: by default the native core where there is one.

    >>> from typing import NamedTuple
    >>> from penstock.javadata import Int, Utf
    >>> class Person(NamedTuple):
    ...     age: Int
    ...     name: Utf
    >>> people = Schema(Person)
    >>> people.encode([Person(7, "Ada")])
    b'\x00\x00\x00\x07\x00\x03Ada'
    >>> list(people.records(b"\0\0\0\7\0\3Ada"))
    [Person(age=7, name='Ada')]
    """

    def __init__(self, declared: type[R] | RecordKind, *, core: cores.Core | None = None) -> None:
        self.kind = declared if isinstance(declared, RecordKind) else record_kind(declared)
        self.codec = (core or cores.BEST)(self.kind)

    @property
    def made(self) -> type[R]:
        """The NamedTuple class of the records."""
        return cast("type[R]", self.kind.made)

    @property
    def core(self) -> str:
        """What reads and writes: "native", or "pure"; see :func:`penstock.javadata.core_line`."""
        return self.codec.name

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the class or the text, and the core by its name."""
        named = "__reduce__" in vars(self.made)  # made from a text, which says all
        return restored, (str(self) if named else self.made, self.core)

    @property
    def types(self) -> dict[str, type[Row]]:
        """The NamedTuple classes of the record and of all records inside it, by name."""
        return {kind.made.__name__: kind.made for kind in records_in(self.kind)}

    def __str__(self) -> str:
        """Return the schema in the notation that :func:`parse_schema` reads."""
        return fields_text(self.kind)

    def records(
        self, source: Source, *, largest: int = LARGEST_RECORD, count: int | None = None
    ) -> Records[R]:
        """Yield the records of ``source`` to its end, in constant memory.

        All whole records are yielded before an error is raised: what comes first is good. They are
        yielded when they are there, from pipes and sockets too. TimeoutError and BlockingIOError
        lose nothing: go on with the same iterator.

        Args:
            source: As for DataInputStream. It is read ahead in blocks of 256 KiB.
            largest: Bytes a single record may take; more is refused as a schema that does not fit.
            count: How many records to read, fewer being an error; the source is left behind the
                last. Without it all are read, to the end of the data.

        Raises:
            EndOfData: The data ends inside a record.
            UTFDataFormatError, SchemaMismatch: A record that does not fit; with offset and path.
        """
        return Records(source, self.codec, largest=largest, count=count)

    def feeder(self, *, largest: int = LARGEST_RECORD) -> Feeder[R]:
        """Return what takes bytes as they come and gives the records that are whole."""
        return Feeder(self.codec, largest=largest)

    def async_records(
        self, reader: AsyncReadable, *, largest: int = LARGEST_RECORD
    ) -> AsyncRecords[R]:
        """Yield the records of an asyncio stream as they come; raises as :meth:`records`."""
        return AsyncRecords(reader, self.feeder(largest=largest))

    def batches(
        self,
        source: Source,
        *,
        on_lone_surrogate: LoneSurrogates = "error",
        largest: int = LARGEST_RECORD,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records as Arrow record batches of about a megabyte, in constant memory.

        Args:
            source: As for :meth:`records`.
            on_lone_surrogate: What to do with half a surrogate pair, which Arrow's text cannot
                hold: raise, put U+FFFD in its place, or make columns of modified UTF-8 bytes.
            largest: As for :meth:`records`.
        """
        from penstock.javadata.parquet import batches

        return batches(self.kind, self.codec, source, lone=on_lone_surrogate, largest=largest)

    def table(self, source: Source, *, on_lone_surrogate: LoneSurrogates = "error") -> pa.Table:
        """Return all records as one Arrow table; ``.to_pandas()`` and Polars go on from there."""
        from penstock.javadata.arrow import arrow_schema
        from penstock.javadata.columnar import pa

        given = self.batches(source, on_lone_surrogate=on_lone_surrogate)
        return pa.Table.from_batches(given, schema=arrow_schema(self.kind, on_lone_surrogate))

    def to_parquet(
        self,
        source: Source,
        path: str | os.PathLike[str],
        *,
        on_lone_surrogate: LoneSurrogates = "error",
    ) -> int:
        """Write the records to a Parquet file, which appears when it is whole. Returns how many."""
        from penstock.javadata.parquet import to_parquet

        given = self.batches(source, on_lone_surrogate=on_lone_surrogate)
        return to_parquet(given, self.kind, on_lone_surrogate, Path(path))

    def rows_to_parquet(
        self,
        rows: Iterable[R],
        path: str | os.PathLike[str],
        *,
        on_lone_surrogate: LoneSurrogates = "error",
    ) -> int:
        """Write rows to a Parquet file, which appears when it is whole. Returns how many."""
        from penstock.javadata.parquet import row_batches, to_parquet

        given = row_batches(rows, self.kind, on_lone_surrogate)
        return to_parquet(given, self.kind, on_lone_surrogate, Path(path))

    def from_parquet(self, path: str | os.PathLike[str], sink: Sink) -> int:
        """Write the rows of a Parquet file as Java data, columns found by name."""
        from penstock.javadata.parquet import rows_of_parquet

        return self.write_records(cast("Iterator[R]", rows_of_parquet(path, self.kind)), sink)

    def write_batches(self, given: Iterable[pa.RecordBatch], sink: Sink) -> int:
        """Write Arrow record batches as Java data, columns found by name. Returns the rows."""
        from penstock.javadata.parquet import rows_of_batches

        return self.write_records(cast("Iterator[R]", rows_of_batches(given, self.kind)), sink)

    def read(self, stream: DataInput) -> R:
        """Read one record from a stream, and nothing beyond it; or raise and consume nothing."""
        return cast("R", stream.ready_record(self.codec.read) or read_record(stream, self.codec))

    def decode(self, data: bytes) -> list[R]:
        """Return all records of ``data``; raises as :meth:`records`."""
        return list(self.records(data))

    def write(self, stream: DataOutput, row: R) -> None:
        """Write one record to a stream; nothing of it is written if it does not fit."""
        stream.write(self.encode([row]))

    def encode(self, rows: Sequence[R]) -> bytes:
        """Return the bytes of ``rows``.

        Raises:
            SchemaMismatch: A value does not fit; names record and field.
            UTFDataFormatError: A text takes more than 65,535 bytes.
        """
        return self.encode_from(0, rows)

    def encode_from(self, first: int, rows: Sequence[R]) -> bytes:
        """Encode rows of which the first is record number ``first`` in errors."""
        try:
            return self.codec.write(rows)
        except Exception as error:
            for number, row in enumerate(rows, first):
                try:
                    self.codec.writer(row, bytearray(), {})
                except CodingFault as fault:
                    raise fault.error(f"record {number}", None) from error
            raise SchemaMismatch(str(error), reading="records") from error

    def write_records(self, rows: Iterable[R], sink: Sink) -> int:
        """Write all ``rows`` and return how many.

        A path is replaced when all are written, and left as it was if anything raises.
        """
        count = 0
        with DataOutputStream(sink) as stream:
            for batch in batches(rows):
                stream.write(self.encode_from(count, batch))
                count += len(batch)
        return count


def batches(rows: Iterable[R]) -> Iterator[list[R]]:
    left = iter(rows)
    while batch := list(itertools.islice(left, ROWS_AT_ONCE)):
        yield batch


def restored(declared: type[Row] | str, core: str) -> Schema[Row]:
    """Return the schema that was pickled."""
    made = cores.PURE if core == "pure" else None
    return (
        parse_schema(declared, core=made)
        if isinstance(declared, str)
        else Schema(declared, core=made)
    )


def parse_schema(text: str, *, core: cores.Core | None = None) -> Schema[Row]:
    """Return the schema that a text describes, see :mod:`penstock.javadata.notation`.

    >>> parse_schema("age: int, name: utf").decode(bytes.fromhex("00000007 0003 416461"))
    [Record(age=7, name='Ada')]
    """
    return Schema(parse_record(text), core=core)


def guess_schema(source: BinaryIO) -> Schema[Row]:
    """Return a guess at the layout of records of one size; ``source`` is left where it stood.

    Raises:
        InputError: Too little data, or no record size that stands out.
    """
    from penstock.javadata.guess import SAMPLE, guess

    start, size = source.tell(), bytes_left(source)
    sample = source.read(SAMPLE)
    source.seek(start)
    return parse_schema(guess(sample, size))


def records(path: Source, schema: Schema[R]) -> Iterator[R]:
    """Yield the records of a file: a pipeline's source."""
    return schema.records(path)


def write_records(rows: Iterable[R], path: Sink, schema: Schema[R]) -> int:
    """Write records to a file: a pipeline's sink. Returns how many."""
    return schema.write_records(rows, path)
