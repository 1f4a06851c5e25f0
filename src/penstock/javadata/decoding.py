"""Reading values of a schema, whatever brings the bytes.

A reader is a generator that yields how many bytes it wants next and returns the value. It knows
nothing of files, so the same readers go over a block in memory, a stream that must not be read
ahead, and bytes that come piece by piece. What is wrong is a :class:`Fault`, which gathers the
field path on its way out; who drives the reader knows the offset and makes the error of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, cast, final

from penstock.javadata import kinds
from penstock.javadata.errors import EndOfData, MalformedText, SchemaMismatch, UTFDataFormatError
from penstock.javadata.floats import widened
from penstock.javadata.native import decode_modified_utf8

__all__ = [
    "DEEPEST_TREE", "DEPTH", "GIVEN", "TO_END", "Fault", "Names", "Reader", "Short", "Steps",
    "drive", "looked_up", "looks_back", "record_reader", "summed", "whole_reader",
]  # fmt: skip

Row = tuple[object, ...]
Names = dict[str, object]
# Yielded: bytes wanted; or, below 0, bytes that must follow at least, of which none is taken.
Steps = Generator[int, bytes, object]
Reader = Callable[[Names], Steps]
TO_END: Final = -1 << 80  # no count of Java's is as large
DEEPEST_TREE = 128
MOST_EMPTY = 1 << 16


@final
class Fault(Exception):
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

    def at(self, step: str) -> Fault:
        """Note the field or index that it is in."""
        self.path.append(step)
        return self

    def reading(self, record: str) -> str:
        """Return record and field path: ``record 3, field legs[2].price``."""
        path = "".join(reversed(self.path)).removeprefix(".")
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
    except Fault as fault:
        fault.back += size - position
        raise


def take(size: int, what: str, back: int = 0) -> Generator[int, bytes, bytes]:
    """Want ``size`` bytes of a value of which ``back`` bytes came before."""
    try:
        return (yield size)
    except Short as short:
        raise Fault(what, back=back, short=(back + size, back + short.got)) from None


def least(size: int, what: str) -> Generator[int, bytes, None]:
    """Want that at least ``size`` bytes follow, so that a hostile count takes no memory."""
    if size > 0:
        try:
            yield -size
        except Short as short:
            raise Fault(what, short=(size, short.got)) from None


@final
@dataclass(frozen=True, slots=True)
class Run:
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

    def cut(self, got: int) -> Fault:
        """Return what is wrong with ``got`` bytes of it."""
        at = next(at for at, (_, size, start) in enumerate(self.parts) if start + size > got)
        what, size, start = self.parts[at]
        fault = Fault(what, back=-start, short=(size, got - start))
        return fault.at(f".{self.names[at]}")


def mended(value: object, data: bytes, kind: kinds.Primitive) -> object:
    """Return a char as text, and a float whose NaN keeps its bits, which struct makes quiet."""
    if kind.name.endswith("char"):
        return chr(cast("int", value))
    if value == value:
        return value
    return widened(data if kind.order == ">" else data[::-1])


def run_of(fields: Sequence[kinds.Field]) -> Run:
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
    return Run(struct.Struct(order + code), names, tuple(parts), tuple(special))


def runs(fields: Sequence[kinds.Field]) -> list[list[kinds.Field]]:
    """Group the fields: those of fixed size that stand together, and each other one alone."""
    groups: list[list[kinds.Field]] = []
    orders: list[str] = []
    for field in fields:
        kind = field.kind
        order = (
            kind.order if isinstance(kind, kinds.Primitive)
            else ">" if isinstance(kind, kinds.FixedBytes) else ""
        )  # fmt: skip
        if order and groups and orders[-1] == order:
            groups[-1].append(field)
        else:
            groups.append([field])
            orders.append(order)
    return groups


def fixed(kind: kinds.Kind) -> bool:
    """Return whether every value takes the same bytes and stands alone."""
    return isinstance(kind, kinds.Primitive | kinds.FixedBytes)


def record_reader(kind: kinds.RecordKind) -> Reader:
    """Return the reader of a record."""
    return Readers().record(kind)


def whole_reader(kind: kinds.RecordKind) -> Callable[[bytes, int], tuple[Row, int]] | None:
    """Return what reads a record of fixed sizes and texts that is whole, without steps; or None.

    It raises what it likes where the record is not whole or not right: its reader says why.
    """
    if not all(fixed(field.kind) or isinstance(field.kind, kinds.UtfKind) for field in kind.fields):
        return None
    parts = [run_of(group) if fixed(group[0].kind) else None for group in runs(kind.fields)]
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


def looks_back(kind: kinds.Kind) -> bool:
    """Return whether something inside refers to earlier fields, or to the record around it."""
    match kind:
        case kinds.Given() | kinds.Nested() | kinds.Checksum():
            return True
        case kinds.Counted(count=kinds.SameAs()) | kinds.Text(count=kinds.SameAs()):
            return True
        case kinds.Sized(count=kinds.SameAs()) | kinds.Variant(tag=kinds.SameAs()):
            return True
    return any(map(looks_back, kinds.children_of(kind)))


@final
class Readers:
    """The readers of one schema; ``trees`` are those of records that stand inside themselves."""

    def __init__(self) -> None:
        self.trees: dict[type[Row], Reader] = {}

    def value(self, kind: kinds.Kind) -> Reader:
        """Return the reader of one value."""
        match kind:
            case kinds.Primitive() | kinds.FixedBytes():
                return fixed_reader(kind)
            case kinds.UtfKind():
                return read_utf
            case kinds.Varint():
                return lambda _: read_varint(kind)
            case kinds.Text():
                return self.text(kind)
            case kinds.Counted():
                return self.counted(kind)
            case kinds.Flagged(element=element):
                return self.flagged(element)
            case kinds.Constant(element=element, value=value):
                return self.constant(element, value)
            case kinds.Sized():
                return self.sized(kind)
            case kinds.Variant():
                return self.variant(kind)
            case kinds.RecordKind():
                return self.record(kind)
            case kinds.Nested(made=made):
                return self.nested(made)
            case kinds.Given():
                return given
            case kinds.Checksum(stored=stored):
                return fixed_reader(stored)

    def record(self, kind: kinds.RecordKind) -> Reader:
        """Return the reader of fields one after the other."""
        reader = self.looking_back(kind) if looks_back(kind) else self.running(kind)
        self.trees[kind.made] = reader
        return reader

    def running(self, kind: kinds.RecordKind) -> Reader:
        """Return the reader of a record in which runs of fixed size are read at once."""
        parts: list[tuple[str, Run | None, Reader]] = []
        for group in runs(kind.fields):
            name, first = group[0].name, group[0].kind
            run = run_of(group) if fixed(first) else None
            parts.append((name, run, self.value(first)))
        made, new = kind.made, tuple.__new__

        def read(names: Names) -> Steps:
            values: list[object] = []
            for name, run, reader in parts:
                if run is not None:
                    try:
                        data = yield run.layout.size
                    except Short as short:
                        raise run.cut(short.got) from None
                    values += run.values(data)
                    continue
                try:
                    values.append((yield from reader(names)))
                except Fault as fault:
                    raise fault.at(f".{name}") from fault.__cause__
            return new(made, values)

        return read

    def looking_back(self, kind: kinds.RecordKind) -> Reader:
        """Return the reader of a record whose fields depend on what came before."""
        each = [(field.name, field.kind, self.value(field.kind)) for field in kind.fields]
        summing = any(isinstance(field.kind, kinds.Checksum) for field in kind.fields)

        def read(outer: Names) -> Steps:
            names, bytes_of = dict(outer), dict[str, bytes]()
            for name, inner, reader in each:
                pieces: list[bytes] = []
                steps = captured(reader(names), pieces) if summing else reader(names)
                try:
                    names[name] = yield from steps
                    if isinstance(inner, kinds.Checksum):
                        verify(inner, cast("int", names[name]), bytes_of)
                except Fault as fault:
                    raise fault.at(f".{name}") from fault.__cause__
                bytes_of[name] = b"".join(pieces)
            return tuple.__new__(made, [names[name] for name, _, _ in each])

        made = kind.made
        return read

    def text(self, kind: kinds.Text) -> Reader:
        """Return the reader of text of a length."""
        count, (codec, unit) = (
            self.count(kind.count, null=kind.null),
            kinds.ENCODINGS[kind.encoding],
        )

        def read(names: Names) -> Steps:
            number = yield from count(names)
            if number is None:
                return None
            data = yield from take_all(number * unit)
            return decoded(data, codec)

        return read

    def count(
        self, count: kinds.Count, *, null: bool = False
    ) -> Callable[[Names], Generator[int, bytes, int | None]]:
        """Return the reader of a count: None for the -1 that says so, -1 for "to the end"."""
        number = fixed_reader(count) if isinstance(count, kinds.Primitive) else None

        def read(names: Names) -> Generator[int, bytes, int | None]:
            match count:
                case int():
                    return count
                case kinds.SameAs():
                    found, taken = looked_up(count, names), 0
                case kinds.Varint():
                    found, taken = (yield from read_varint(count)), 1
                case kinds.Primitive(size=size):
                    assert number is not None
                    found, taken = cast("int", (yield from number(names))), size
                case _:
                    return -1
            if found == -1 and null:
                return None
            if found < 0:
                raise Fault(f"a count of {found}", back=taken)
            return found

        return read

    def counted(self, kind: kinds.Counted) -> Reader:
        """Return the reader of a list or bytes."""
        element = kind.element
        if isinstance(kind.count, kinds.Until):
            return self.until(kind.count.tag, cast("kinds.Variant", element))
        count = self.count(kind.count, null=kind.null)
        each = None if element is None else self.elements(element)

        def read(names: Names) -> Steps:
            number = yield from count(names)
            if number is None:
                return None
            if each is None:
                return (yield from take_all(number))
            return (yield from each(number, names))

        return read

    def elements(self, element: kinds.Kind) -> Callable[[int, Names], Steps]:
        """Return the reader of so many elements."""
        one, size = self.value(element), kinds.least_size(element)
        run = element if isinstance(element, kinds.Primitive) else None

        def read(count: int, names: Names) -> Steps:
            if count < 0:
                return all_in((yield from to_end()), one, names)
            yield from least(count * size, f"{count} elements")
            if run is not None:
                data = yield count * size
                return numbers(data, run, count)
            values: list[object] = []
            for index in range(count):
                try:
                    if size == 0 and index >= MOST_EMPTY:
                        values.append((yield from not_empty(one(names))))
                    else:
                        values.append((yield from one(names)))
                except Fault as fault:
                    raise fault.at(f"[{index}]") from fault.__cause__
            return values

        return read

    def until(self, tag: int, variant: kinds.Variant) -> Reader:
        """Return the reader of variants to the tag that ends them."""
        number, one = self.value(cast("kinds.Number", variant.tag)), self.cases(variant)

        def read(names: Names) -> Steps:
            values: list[object] = []
            while True:
                try:
                    found = cast("int", (yield from number(names)))
                    if found == tag:
                        return values
                    values.append((yield from one(found, names)))
                except Fault as fault:
                    raise fault.at(f"[{len(values)}]") from fault.__cause__

        return read

    def flagged(self, element: kinds.Kind) -> Reader:
        """Return the reader of a boolean and perhaps a value."""
        reader = self.value(element)

        def read(names: Names) -> Steps:
            if (yield from take(1, "boolean")) == b"\0":
                return None
            return (yield from reader(names))

        return read

    def constant(self, element: kinds.Kind, value: object) -> Reader:
        """Return the reader of a value that must be this one."""
        reader = self.value(element)

        def read(names: Names) -> Steps:
            pieces: list[bytes] = []
            found = yield from captured(reader(names), pieces)
            if found != value:
                raise Fault(
                    f"{found!r:.60} where {value!r:.60} must stand", back=sum(map(len, pieces))
                )
            return found

        return read

    def sized(self, kind: kinds.Sized) -> Reader:
        """Return the reader of a value that takes exactly the bytes announced."""
        count, reader = self.count(kind.count), self.value(kind.element)

        def read(names: Names) -> Steps:
            data = yield from take_all(cast("int", (yield from count(names))))
            found = drive(reader(names), data, 0, final=True)
            value, end = cast("tuple[object, int]", found)
            if end < len(data):
                raise Fault(
                    f"{len(data) - end} of {len(data)} bytes are left", back=len(data) - end
                )
            return value

        return read

    def variant(self, kind: kinds.Variant) -> Reader:
        """Return the reader of a tag and its record."""
        cases = self.cases(kind)
        tag = kind.tag
        if isinstance(tag, kinds.SameAs):
            return lambda names: cases(looked_up(tag, names), names, 0)
        number = self.value(tag)

        def read(names: Names) -> Steps:
            return (yield from cases(cast("int", (yield from number(names))), names))

        return read

    def cases(self, kind: kinds.Variant) -> Callable[..., Steps]:
        """Return the reader of the record that a tag announces."""
        readers = {tag: self.value(case.record) for case in kind.cases for tag in case.tags}
        other = next((self.value(case.record) for case in kind.cases if not case.tags), None)
        known = ", ".join(map(str, readers))
        size = 0 if isinstance(kind.tag, kinds.SameAs) else kinds.least_size(kind.tag)

        def read(tag: int, names: Names, back: int = size) -> Steps:
            reader = readers.get(tag, other)
            if reader is None:
                raise Fault(f"tag {tag} is none of {known}", back=back)
            return (yield from reader({**names, GIVEN: tag}))

        return read

    def nested(self, made: type[Row]) -> Reader:
        """Return the reader of the record around it."""

        def read(names: Names) -> Steps:
            depth = cast("int", names.get(DEPTH, 0)) + 1
            if depth > DEEPEST_TREE:
                raise Fault(f"nested deeper than {DEEPEST_TREE}")
            return (yield from self.trees[made]({**names, DEPTH: depth}))

        return read


# Names that no field can have.
GIVEN, DEPTH = "", " "


def given(names: Names) -> Steps:
    """Return the tag before the record."""
    return names[GIVEN]
    yield 0


def fixed_reader(kind: kinds.Primitive | kinds.FixedBytes) -> Reader:
    """Return the reader of one value of fixed size."""
    run = run_of([kinds.Field("", kind)])
    what = run.parts[0][0]

    def read(names: Names) -> Steps:  # noqa: ARG001 - a Reader
        return run.values((yield from take(run.layout.size, what)))[0]

    return read


def read_utf(names: Names) -> Steps:  # noqa: ARG001 - a Reader
    """Read two bytes of length and modified UTF-8."""
    try:
        head = yield 2
    except Short as short:
        raise Fault("utf length", short=(2, short.got)) from None
    size = head[0] << 8 | head[1]
    try:
        data = yield size
    except Short as short:
        raise Fault("utf", back=2, short=(2 + size, 2 + short.got)) from None
    if data.isascii():
        return data.decode()
    try:
        return decode_modified_utf8(data)
    except MalformedText as error:
        raise Fault(str(error), back=2 + size, utf=True) from error


def read_varint(kind: kinds.Varint) -> Generator[int, bytes, int]:
    """Read a whole number of variable length."""
    first = (yield from take(1, kind.name))[0]
    if kind.style == "hadoop":
        value = yield from read_hadoop(first, kind.name)
    else:
        value, shift, more = first & 0x7F, 7, first & 0x80
        while more:
            if shift >= kind.bits:
                raise Fault(f"a {kind.name} of more than {kind.bits} bits", back=1 + shift // 7 - 1)
            byte = (yield from take(1, kind.name, back=shift // 7))[0]
            value |= (byte & 0x7F) << shift
            shift, more = shift + 7, byte & 0x80
        if value >> kind.bits:
            raise Fault(f"a {kind.name} of more than {kind.bits} bits", back=shift // 7)
        if kind.style == "zigzag":
            value = value >> 1 ^ -(value & 1)
        elif value >> kind.bits - 1:
            value -= 1 << kind.bits
    low, high = kinds.limits(kind)
    if not low <= value <= high:
        raise Fault(f"{value} does not fit {kind.name}", back=1)
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
        raise Fault("all to the end", short=(short.got, short.got)) from None


def all_in(data: bytes, one: Reader, names: Names) -> list[object]:
    """Return the elements that ``data`` consists of."""
    values: list[object] = []
    position = 0
    while position < len(data):
        try:
            found = drive(one(names), data, position, final=True)
        except Fault as fault:
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


def decoded(data: bytes, codec: str) -> str:
    """Return the text; an empty ``codec`` is modified UTF-8."""
    try:
        if not codec:
            return decode_modified_utf8(data)
        return data.decode(codec, "surrogatepass" if codec.startswith("utf-16") else "strict")
    except MalformedText as error:
        raise Fault(str(error), back=len(data), utf=True) from error
    except UnicodeDecodeError as error:
        name = codec.upper()
        raise Fault(f"not {name}: {error.reason} at byte {error.start}", back=len(data)) from error


def looked_up(count: kinds.SameAs, names: Names) -> int:
    """Return what earlier fields say (numbers) or hold (arrays)."""
    result = 1
    for name in (count.name, *count.times):
        value = names[name]
        if value is None:
            raise Fault(f"{name} is None, and counts")
        result *= value if isinstance(value, int) else len(cast("Row", value))
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


def not_empty(steps: Steps) -> Steps:
    """Refuse an element without bytes: so many of them are no data."""
    pieces: list[bytes] = []
    value = yield from captured(steps, pieces)
    if not any(pieces):
        raise Fault(f"more than {MOST_EMPTY} elements, and one that takes no bytes")
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
        raise Fault(f"{kind.method} is {value}, the data has {right}", back=kind.stored.size)
