"""The rows of an array inside the one record of a file: a header, a count, rows, a trailer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast, final

from penstock.errors import InputError
from penstock.javadata import kinds
from penstock.javadata.blocks import read_record
from penstock.javadata.data_input import DataInputStream
from penstock.javadata.declarations import complete
from penstock.javadata.decoding import looked_up
from penstock.javadata.errors import SchemaMismatch
from penstock.javadata.notation import make_record
from penstock.javadata.schema import Schema

if TYPE_CHECKING:
    from penstock.javadata.files import Source

__all__ = ["InnerRows"]

Row = tuple[object, ...]
COUNT = "count_"


@final
class InnerRows:
    r"""Reads the rows of one array, in constant memory; what stands around them is checked.

    Args:
        schema: Of the whole file, which is one record.
        name: The array, a field of it.

    Raises:
        InputError: There is no such array, or its rows depend on fields before it.

    >>> from penstock.javadata import parse_schema
    >>> rows = InnerRows(parse_schema("magic: short, ids: int[short], sum: byte"), "ids")
    >>> list(rows.records(b"\x4a\x56\0\2\0\0\0\7\0\0\0\x08\x0f"))
    [Row(value=7), Row(value=8)]
    """

    def __init__(self, schema: Schema[Row], name: str) -> None:
        fields = schema.kind.fields
        at = next((at for at, field in enumerate(fields) if field.name == name), None)
        kind = None if at is None else fields[at].kind
        if at is None or not isinstance(kind, kinds.Counted) or kind.element is None:
            arrays = [field.name for field in fields if isinstance(field.kind, kinds.Counted)]
            raise InputError(
                f"no array {name!r} in the schema; there are {', '.join(arrays) or 'none'}"
            )
        if isinstance(kind.count, kinds.Until):
            raise InputError(f"{name}: rows up to a tag cannot be read alone")
        element = kind.element
        if not isinstance(element, kinds.RecordKind):
            element = make_record("Row", (kinds.Field("value", element),))
        self.name, self.count = name, kind.count
        counted = isinstance(kind.count, kinds.Primitive | kinds.Varint)
        count = (kinds.Field(COUNT, cast("kinds.Number", kind.count)),) if counted else ()
        before = (*fields[:at], *count)
        self.schema: Schema[Row] = Schema(complete(element))
        self._head = Schema[Row](complete(make_record("Head", before))) if before else None
        self.null = kind.null
        after = fields[at + 1 :]
        for field in after:
            if isinstance(field.kind, kinds.Checksum) and field.kind.of is None:
                raise InputError(f"{field.name}: sums the rows too: read the whole record instead")
        self._tail = Schema[Row](complete(make_record("Tail", after))) if after else None

    def records(self, source: Source) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            EndOfData, UTFDataFormatError, SchemaMismatch: As :meth:`Schema.records`; also where
                bytes follow the record.
        """
        with DataInputStream(source) as stream:
            names: dict[str, object] = {}
            if self._head is not None:
                head = read_record(stream, self._head.codec, "header")
                names = dict(zip(head._fields, head, strict=True))  # type: ignore[attr-defined]
            yield from self.schema.records(stream, count=self._number(names))
            if self._tail is not None:
                read_record(stream, self._tail.codec, "trailer")
            if not stream.at_end():
                raise SchemaMismatch("bytes follow it", offset=stream.offset, reading="trailer")

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
