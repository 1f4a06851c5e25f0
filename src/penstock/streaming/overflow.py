"""What to do with messages that come faster than they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from penstock.errors import InputError

__all__ = ["Block", "DropOldest", "Overflow", "Spill"]

_BYTES = 16 * 1024 * 1024


def _check(name: str, size: int) -> None:
    if size < 1:
        raise InputError(f"{name}({size}): a buffer holds at least 1 byte")


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Stop reading until there is room: TCP holds the server back. Nothing is lost by us.

    A server that does not wait for slow readers cuts them off; then the gap is the source's.

    Attributes:
        bytes: Bodies kept in memory, about.
    """

    bytes: int = _BYTES

    def __post_init__(self) -> None:
        _check("Block", self.bytes)


@final
@dataclass(frozen=True, slots=True)
class Spill:
    """Write what does not fit in memory to a temporary file, in order, and read on.

    The file has no name and is gone with the process: a cursor that was committed is what
    survives a crash.

    Attributes:
        bytes: Bodies kept in memory, about.
        folder: Where the file is made; None is the system's place for such files.
        most: Bytes the file may have; then reading stops as with :class:`Block`.
    """

    bytes: int = _BYTES
    folder: Path | None = None
    most: int = 64 * 1024**3

    def __post_init__(self) -> None:
        _check("Spill", self.bytes)
        _check("Spill.most", self.most)


@final
@dataclass(frozen=True, slots=True)
class DropOldest:
    """Forget the oldest messages that were not taken yet; a counted gap stands in their place.

    Attributes:
        bytes: Bodies kept in memory, about.
    """

    bytes: int = _BYTES

    def __post_init__(self) -> None:
        _check("DropOldest", self.bytes)


Overflow: TypeAlias = Block | Spill | DropOldest
