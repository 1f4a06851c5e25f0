"""The reference: a schema read and written one value at a time, knowing where it is.

The fast codecs only say where they stopped. This one then says why: it goes over the same record
and raises with offset and field path. It is also what reads a record from a stream that must not
be read ahead.
"""

from __future__ import annotations

import struct
from collections.abc import Sized
from typing import TYPE_CHECKING, TypeVar, cast

from penstock.errors import InputError
from penstock.javadata.failures import EndOfData, SchemaMismatch, UTFDataFormatError
from penstock.javadata.kinds import (
    Counted,
    FixedBytes,
    Flagged,
    Kind,
    Primitive,
    RecordKind,
    SameAs,
    Text,
    UtfKind,
    Variant,
    least_size,
)

if TYPE_CHECKING:
    from penstock.javadata.reading import DataInput
    from penstock.javadata.writing import DataOutput

__all__ = ["count_in", "read_value", "write_value"]

Row = tuple[object, ...]
T = TypeVar("T")
S = TypeVar("S", bound=Sized)


def method(prefix: str, kind: Primitive) -> str:
    return prefix + kind.name.replace(" ", "_")


def read_value(stream: DataInput, kind: Kind, path: str, outer: Row = ()) -> object:
    """Read one value.

    Args:
        stream: Where to read.
        kind: What to read.
        path: Names the value in errors: ``"record 3, field legs[2].price"``.
        outer: Fields already read of the record around it.

    Raises:
        EndOfData, UTFDataFormatError, SchemaMismatch: With ``path`` in ``reading``.
    """
    try:
        return read_kind(stream, kind, path, outer)
    except EndOfData as error:
        if error.reading.startswith(path):
            raise
        reading = f"{path}: {error.reading}"
        raise EndOfData(
            offset=error.offset, reading=reading, needed=error.needed, got=error.got
        ) from error
    except UTFDataFormatError as error:
        if error.reading.startswith(path):
            raise
        raise UTFDataFormatError(error.reason, offset=error.offset, reading=path) from error


def read_kind(stream: DataInput, kind: Kind, path: str, outer: Row) -> object:
    match kind:
        case Primitive():
            return getattr(stream, method("read_", kind))()
        case UtfKind():
            return stream.read_utf()
        case FixedBytes(count=size):
            return stream.read_fully(size)
        case Text(count=count):
            return read_text(stream, read_count(stream, count, path), path)
        case Counted(count=count, element=element):
            return read_counted(stream, read_count(stream, count, path, outer), element, path)
        case Flagged(element=element):
            return read_value(stream, element, path) if stream.read_boolean() else None
        case Variant():
            return read_variant(stream, kind, path)
        case RecordKind():
            return read_record(stream, kind, path)


def read_record(stream: DataInput, kind: RecordKind, path: str) -> Row:
    values: Row = ()
    for field in kind.fields:
        values += (read_value(stream, field.kind, join(path, field.name), (kind, *values)),)
    return kind.made._make(values)  # type: ignore[attr-defined,no-any-return] # a NamedTuple


def join(path: str, name: str) -> str:
    """Return the path of a field: "record 3" begins it, a dot goes on."""
    return f"{path}.{name}" if ", field " in path else f"{path}, field {name}"


def read_count(
    stream: DataInput, count: Primitive | SameAs | int, path: str, outer: Row = ()
) -> int:
    if isinstance(count, int):
        return count
    start = stream.offset
    number = (
        count_in(outer, count)
        if isinstance(count, SameAs)
        else cast("int", read_kind(stream, count, path, ()))
    )
    if number < 0:
        raise SchemaMismatch(f"a count of {number}", offset=start, reading=path)
    return number


def count_in(outer: Row, count: SameAs) -> int:
    """Return what an earlier field says (a number) or holds (an array)."""
    record = cast("RecordKind", outer[0])
    names = [field.name for field in record.fields]
    value = outer[1 + names.index(count.name)]
    return value if isinstance(value, int) else len(cast("Row", value))


def read_text(stream: DataInput, size: int, path: str) -> str:
    start = stream.offset
    try:
        return stream.read_fully(size).decode()
    except UnicodeDecodeError as error:
        raise SchemaMismatch(
            f"not UTF-8: {error.reason} at byte {error.start}", offset=start, reading=path
        ) from error


