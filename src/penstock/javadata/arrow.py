"""What each kind is in Arrow, and values from one to the other.

A char is its number (uint16), since Arrow's text cannot hold half a surrogate pair; a variant is a
struct of the tag and one nullable struct for each case, which Parquet can hold where it cannot
hold a union.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from penstock.errors import InputError
from penstock.javadata import kinds
from penstock.javadata.columnar import pa
from penstock.javadata.errors import MalformedText, SchemaMismatch, UTFDataFormatError
from penstock.javadata.forms import FormReader, mismatch
from penstock.javadata.native import decode_modified_utf8, encode_modified_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.javadata.kinds import LoneSurrogates

__all__ = [
    "arrow_schema", "arrow_type", "batch_of", "expansion", "from_arrow", "one_line", "rows_of",
]  # fmt: skip

Row = tuple[object, ...]
LONE = re.compile("[\ud800-\udfff]")
TYPES = {
    "?": pa.bool_(), "i1": pa.int8(), "u1": pa.uint8(), "i2": pa.int16(), "u2": pa.uint16(),
    "i4": pa.int32(), "u4": pa.uint32(), "i8": pa.int64(), "u8": pa.uint64(), "f4": pa.float32(),
    "f8": pa.float64(),
}  # fmt: skip


def arrow_schema(record: kinds.RecordKind, lone: LoneSurrogates) -> pa.Schema:
    """Return the Arrow schema of a record's columns."""
    return pa.schema(struct_fields(record, lone))


def struct_fields(record: kinds.RecordKind, lone: LoneSurrogates) -> list[pa.Field]:
    return [
        pa.field(field.name, arrow_type(field.kind, lone), nullable=kinds.may_be_none(field.kind))
        for field in record.fields
    ]


def arrow_type(kind: kinds.Kind, lone: LoneSurrogates) -> pa.DataType:
    """Return the Arrow type of a kind; ``lone`` "binary" keeps writeUTF's bytes as they are.

    Raises:
        InputError: A tree, which Arrow cannot hold.
    """
    match kind:
        case kinds.Primitive(dtype=dtype) | kinds.Checksum(stored=kinds.Primitive(dtype=dtype)):
            return TYPES[dtype]
        case kinds.Varint(bits=bits):
            return TYPES[f"i{bits // 8}"]
        case kinds.Given():
            return pa.int64()
        case kinds.UtfKind() | kinds.Text(encoding="mutf8" | "utf16" | "utf16le"):
            return pa.binary() if lone == "binary" else pa.string()
        case kinds.Text():
            return pa.string()
        case kinds.FixedBytes(count=size) if size < 1 << 31:
            return pa.binary(size)
        case kinds.FixedBytes(count=size):
            raise InputError(f"bytes[{size}]: Arrow holds at most {(1 << 31) - 1}")
        case kinds.Counted(element=None):
            return pa.binary()
        case kinds.Counted(element=element):
            inner = cast("kinds.Kind", element)
            nullable = kinds.may_be_none(inner)
            return pa.list_(pa.field("item", arrow_type(inner, lone), nullable=nullable))
        case kinds.Flagged() | kinds.Constant() | kinds.Sized():
            return arrow_type(kind.element, lone)
        case kinds.Variant(tag=tag):
            return pa.struct([tag_field(tag), *case_fields(kind, lone)])
        case kinds.RecordKind():
            return pa.struct(struct_fields(kind, lone))
        case kinds.Nested(made=made):
            raise InputError(
                f"{made.__name__} stands inside itself: Arrow and Parquet cannot hold a tree; "
                "use records() or JSON (dump)"
            )


def tag_field(tag: kinds.Number | kinds.SameAs) -> pa.Field:
    if isinstance(tag, kinds.SameAs):
        return pa.field("tag", pa.int64())  # null in the case of every other tag
    return pa.field("tag", arrow_type(tag, "error"), nullable=False)


def case_fields(kind: kinds.Variant, lone: LoneSurrogates) -> list[pa.Field]:
    """Return a nullable struct for each case; one without fields is its tag alone."""
    return [
        pa.field(case.record.made.__name__, arrow_type(case.record, lone))
        for case in kind.cases
        if isinstance(case.record, kinds.Nested) or case.record.fields
    ]


def least_null(kind: kinds.Kind) -> int:
    """Return the bytes that a value takes in Arrow's columns if all of it is absent."""
    match kind:
        case kinds.Primitive(size=size) | kinds.Checksum(stored=kinds.Primitive(size=size)):
            return size
        case kinds.FixedBytes(count=count):
            return count
        case kinds.Counted() | kinds.Text() | kinds.UtfKind():
            return 4
        case _:
            return 1 + sum(map(least_null, kinds.children_of(kind)))


