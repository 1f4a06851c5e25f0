"""Lists as rows of tables beside their record's: ``users__tags``, by key and position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from penstock.store import Cells, FieldPath, fields, items

__all__ = ["Levels", "Unfolded", "columns_of", "name_of", "unfolded"]

Levels: TypeAlias = tuple[FieldPath, ...]
"""The fields of lists within one another, from the outermost on; none is the record itself."""
Unfolded: TypeAlias = tuple[Levels, tuple[int, ...], Cells]
"""A row: of which table, at which positions, from the outermost list on, and what it holds."""

_DEEPEST = 8  # lists in lists that have a table; what lies deeper stays JSON
_LONGEST = 50  # bytes of a table's name; PostgreSQL cuts at 63, and its index has a longer one


def unfolded(
    cells: Cells, levels: Levels = (), positions: tuple[int, ...] = ()
) -> Iterator[Unfolded]:
    """Yield a row without its lists, and then a row for each of their items.

    >>> list(unfolded({("n",): b"1", ("tags",): b'["a"]'}))
    [((), (), {('n',): b'1'}), ((('tags',),), (0,), {('value',): b'"a"'})]
    """
    deep = len(levels) >= _DEEPEST
    lists = {} if deep else {path: cell for path, cell in cells.items() if cell[:1] == b"["}
    yield levels, positions, {path: cell for path, cell in cells.items() if path not in lists}
    for path, cell in lists.items():
        for position, item in enumerate(items(cell)):
            yield from unfolded(fields(item, flatten=True), (*levels, path), (*positions, position))


def name_of(table: str, levels: Levels) -> str:
    """Return the name of a table, as short as databases want it."""
    name = "__".join([table, *(name for path in levels for name in path)])
    return name.replace("\0", "\\0").encode()[:_LONGEST].decode(errors="ignore")


def columns_of(levels: Levels) -> list[tuple[str, str]]:
    """Return the columns behind the key: ``position``, and ``position_2`` of a list in a list."""
    return [
        (f"position_{number}" if number > 1 else "position", "long")
        for number in range(1, len(levels) + 1)
    ]
