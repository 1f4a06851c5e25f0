"""Reading and writing values of a schema: for each kind a reader and its counterpart, a writer.

The leaves (numbers, text) are in :mod:`penstock.javadata.decoding` and
:mod:`penstock.javadata.encoding`; here is what consists of other values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from typing import cast, final

from penstock.javadata import decoding, encoding, kinds
from penstock.javadata.decoding import CodingFault, Names, Reader, Short, Steps
from penstock.javadata.encoding import Writer
from penstock.javadata.errors import shown

__all__ = ["Coders"]

Row = tuple[object, ...]
Coder = tuple[Reader, Writer]
DEEPEST_TREE = 128
MOST_EMPTY = 1 << 16
# Names that no field can have.
GIVEN, DEPTH = "", " "


def looks_back(kind: kinds.Kind) -> bool:
    """Return whether something inside refers to earlier fields, or to the record around it."""
    refers = isinstance(kind, kinds.Given | kinds.Nested | kinds.Checksum)
    return refers or kinds.by_earlier(kind) or any(map(looks_back, kinds.children_of(kind)))


def given(names: Names) -> Steps:
    """Return the tag before the record."""
    return names[GIVEN]
    yield 0


def deeper(names: Names) -> Names:
    """Return the names for a record inside a record of its own kind."""
    depth = cast("int", names.get(DEPTH, 0)) + 1
    if depth > DEEPEST_TREE:
        raise CodingFault(f"nested deeper than {DEEPEST_TREE}")
    return {**names, DEPTH: depth}


@final
class Coders:
    """The coders of one schema; ``trees`` are those of records that stand inside themselves.

    A reader raises Fault and says how far it came. A writer that raises Fault has written a part.
    """

    def __init__(self) -> None:
        self.trees: dict[type[Row], Coder] = {}

    def value(self, kind: kinds.Kind) -> Coder:
        """Return the reader and the writer of one value."""
        match kind:
            case kinds.Primitive() | kinds.FixedBytes():
                return decoding.fixed_reader(kind), encoding.fixed_writer(kind)
            case kinds.UtfKind():
                return decoding.read_utf, encoding.write_utf
            case kinds.Varint():
                return (lambda _: decoding.read_varint(kind)), encoding.varint_writer(kind)
            case kinds.Text() | kinds.Counted(element=None):
                return self.blob(kind)
            case kinds.Counted(count=kinds.Until(tag=tag), element=element):
                return self.until(tag, cast("kinds.Variant", element))
            case kinds.Counted():
                return self.listed(kind)
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
                return (
                    lambda names: self.trees[made][0](deeper(names)),
                    lambda value, out, names: self.trees[made][1](value, out, deeper(names)),
                )
            case kinds.Given():
                return given, encoding.write_nothing
            case kinds.Checksum(stored=stored):
                return decoding.fixed_reader(stored), encoding.write_nothing

    def record(self, kind: kinds.RecordKind) -> Coder:
        """Return the coder of fields one after the other."""
        coders = [self.value(field.kind) for field in kind.fields]
        reader = record_reader(kind, [reader for reader, _ in coders])
        self.trees[kind.made] = reader, record_writer(kind, [writer for _, writer in coders])
        return self.trees[kind.made]

    def count(
        self, count: kinds.Count, *, null: bool = False
    ) -> tuple[
        Callable[[Names], Generator[int, bytes, int | None]],
        Callable[[int, bytearray, Names], None],
    ]:
        """Return the coder of a count: None is the -1 that says so, -1 is "to the end"."""
        number = self.value(count) if isinstance(count, kinds.Primitive | kinds.Varint) else None

        def read(names: Names) -> Generator[int, bytes, int | None]:
            if isinstance(count, int):
                return count
            if number is not None:
                found, taken = cast("int", (yield from number[0](names))), getattr(count, "size", 1)
            elif isinstance(count, kinds.SameAs):
                found, taken = decoding.looked_up(count, names), 0
            else:
                return -1
            if found < 0 and not (null and found == -1):
                raise CodingFault(f"a count of {found}", back=taken)
            return None if found < 0 else found

        def write(found: int, out: bytearray, names: Names) -> None:
            if number is not None:
                number[1](found, out, names)
            elif isinstance(count, int | kinds.SameAs):
                encoding.of_length(
                    found, count if isinstance(count, int) else decoding.looked_up(count, names)
                )

        return read, write

    def blob(self, kind: kinds.Text | kinds.Counted) -> Coder:
        """Return the coder of bytes of a length, or of text in them."""
        read_count, write_count = self.count(kind.count, null=kind.null)
        codec, unit = kinds.ENCODINGS[kind.encoding] if isinstance(kind, kinds.Text) else (None, 1)

        def read(names: Names) -> Steps:
            number = yield from read_count(names)
            if number is None:
                return None
            return decoding.decoded((yield from decoding.take_all(number * unit)), codec)

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is None and kind.null:
                write_count(-1, out, names)
            else:
                data = encoding.encoded(value, codec)
                write_count(len(data) // unit, out, names)
                out += data

        return read, write

    def listed(self, kind: kinds.Counted) -> Coder:
        """Return the coder of a list."""
        element = cast("kinds.Kind", kind.element)
        read_count, write_count = self.count(kind.count, null=kind.null)
        read_one, write_one = self.value(element)
        read_each = elements_reader(element, read_one)

        def read(names: Names) -> Steps:
            number = yield from read_count(names)
            return None if number is None else (yield from read_each(number, names))

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is None and kind.null:
                write_count(-1, out, names)
            else:
                values = encoding.expect(value, list)
                write_count(len(values), out, names)
                if not written_at_once(values, element, out):
                    write_each(write_one, values, out, names)

        return read, write

    def until(self, tag: int, variant: kinds.Variant) -> Coder:
        """Return the coder of variants to the tag that ends them."""
        read_tag, write_tag = self.value(cast("kinds.Number", variant.tag))
        read_case, write_case = self.cases(variant)

        def read(names: Names) -> Steps:
            values: list[object] = []
            while True:
                try:
                    found = cast("int", (yield from read_tag(names)))
                    if found == tag:
                        return values
                    values.append((yield from read_case(found, names)))
                except CodingFault as fault:
                    raise fault.at(f"[{len(values)}]") from fault.__cause__

        def write(value: object, out: bytearray, names: Names) -> None:
            write_each(write_case, encoding.expect(value, list), out, names)
            write_tag(tag, out, names)

        return read, write

    def flagged(self, element: kinds.Kind) -> Coder:
        """Return the coder of a boolean and perhaps a value."""
        reader, writer = self.value(element)

        def read(names: Names) -> Steps:
            there = (yield from decoding.take(1, "boolean")) != b"\0"
            return (yield from reader(names)) if there else None

        def write(value: object, out: bytearray, names: Names) -> None:
            out += b"\0" if value is None else b"\1"
            if value is not None:
                writer(value, out, names)

        return read, write

    def constant(self, element: kinds.Kind, constant: object) -> Coder:
        """Return the coder of a value that must be this one."""
        reader, writer = self.value(element)

        def read(names: Names) -> Steps:
            pieces: list[bytes] = []
            found = yield from decoding.captured(reader(names), pieces)
            if found != constant:
                what = f"{shown(found)} where {shown(constant)} must stand"
                raise CodingFault(what, back=sum(map(len, pieces)))
            return found

        def write(value: object, out: bytearray, names: Names) -> None:
            writer(constant if value is None else value, out, names)
            if value is not None and value != constant:
                raise CodingFault(f"{shown(value)} where {shown(constant)} must stand")

        return read, write

    def sized(self, kind: kinds.Sized) -> Coder:
        """Return the coder of a value behind its number of bytes."""
        read_count, write_count = self.count(kind.count, null=kind.null)
        reader, writer = self.value(kind.element)

        def read(names: Names) -> Steps:
            number = yield from read_count(names)
            if number is None:
                return None
            data = yield from decoding.take_all(number)
            found = decoding.drive(reader(names), data, 0, final=True)
            value, end = cast("tuple[object, int]", found)
            left = len(data) - end
            if left:
                raise CodingFault(f"{left} of {len(data)} bytes are left", back=left)
            return value

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is None and kind.null:
                return write_count(-1, out, names)
            inner = bytearray()
            writer(value, inner, names)
            write_count(len(inner), out, names)
            out += inner
            return None

        return read, write

    def variant(self, kind: kinds.Variant) -> Coder:
        """Return the coder of a tag, if it is not an earlier field, and its record."""
        read_case, write_case = self.cases(kind)
        tag = kind.tag
        if isinstance(tag, kinds.SameAs):
            return (lambda names: read_case(decoding.looked_up(tag, names), names, 0)), write_case
        read_tag, _ = self.value(tag)

        def read(names: Names) -> Steps:
            return (yield from read_case(cast("int", (yield from read_tag(names))), names))

        return read, write_case

    def cases(self, kind: kinds.Variant) -> tuple[Callable[..., Steps], Writer]:
        """Return the reader of the record that a tag announces; the writer of tag and record."""
        cases = [(case, *self.value(case.record)) for case in kind.cases]
        readers = {tag: reader for case, reader, _ in cases for tag in case.tags}
        other = next((reader for case, reader, _ in cases if not case.tags), None)
        tag = None if isinstance(kind.tag, kinds.SameAs) else self.value(kind.tag)[1]
        size = 0 if isinstance(kind.tag, kinds.SameAs) else kinds.least_size(kind.tag)

        def read(found: int, names: Names, back: int = size) -> Steps:
            reader = readers.get(found, other)
            if reader is None:
                known = ", ".join(map(str, readers))
                raise CodingFault(f"tag {found} is none of {known}", back=back)
            return (yield from reader({**names, GIVEN: found}))

        def write(value: object, out: bytearray, names: Names) -> None:
            for case, _, writer in cases:
                if isinstance(value, case.record.made):
                    found = tag_of(value, case, kind.tag, names)
                    if found not in case.tags if case.tags else found in readers:
                        name = case.record.made.__name__
                        raise CodingFault(f"{name} does not stand behind tag {found}")
                    if tag:
                        tag(found, out, names)
                    return writer(value, out, {**names, GIVEN: found})
            known = ", ".join(case.record.made.__name__ for case in kind.cases)
            raise CodingFault(f"{type(value).__name__} is none of {known}")

        return read, write


def record_reader(kind: kinds.RecordKind, readers: list[Reader]) -> Reader:
    """Return the reader of a record; fields of fixed size side by side are read at once."""
    back = looks_back(kind)
    summing = any(isinstance(field.kind, kinds.Checksum) for field in kind.fields)
    parts = parts_of(kind, readers, alone=summing)
    made, new = kind.made, tuple.__new__

    def read(outer: Names) -> Steps:
        names = dict(outer) if back else outer
        values: list[object] = []
        bytes_of: dict[str, bytes] = {}
        for run, field, reader in parts:
            if run is not None:
                try:
                    found = run.values((yield run.layout.size))
                except Short as short:
                    raise run.cut(short.got) from None
                values += found
                if back:
                    names.update(zip(run.names, found, strict=True))
                continue
            pieces: list[bytes] = []
            try:
                steps = reader(names)
                values.append((yield from decoding.captured(steps, pieces) if summing else steps))
                if isinstance(field.kind, kinds.Checksum):
                    decoding.verify(field.kind, cast("int", values[-1]), bytes_of)
            except CodingFault as fault:
                raise fault.at(f".{field.name}") from fault.__cause__
            if back:
                names[field.name], bytes_of[field.name] = values[-1], b"".join(pieces)
        return new(made, values)

    return read


def parts_of(
    kind: kinds.RecordKind, readers: list[Reader], *, alone: bool
) -> list[tuple[decoding.FieldRun | None, kinds.RecordField, Reader]]:
    """Return runs of fixed size and, each ``alone``, the other fields, with their readers."""
    reader_of = dict(zip((field.name for field in kind.fields), readers, strict=True))
    groups = [[field] for field in kind.fields] if alone else kinds.runs(kind.fields)
    return [
        (
            decoding.run_of(group) if kinds.fixed(group[0].kind) and not alone else None,
            group[0],
            reader_of[group[0].name],
        )
        for group in groups
    ]


def record_writer(kind: kinds.RecordKind, writers: list[Writer]) -> Writer:
    """Return the writer of fields one after the other."""
    each = list(zip(kind.fields, writers, strict=True))
    back = looks_back(kind)
    summing = any(isinstance(field.kind, kinds.Checksum) for field in kind.fields)

    def write(row: object, out: bytearray, outer: Names) -> None:
        if len(encoding.expect(row, tuple)) != len(each):
            raise CodingFault(f"{len(cast('Row', row))} values for {len(each)} fields")
        names = dict(outer) if back else outer
        bytes_of: dict[str, bytes] = {}
        for (field, writer), value in zip(each, cast("Row", row), strict=True):
            start = len(out)
            if back:
                constant = isinstance(field.kind, kinds.Constant)
                names[field.name] = field.kind.value if constant else value  # type: ignore[union-attr]
            try:
                if isinstance(field.kind, kinds.Checksum):
                    encoding.write_checksum(field.kind, value, out, bytes_of)
                writer(value, out, names)
            except CodingFault as fault:
                raise fault.at(f".{field.name}") from fault.__cause__
            if summing:
                bytes_of[field.name] = bytes(out[start:])

    return write


def elements_reader(element: kinds.Kind, one: Reader) -> Callable[[int, Names], Steps]:
    """Return the reader of so many elements."""
    size = kinds.least_size(element)

    def read(count: int, names: Names) -> Steps:
        if count < 0:
            return decoding.all_in((yield from decoding.to_end()), one, names)
        yield from decoding.least(count * size, f"{count} elements")
        if isinstance(element, kinds.Primitive):
            return decoding.numbers((yield count * size), element, count)
        values: list[object] = []
        for index in range(count):
            try:
                steps = one(names)
                empty = size == 0 and index >= MOST_EMPTY
                values.append(
                    (yield from decoding.not_empty(steps, MOST_EMPTY) if empty else steps)
                )
            except CodingFault as fault:
                raise fault.at(f"[{index}]") from fault.__cause__
        return values

    return read


def write_each(one: Writer, values: list[object], out: bytearray, names: Names) -> None:
    """Write the elements of a list, one by one."""
    for index, value in enumerate(values):
        try:
            one(value, out, names)
        except CodingFault as fault:
            raise fault.at(f"[{index}]") from fault.__cause__


def written_at_once(values: list[object], element: kinds.Kind, out: bytearray) -> bool:
    """Write numbers that struct takes as they are; False where that cannot be done."""
    if not isinstance(element, kinds.Primitive) or encoding.conversion(element) is not None:
        return False
    try:
        out += struct.pack(f"{element.order}{len(values)}{element.code}", *values)
    except encoding.UNFIT:
        return False  # one by one, to say which
    return True


def tag_of(value: Row, case: kinds.Case, tag: kinds.Number | kinds.SameAs, names: Names) -> int:
    """Return the tag of a record: an earlier field's, the case's only one, or its first field."""
    if isinstance(tag, kinds.SameAs):
        return decoding.looked_up(tag, names)
    return case.tags[0] if len(case.tags) == 1 else cast("int", value[0])
