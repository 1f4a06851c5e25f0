"""Where a document stands in a sorted walk, and the filter for what stands at or behind it.

Servers compare values of different types by a fixed order of types, but a filter's ``$gte`` only
matches values of the same type; the filters here name the types behind as well.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bson import Decimal128, ObjectId, encode
from bson.timestamp import Timestamp

__all__ = ["behind", "has_array", "identity", "keys_at"]

# The servers' order of types in a sort, by the names that $type knows.
_ORDER = (
    *("minKey", "undefined", "null", "number", "string symbol", "object", "array", "binData"),
    *("objectId", "bool", "date", "timestamp", "regex", "dbPointer", "javascript"),
    *("javascriptWithScope", "maxKey"),
)
_KINDS: Mapping[type, str] = {
    str: "string symbol",
    bytes: "binData",
    ObjectId: "objectId",
    Timestamp: "timestamp",
    bool: "bool",
}


def keys_at(document: Mapping[str, Any], paths: Sequence[str | None]) -> tuple[Any, ...]:
    """Return the values at ``paths``, up to the first that cannot mark a place in a sorted walk.

    An array sorts by one of its elements, a Decimal128 equals numbers that Python calls different,
    NaN equals nothing, and what is missing sorts as null: none of them marks a place.

    >>> keys_at({"at": {"x": 3}, "n": 1}, ["at.x", "n"]), keys_at({"n": [3], "x": 1}, ["n", "x"])
    ((3, 1), ())
    """
    found: list[Any] = []
    for path in paths:
        value: object = document if path else None
        for name in (path or "").split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if _kind(value) is None:
            break
        found.append(value)
    return tuple(found)


def has_array(document: Mapping[str, Any], path: str) -> bool:
    """Whether there is an array on the way to ``path``."""
    value: object = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            break
        value = value.get(name)
        if isinstance(value, list):
            return True
    return False


def _kind(value: object) -> str | None:
    kind = _KINDS.get(type(value))
    if kind is None and isinstance(value, int | float):
        return None if math.isnan(value) else "number"
    return "date" if isinstance(value, dt.datetime) else kind


def behind(sort: Sequence[tuple[str, int]], keys: Sequence[object]) -> dict[str, Any]:
    """Return the filter for what stands at ``keys`` or behind in a sort by as many of its fields.

    >>> behind([("n", 1)], [7])["$or"][0]
    {'n': {'$gt': 7}}
    """
    (field, direction), value = sort[0], keys[0]
    kind = _ORDER.index(_kind(value) or "maxKey")
    types = _ORDER[kind + 1 :] if direction > 0 else _ORDER[:kind]
    choices: list[dict[str, Any]] = [
        {field: {"$gt" if direction > 0 else "$lt": value}},
        {field: {"$type": " ".join(types).split()}},
    ]
    if direction < 0:
        # What is missing or an empty array comes last, and NaN behind all other numbers.
        choices += [{field: {"$exists": False}}, {field: {"$size": 0}}]
        choices += [{field: math.nan}] if _ORDER[kind] == "number" else []
    here = {field: value}
    if len(keys) > 1:
        here = {"$and": [here, behind(sort[1:], keys[1:])]}
    return {"$or": [*choices, here]}


def identity(value: object) -> object:
    """Return something hashable that is equal only for values that are one ``_id``.

    >>> identity(True) == identity(1), identity(1.0) == identity(1)
    (False, True)
    """
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Decimal128):
        value = value.to_decimal()  # one with the int or float that is as large
    if isinstance(value, float | Decimal) and math.isnan(value):
        return ("nan",)
    if isinstance(value, Mapping):
        return ("object", *((name, identity(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ("array", *map(identity, value))
    try:
        hash(value)
    except TypeError:  # a regular expression, code with a scope
        return encode({"": value})
    return value
