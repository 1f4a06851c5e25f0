"""Which messages were handed out lately: a source that goes back sends them again."""

from __future__ import annotations

from typing import final

__all__ = ["Recent"]


@final
class Recent:
    """Remembers at least the last ``size`` messages, with their keys, at most twice that.

    >>> recent = Recent(3)
    >>> [recent.saw(key, body) for key, body in ((1, b"a"), (2, b"a"), (1, b"A"), (1, b"a"))]
    [False, False, False, True]
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: set[int] = set()
        self._old: set[int] = set()

    def saw(self, key: str | int | None, body: bytes) -> bool:
        """Note a message; return whether it was there lately, under its key and as it is."""
        one = hash((key, body))
        if one in self._young or one in self._old:
            return True
        self._young.add(one)
        if len(self._young) >= self._size:
            self._old, self._young = self._young, set()
        return False
