"""What a query must bring along to be resumed, and what is taken off again before it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

__all__ = ["KEYS", "Projected", "projected"]

KEYS = "_penstock_keys"
"""The field in which keys come along that the projection leaves out."""


@final
@dataclass(frozen=True, slots=True)
class Projected:
    """A projection, made to bring the keys along.

    Attributes:
        projection: What to ask for.
        hidden: Fields to take off each document.
        paths: Where each key of the sort is in a document; None where it is not brought.
        named: The field that brings the identity, or None where none does.
    """

    projection: Any
    hidden: tuple[str, ...]
    paths: tuple[str | None, ...]
    named: str | None = "_id"


def projected(projection: Any, fields: Sequence[str]) -> Projected:
    """Return how to bring ``_id`` and the ``fields`` of the sort along with ``projection``.

    >>> projected({"name": 1, "_id": 0}, ["name", "at"]).projection
    {'name': 1, '_penstock_keys': {'k1': '$at'}}
    >>> projected({"_id": 0}, [])
    Projected(projection=None, hidden=('_id',), paths=(), named='_id')
    """
    if not projection:
        return Projected(projection, (), tuple(fields))
    asked = projection if isinstance(projection, Mapping) else dict.fromkeys(projection, 1)
    if KEYS in asked or not all(_plain(name, value) for name, value in asked.items()):
        # $slice, $elemMatch, $meta, a.$, parts of _id and computed fields: left as they are.
        whole = not any(name.startswith("_id.") for name in asked) and asked.get("_id", 1) == 1
        return Projected(projection, (), (None,) * len(fields), "_id" if whole else None)
    hidden = () if asked.get("_id", 1) else ("_id",)
    chosen = {name: value for name, value in asked.items() if name != "_id"} or asked
    if any(chosen.values()):
        shown = {name: value for name, value in asked.items() if name != "_id" or value}
        return _included(shown, hidden, fields)
    rest = {name: value for name, value in asked.items() if name != "_id"}
    return Projected(rest or None, hidden, tuple(_excluded(rest, field) for field in fields))


def _plain(name: str, value: object) -> bool:
    number = isinstance(value, bool | int | float)
    return number and "$" not in name and not (name.startswith("_id.") and not value)


def _included(asked: dict[str, Any], hidden: tuple[str, ...], fields: Sequence[str]) -> Projected:
    in_parts = any(name.startswith("_id.") for name in asked)
    names = asked if in_parts else {"_id", *asked}
    there = [any(field == n or field.startswith(f"{n}.") for n in names) for field in fields]
    brought = {f"k{n}": f"${field}" for n, field in enumerate(fields) if not there[n]}
    if in_parts:
        brought["id"] = "$_id"
    if not brought:
        return Projected(asked, hidden, tuple(fields))
    paths = tuple(field if there[n] else f"{KEYS}.k{n}" for n, field in enumerate(fields))
    named = KEYS if in_parts else "_id"
    return Projected({**asked, KEYS: brought}, (*hidden, KEYS), paths, named)


def _excluded(asked: Mapping[str, Any], field: str) -> str | None:
    cut = any(field == n or field.startswith(f"{n}.") or n.startswith(f"{field}.") for n in asked)
    return None if cut else field