def expansion(kind: kinds.Kind) -> int:
    """Return how many bytes of columns one byte of data may become, where parts are absent."""
    here = least_null(kind) // max(1, kinds.least_size(kind))
    return max([here, *map(expansion, kinds.children_of(kind))])


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
    if value is None:
        return None
    match kind:
        case kinds.Primitive() if kind.name.endswith("char"):
            return ord(cast("str", value))
        case kinds.UtfKind() | kinds.Text(encoding="mutf8" | "utf16" | "utf16le"):
            return plain_text(cast("str", value), lone, path)
        case kinds.Counted(element=element) if element is not None:
            return [plain(each, element, lone, path) for each in cast("list[object]", value)]
        case kinds.Flagged() | kinds.Constant() | kinds.Sized():
            return plain(value, kind.element, lone, path)
        case kinds.RecordKind():
            return plain_record(cast("Row", value), kind, lone, path)
        case kinds.Variant():
            return plain_variant(value, kind, lone, path)
        case _:
            return value


def plain_variant(
    value: object, kind: kinds.Variant, lone: LoneSurrogates, path: str
) -> dict[str, object]:
    """Return the tag and the record of its case; an earlier field's tag stands there already."""
    case = next(case for case in kind.cases if isinstance(value, case.record.made))
    record = cast("kinds.RecordKind", case.record)  # arrow_type() refused trees
    kept = len(case.tags) != 1 and not isinstance(kind.tag, kinds.SameAs)
    tag = cast("Row", value)[0] if kept else next(iter(case.tags), None)
    if not record.fields:
        return {"tag": tag}
    return {"tag": tag, record.made.__name__: plain_record(cast("Row", value), record, lone, path)}


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
    raise UTFDataFormatError(
        "a lone surrogate, which Arrow's text cannot hold: choose on_lone_surrogate='replace' or "
        "'binary' (--lone-surrogates on the command line)",
        reading=f"column {path}",
    )


def rows_of(batch: pa.RecordBatch, record: kinds.RecordKind, first: int = 0) -> list[Row]:
    """Return the rows of a record batch, columns found by name.

    Args:
        batch: The columns.
        record: What to make of a row.
        first: The number of the first row, for errors.

    Raises:
        SchemaMismatch: A column is missing, or holds what the schema cannot.
    """
    names = [field.name for field in record.fields]
    for name in names:
        if batch.schema.names.count(name) != 1:
            what = "two such columns" if name in batch.schema.names else "no such column"
            there = ", ".join(batch.schema.names)
            raise SchemaMismatch(f"{what}; there are {there}", reading=f"field {name}")
    reading = FormReader(record, from_arrow, case_from, lenient=False)
    try:
        rows = batch.select(names).to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise SchemaMismatch(one_line(error), reading=f"records from {first} on") from error
    return [reading.record(row, record, f"record {at}") for at, row in enumerate(rows, first)]


def one_line(error: Exception) -> str:
    """Return what pyarrow says, which may be several lines."""
    return " ".join(str(error).split())


def from_arrow(value: object, kind: kinds.Kind, path: str) -> object:
    """Return the value that our writer takes for one of pyarrow's; it refuses what is left."""
    if isinstance(value, int) and isinstance(kind, kinds.Primitive) and kind.name.endswith("char"):
        return chr(value)
    if isinstance(value, bytes) and isinstance(kind, kinds.UtfKind | kinds.Text):
        try:
            return decode_modified_utf8(value)
        except MalformedText as error:
            raise UTFDataFormatError(str(error), reading=path) from error
    return value


def case_from(value: object, kind: kinds.Variant, path: str) -> tuple[kinds.Case, object]:
    """Return the case that the tag says, and its struct."""
    if not isinstance(value, dict):
        raise mismatch(value, "a struct", path)
    tag = value.get("tag")
    default = next((case for case in kind.cases if not case.tags), None)
    case = next((case for case in kind.cases if tag in case.tags), default)
    if case is None or not isinstance(case.record, kinds.RecordKind):
        raise SchemaMismatch(f"tag {tag} is unknown", reading=path)
    inner = value.get(case.record.made.__name__)
    if case.record.fields and not isinstance(inner, dict):
        raise SchemaMismatch(f"tag {tag}, but no {case.record.made.__name__}", reading=path)
    return case, inner or {}
