"""Reading values of a schema, whatever brings the bytes.

A reader is a generator that yields how many bytes it wants next and returns the value. It knows
nothing of files, so the same readers go over a block in memory, a stream that must not be read
ahead, and bytes that come piece by piece. What is wrong is a :class:`CodingFault`, which gathers
the field path on its way out; who drives the reader knows the offset and makes the error of it.
"""

from __future__ import annotations

import operator
import struct
import zlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, cast, final

from penstock.javadata import kinds
from penstock.javadata.errors import (
    EndOfData,
    MalformedText,
    SchemaMismatch,
    UTFDataFormatError,
    shown,
)
from penstock.javadata.floats import widened
from penstock.javadata.native import decode_modified_utf8

__all__ = [
    "TO_END", "CodingFault", "FieldRun", "Names", "Reader", "Short", "Steps", "all_in", "captured",
    "decoded", "drive", "fixed_reader", "least", "looked_up", "not_empty", "numbers", "read_utf",
    "read_varint", "run_of", "summed", "take", "take_all", "to_end", "verify", "whole_reader",
]  # fmt: skip

Row = tuple[object, ...]
Names = dict[str, object]
# Yielded: bytes wanted; or, below 0, bytes that must follow at least, of which none is taken.
Steps = Generator[int, bytes, object]
Reader = Callable[[Names], Steps]
SHOWN = 12  # steps of a long path at each end
TO_END: Final = -1 << 80  # no count of Java's is as large


