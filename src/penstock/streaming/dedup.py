"""Which messages were handed out lately, and whether one that comes again has changed."""

from __future__ import annotations

from typing import Literal, final

__all__ = ["Recent"]


@final
class Recent:
    """Remembers at least the last ``size`` keys with what their messages were, at most twice that.

    >>> recent = Recent(2)
    >>> [recent.saw(key, body) for key, body in ((1, b"a"), (2, b"b"), (1, b"a"), (1, b"A"))]
    ['new', 'new', 'same', 'changed']
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: dict[str | int, int] = {}
        self._old: dict[str | int, int] = {}

    def saw(self, key: str | int, body: bytes) -> Literal["new", "same", "changed"]:
        """Note a message; return how it compares with the last one of its key."""
        now = hash(body)
        before = self._young.get(key)
        if before is None:
            before = self._old.get(key)
        if before == now:
            return "same"
        self._young[key] = now
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        return "new" if before is None else "changed"
