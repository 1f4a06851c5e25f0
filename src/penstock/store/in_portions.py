"""Items in portions that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["portions"]

T = TypeVar("T")


def portions(
    items: Iterable[T], weight: Callable[[T], int], heaviest: int, most: int = 1 << 40
) -> Iterator[list[T]]:
    """Yield ``items`` in lists, each ended by the item with which it weighs enough.

    Args:
        items: What is divided.
        weight: What one weighs, such as its length in bytes.
        heaviest: The weight with which a portion ends.
        most: The number of items with which it ends, too.

    >>> list(portions(["a", "bcd", "e", "f"], len, heaviest=4))
    [['a', 'bcd'], ['e', 'f']]
    """
    part: list[T] = []
    size = 0
    for item in items:
        part.append(item)
        size += weight(item)
        if size >= heaviest or len(part) >= most:
            yield part
            part, size = [], 0
    if part:
        yield part
