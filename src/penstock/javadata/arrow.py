"""What each kind is in Arrow, and values from one to the other.

A char is its number (uint16), since Arrow's text cannot hold half a surrogate pair; a variant is a
struct of the tag and one nullable struct for each case, which Parquet can hold where it cannot
hold a union.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

from penstock.javadata import kinds
from penstock.javadata.columnar import pa
from penstock.javadata.failures import SchemaMismatch, UTFDataFormatError
from penstock.javadata.native import decode_modified_utf8, encode_modified_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LoneSurrogates", "arrow_schema", "batch_of", "from_arrow", "rows_of"]

LoneSurrogates = Literal["error", "replace", "binary"]
Row = tuple[object, ...]
LONE = re.compile("[\ud800-\udfff]")
TYPES = {
    "?": pa.bool_(), "i1": pa.int8(), "u1": pa.uint8(), "i2": pa.int16(), "u2": pa.uint16(),
    "i4": pa.int32(), "i8": pa.int64(), "f4": pa.float32(), "f8": pa.float64(),
}  # fmt: skip


def arrow_schema(record: kinds.RecordKind, lone: LoneSurrogates) -> pa.Schema:
    """Return the Arrow schema of a record's columns."""
    return pa.schema(struct_fields(record, lone))


def struct_fields(record: kinds.RecordKind, lone: LoneSurrogates) -> list[pa.Field]:
    return [
        pa.field(
            field.name, arrow_type(field.kind, lone), nullable=isinstance(field.kind, kinds.Flagged)
        )
        for field in record.fields
    ]


def arrow_type(kind: kinds.Kind, lone: LoneSurrogates) -> pa.DataType:
    """Return the Arrow type of a kind; ``lone`` "binary" keeps writeUTF's bytes as they are."""
    match kind:
        case kinds.Primitive():
            return TYPES[kind.dtype]
        case kinds.UtfKind():
            return pa.binary() if lone == "binary" else pa.string()
        case kinds.Text():
            return pa.string()
        case kinds.FixedBytes(count=size):
            return pa.binary(size)
        case kinds.Counted(element=None):
            return pa.binary()
        case kinds.Counted(element=element):
            item = pa.field("item", arrow_type(cast("kinds.Kind", element), lone), nullable=False)
            return pa.list_(item)
        case kinds.Flagged(element=element):
            return arrow_type(element, lone)
        case kinds.Variant(tag=tag, cases=cases):
            each = [
                pa.field(case.record.made.__name__, arrow_type(case.record, lone)) for case in cases
            ]
            return pa.struct([pa.field("tag", TYPES[tag.dtype], nullable=False), *each])
        case kinds.RecordKind():
            return pa.struct(struct_fields(kind, lone))


def batch_of(rows: Sequence[Row], record: kinds.RecordKind, lone: LoneSurrogates) -> pa.RecordBatch:
    """Return rows as a record batch: the way of every schema, and the slowest."""
    schema = arrow_schema(record, lone)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(record.fields)
    arrays = [
        pa.array([plain(value, field.kind, lone, field.name) for value in column], each.type)
        for column, field, each in zip(columns, record.fields, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def plain(value: object, kind: kinds.Kind, lone: LoneSurrogates, path: str) -> object:
    """Return a value as pyarrow takes it: dicts for records, numbers for chars."""
    match kind:
        case kinds.Primitive(name="char"):
            return ord(cast("str", value))
        case kinds.UtfKind():
            return plain_text(cast("str", value), lone, path)
        case kinds.Counted(element=element) if element is not None:
            return [plain(each, element, lone, path) for each in cast("list[object]", value)]
        case kinds.Flagged(element=element):
            return None if value is None else plain(value, element, lone, path)
        case kinds.RecordKind():
            return plain_record(cast("Row", value), kind, lone, path)
        case kinds.Variant(cases=cases):
            case = next(case for case in cases if isinstance(value, case.record.made))
            inner = plain_record(cast("Row", value), case.record, lone, path)
            return {"tag": case.tag, case.record.made.__name__: inner}
        case _:
            return value


def plain_record(
    row: Row, kind: kinds.RecordKind, lone: LoneSurrogates, path: str
) -> dict[str, object]:
    return {
        field.name: plain(value, field.kind, lone, f"{path}.{field.name}")
        for field, value in zip(kind.fields, row, strict=True)
    }


def plain_text(text: str, lone: LoneSurrogates, path: str) -> str | bytes:
    """Return text that Arrow can hold."""
    if lone == "binary":
        return encode_modified_utf8(text)
    if text.isascii() or not LONE.search(text):
        return text
    if lone == "replace":
        return LONE.sub("\ufffd", text)
    raise lone_surrogate(path)


def lone_surrogate(path: str) -> UTFDataFormatError:
    """Return the error for text that Arrow cannot hold."""
    return UTFDataFormatError(
        "a lone surrogate, which Arrow's text cannot hold: choose on_lone_surrogate='replace' or "
        "'binary' (--lone-surrogates on the command line)",
        reading=f"column {path}",
    )


def rows_of(batch: pa.RecordBatch, record: kinds.RecordKind) -> list[Row]:
    """Return the rows of a record batch, columns found by name.

    Raises:
        SchemaMismatch: A column is missing.
    """
    columns = []
    for field in record.fields:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            names = ", ".join(batch.schema.names)
            raise SchemaMismatch(
                f"no such column; there are {names}", reading=f"field {field.name}"
            )
        values = batch.column(index).to_pylist()
        columns.append([from_arrow(value, field.kind) for value in values])
    make = record.made._make  # type: ignore[attr-defined] # a NamedTuple
    return [make(row) for row in zip(*columns, strict=True)]


def from_arrow(value: object, kind: kinds.Kind) -> object:
    """Return the value that our writer takes for one of pyarrow's."""
    if value is None:
        return None
    match kind:
        case kinds.UtfKind() if isinstance(value, bytes):
            return decode_modified_utf8(value)
        case kinds.Counted(element=element) if element is not None:
            return [from_arrow(each, element) for each in cast("list[object]", value)]
        case kinds.Flagged(element=element):
            return from_arrow(value, element)
        case kinds.RecordKind():
            return made_from(cast("dict[str, object]", value), kind)
        case kinds.Variant(cases=cases):
            given = cast("dict[str, object]", value)
            case = next((case for case in cases if case.tag == given.get("tag")), None)
            if case is None:
                raise SchemaMismatch(f"tag {given.get('tag')} is unknown", reading="variant")
            return made_from(
                cast("dict[str, object]", given[case.record.made.__name__]), case.record
            )
        case _:
            return value


def made_from(values: dict[str, object], kind: kinds.RecordKind) -> Row:
    fields = [from_arrow(values.get(field.name), field.kind) for field in kind.fields]
    return kind.made._make(fields)  # type: ignore[attr-defined,no-any-return] # a NamedTuple
