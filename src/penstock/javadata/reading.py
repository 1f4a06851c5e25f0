"""Reading what java.io.DataOutput writes: each method of java.io.DataInput in Python's spelling."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, Self, cast, final

from penstock.errors import InputError
from penstock.javadata.failures import EndOfData, MalformedText, UTFDataFormatError
from penstock.javadata.floats import widened
from penstock.javadata.native import decode_modified_utf8
from penstock.javadata.sources import PIECE, Source, bytes_left, open_source, position_of, read_all

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.javadata.bulk import Numbers

__all__ = ["DataInput", "DataInputStream"]

SHORT = struct.Struct(">h").unpack
UNSIGNED_SHORT = struct.Struct(">H").unpack
INT = struct.Struct(">i").unpack
LONG = struct.Struct(">q").unpack
DOUBLE = struct.Struct(">d").unpack


class DataInput:
    """The methods of java.io.DataInput over an open binary file.

    A value that cannot be read raises and, where the file can seek, leaves it where the value
    began, so that it can be read again or as something else. Java leaves it somewhere inside.
    """

    def __init__(self, file: BinaryIO, *, base: int = 0) -> None:
        self._file = file
        self._base = base  # where the file's first byte stands in what the caller reads
        start = position_of(file)
        self._seekable = start is not None
        self._offset = base + (start or 0)

    @property
    def offset(self) -> int:
        """Bytes from the start of the file (or of a stream that cannot seek) to the next value."""
        return self._base + self._file.tell() if self._seekable else self._offset

    def left(self) -> int | None:
        """Return how many bytes are left, None where the file cannot say."""
        return bytes_left(self._file)

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
        start = self.offset
        head = self._take(2, "utf length")
        size = head[0] << 8 | head[1]
        data = read_all(self._file, size)
        if len(data) < size:
            self._restore(start, 2 + len(data))
            raise EndOfData(offset=start, reading="utf", needed=2 + size, got=2 + len(data))
        try:
            text = decode_modified_utf8(data)
        except MalformedText as error:
            self._restore(start, 2 + size)
            raise UTFDataFormatError(str(error), offset=start) from error
        self._offset += size
        return text

    def read_fully(self, size: int) -> bytes:
        """Read exactly ``size`` bytes or raise EndOfData."""
        return self._take(not_negative(size, "read_fully"), f"{size} bytes")

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes, all that is left by default; none at the end."""
        data = self._file.read(size)
        self._offset += len(data)
        return data

    def read_into(self, target: bytearray | memoryview | Numbers) -> None:
        """Fill ``target`` completely or raise EndOfData.

        Bytes are taken as they stand; numbers of a NumPy array are converted from Java's order.
        """
        from penstock.javadata.bulk import fill

        fill(self, target)

    def read_array(self, type_name: str, count: int) -> Numbers:
        """Read ``count`` values to a NumPy array of shape ``(count,)`` in this machine's order.

        Args:
            type_name: Java's name, as ``"int"``; also ``"unsigned byte"``, ``"unsigned short"``.
            count: How many values, at least 0. Memory is taken only for data that is there.

        Raises:
            EndOfData: Fewer values are left; nothing is consumed where the file can seek.
        """
        from penstock.javadata.bulk import read_array

        return read_array(self, type_name, count)

    def skip_bytes(self, count: int) -> int:
        """Skip at most ``count`` bytes and return how many; never raises at the end."""
        skipped = 0
        while skipped < count:
            piece = self.read(min(count - skipped, PIECE))
            if not piece:
                break
            skipped += len(piece)
        return skipped

    def read_line(self) -> str | None:
        r"""Read to the next ``\n``, ``\r`` or ``\r\n`` as Latin-1, None at the end of the data."""
        line = bytearray()
        while byte := self.read(1):
            if byte == b"\n":
                break
            if byte == b"\r":
                self._swallow_line_feed()
                break
            line += byte
        else:
            return line.decode("latin-1") if line else None
        return line.decode("latin-1")

    def _swallow_line_feed(self) -> None:
        byte = self.read(1)
        if byte and byte != b"\n":
            self._offset -= 1
            if self._seekable:
                self._file.seek(-1, io.SEEK_CUR)
            else:
                self._file = cast("BinaryIO", PushedBack(byte, self._file))

    def _take(self, size: int, reading: str) -> bytes:
        data = self._file.read(size) if size <= PIECE else read_all(self._file, size)
        if not data or len(data) < size:
            data = self._take_rest(data, size, reading)
        self._offset += size
        return data

    def _take_rest(self, data: bytes | None, size: int, reading: str) -> bytes:
        """Go on where a socket gave less than asked; raise at the end."""
        if data is None:
            raise InputError("the source would block: set the socket or pipe to blocking mode")
        if data:
            data += read_all(self._file, size - len(data))
        if len(data) < size:
            start = self.offset - len(data) if self._seekable else self._offset
            self._restore(start, len(data))
            raise EndOfData(offset=start, reading=reading, needed=size, got=len(data))
        return data

    def _restore(self, start: int, consumed: int) -> None:
        """Go back to where a value began. Where that is impossible, count what is gone."""
        if self._seekable:
            self._file.seek(start - self._base)
        else:
            self._offset = start + consumed


@final
class PushedBack:
    """A stream with one byte put back before it: Java's PushbackInputStream."""

    def __init__(self, byte: bytes, file: BinaryIO) -> None:
        self.byte = byte
        self.file = file

    def read(self, size: int = -1) -> bytes:
        """Return the byte first, then what the stream gives."""
        if not self.byte or size == 0:
            return self.file.read(size)
        byte, self.byte = self.byte, b""
        rest = self.file.read(size - 1 if size > 0 else size) if size != 1 else b""
        return byte + rest


def not_negative(value: int, method: str) -> int:
    """Return ``value`` or say that it must not be negative."""
    if value < 0:
        raise InputError(f"{method}({value}): give a number of at least 0")
    return value


@final
class DataInputStream(DataInput):
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
    penstock.javadata.failures.EndOfData: data ended at offset 11 inside long at
    offset 11: needed 8 bytes, got 0
    """

    def __init__(self, source: Source) -> None:
        self._opened, self._owned = open_source(source)
        super().__init__(self._opened)

    def close(self) -> None:
        """Close the file if this object opened it."""
        if self._owned:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
