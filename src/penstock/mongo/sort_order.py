"""Where a document stands in a sorted walk, and the filter for what stands at or behind it.

Servers compare values of different types by a fixed order of types, but a filter's ``$gte`` only
matches values of the same type; the filters here name the types behind as well.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from bson import ObjectId, encode
from bson.timestamp import Timestamp

__all__ = ["NO_KEY", "NoKey", "behind", "has_array", "identity", "key_at", "strictly_behind"]


@final
class NoKey:
    """What stands for a key that cannot mark a place."""

    def __repr__(self) -> str:
        return "NO_KEY"


NO_KEY: Final = NoKey()

# The servers' order of types in a sort, by the names that $type knows.
_TYPES = (
    *("minKey", "null", "number", "string", "object", "array", "binData", "objectId"),
    *("bool", "date", "timestamp", "regex", "javascript", "javascriptWithScope", "maxKey"),
)


def key_at(document: Mapping[str, Any], path: str) -> object:
    """Return the value at ``path`` if it can mark a place in a sorted walk, else NO_KEY.

    An array sorts by one of its elements, a Decimal128 equals numbers that Python calls different,
    NaN equals nothing, and what is missing sorts as null: none of them marks a place.

    >>> key_at({"at": {"x": 3}}, "at.x"), key_at({"at": [3]}, "at")
    (3, NO_KEY)
    """
    value: object = document
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return NO_KEY
        value = value[name]
    return value if _type_of(value) else NO_KEY


def has_array(document: Mapping[str, Any], path: str) -> bool:
    """Whether there is an array on the way to ``path``."""
    value: object = document
    for name in path.split("."):
        if isinstance(value, list):
            return True
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return isinstance(value, list)


def _type_of(value: object) -> str | None:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return None if math.isnan(value) else "number"
    kinds = {str: "string", bytes: "binData", ObjectId: "objectId", Timestamp: "timestamp"}
    if isinstance(value, dt.datetime):
        return "date"
    return kinds.get(type(value))


def strictly_behind(field: str, direction: int, value: object) -> list[dict[str, Any]]:
    """Return filters, one of which fits each document behind ``value`` in a sort by ``field``."""
    kind = _TYPES.index(_type_of(value) or "maxKey")
    if direction > 0:
        types, range_ = _TYPES[kind + 1 :], {"$gt": value}
        rest: list[dict[str, Any]] = []
    else:
        # What is missing or an empty array comes last.
        types, range_ = _TYPES[:kind], {"$lt": value}
        rest = [{field: {"$exists": False}}, {field: {"$size": 0}}]
    return [{field: range_}, {field: {"$type": list(types)}}, *rest]


def behind(keys: Iterable[tuple[str, int, object]], *, strict: bool) -> dict[str, Any]:
    """Return the filter for what stands behind ``keys`` in a sort by their fields.

    Args:
        keys: Field, direction and value, in the order of the sort.
        strict: Leave out what stands exactly there.

    >>> behind([("n", 1, 7)], strict=False)["$or"][0]
    {'n': {'$gt': 7}}
    """
    (field, direction, value), *others = keys
    choices = strictly_behind(field, direction, value)
    if others:
        choices.append({"$and": [{field: value}, behind(others, strict=strict)]})
    elif not strict:
        choices.append({field: value})
    return {"$or": choices}


def identity(value: object) -> object:
    """Return something hashable that is equal only for values that are one ``_id``.

    >>> identity(True) == identity(1), identity(1.0) == identity(1)
    (False, True)
    """
    if isinstance(value, bool):
        return ("bool", value)
    try:
        hash(value)
    except TypeError:
        return encode({"": value})
    return value
