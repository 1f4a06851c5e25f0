"""Which ids were handed out lately."""

from __future__ import annotations

from typing import final

__all__ = ["RecentIds"]


@final
class RecentIds:
    """Remembers at least the last ``size`` ids, and at most twice as many.

    >>> recent = RecentIds(2)
    >>> [recent.first(id) for id in (1, 2, 1, 3, 4, 5, 1)]
    [True, True, False, True, True, True, True]
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: set[str | int] = set()
        self._old: set[str | int] = set()

    def first(self, id: str | int) -> bool:  # noqa: A002 - it is what it is
        """Note ``id``; return whether it was unknown."""
        if id in self._young or id in self._old:
            return False
        self._young.add(id)
        if len(self._young) >= self._size:
            self._old, self._young = self._young, set()
        return True
