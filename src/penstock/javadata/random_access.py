"""One file read and written at any place: java.io.RandomAccessFile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, final

from penstock.errors import InputError
from penstock.javadata.data_input import DataInput, not_negative
from penstock.javadata.data_output import DataOutput
from penstock.javadata.files import Closing

__all__ = ["RandomAccessFile"]

Mode = Literal["r", "rw", "rws", "rwd"]
# What puts written data on the disk, by mode.
MODES: dict[str, Callable[[int], None] | None] = {
    "r": None,
    "rw": None,
    "rws": os.fsync,
    "rwd": getattr(os, "fdatasync", os.fsync),
}


@final
class RandomAccessFile(DataInput, DataOutput, Closing):
    """Both DataInput and DataOutput over one file, in place.

    Args:
        path: The file; the modes that write make it if it is not there.
        mode: "r" to read; "rw" to do both, written when the file is closed, flushed or read from
            (Java writes at once); "rws" and "rwd" to have every value on the disk before the
            method returns: with the file's metadata, or its data alone.
        wrap: Cut numbers out of range as Java does, instead of raising.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as at, RandomAccessFile(at.name, "rw") as file:
    ...     file.seek(100)
    ...     file.write_utf("x")
    ...     file.length()
    103
    """

    def __init__(
        self, path: str | os.PathLike[str], mode: Mode = "r", *, wrap: bool = False
    ) -> None:
        if mode not in MODES:
            raise InputError(f"RandomAccessFile(..., {mode!r}): the modes are {', '.join(MODES)}")
        self._sync = MODES[mode]
        flags = os.O_RDONLY if mode == "r" else os.O_RDWR | os.O_CREAT
        handle = os.open(Path(path), flags | getattr(os, "O_BINARY", 0) | os.O_CLOEXEC, 0o666)
        file = os.fdopen(handle, "rb" if mode == "r" else "r+b")
        DataInput.__init__(self, file)
        DataOutput.__init__(self, file, wrap=wrap)

    def _put(self, data: bytes) -> None:
        super()._put(data)
        if self._sync is not None:
            self._file.flush()
            self._sync(self._file.fileno())

    def seek(self, position: int) -> None:
        """Go to a byte. Beyond the end is allowed: writing there fills the gap with zeros."""
        self._file.seek(not_negative(position, "seek"))

    def get_file_pointer(self) -> int:
        """Return the byte at which the next value is read or written."""
        return self._file.tell()

    def length(self) -> int:
        """Return how many bytes the file has."""
        return self._file.tell() + (self.left() or 0)

    def set_length(self, length: int) -> None:
        """Cut the file or extend it with zeros; the position stays, or moves back to the end."""
        here = self._file.tell()
        self._file.truncate(not_negative(length, "set_length"))
        self._file.seek(min(here, length))
        self._put(b"")

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self._file.close()
