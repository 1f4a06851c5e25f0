"""What to do with messages that come faster than they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from penstock.errors import InputError

__all__ = ["Block", "DropOldest", "Overflow", "Spill"]


@dataclass(frozen=True, slots=True)
class _Buffer:
    bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for size in (self.bytes, getattr(self, "most", 1)):
            if size < 1:
                raise InputError(f"{type(self).__name__}({size}): a buffer holds at least 1 byte")


@final
@dataclass(frozen=True, slots=True)
class Block(_Buffer):
    """Stop reading until there is room: TCP holds the server back. Nothing is lost by us.

    A server that does not wait for slow readers cuts them off; then the gap is the source's.

    Attributes:
        bytes: Bodies kept in memory, about.
    """


@final
@dataclass(frozen=True, slots=True)
class Spill(_Buffer):
    """Write what does not fit in memory to a temporary file, in order, and read on.

    The file has no name and is gone with the process: a cursor that was committed is what
    survives a crash.

    Attributes:
        bytes: Bodies kept in memory, about.
        folder: Where the file is made; None is the system's place for such files.
        most: Bytes the file may have; then reading stops as with :class:`Block`.
    """

    folder: Path | None = None
    most: int = 64 * 1024**3


@final
@dataclass(frozen=True, slots=True)
class DropOldest(_Buffer):
    """Forget the oldest messages that were not taken yet; a counted gap stands in their place.

    Attributes:
        bytes: Bodies kept in memory, about.
    """


Overflow: TypeAlias = Block | Spill | DropOldest
