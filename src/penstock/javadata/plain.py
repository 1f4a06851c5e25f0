"""Records as JSON has them: objects by field name, bytes as hex; and back by their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from penstock.javadata import kinds
from penstock.javadata.failures import SchemaMismatch
from penstock.javadata.interpret import join

if TYPE_CHECKING:
    from penstock.javadata.schema import Schema

__all__ = ["from_plain", "to_plain"]

Row = tuple[object, ...]


def to_plain(value: object) -> object:
    r"""Return a value of a record as JSON can hold it.

    Records are objects, bytes are hex, NaN and infinities are texts.

    >>> from penstock.javadata import parse_schema
    >>> to_plain(parse_schema("id: int, data: bytes[2]").decode(b"\0\0\0\7ab")[0])
    {'id': 7, 'data': '6162'}
    """
    if isinstance(value, tuple):
        names = cast("tuple[str, ...]", getattr(value, "_fields", ()))
        return {name: to_plain(each) for name, each in zip(names, value, strict=True)}
    if isinstance(value, list):
        return [to_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:  # NaN and the infinities
        return str(value)
    return value


def from_plain(values: object, schema: Schema[Row], path: str = "record") -> Row:
    """Return the record that ``values`` describe: what :func:`to_plain` makes, and the like.

    A whole number is a float where one is declared, if it is one exactly. A field that is not there
    is None where the schema lets it; other members are passed over. Of a variant's records, it is
    the first that has exactly the fields given.

    Args:
        values: A mapping by field name.
        schema: What to make of it.
        path: Names the record in errors.

    Raises:
        SchemaMismatch: A field is missing or of another type; names its path. Ranges are looked at
            when the record is written.

    >>> from penstock.javadata import parse_schema
    >>> from_plain({"data": "6162", "id": 7, "more": True}, parse_schema("id: int, data: bytes[2]"))
    Record(id=7, data=b'ab')
    """
    return _record(values, schema.kind, path)


def _record(values: object, kind: kinds.RecordKind, path: str) -> Row:
    if not isinstance(values, Mapping):
        raise _mismatch(values, "an object", path)
    fields = [_field(values, field.name, field.kind, path) for field in kind.fields]
    return cast("Row", kind.made._make(fields))  # type: ignore[attr-defined] # a NamedTuple


def _field(values: Mapping[str, object], name: str, kind: kinds.Kind, path: str) -> object:
    inner = join(path, name)
    if name not in values and not isinstance(kind, kinds.Flagged):
        raise SchemaMismatch(f"not there; there are {', '.join(values) or 'none'}", reading=inner)
    return _value(values.get(name), kind, inner)


def _value(value: object, kind: kinds.Kind, path: str) -> object:
    match kind:
        case kinds.Flagged(element=element):
            return None if value is None else _value(value, element, path)
        case kinds.RecordKind():
            return _record(value, kind, path)
        case kinds.Variant():
            return _variant(value, kind, path)
        case kinds.FixedBytes() | kinds.Counted(element=None):
            return _bytes(value, path)
        case kinds.Counted(element=element):
            if not isinstance(value, list):
                raise _mismatch(value, "a list", path)
            return [
                _value(each, cast("kinds.Kind", element), f"{path}[{index}]")
                for index, each in enumerate(value)
            ]
        case kinds.Primitive():
            return _number(value, kind, path)
        case _:
            return _text(value, path)


def _number(value: object, kind: kinds.Primitive, path: str) -> object:
    if kind.name == "boolean":
        if isinstance(value, bool):
            return value
        raise _mismatch(value, "true or false", path)
    if kind.name == "char":
        return _text(value, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _mismatch(value, f"a {kind.name}", path)
    if kind.code in "fd":
        return _float(value, kind, path)
    if not isinstance(value, int):
        raise _mismatch(value, f"a {kind.name}", path)
    return value


def _float(value: float | str, kind: kinds.Primitive, path: str) -> float:
    if isinstance(value, str) and value not in {"nan", "inf", "-inf"}:
        raise _mismatch(value, f"a {kind.name}", path)
    try:
        number = float(value)
    except OverflowError as error:
        raise _mismatch(value, f"a {kind.name}", path) from error
    if isinstance(value, int) and int(number) != value:
        raise SchemaMismatch(f"{value} is no {kind.name} exactly", reading=path)
    return number


def _bytes(value: object, path: str) -> bytes:
    try:
        return bytes.fromhex(_text(value, path))
    except ValueError as error:
        if isinstance(error, SchemaMismatch):
            raise
        raise _mismatch(value, "bytes in hex", path) from error


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, "a text", path)
    return value


def _variant(value: object, kind: kinds.Variant, path: str) -> Row:
    if not isinstance(value, Mapping):
        raise _mismatch(value, "an object", path)
    for case in kind.cases:
        if {field.name for field in case.record.fields} == set(value):
            return _record(value, case.record, path)
    known = ", ".join(case.record.made.__name__ for case in kind.cases)
    raise SchemaMismatch(f"has the fields of none of {known}", reading=path)


def _mismatch(value: object, wanted: str, path: str) -> SchemaMismatch:
    said = f"{value!r:.40}" if value is not None else "null"
    return SchemaMismatch(f"{said} is not {wanted}", reading=path)
