"""Where bytes come from and go to: paths, files, bytes, mappings, sockets, as one shape each."""

from __future__ import annotations

import inspect
import io
import mmap
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast, final

from penstock.errors import InputError
from penstock.whole import Replacement

__all__ = [
    "AsyncReadable", "Closing", "Readable", "Sink", "Source", "Writable", "bytes_left", "open_sink",
    "open_source",
]  # fmt: skip

PIECE = 1 << 20
# Files whose descriptor holds the very bytes that read() gives; gzip has a descriptor too.
PLAIN_FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class Readable(Protocol):
    """Anything with a ``read`` of bytes: a file, gzip, a mapping, an HTTP body."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        ...


class AsyncReadable(Protocol):
    """What is read with await, as asyncio's StreamReader."""

    async def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, those that are there; none at the end."""
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
        return cast("BinaryIO", SocketFile(source)), False
    refuse_text(source)
    if inspect.iscoroutinefunction(getattr(source, "read", None)):
        raise InputError(
            f"{type(source).__name__} is read with await: use schema.async_records(reader)"
        )
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
        return cast("BinaryIO", Replacement(path)), True
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


def read_some(file: BinaryIO, size: int) -> bytes:
    """Read once, what is there; a socket, pipe or terminal gives less than asked.

    Raises:
        BlockingIOError: Nothing is there, and the source is set not to wait.
    """
    read1 = getattr(file, "read1", None)
    data: bytes | None = file.read(size) if read1 is None else read1(size)
    if data is None:
        raise BlockingIOError("nothing to read yet: call again when there is")
    return data


class Closing:
    """What ``with`` closes; where the block raises, ``discard`` has it."""

    def close(self) -> None:
        """End it."""
        raise NotImplementedError

    def discard(self) -> None:
        """End it behind an error."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


@final
class SocketFile:
    """A socket as a file. It goes on after a time-out, which makefile() does not."""

    def __init__(self, source: socket.socket) -> None:
        self.source = source

    def read(self, size: int) -> bytes:
        """Return what is there, at most ``size`` bytes; TimeoutError if nothing is."""
        return self.source.recv(size)


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
