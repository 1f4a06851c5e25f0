"""Where bytes come from and go to: paths, files, bytes, mappings, sockets, as one shape each."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import secrets
import socket
import stat
from pathlib import Path
from typing import BinaryIO, Protocol, cast, final

from penstock.errors import InputError
from penstock.whole import check_target

__all__ = [
    "Readable",
    "ReplacedOnClose",
    "Sink",
    "Source",
    "Writable",
    "bytes_left",
    "open_sink",
    "open_source",
]

PIECE = 1 << 20
# Files whose descriptor holds the very bytes that read() gives; gzip has a descriptor too.
PLAIN_FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class Readable(Protocol):
    """Anything with a ``read`` of bytes: a file, gzip, a mapping, an HTTP body."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        ...


class Writable(Protocol):
    """Anything with a ``write`` of bytes."""

    def write(self, data: bytes, /) -> object:
        """Take ``data``; an int returned says how much of it."""
        ...


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | socket.socket
Sink = str | os.PathLike[str] | Writable | socket.socket


def open_source(source: Source) -> tuple[BinaryIO, bool]:
    """Return a readable file and whether we opened it (and so must close it).

    A file, mapping or gzip of the caller is used as it is and nothing is read ahead of it; a
    socket is read without buffering for the same reason.
    """
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb"), True
    if isinstance(source, socket.socket):
        return cast("BinaryIO", source.makefile("rb", buffering=0)), True
    refuse_text(source)
    if hasattr(source, "read"):
        return cast("BinaryIO", source), False
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source), True
    raise InputError(
        f"cannot read Java data from {type(source).__name__}: "
        "give a path, bytes, a file opened with 'rb' or a socket"
    )


def open_sink(sink: Sink) -> tuple[BinaryIO, bool]:
    """Return a writable file and whether we opened it. A path is replaced when it is closed."""
    if isinstance(sink, str | os.PathLike):
        path = Path(sink)
        if path.exists() and not path.is_file():  # a pipe or device cannot be replaced
            return path.open("wb"), True
        return cast("BinaryIO", ReplacedOnClose(path)), True
    if isinstance(sink, socket.socket):
        return cast("BinaryIO", sink.makefile("wb", buffering=0)), True
    refuse_text(sink)
    if hasattr(sink, "write"):
        return cast("BinaryIO", sink), False
    raise InputError(
        f"cannot write Java data to {type(sink).__name__}: "
        "give a path, a file opened with 'wb' or a socket"
    )


def refuse_text(file: object) -> None:
    """Say what is wrong with a file that decodes what it reads."""
    if isinstance(file, io.TextIOBase):
        raise InputError("the file is open as text: open it with 'rb' or 'wb'")


def read_all(file: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or fewer at the end of the data only.

    Read piece by piece, so that a hostile size costs no more memory than there is data.
    """
    data = read_some(file, min(size, PIECE))
    if len(data) == size or not data:
        return data
    pieces, missing = [data], size - len(data)
    while missing:
        data = read_some(file, min(missing, PIECE))
        if not data:
            break
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)


def read_some(file: BinaryIO, size: int) -> bytes:
    """Read once; a socket or pipe may return less than asked."""
    data: bytes | None = file.read(size)
    if data is None:
        raise InputError("the source would block: set the socket or pipe to blocking mode")
    return data


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte, however little an unbuffered file takes at once."""
    written: object = file.write(data)  # an object of the caller may return nothing
    if isinstance(written, int) and written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[file.write(rest) :]


def position_of(file: BinaryIO) -> int | None:
    """Return where a seekable file stands, None where it cannot go back."""
    try:
        # A mapping is seekable and has tell(), but says so by a method only from 3.13 on.
        if hasattr(file, "seekable") and not file.seekable():
            return None
        return file.tell()
    except (AttributeError, OSError):
        return None


def bytes_left(file: BinaryIO) -> int | None:
    """Return how many bytes follow, None where only reading them would tell (gzip, sockets)."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer().nbytes - file.tell()
    if isinstance(file, mmap.mmap):
        return len(file) - file.tell()
    if isinstance(file, PLAIN_FILES):
        if isinstance(file, io.BufferedRandom):
            file.flush()  # what is still in its buffer counts too
        status = os.fstat(file.fileno())
        return status.st_size - file.tell() if stat.S_ISREG(status.st_mode) else None
    return None


@final
class ReplacedOnClose:
    """A file that appears, whole and synced, under its name when it is closed, or not at all."""

    def __init__(self, path: Path) -> None:
        check_target(path)
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        self.file = self.temporary.open("xb", buffering=PIECE)
        self.write = self.file.write
        self.flush = self.file.flush

    def close(self) -> None:
        """Put the file in place. Closing twice does nothing more."""
        if self.file.closed:
            return
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.temporary.replace(self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave the target as it was."""
        with contextlib.suppress(OSError):
            self.file.close()
        self.temporary.unlink(missing_ok=True)
