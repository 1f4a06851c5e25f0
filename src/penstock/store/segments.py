"""The segments: JSONL files that only grow, and how a record becomes a line in them.

A line is ``{"key":7,"at":1763752964.123,"crc32":"1a2b3c4d","body":{...}}`` and a line feed:
readable with ``cat`` and ``jq``. Its checksum is that of the line without the member ``crc32``, so
that a line proves itself, without the ledger. Earlier versions wrote lines without one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, final
from zlib import crc32

import msgspec

from penstock.errors import StorageError
from penstock.files import open_regular
from penstock.pipeline import Key, Landing, is_json

__all__ = [
    "DELETED",
    "SEGMENT",
    "Line",
    "Tail",
    "body_at",
    "found_segments",
    "judged",
    "line_at",
    "lines",
    "segment_path",
    "split_line",
    "sync",
    "sync_directory",
]

SEGMENT = "segment-"
_AT = b',"at":'
_CRC = b',"crc32":"'
_BODY = b',"body":'
_CRC_END = len(_CRC) + 8 + 1
DELETED = b"deleted "
"""What stands in place of the checksum of a line whose record was deleted."""
_HEAD = len(b'{"key":')
_TOGETHER = 1024  # what one writev takes: IOV_MAX of Linux and macOS
_KEY = msgspec.json.Decoder(str | int)


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of segment ``number``.

    >>> segment_path(Path("users"), 1).name
    'segment-000001.jsonl'

    Raises:
        StorageError: It is not a number: a ledger that somebody else made says so.
    """
    if not isinstance(number, int):
        raise StorageError(f"{directory}: the ledger is damaged: {number!r} is not a segment")
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
    start = line.index(_BODY, at) + len(_BODY)
    return Landing(_KEY.decode(line[_HEAD:at]), line[start:-2])


def sync(file: int) -> None:
    """Return when the file's content has reached the disk itself."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync stops at the drive's cache
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(file)


def sync_directory(directory: Path) -> None:
    """Return when the names of new files in ``directory`` would survive a power loss.

    Some file systems (CIFS, FUSE) refuse that for a directory as such; they have no other way.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}:
            raise
    finally:
        os.close(handle)


def found_segments(directory: Path) -> dict[int, int]:
    """Return the size of every segment that is there, by its number."""
    found = {}
    for path in directory.glob(f"{SEGMENT}*.jsonl"):
        digits = path.name.removeprefix(SEGMENT).removesuffix(".jsonl")
        number = int(digits) if digits.isdecimal() else 0
        if number and path == segment_path(directory, number):
            found[number] = path.lstat().st_size
    return dict(sorted(found.items()))


def line_at(file: int, offset: int, length: int) -> bytes:
    """Return the bytes of a line; none where a damaged ledger asks for what cannot be."""
    try:
        fits = offset >= 0 and 0 < length <= os.fstat(file).st_size - offset
    except TypeError:
        fits = False
    return os.pread(file, length, offset) if fits else b""


class Line(NamedTuple):
    """A line, or what stands where one should be.

    Attributes:
        offset: Where it begins.
        data: Its bytes with the line feed; without one where the file ends before.
        key: Its key, or None where it is not a line.
        at: When it landed, as the line says it.
        state: ``whole``: it proves itself. ``unproved``: a line of an earlier version, without a
            checksum. ``deleted``: its record was deleted. ``blank``: its place was cleared.
            ``damaged``: anything else.
    """

    offset: int
    data: bytes
    key: Key | None
    at: float
    state: str


def lines(path: Path, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """Yield what a segment holds from ``start`` up to ``end``, each line looked at by itself."""
    with path.open("rb", buffering=1 << 20) as file:
        file.seek(start)
        offset = start
        for data in file:
            if end is not None and offset >= end:
                return
            yield judged(offset, data)
            offset += len(data)


def judged(offset: int, data: bytes) -> Line:
    """Return what the bytes at ``offset`` are, by themselves."""
    if data.endswith(b"\n") and data.isspace():
        return Line(offset, data, None, 0.0, "blank")
    try:
        at = data.index(_AT, _HEAD)
        start = body_at(data)
        key, moment = _KEY.decode(data[_HEAD:at]), data[at + len(_AT) : start - len(_BODY)]
        text, member, told = moment.partition(_CRC)
        seconds = float(text)
    except ValueError:
        return Line(offset, data, None, 0.0, "damaged")
    state = "damaged"
    if not data.endswith(b"}\n") or not data.startswith(b'{"key":'):
        pass
    elif not member:
        state = "unproved" if is_json(data[start:-2]) else state
    elif told == DELETED + b'"':
        state = "deleted"
    elif told == b'%08x"' % crc32(data[start - len(_BODY) :], crc32(data[: at + len(_AT + text)])):
        state = "whole"
    return Line(offset, data, key, seconds, state)


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
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = open_regular(self.path, flags)
            if self.size == 0:
                sync_directory(self.path.parent)
        self._expect(self.size)

    @property
    def path(self) -> Path:
        """The segment that is appended to."""
        return segment_path(self._directory, self.number)

    def _expect(self, size: int) -> None:
        """Refuse a segment that somebody else has changed: all that follows would be misplaced."""
        found = os.fstat(self._file)
        try:
            same = os.path.samestat(found, self.path.stat())
        except FileNotFoundError:
            same = False
        if not same or found.st_size != size:
            what = f"has {found.st_size} bytes, not {size}" if same else "was moved or deleted"
            raise StorageError(
                f"{self.path} {what}: somebody changed it while the store was open; stopped, and "
                f"nothing more was written. See penstock verify {self._directory}"
            )

    def append(self, group: Sequence[bytes], size: int) -> None:
        """Write the lines ``group``, of ``size`` bytes in all; return when they are on the disk.

        Raises:
            OSError: The disk is full or broken. The lines were taken back, and :attr:`size` is
                still what was safe.
            StorageError: Somebody else wrote to the segment.
        """
        try:
            for start in range(0, len(group), _TOGETHER):
                self._write(group[start : start + _TOGETHER])
            sync(self._file)
        except OSError:
            self._take_back(size)
            raise
        self._expect(self.size + size)
        self.size += size

    def _write(self, group: Sequence[bytes]) -> None:
        # Gathered by the system: to join them first costs as much as all the rest.
        written = os.writev(self._file, group)
        if written < sum(map(len, group)):
            rest = memoryview(b"".join(group))[written:]
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def _take_back(self, size: int) -> None:
        # Where that fails the next opening fits it to the ledger; the first error is told. What
        # is longer than we wrote is somebody else's as well.
        with contextlib.suppress(OSError):
            if os.fstat(self._file).st_size <= self.size + size:
                os.ftruncate(self._file, self.size)

    def close(self) -> None:
        """Close the file, if one is open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
