"""Reading what java.io.DataOutput writes: each method of java.io.DataInput in Python's spelling."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, final

from penstock.errors import InputError
from penstock.javadata.errors import EndOfData, MalformedText, UTFDataFormatError
from penstock.javadata.files import (
    PIECE,
    Closing,
    Source,
    bytes_left,
    open_source,
    position_of,
    read_some,
)
from penstock.javadata.floats import widened
from penstock.javadata.native import decode_modified_utf8

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.javadata.arrays import Numbers

    ReadBlock = Callable[[bytes, int, int], tuple[list[tuple[object, ...]], int]]

__all__ = ["DataInput", "DataInputStream"]

SHORT = struct.Struct(">h").unpack
UNSIGNED_SHORT = struct.Struct(">H").unpack
INT = struct.Struct(">i").unpack
LONG = struct.Struct(">q").unpack
DOUBLE = struct.Struct(">d").unpack
READY = 4096  # bytes of a file in memory that one record is looked for in


class DataInput:
    """The methods of java.io.DataInput over an open binary file.

    A value that cannot be read raises and consumes nothing, so that it can be read again, later or
    as something else: a file that can seek is put back, of any other the bytes are kept here. That
    holds for time-outs and sources that would block, too. Java leaves the file somewhere inside.
    """

    def __init__(self, file: BinaryIO, *, base: int = 0) -> None:
        self._file = file
        self._base = base  # where the file's first byte stands in what the caller reads
        start = position_of(file)
        self._seekable = start is not None
        self._offset = base + (start or 0)
        # Read from a file that cannot seek, and not used; and how much of it was since.
        self._kept, self._used = b"", 0

    @property
    def offset(self) -> int:
        """Bytes from the start of the file (or of a stream that cannot seek) to the next value."""
        return self._base + self._file.tell() if self._seekable else self._offset

    def left(self) -> int | None:
        """Return how many bytes are left, None where the file cannot say."""
        return bytes_left(self._file)

    def at_end(self) -> bool:
        """Return whether no byte follows. A stream waits for the next one to know."""
        data = self.read(1)
        self.unread(data)
        return not data

    def unread(self, data: bytes) -> None:
        """Put back the last bytes that were read."""
        if self._seekable:
            self._file.seek(-len(data), io.SEEK_CUR)
            return
        self._offset -= len(data)
        if self._used >= len(data):
            self._used -= len(data)
        else:
            self._kept, self._used = data + self._kept[self._used :], 0

    def ready_record(self, read: ReadBlock) -> tuple[object, ...] | None:
        """Return the next record if all of it lies in the file's buffer, else None."""
        if self._kept:
            return None
        if type(self._file) is io.BytesIO:
            start = self._file.tell()
            ready = bytes(self._file.getbuffer()[start : start + READY])
        elif hasattr(self._file, "peek") and not isinstance(self._file, io.BufferedRandom):
            ready = self._file.peek()
        else:
            return None
        rows, end = read(ready, 0, 1)
        if not rows:
            return None
        self._offset += len(self._file.read(end))
        return rows[0]

    def read_boolean(self) -> bool:
        """Read one byte: any value but 0 is True."""
        return self._take(1, "boolean") != b"\0"

    def read_byte(self) -> int:
        """Read a signed byte, -128 to 127."""
        value = self._take(1, "byte")[0]
        return value - 256 if value > 127 else value

    def read_unsigned_byte(self) -> int:
        """Read a byte, 0 to 255."""
        return self._take(1, "unsigned byte")[0]

    def read_short(self) -> int:
        """Read a signed 16-bit number."""
        value: int = SHORT(self._take(2, "short"))[0]
        return value

    def read_unsigned_short(self) -> int:
        """Read a 16-bit number, 0 to 65,535."""
        value: int = UNSIGNED_SHORT(self._take(2, "unsigned short"))[0]
        return value

    def read_char(self) -> str:
        """Read one UTF-16 unit as a string of length 1; it may be a lone surrogate."""
        return chr(UNSIGNED_SHORT(self._take(2, "char"))[0])

    def read_int(self) -> int:
        """Read a signed 32-bit number."""
        value: int = INT(self._take(4, "int"))[0]
        return value

    def read_long(self) -> int:
        """Read a signed 64-bit number."""
        value: int = LONG(self._take(8, "long"))[0]
        return value

    def read_float(self) -> float:
        """Read a 32-bit float; a NaN keeps its bits, widened to 64 as they stand."""
        return widened(self._take(4, "float"))

    def read_double(self) -> float:
        """Read a 64-bit float; a NaN keeps its bits."""
        value: float = DOUBLE(self._take(8, "double"))[0]
        return value

    def read_utf(self) -> str:
        """Read two bytes of length, then so many bytes of modified UTF-8.

        Raises:
            EndOfData: An ``EOFError``; nothing is consumed where the file can seek.
            UTFDataFormatError: The bytes are not what DataInputStream.readUTF takes.
        """
        head = self._take(2, "utf length")
        size = head[0] << 8 | head[1]
        data, start = self._take(size, "utf", head), self.offset - size - 2
        try:
            return decode_modified_utf8(data)
        except MalformedText as error:
            self.unread(head + data)
            raise UTFDataFormatError(str(error), offset=start) from error

    def read_fully(self, size: int) -> bytes:
        """Read exactly ``size`` bytes or raise EndOfData."""
        return self._take(not_negative(size, "read_fully"), f"{size} bytes")

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes, all that is left by default; none at the end."""
        if size < 0 and not self._seekable:
            return self._rest()
        if not self._kept:
            data = self._file.read(size)
            if data is None:
                raise BlockingIOError("nothing to read yet: call again when there is")
        else:
            data = self._kept[self._used : self._used + size]
            self._used += len(data)
            if self._used == len(self._kept):
                self._kept, self._used = b"", 0
        self._offset += len(data)
        return data

    def _rest(self) -> bytes:
        """Read to the end, or keep what came before it failed."""
        pieces: list[bytes] = []
        try:
            while piece := self.read1(PIECE):
                pieces.append(piece)
        except OSError:
            self.unread(b"".join(pieces))
            raise
        return b"".join(pieces)

    def read1(self, size: int) -> bytes:
        """Read at most ``size`` bytes, those that are there; none at the end."""
        if self._kept:
            return self.read(size)
        data = read_some(self._file, size)
        self._offset += len(data)
        return data

    def read_into(self, target: bytearray | memoryview | Numbers) -> None:
        """Fill ``target`` completely or raise EndOfData.

        Bytes are taken as they stand; numbers of a NumPy array are converted from Java's order.
        """
        from penstock.javadata.arrays import fill

        fill(self, target)

    def read_array(self, type_name: str, count: int) -> Numbers:
        """Read ``count`` values to a NumPy array of shape ``(count,)`` in this machine's order.

        Args:
            type_name: Java's name, as ``"int"``; also ``"unsigned byte"``, ``"unsigned short"``.
            count: How many values, at least 0. Memory is taken only for data that is there.

        Raises:
            EndOfData: Fewer values are left; nothing is consumed where the file can seek.
        """
        from penstock.javadata.arrays import read_array

        return read_array(self, type_name, count)

    def skip_bytes(self, count: int) -> int:
        """Skip at most ``count`` bytes and return how many; never raises at the end.

        Raises:
            TimeoutError, BlockingIOError: Nothing was there to skip.
        """
        left = self.left()
        if self._seekable and left is not None:
            skipped = max(0, min(count, left))
            self._file.seek(skipped, io.SEEK_CUR)
            return skipped
        skipped = 0
        try:
            while skipped < count and (piece := self.read(min(count - skipped, PIECE))):
                skipped += len(piece)
        except OSError:
            if not skipped:
                raise
        return skipped

    def read_line(self) -> str | None:
        r"""Read to the next ``\n``, ``\r`` or ``\r\n`` as Latin-1, None at the end of the data."""
        line = bytearray()
        try:
            while byte := self.read(1):
                line += byte
                if byte == b"\r":
                    line += self._line_feed()
                if byte in {b"\n", b"\r"}:
                    break
        except OSError:
            self.unread(bytes(line))
            raise
        if not line:
            return None
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("latin-1")

    def _line_feed(self) -> bytes:
        """Take the line feed behind a carriage return, if it is one."""
        byte = self.read(1)
        if byte and byte != b"\n":
            self.unread(byte)
            return b""
        return byte

    def _take(self, size: int, reading: str, before: bytes = b"") -> bytes:
        """Read ``size`` bytes of a value whose first bytes are ``before``, or nothing of it."""
        pieces, missing = [before], size
        try:
            if not self._kept and size <= PIECE:
                data = self._file.read(size) or b""  # None where nothing is there yet
                self._offset += len(data)
                missing -= len(data)
                if not missing:
                    return data
                pieces.append(data)
            while missing:  # a source may give less than asked; a hostile size takes no memory
                piece = self.read(min(missing, PIECE))
                if not piece:
                    break
                pieces.append(piece)
                missing -= len(piece)
        except OSError:  # a time-out, or nothing there yet
            self.unread(b"".join(pieces))
            raise
        found = b"".join(pieces)
        if missing:
            start = self.offset - len(found)
            self.unread(found)
            raise EndOfData(
                offset=start, reading=reading, needed=len(before) + size, got=len(found)
            )
        return found[len(before) :]


def not_negative(value: int, method: str) -> int:
    """Return ``value`` or say that it must not be negative."""
    if value < 0:
        raise InputError(f"{method}({value}): give a number of at least 0")
    return value


@final
class DataInputStream(DataInput, Closing):
    r"""Read Java's primitive values: java.io.DataInputStream.

    Args:
        source: A path, bytes, a socket or any object with ``read``: a file opened with "rb", gzip,
            a mapping. Nothing is read ahead, so the caller may go on reading a file of its own.

    >>> stream = DataInputStream(b"\0\0\0\x07\0\x05hello")
    >>> stream.read_int(), stream.read_utf()
    (7, 'hello')
    >>> stream.read_long()
    Traceback (most recent call last):
    ...
    penstock.javadata.errors.EndOfData: data ended at offset 11 inside long at
    offset 11: needed 8 bytes, got 0
    """

    def __init__(self, source: Source) -> None:
        self._opened, self._owned = open_source(source)
        super().__init__(self._opened)

    def close(self) -> None:
        """Close the file if this object opened it."""
        if self._owned:
            self._opened.close()
