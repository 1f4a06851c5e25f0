"""Objects and lists as structs and lists, of the narrowest types that hold all values.

What a type cannot hold without loss stays JSON text at its place: a mixture, a number of more than
64 bits, an object of nothing, of very many names, or of names that databases confuse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Nested", "arrow_type", "fitted", "grows", "nested_of", "wider"]

Nested: TypeAlias = "str | dict[str, Nested] | list[Nested]"
"""The name of a kind, ``long`` for more than 53 bits; the fields of an object; a list's items."""

_FIELDS, _DEEPEST = 200, 32
_encode = msgspec.json.Encoder().encode
_EXACT = 2**53
_WIDER = {frozenset(("int", "float")): "float", frozenset(("int", "long")): "long"}


def nested_of(cell: bytes) -> Nested:
    """Return the type of one value of JSON.

    >>> nested_of(b'{"a": [1, 2.5], "b": null}')
    {'a': ['float'], 'b': 'null'}
    """
    try:
        return _type_of(msgspec.json.decode(cell), 0)
    except (msgspec.DecodeError, RecursionError):  # a number that no float holds
        return "json"


def _type_of(value: object, depth: int) -> Nested:
    if isinstance(value, dict) and depth < _DEEPEST and _apart(value):
        return {str(name): _type_of(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list) and depth < _DEEPEST:
        item: Nested = "null"
        for one in value:
            item = wider(item, _type_of(one, depth + 1))
        return [item]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        kind = "int" if abs(value) <= _EXACT else "long"
        return kind if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, float):
        return "float" if math.isfinite(value) else "json"
    return "null" if value is None else "text" if isinstance(value, str) else "json"


def _apart(names: Iterable[str]) -> bool:
    """Return whether a database takes all the names, and none for another."""
    folded = [name.lower() for name in names]
    return len(folded) <= _FIELDS and len({*folded}) == len(folded) and all(map(_fits, folded))


def _fits(name: str) -> bool:
    return bool(name) and "\0" not in name


def wider(one: Nested, other: Nested) -> Nested:
    """Return the narrowest type that holds the values of both.

    >>> wider({"a": "int"}, {"a": "text", "b": ["null"]})
    {'a': 'json', 'b': ['null']}
    """
    if other in (one, "null"):
        return one
    if one == "null":
        return other
    if isinstance(one, str) and isinstance(other, str):
        return _WIDER.get(frozenset((one, other)), "json")
    if isinstance(one, list) and isinstance(other, list):
        return [wider(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict) and _apart(names := one | other):
        return {name: wider(one.get(name, "null"), other.get(name, "null")) for name in names}
    return "json"


def grows(known: Nested, new: Nested, *, objects: bool = True) -> bool:
    """Return whether what stands in a column of the one type can stay, once it is of the other.

    Args:
        known: The type.
        new: One that is wider.
        objects: Whether an object may get an object that it did not have.

    >>> grows({"a": "int"}, {"a": "float", "b": "text"}), grows({"a": "int"}, {"a": "json"})
    (True, False)
    """
    if known == new:
        return True
    if known == "null":
        return objects or not isinstance(new, dict)
    if isinstance(known, str):
        return known == "int" and new in _WIDER.values()
    if isinstance(known, list):
        return isinstance(new, list) and grows(known[0], new[0])
    return (
        isinstance(new, dict)
        and known != {}
        and all(grows(known.get(at, "null"), one, objects=objects) for at, one in new.items())
    )


def arrow_type(shape: Nested) -> pa.DataType:
    """Return the type of Arrow; an object that never has a field is text, as JSON is."""
    import pyarrow as pa

    if isinstance(shape, list):
        return pa.list_(arrow_type(shape[0]))
    if shape and isinstance(shape, dict):
        return pa.struct([(name, arrow_type(one)) for name, one in shape.items()])
    types = {"null": pa.null(), "bool": pa.bool_(), "float": pa.float64()}
    types |= dict.fromkeys(("int", "long"), pa.int64())
    return types.get(str(shape), pa.string())


def fitted(value: object, shape: Nested) -> object:
    """Return a value as its type has it."""
    if value is None:
        return None
    if shape in ("json", {}):
        return _encode(value).decode()
    if isinstance(shape, dict) and isinstance(value, dict):
        return {name: fitted(value.get(name), one) for name, one in shape.items()}
    if isinstance(shape, list) and isinstance(value, list):
        return [fitted(one, shape[0]) for one in value]
    return value
