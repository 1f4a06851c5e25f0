"""Objects and lists as Arrow's structs and lists, of the narrowest types that hold all values.

What a type cannot hold without loss stays JSON text at its place: a mixture, a number of more than
64 bits, an object of nothing or of very many names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Nested", "arrow_type", "fitted", "nested_of", "wider"]

Nested: TypeAlias = "str | tuple[str, dict[str, Nested]] | list[Nested]"
"""The name of a kind, ``long`` for more than 53 bits; the fields of an object; a list's items."""

_FIELDS, _DEEPEST = 200, 32
_encode = msgspec.json.Encoder().encode
_EXACT = 2**53
_WIDER = {frozenset(("int", "float")): "float", frozenset(("int", "long")): "long"}


def nested_of(value: object, depth: int = 0) -> Nested:
    """Return the type of one value of JSON.

    >>> nested_of({"a": [1, 2.5], "b": None})
    ('object', {'a': ['float'], 'b': 'null'})
    """
    if isinstance(value, dict) and value and depth < _DEEPEST:
        return ("object", {str(name): nested_of(one, depth + 1) for name, one in value.items()})
    if isinstance(value, list) and depth < _DEEPEST:
        item: Nested = "null"
        for one in value:
            item = wider(item, nested_of(one, depth + 1))
        return [item]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        kind = "int" if abs(value) <= _EXACT else "long"
        return kind if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, float):
        return "float" if math.isfinite(value) else "json"
    return "null" if value is None else "text" if isinstance(value, str) else "json"


def wider(one: Nested, other: Nested) -> Nested:
    """Return the narrowest type that holds the values of both.

    >>> wider(nested_of({"a": 1}), nested_of({"a": "x", "b": []}))
    ('object', {'a': 'json', 'b': ['null']})
    """
    if other in (one, "null"):
        return one
    if one == "null":
        return other
    if isinstance(one, str) and isinstance(other, str):
        return _WIDER.get(frozenset((one, other)), "json")
    if isinstance(one, list) and isinstance(other, list):
        return [wider(one[0], other[0])]
    if isinstance(one, tuple) and isinstance(other, tuple):
        names = one[1] | other[1]
        if len(names) <= _FIELDS:
            both = ((name, one[1].get(name), other[1].get(name)) for name in names)
            return ("object", {name: wider(a or "null", b or "null") for name, a, b in both})
    return "json"


def arrow_type(shape: Nested) -> pa.DataType:
    """Return the type of Arrow; what is null throughout is text."""
    import pyarrow as pa

    if isinstance(shape, list):
        return pa.list_(arrow_type(shape[0]))
    if isinstance(shape, tuple):
        return pa.struct([(name, arrow_type(one)) for name, one in shape[1].items()])
    types = {"bool": pa.bool_(), "int": pa.int64(), "long": pa.int64(), "float": pa.float64()}
    return types.get(shape, pa.string())


def fitted(value: object, shape: Nested) -> object:
    """Return a value as its type has it."""
    if value is None:
        return None
    if shape == "json":
        return _encode(value).decode()
    if isinstance(shape, tuple) and isinstance(value, dict):
        return {name: fitted(value.get(name), one) for name, one in shape[1].items()}
    if isinstance(shape, list) and isinstance(value, list):
        return [fitted(one, shape[0]) for one in value]
    return value
