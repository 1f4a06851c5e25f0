"""The shape of what landed: one column a field, of the narrowest type that holds all its values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, final

from penstock.store.cells import Cells, FieldPath

__all__ = ["Column", "Kind", "Shape", "free_name", "kind_of", "published"]

Kind: TypeAlias = Literal[
    "null",
    "bool",
    "int",
    "float",
    "text",
    "digits",
    "json",
    "date",
    "datetime",
    "timestamp",
    "decimal",
    "nested",
]
"""What a column holds. ``digits`` are numbers no 64-bit type holds, kept as text; ``json`` is
anything else or a mixture, each value as JSON text. Only Parquet and Arrow have times, and
``nested`` structs and lists."""

_LONG = "long"  # a 64-bit number that a float would round: an int column, but never a float one
_EXACT_IN_FLOAT = 2**53
_LEAST, _MOST = -(2**63), 2**63 - 1

# What two different kinds become; every pair not here is a mixture, and becomes json.
_WIDER: dict[frozenset[str], str] = {
    frozenset(("int", "float")): "float",
    frozenset(("int", _LONG)): _LONG,
    frozenset(("int", "digits")): "digits",
    frozenset((_LONG, "digits")): "digits",
    frozenset(("float", "digits")): "digits",
    frozenset((_LONG, "float")): "digits",
    # Times are told from other texts only where they are asked for.
    **{
        frozenset((one, other)): "text"
        for one in ("date", "datetime", "timestamp")
        for other in ("date", "datetime", "timestamp", "text")
        if one != other
    },
}
_STARTS: dict[int, str] = {
    ord('"'): "text",
    ord("{"): "json",
    ord("["): "json",
    ord("t"): "bool",
    ord("f"): "bool",
    ord("n"): "null",
}


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column of an export.

    Attributes:
        name: Its name, unique in the export.
        kind: What all its values fit in; every column may also hold null.
    """

    name: str
    kind: Kind


def kind_of(cell: bytes) -> str:
    """Return the kind of one JSON value, by looking at its text.

    >>> [kind_of(cell) for cell in (b"1", b"1.5", b'"x"', b"null", b"[1]", b"1" * 20)]
    ['int', 'float', 'text', 'null', 'json', 'digits']
    """
    return _STARTS.get(cell[0]) or _kind_of_number(cell)


def _kind_of_number(cell: bytes) -> str:
    if not cell.lstrip(b"-").isdigit():
        return "float" if math.isfinite(float(cell)) else "digits"
    if len(cell) < 16:
        return "int"
    if len(cell) > 20:
        return "digits"
    number = int(cell)
    if not _LEAST <= number <= _MOST:
        return "digits"
    return "int" if abs(number) <= _EXACT_IN_FLOAT else _LONG


@final
class Shape:
    """Learns the columns of an export, record by record, in order of first appearance.

    >>> shape = Shape()
    >>> shape.learn({("id",): b"1", ("size",): b"2"})
    >>> shape.learn({("id",): b"2", ("size",): b"2.5", ("name",): b'"x"'})
    >>> shape.kinds()
    {('id',): 'int', ('size',): 'float', ('name',): 'text'}
    """

    def __init__(self, kind_of: Callable[[bytes], str] = kind_of) -> None:
        self._kind_of = kind_of
        self._kinds: dict[FieldPath, str] = {}
        self.raw: dict[FieldPath, None] = {}

    def learn(self, cells: Cells) -> None:
        """Widen the columns so that they hold ``cells``."""
        for path, cell in cells.items():
            self.widen(path, self._kind_of(cell))

    def widen(self, path: FieldPath, kind: str) -> None:
        """Widen the column of a field so that it holds a value of a kind."""
        known = self._kinds.get(path)
        if kind == "raw":
            self.raw[path] = None
        if kind != known:
            self._kinds[path] = kind if known is None else _wider(known, kind)

    def kinds(self) -> dict[FieldPath, str]:
        """Return what the values at each path have in common, in our own finer words."""
        return {path: "json" if kind == "mixed" else kind for path, kind in self._kinds.items()}

    def is_mixed(self, path: FieldPath) -> bool:
        """Return whether values of a field are of kinds that have no type in common."""
        return self._kinds.get(path) == "mixed"


def _wider(one: str, other: str) -> str:
    if other in {"null", "raw"}:  # raw values stand in a column of their own
        return one
    if one in {"null", "raw"}:
        return other
    return _WIDER.get(frozenset((one, other)), "mixed")


def published(kind: str) -> Kind:
    """Return a kind in the words of a :class:`Column`."""
    # A column of nothing but nulls: any type holds them.
    ours = {"null": "text", _LONG: "int", "raw": "json", "epoch": "timestamp"}
    return cast("Kind", ours.get(kind.removesuffix("-ms"), kind))


def free_name(name: str, taken: set[str], fold: Callable[[str], str] = str) -> str:
    """Return ``name``, with the first free number behind where it is taken; now it is.

    Args:
        name: The name that is wanted.
        taken: The names there are, as ``fold`` maps them.
        fold: What maps names that are the same to the same.

    >>> taken: set[str] = set()
    >>> [free_name(name, taken) for name in ("a", "b", "a", "a_2")]
    ['a', 'b', 'a_2', 'a_2_2']
    """
    free, number = name, 1
    while fold(free) in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(fold(free))
    return free
