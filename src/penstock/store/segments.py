"""The segments: JSONL files that only grow, and how a record becomes a line in them.

A line is ``{"key":7,"at":1763752964.123,"body":{...}}`` and a line feed: readable with ``cat`` and
``jq``. The ledger tells how far each segment is safe; what lies behind is a torn tail.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

import msgspec

from penstock.errors import StorageError
from penstock.pipeline.result import Landing

__all__ = [
    "SEGMENT",
    "Tail",
    "body_at",
    "cut_back",
    "segment_path",
    "split_line",
    "sync",
    "sync_directory",
]

SEGMENT = "segment-"
_AT = b',"at":'
_BODY = b',"body":'
_HEAD = len(b'{"key":')
_TOGETHER = 1024  # what one writev takes: IOV_MAX of Linux and macOS
_KEY = msgspec.json.Decoder(str | int)


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of segment ``number``.

    >>> segment_path(Path("users"), 1).name
    'segment-000001.jsonl'
    """
    return directory / f"{SEGMENT}{number:06d}.jsonl"


def body_at(line: bytes) -> int:
    """Return where in a line its record begins.

    >>> body_at(b'{"key":7,"at":1.5,"body":{"name":"Ada"}}')
    25
    """
    return line.index(_BODY, line.index(_AT, _HEAD)) + len(_BODY)


def split_line(line: bytes) -> Landing:
    r"""Return the key and the record of a line.

    The key is JSON, in which a quotation mark inside a text is escaped, so that the first
    ``,"at":`` ends it whatever the key holds.

    Raises:
        ValueError: It is not a line of a segment.

    >>> split_line(b'{"key":7,"at":1.5,"body":{"name":"Ada"}}\n')
    LandedRecord(key=7, body=b'{"name":"Ada"}')
    """
    at = line.index(_AT, _HEAD)
    return Landing(_KEY.decode(line[_HEAD:at]), line[body_at(line) : -2])


def sync(file: int) -> None:
    """Return when the file's content has reached the disk itself."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync stops at the drive's cache
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(file)


def sync_directory(directory: Path) -> None:
    """Return when the names of new files in ``directory`` would survive a power loss."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cut_back(directory: Path, sizes: Iterable[tuple[int, int]]) -> None:
    """Cut each segment back to its (number, size) of the ledger; what is behind was never safe.

    Raises:
        StorageError: A segment is missing or shorter than the ledger says: data was deleted or
            damaged, and going on would hide that.
    """
    number = 0
    for number, size in sizes:
        path = segment_path(directory, number)
        found = path.stat().st_size if path.exists() else 0
        if found < size:
            raise StorageError(
                f"{path}: {found} bytes, but the ledger knows {size}: data was deleted or damaged; "
                "put the file back from a copy, or start a new store"
            )
        if found > size:
            os.truncate(path, size)
    # Made by a process that died before anything in it was committed.
    segment_path(directory, number + 1).unlink(missing_ok=True)


@final
class Tail:
    """The end of the last segment, where groups of lines are appended.

    Args:
        directory: The store.
        number: The segment to go on with.
        size: Its safe size in bytes.
        limit: A segment of this many bytes or more is followed by a new one.
    """

    def __init__(self, directory: Path, number: int, size: int, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._file = -1
        self.number = number
        self.size = size

    def open(self) -> None:
        """Have a segment with room, a new one where the last is full or there is none yet."""
        if self.number == 0 or self.size >= self._limit:
            self.close()
            self.number, self.size = self.number + 1, 0
        if self._file < 0:
            path = segment_path(self._directory, self.number)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o644)
            if self.size == 0:
                os.ftruncate(self._file, 0)
                sync_directory(self._directory)

    def append(self, lines: Sequence[bytes], size: int) -> None:
        """Write ``lines``, of ``size`` bytes in all, and return when they are on the disk.

        Raises:
            OSError: The disk is full or broken. The lines were taken back, and :attr:`size` is
                still what was safe.
        """
        try:
            for start in range(0, len(lines), _TOGETHER):
                self._write(lines[start : start + _TOGETHER])
            sync(self._file)
        except OSError:
            self._take_back()
            raise
        self.size += size

    def _write(self, lines: Sequence[bytes]) -> None:
        # Gathered by the system: to join them first costs as much as all the rest.
        written = os.writev(self._file, lines)
        if written < sum(map(len, lines)):
            rest = memoryview(b"".join(lines))[written:]
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def _take_back(self) -> None:
        # Where that fails the next opening cuts the torn tail off; the first error is told.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self.size)

    def close(self) -> None:
        """Close the file, if one is open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