@final
class CodingFault(Exception):
    """Why a value cannot be read or written, and where in the record.

    Attributes:
        reason: For people. Of data that ended, what was being read.
        back: Bytes of the value that were taken before it failed.
        short: Bytes needed and bytes there, where the data ended.
        path: Fields and indexes, innermost first.
    """

    def __init__(
        self, reason: str, *, back: int = 0, short: tuple[int, int] | None = None, utf: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.back = back
        self.short = short
        self.utf = utf
        self.path: list[str] = []

    def at(self, step: str) -> CodingFault:
        """Note the field or index that it is in."""
        self.path.append(step)
        return self

    def reading(self, record: str) -> str:
        """Return record and field path: ``record 3, field legs[2].price``."""
        steps = self.path[::-1]
        if len(steps) > 2 * SHOWN:
            steps[SHOWN:-SHOWN] = [" ... "]
        path = "".join(steps).removeprefix(".")
        return f"{record}, field {path}" if path else record

    def error(self, record: str, offset: int | None) -> Exception:
        """Return the error of a value that ended, or failed, at ``offset``."""
        start = None if offset is None else offset - self.back
        reading = self.reading(record)
        if self.short is not None:
            needed, got = self.short
            return EndOfData(
                offset=start or 0, reading=f"{reading}: {self.reason}", needed=needed, got=got
            )
        if self.utf:
            return UTFDataFormatError(self.reason, offset=start, reading=reading)
        return SchemaMismatch(self.reason, offset=start, reading=reading)


@final
class Short(Exception):
    """Thrown into a reader where the data ends: so many bytes are there of those wanted."""

    def __init__(self, got: int) -> None:
        super().__init__(got)
        self.got = got


def drive(steps: Steps, data: bytes, position: int, *, final: bool) -> tuple[object, int] | None:
    """Return the value that stands at ``position`` of ``data`` and where it ends.

    None says that the data ends before the value does, unless that is the ``final`` end.

    Raises:
        Fault: The value is wrong; its ``back`` counts from the end of ``data``.
    """
    size = len(data)
    try:
        want, send = next(steps), steps.send
        while True:
            start = position
            if 0 <= want <= size - start:
                position += want
                want = send(data[start:position])
            elif want < 0 <= size - start + want:
                want = send(b"")
            elif want == TO_END and final:
                position = size
                want = send(data[start:])
            elif final:
                want = steps.throw(Short(size - start))
            else:
                return None
    except StopIteration as done:
        return done.value, position
    except CodingFault as fault:
        fault.back += size - position
        raise


def take(size: int, what: str, back: int = 0) -> Generator[int, bytes, bytes]:
    """Want ``size`` bytes of a value of which ``back`` bytes came before."""
    try:
        return (yield size)
    except Short as short:
        raise CodingFault(what, back=back, short=(back + size, back + short.got)) from None


def least(size: int, what: str) -> Generator[int, bytes, None]:
    """Want that at least ``size`` bytes follow, so that a hostile count takes no memory."""
    if size > 0:
        try:
            yield -size
        except Short as short:
            raise CodingFault(what, short=(size, short.got)) from None


@final
@dataclass(frozen=True, slots=True)
class FieldRun:
    """Fields of fixed size side by side, read at once.

    Attributes:
        layout: All of them, for ``struct``.
        names: Of the fields.
        parts: What each is, its bytes, and where it begins.
        mended: Index, start and kind of those that ``struct`` does not give as they are.
    """

    layout: struct.Struct
    names: tuple[str, ...]
    parts: tuple[tuple[str, int, int], ...]
    mended: tuple[tuple[int, int, kinds.Primitive], ...]

    def values(self, data: bytes) -> Sequence[object]:
        """Return the values of the fields."""
        values = self.layout.unpack(data)
        if not self.mended:
            return values
        found = list(values)
        for index, start, kind in self.mended:
            found[index] = mended(found[index], data[start : start + kind.size], kind)
        return found

    def cut(self, got: int) -> CodingFault:
        """Return what is wrong with ``got`` bytes of it."""
        at = next(at for at, (_, size, start) in enumerate(self.parts) if start + size > got)
        what, size, start = self.parts[at]
        fault = CodingFault(what, back=-start, short=(size, got - start))
        return fault.at(f".{self.names[at]}")


def mended(value: object, data: bytes, kind: kinds.Primitive) -> object:
    """Return a char as text, and a float whose NaN keeps its bits, which struct makes quiet."""
    if kind.name.endswith("char"):
        return chr(cast("int", value))
    if value == value:
        return value
    return widened(data if kind.order == ">" else data[::-1])


def run_of(fields: Sequence[kinds.RecordField]) -> FieldRun:
    """Return fields of fixed size and one byte order as a run."""
    code, start = "", 0
    parts: list[tuple[str, int, int]] = []
    special: list[tuple[int, int, kinds.Primitive]] = []
    order = ">"
    for index, field in enumerate(fields):
        kind = field.kind
        if isinstance(kind, kinds.Primitive):
            order = kind.order
            code += kind.code
            parts.append((kind.name, kind.size, start))
            if kind.name.endswith("char") or kind.code == "f":
                special.append((index, start, kind))
        else:
            size = cast("kinds.FixedBytes", kind).count
            code += f"{size}s"
            parts.append((f"{size} bytes", size, start))
        start += parts[-1][1]
    names = tuple(field.name for field in fields)
    return FieldRun(struct.Struct(order + code), names, tuple(parts), tuple(special))


def whole_reader(kind: kinds.RecordKind) -> Callable[[bytes, int], tuple[Row, int]] | None:
    """Return what reads a record of fixed sizes and texts that is whole, without steps; or None.

    It raises what it likes where the record is not whole or not right: its reader says why.
    """
    if not all(
        kinds.fixed(field.kind) or isinstance(field.kind, kinds.UtfKind) for field in kind.fields
    ):
        return None
    parts = [
        run_of(group) if kinds.fixed(group[0].kind) else None for group in kinds.runs(kind.fields)
    ]
    made, new = kind.made, tuple.__new__

    def read(data: bytes, position: int) -> tuple[Row, int]:
        values: list[object] = []
        for run in parts:
            start = position + (2 if run is None else 0)
            if run is None:
                position = start + (data[position] << 8 | data[position + 1])
            else:
                position += run.layout.size
            if position > len(data):
                raise EOFError
            piece = data[start:position]
            if run is not None:
                values += run.values(piece)
            else:
                values.append(piece.decode() if piece.isascii() else decode_modified_utf8(piece))
        return new(made, values), position

    return read


def fixed_reader(kind: kinds.Primitive | kinds.FixedBytes) -> Reader:
    """Return the reader of one value of fixed size."""
    run = run_of([kinds.RecordField("", kind)])
    what = run.parts[0][0]

    def read(names: Names) -> Steps:
        return run.values((yield from take(run.layout.size, what)))[0]

    return read


def read_utf(names: Names) -> Steps:
    """Read two bytes of length and modified UTF-8."""
    try:
        head = yield 2
    except Short as short:
        raise CodingFault("utf length", short=(2, short.got)) from None
    size = head[0] << 8 | head[1]
    try:
        data = yield size
    except Short as short:
        raise CodingFault("utf", back=2, short=(2 + size, 2 + short.got)) from None
    if data.isascii():
        return data.decode()
    try:
        return decode_modified_utf8(data)
    except MalformedText as error:
        raise CodingFault(str(error), back=2 + size, utf=True) from error


def read_varint(kind: kinds.Varint) -> Generator[int, bytes, int]:
    """Read a whole number of variable length."""
    first = (yield from take(1, kind.name))[0]
    if kind.style == "hadoop":
        value = yield from read_hadoop(first, kind.name)
    else:
        value, shift, more = first & 0x7F, 7, first & 0x80
        while more:
            if shift >= kind.bits:
                raise CodingFault(
                    f"a {kind.name} of more than {kind.bits} bits", back=1 + shift // 7 - 1
                )
            byte = (yield from take(1, kind.name, back=shift // 7))[0]
            value |= (byte & 0x7F) << shift
            shift, more = shift + 7, byte & 0x80
        if value >> kind.bits:
            raise CodingFault(f"a {kind.name} of more than {kind.bits} bits", back=shift // 7)
        if kind.style == "zigzag":
            value = value >> 1 ^ -(value & 1)
        elif value >> kind.bits - 1:
            value -= 1 << kind.bits
    low, high = kinds.limits(kind)
    if not low <= value <= high:
        raise CodingFault(f"{value} does not fit {kind.name}", back=1)
    return value


def read_hadoop(first: int, what: str) -> Generator[int, bytes, int]:
    """Read the rest of what Hadoop's WritableUtils.writeVLong writes."""
    head = first - 256 if first > 127 else first
    if head >= -112:
        return head
    size = -112 - head if head >= -120 else -120 - head
    value = int.from_bytes((yield from take(size, what, back=1)))
    return value if head >= -120 else ~value


def take_all(size: int) -> Generator[int, bytes, bytes]:
    """Want so many bytes, or all to the end."""
    if size < 0:
        return (yield from to_end())
    yield from least(size, f"{size} bytes")
    return (yield from take(size, f"{size} bytes"))


def to_end() -> Generator[int, bytes, bytes]:
    """Want all that follows."""
    try:
        return (yield TO_END)
    except Short as short:  # it is more than a record may have
        raise CodingFault("all to the end", short=(short.got, short.got)) from None


def all_in(data: bytes, one: Reader, names: Names) -> list[object]:
    """Return the elements that ``data`` consists of."""
    values: list[object] = []
    position = 0
    while position < len(data):
        try:
            found = drive(one(names), data, position, final=True)
        except CodingFault as fault:
            raise fault.at(f"[{len(values)}]") from fault.__cause__
        value, position = cast("tuple[object, int]", found)
        values.append(value)
    return values


def numbers(data: bytes, kind: kinds.Primitive, count: int) -> list[object]:
    """Return so many numbers."""
    values = list(struct.unpack(f"{kind.order}{count}{kind.code}", data))
    if kind.name.endswith("char"):
        return list(map(chr, values))
    if kind.code == "f":
        for index, value in enumerate(values):
            if value != value:
                values[index] = mended(value, data[4 * index : 4 * index + 4], kind)
    return values


def decoded(data: bytes, codec: str | None) -> str | bytes:
    """Return the text; an empty ``codec`` is modified UTF-8, and None are the bytes themselves."""
    if codec is None:
        return data
    try:
        if not codec:
            return decode_modified_utf8(data)
        return data.decode(codec, "surrogatepass" if codec.startswith("utf-16") else "strict")
    except MalformedText as error:
        raise CodingFault(str(error), back=len(data), utf=True) from error
    except UnicodeDecodeError as error:
        name = codec.upper()
        raise CodingFault(
            f"not {name}: {error.reason} at byte {error.start}", back=len(data)
        ) from error


def looked_up(count: kinds.SameAs, names: Names) -> int:
    """Return what earlier fields say (numbers) or hold (arrays)."""
    result = 1
    for name in (count.name, *count.times):
        value = names[name] if isinstance(name, str) else name
        if isinstance(value, list | bytes):
            result *= len(value)
        elif hasattr(value, "__index__"):
            result *= operator.index(value)
        else:
            raise CodingFault(f"{name} is {shown(value)}, and counts")
    return (result + count.plus) // count.by


def captured(steps: Steps, pieces: list[bytes]) -> Steps:
    """Pass on what a reader wants, and keep what it is given."""
    try:
        want = next(steps)
    except StopIteration as done:
        return done.value
    while True:
        try:
            data = yield want
        except Short as short:
            want = steps.throw(short)
            continue
        pieces.append(data)
        try:
            want = steps.send(data)
        except StopIteration as done:
            return done.value


def not_empty(steps: Steps, most: int) -> Steps:
    """Refuse an element without bytes: so many of them are no data."""
    pieces: list[bytes] = []
    value = yield from captured(steps, pieces)
    if not any(pieces):
        raise CodingFault(f"more than {most} elements, and one that takes no bytes")
    return value


def summed(kind: kinds.Checksum, bytes_of: dict[str, bytes]) -> int:
    """Return the checksum as it is stored."""
    data = b"".join(bytes_of.values()) if kind.of is None else bytes_of[kind.of]
    value = zlib.crc32(data) if kind.method == "crc32" else zlib.adler32(data)
    _, high = kinds.limits(kind.stored)
    return value if value <= high else value - (1 << 8 * kind.stored.size)


def verify(kind: kinds.Checksum, value: int, bytes_of: dict[str, bytes]) -> None:
    """Refuse a checksum that is not that of the data."""
    right = summed(kind, bytes_of)
    if value != right:
        raise CodingFault(f"{kind.method} is {value}, the data has {right}", back=kind.stored.size)
