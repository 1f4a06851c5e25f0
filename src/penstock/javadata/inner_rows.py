"""The rows of an array inside the one record of a file: a header, a count, rows, a trailer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast, final

from penstock.errors import InputError
from penstock.javadata import kinds
from penstock.javadata.blocks import read_record
from penstock.javadata.data_input import DataInputStream
from penstock.javadata.declarations import checked, complete
from penstock.javadata.decoding import looked_up
from penstock.javadata.errors import SchemaMismatch
from penstock.javadata.notation import make_record
from penstock.javadata.schema import Schema

if TYPE_CHECKING:
    from penstock.javadata.files import Source

__all__ = ["InnerRows"]

Row = tuple[object, ...]
Fields = tuple[kinds.RecordField, ...]
Level = tuple[Schema[Row] | None, Schema[Row] | None]
COUNT = "count_"


@final
class InnerRows:
    r"""Reads the rows of one array, in constant memory; what stands around them is checked.

    Args:
        schema: Of the whole file, which is one record.
        name: The array, a field of it; ``body.rows`` where it is a field of a record inside it.

    Raises:
        InputError: There is no such array, or its rows depend on fields before it.

    >>> from penstock.javadata import parse_schema
    >>> rows = InnerRows(parse_schema("magic: short, ids: int[short], sum: byte"), "ids")
    >>> list(rows.records(b"\x4a\x56\0\2\0\0\0\7\0\0\0\x08\x0f"))
    [Row(value=7), Row(value=8)]
    """

    def __init__(self, schema: Schema[Row], name: str) -> None:
        self._levels: list[Level] = []
        fields, outer = schema.kind.fields, dict[str, kinds.Kind]()
        *records, last = name.split(".")
        for step in records:
            at, inside = found(fields, step)
            if not isinstance(inside, kinds.RecordKind):
                raise no_array(name, schema)
            self._levels.append(around(fields, at, outer))
            outer |= {field.name: field.kind for field in fields[:at]}
            fields = inside.fields
        at, kind = found(fields, last)
        if not isinstance(kind, kinds.Counted) or kind.element is None:
            raise no_array(name, schema)
        if isinstance(kind.count, kinds.Until):
            raise InputError(f"{name}: rows up to a tag cannot be read alone")
        element = kind.element
        if not isinstance(element, kinds.RecordKind):
            element = make_record("Row", (kinds.RecordField("value", element),))
        self.name, self.count, self.null = name, kind.count, kind.null
        self.schema: Schema[Row] = Schema(complete(element))
        counted = isinstance(kind.count, kinds.Primitive | kinds.Varint)
        count = (kinds.RecordField(COUNT, cast("kinds.Number", kind.count)),) if counted else ()
        self._levels.append(around(fields, at, outer, count))

    def records(self, source: Source) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            EndOfData, UTFDataFormatError, SchemaMismatch: As :meth:`Schema.records`; also where
                bytes follow the record.
        """
        with DataInputStream(source) as stream:
            yield from self._inside(stream, self._levels, {})
            if not stream.at_end():
                raise SchemaMismatch("bytes follow it", offset=stream.offset, reading="trailer")

    def _inside(
        self, stream: DataInputStream, levels: list[Level], names: dict[str, object]
    ) -> Iterator[Row]:
        """Yield the rows between what stands around them, of each record from the outermost."""
        (head, tail), *inner = levels
        if head is not None:
            row = read_record(stream, head.codec, "header", names)
            names = names | dict(zip(row._fields, row, strict=True))  # type: ignore[attr-defined]
        if inner:
            yield from self._inside(stream, inner, names)
        else:
            yield from self.schema.records(stream, count=self._number(names))
        if tail is not None:
            read_record(stream, tail.codec, "trailer", names)

    def _number(self, names: dict[str, object]) -> int | None:
        match self.count:
            case int() as number:
                return number
            case kinds.SameAs() as count:
                return looked_up(count, names)
            case kinds.ToEnd():
                return None
            case _:
                number = cast("int", names[COUNT])
                if number == -1 and self.null:
                    return 0
                if number < 0:
                    raise SchemaMismatch(f"a count of {number}", reading=self.name)
                return number


def found(fields: Fields, name: str) -> tuple[int, kinds.Kind | None]:
    """Return where the field is, and its kind; None for a name that is not there."""
    return next(
        ((at, field.kind) for at, field in enumerate(fields) if field.name == name), (0, None)
    )


def no_array(name: str, schema: Schema[Row]) -> InputError:
    known = ", ".join(arrays(schema.kind.fields)) or "none"
    return InputError(f"no array {name!r} in the schema; there are {known}")


def arrays(fields: Fields, prefix: str = "") -> Iterator[str]:
    """Yield the paths of the arrays of a record and of the records in it."""
    for field in fields:
        if isinstance(field.kind, kinds.Counted) and field.kind.element is not None:
            yield prefix + field.name
        if isinstance(field.kind, kinds.RecordKind):
            yield from arrays(field.kind.fields, f"{prefix}{field.name}.")


def around(fields: Fields, at: int, outer: dict[str, kinds.Kind], count: Fields = ()) -> Level:
    """Return what stands before and behind a field, with its count as the last before it."""
    before, after = (*fields[:at], *count), fields[at + 1 :]
    for field in after:
        if isinstance(field.kind, kinds.Checksum) and field.kind.of is None:
            raise InputError(f"{field.name}: sums the rows too: read the whole record instead")
    earlier = outer | {field.name: field.kind for field in before}
    return part("Head", before, outer), part("Tail", after, earlier)


def part(name: str, fields: Fields, outer: dict[str, kinds.Kind]) -> Schema[Row] | None:
    if not fields:
        return None
    record = make_record(name, fields)
    checked(record, outer)
    return Schema(record)