def read_counted(stream: DataInput, count: int, element: Kind | None, path: str) -> object:
    if element is None:
        return stream.read_fully(count)
    least = count * least_size(element)
    left = stream.left()
    if left is not None and least > left:
        # A hostile count must fail before a list of that length is begun.
        raise EndOfData(
            offset=stream.offset, reading=f"{path}: {count} elements", needed=least, got=left
        )
    return [read_value(stream, element, f"{path}[{index}]") for index in range(count)]


def read_variant(stream: DataInput, kind: Variant, path: str) -> object:
    start = stream.offset
    tag = read_kind(stream, kind.tag, path, ())
    for case in kind.cases:
        if case.tag == tag:
            return read_value(stream, case.record, path)
    known = ", ".join(str(case.tag) for case in kind.cases)
    raise SchemaMismatch(f"tag {tag} is none of {known}", offset=start, reading=path)


def write_value(stream: DataOutput, kind: Kind, value: object, path: str, outer: Row = ()) -> None:
    """Write one value; raises SchemaMismatch or UTFDataFormatError with ``path`` in ``reading``."""
    try:
        write_kind(stream, kind, value, path, outer)
    except (SchemaMismatch, UTFDataFormatError) as error:
        if error.reading.startswith(path):
            raise
        raise UTFDataFormatError(error.reason, reading=path) from error
    except (InputError, TypeError, ValueError, OverflowError, struct.error) as error:
        # The advice behind the semicolon is for those who call DataOutput themselves.
        raise SchemaMismatch(str(error).partition(";")[0], reading=path) from error


def write_kind(stream: DataOutput, kind: Kind, value: object, path: str, outer: Row) -> None:
    match kind:
        case Primitive():
            getattr(stream, method("write_", kind))(value)
        case UtfKind():
            stream.write_utf(expect(value, str))
        case FixedBytes(count=size):
            stream.write(sized(expect(value, bytes), size))
        case Text(count=count):
            data = expect(value, str).encode()
            write_kind(stream, count, len(data), path, ())
            stream.write(data)
        case Counted():
            write_counted(stream, kind, value, path, outer)
        case Flagged(element=element):
            stream.write_boolean(value is not None)
            if value is not None:
                write_value(stream, element, value, path)
        case Variant():
            write_variant(stream, kind, value, path)
        case RecordKind():
            write_record(stream, kind, expect(value, tuple), path)


def expect(value: object, kind: type[T]) -> T:
    """Return ``value`` if it is what the schema says."""
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is declared")
    return value


def sized(value: S, size: int) -> S:
    """Return ``value`` if it has the length the schema says."""
    if len(value) != size:
        raise ValueError(f"{len(value)} of them where {size} are declared")
    return value


def write_record(stream: DataOutput, kind: RecordKind, row: Row, path: str) -> None:
    if len(row) != len(kind.fields):
        raise TypeError(f"{len(row)} values for {len(kind.fields)} fields")
    for field, value in zip(kind.fields, row, strict=True):
        write_value(stream, field.kind, value, join(path, field.name), (kind, *row))


def write_counted(stream: DataOutput, kind: Counted, value: object, path: str, outer: Row) -> None:
    values = expect(value, bytes if kind.element is None else list)
    match kind.count:
        case int() as size:
            sized(values, size)
        case SameAs() as count:
            sized(values, count_in(outer, count))
        case Primitive() as count:
            write_kind(stream, count, len(values), path, ())
    if kind.element is None:
        stream.write(cast("bytes", values))
        return
    for index, each in enumerate(values):
        write_value(stream, kind.element, each, f"{path}[{index}]")


def write_variant(stream: DataOutput, kind: Variant, value: object, path: str) -> None:
    for case in kind.cases:
        if isinstance(value, case.record.made):
            write_kind(stream, kind.tag, case.tag, path, ())
            write_value(stream, case.record, value, path)
            return
    known = ", ".join(case.record.made.__name__ for case in kind.cases)
    raise TypeError(f"{type(value).__name__} is none of {known}")
