"""Records as JSON has them: objects by field name, bytes as hex; and back by their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from penstock.javadata import kinds
from penstock.javadata.errors import SchemaMismatch
from penstock.javadata.forms import FormReader, mismatch

if TYPE_CHECKING:
    from penstock.javadata.schema import Schema

__all__ = ["from_plain", "to_plain"]

Row = tuple[object, ...]
CASE = "@case"


def to_plain(value: object, schema: Schema[Row] | None = None) -> object:
    r"""Return a value of a record as JSON can hold it.

    Records are objects, bytes are hex, NaN and infinities are texts. With its ``schema``, a record
    says by a member ``@case`` which case of a variant it is, where the fields alone do not.

    >>> from penstock.javadata import parse_schema
    >>> to_plain(parse_schema("id: int, data: bytes[2]").decode(b"\0\0\0\7ab")[0])
    {'id': 7, 'data': '6162'}
    >>> schema = parse_schema("at: <byte 1=Up{by: int}, 2=Down{by: int}>")
    >>> to_plain(schema.decode(b"\2\0\0\0\7")[0], schema)
    {'at': {'@case': 'Down', 'by': 7}}
    """
    return _plain(value, frozenset() if schema is None else _alike(schema.kind))


def _alike(kind: kinds.Kind) -> frozenset[type]:
    """Return the classes of cases that another case has the same fields as."""
    found: set[type] = set()
    if isinstance(kind, kinds.Variant):
        for case in kind.cases:
            same = [other for other in kind.cases if _names(other) == _names(case)]
            found |= {other.record.made for other in same if len(same) > 1}
    return frozenset(found).union(*map(_alike, kinds.children_of(kind)))


def _names(case: kinds.Case) -> set[str]:
    return set(cast("tuple[str, ...]", getattr(case.record.made, "_fields", ())))


def _plain(value: object, alike: frozenset[type]) -> object:
    if isinstance(value, tuple):
        names = cast("tuple[str, ...]", getattr(value, "_fields", ()))
        members = {name: _plain(each, alike) for name, each in zip(names, value, strict=True)}
        return {CASE: type(value).__name__, **members} if type(value) in alike else members
    if isinstance(value, list):
        return [_plain(each, alike) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:  # NaN and the infinities
        return str(value)
    return value


def from_plain(values: object, schema: Schema[Row], path: str = "record") -> Row:
    """Return the record that ``values`` describe: what :func:`to_plain` makes, and the like.

    A whole number is a float where one is declared, if it is one exactly. A field that is not there
    is None where the schema lets it; other members are passed over. Of a variant's records, it is
    the one that ``@case`` names, or the only one that has exactly the fields given.

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
    return FormReader(schema.kind, _leaf, _case, lenient=True).record(values, schema.kind, path)


def _leaf(value: object, kind: kinds.Kind, path: str) -> object:
    match kind:
        case kinds.FixedBytes() | kinds.Counted():
            return _bytes(value, path)
        case kinds.Primitive():
            return _number(value, kind, path)
        case kinds.Checksum(stored=stored):
            return _number(value, stored, path)
        case kinds.Varint() | kinds.Given():
            return _number(value, kinds.PRIMITIVES["long"], path)
        case _:
            return _text(value, path)


def _case(value: object, kind: kinds.Variant, path: str) -> tuple[kinds.Case, object]:
    """Return the case that ``@case`` names, or the only one of these fields."""
    if not isinstance(value, Mapping):
        raise mismatch(value, "an object", path)
    named, fields = value.get(CASE), set(value) - {CASE}
    cases = [
        case for case in kind.cases
        if (case.record.made.__name__ == named if CASE in value else _names(case) == fields)
    ]  # fmt: skip
    if len(cases) == 1:
        return cases[0], value
    known = ", ".join(case.record.made.__name__ for case in cases or kind.cases)
    what = f'may be each of {known}: say which by "{CASE}"'
    raise SchemaMismatch(what if cases else f"has the fields of none of {known}", reading=path)


def _number(value: object, kind: kinds.Primitive, path: str) -> object:
    if kind.name == "boolean":
        if isinstance(value, bool):
            return value
        raise mismatch(value, "true or false", path)
    if kind.name.endswith("char"):
        return _text(value, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise mismatch(value, f"a {kind.name}", path)
    if kind.code in "fd":
        return _float(value, kind, path)
    if not isinstance(value, int):
        raise mismatch(value, f"a {kind.name}", path)
    return value


def _float(value: float | str, kind: kinds.Primitive, path: str) -> float:
    if isinstance(value, str) and value not in {"nan", "inf", "-inf"}:
        raise mismatch(value, f"a {kind.name}", path)
    try:
        number = float(value)
    except OverflowError as error:
        raise mismatch(value, f"a {kind.name}", path) from error
    if isinstance(value, int) and int(number) != value:
        raise SchemaMismatch(f"{value} is no {kind.name} exactly", reading=path)
    return number


def _bytes(value: object, path: str) -> bytes:
    try:
        return bytes.fromhex(_text(value, path))
    except ValueError as error:
        if isinstance(error, SchemaMismatch):
            raise
        raise mismatch(value, "bytes in hex", path) from error


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise mismatch(value, "a text", path)
    return value
