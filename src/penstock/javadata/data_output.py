"""Writing what java.io.DataInput reads: each method of java.io.DataOutput in Python's spelling."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, BinaryIO, SupportsIndex, final

from penstock.errors import InputError
from penstock.javadata.decoding import CodingFault
from penstock.javadata.encoding import one_boolean, real, too_long
from penstock.javadata.errors import UTFDataFormatError, shown
from penstock.javadata.files import Closing, Sink, open_sink, write_all
from penstock.javadata.floats import CANONICAL_DOUBLE, narrowed, wrapped
from penstock.javadata.native import encode_modified_utf8
from penstock.javadata.text import MOST_UTF_BYTES
from penstock.whole import Replacement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.javadata.arrays import Numbers

__all__ = ["DataOutput", "DataOutputStream", "utf_bytes"]

LARGEST_SIZE = 2**31 - 1


def utf_bytes(text: str, *, reading: str = "utf") -> bytes:
    """Return what writeUTF writes: two bytes of length and the modified UTF-8.

    Raises:
        UTFDataFormatError: More than 65,535 bytes.
    """
    data = encode_modified_utf8(text)
    if len(data) > MOST_UTF_BYTES:
        raise UTFDataFormatError(too_long(len(data)), reading=reading)
    return len(data).to_bytes(2) + data


class DataOutput:
    """The methods of java.io.DataOutput over an open binary file.

    A value that cannot be written raises, and nothing of it is written.
    """

    def __init__(self, file: BinaryIO, *, wrap: bool = False) -> None:
        self._file = file
        self._wrap = wrap
        self._written = 0

    def write(self, data: bytes | int) -> None:
        """Write bytes as they are, or the low byte of a number (0 to 255 unless ``wrap``)."""
        if isinstance(data, int):
            data = self._number(data, 1, "write", signed=False)
        self._put(data)

    def write_boolean(self, value: bool) -> None:  # noqa: FBT001 - Java's signature
        """Write 1 for True, 0 for False. NumPy's booleans, 0 and 1 will do, nothing else."""
        truth = one_boolean(value)
        if truth is None:
            raise InputError(f"write_boolean({shown(value)}): give True or False")
        self._put(b"\1" if truth else b"\0")

    def write_byte(self, value: SupportsIndex) -> None:
        """Write a signed byte, -128 to 127."""
        self._put(self._number(value, 1, "write_byte"))

    def write_unsigned_byte(self, value: SupportsIndex) -> None:
        """Write what read_unsigned_byte reads, 0 to 255. Java has no such method."""
        self._put(self._number(value, 1, "write_unsigned_byte", signed=False))

    def write_short(self, value: SupportsIndex) -> None:
        """Write a signed 16-bit number."""
        self._put(self._number(value, 2, "write_short"))

    def write_unsigned_short(self, value: SupportsIndex) -> None:
        """Write what read_unsigned_short reads, 0 to 65,535. Java has no such method."""
        self._put(self._number(value, 2, "write_unsigned_short", signed=False))

    def write_char(self, value: str | SupportsIndex) -> None:
        """Write one UTF-16 unit, given as a number or as a string of length 1."""
        if isinstance(value, str):
            if len(value) != 1:
                raise InputError(f"write_char({shown(value)}): give one character; see write_chars")
            value = ord(value)
        self._put(self._number(value, 2, "write_char", signed=False))

    def write_int(self, value: SupportsIndex) -> None:
        """Write a signed 32-bit number."""
        self._put(self._number(value, 4, "write_int"))

    def write_long(self, value: SupportsIndex) -> None:
        """Write a signed 64-bit number."""
        self._put(self._number(value, 8, "write_long"))

    def write_float(self, value: float) -> None:
        """Write a 32-bit float, rounded to the nearest; every NaN as 7fc00000."""
        try:
            self._put(narrowed(self._real(value, "write_float"), wrap=self._wrap))
        except OverflowError as error:
            raise InputError(
                f"write_float({shown(value)}): beyond the largest float; "
                "write_double, or DataOutputStream(sink, wrap=True) for infinity"
            ) from error

    def write_double(self, value: float) -> None:
        """Write a 64-bit float; every NaN as 7ff8000000000000."""
        value = self._real(value, "write_double")
        # A NaN is the only number that differs from itself.
        self._put(struct.pack(">d", value) if value == value else CANONICAL_DOUBLE)

    def write_bytes(self, text: str) -> None:
        """Write the low byte of each UTF-16 unit, no length: Java's lossy writeBytes."""
        self._put(text.encode("utf-16-le", "surrogatepass")[::2])

    def write_chars(self, text: str) -> None:
        """Write each UTF-16 unit as two bytes, no length."""
        self._put(text.encode("utf-16-be", "surrogatepass"))

    def write_utf(self, text: str) -> None:
        """Write two bytes of length and ``text`` in modified UTF-8.

        Raises:
            UTFDataFormatError: The text takes more than 65,535 bytes; nothing is written.
        """
        self._put(utf_bytes(text))

    def write_array(
        self, type_name: str, values: Numbers | Sequence[float], *, raw_bits: bool = False
    ) -> None:
        """Write the values of a NumPy array (or a sequence of numbers), no count.

        Args:
            type_name: Java's name, as ``"int"``; also ``"unsigned byte"``, ``"unsigned short"``.
            values: Numbers that fit the type, else nothing is written (unless ``wrap``).
            raw_bits: Keep the bits of a NaN, where Java's writeFloat makes them canonical.
        """
        from penstock.javadata.arrays import array_bytes

        for piece in array_bytes(type_name, values, raw_bits=raw_bits, wrap=self._wrap):
            self._put(piece)

    def size(self) -> int:
        """Return the bytes written so far; stays at 2,147,483,647 once there, like Java's."""
        return min(self._written, LARGEST_SIZE)

    def flush(self) -> None:
        """Pass on what the file has buffered."""
        if hasattr(self._file, "flush"):
            self._file.flush()

    def _real(self, value: float, method: str) -> float:
        """Return a number that a double holds exactly, or raise."""
        if isinstance(value, int) and not (self._wrap and abs(value) < 1 << 1023):
            try:
                real(value)
            except CodingFault as fault:
                raise InputError(
                    f"{method}: {fault.reason}; DataOutputStream(sink, wrap=True) rounds as Java"
                ) from fault
        return value

    def _number(
        self, value: SupportsIndex, size: int, method: str, *, signed: bool = True
    ) -> bytes:
        number = operator.index(value)
        try:
            return number.to_bytes(size, signed=signed)
        except OverflowError as error:
            if self._wrap:
                return wrapped(number, 8 * size).to_bytes(size, signed=True)
            low, high = (
                (-1 << 8 * size - 1, (1 << 8 * size - 1) - 1)
                if signed
                else (0, (1 << 8 * size) - 1)
            )
            raise InputError(
                f"{method}({shown(number)}): not within {low} to {high}; "
                "DataOutputStream(sink, wrap=True) cuts as Java does"
            ) from error

    def _put(self, data: bytes) -> None:
        write_all(self._file, data)
        self._written += len(data)


@final
class DataOutputStream(DataOutput, Closing):
    r"""Write Java's primitive values: java.io.DataOutputStream.

    Args:
        sink: A path, a socket or any object with ``write``: a file opened with "wb", gzip. A path
            is replaced when the stream is closed, and left as it was if a ``with`` block raises.
        wrap: Cut numbers out of range as Java does, instead of raising.

    >>> import io
    >>> file = io.BytesIO()
    >>> stream = DataOutputStream(file)
    >>> stream.write_int(7)
    >>> stream.write_utf("hello")
    >>> file.getvalue(), stream.size()
    (b'\x00\x00\x00\x07\x00\x05hello', 11)
    >>> stream.write_byte(300)
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: write_byte(300): not within -128 to 127;
    DataOutputStream(sink, wrap=True) cuts as Java does
    """

    def __init__(self, sink: Sink, *, wrap: bool = False) -> None:
        file, self._owned = open_sink(sink)
        super().__init__(file, wrap=wrap)

    def close(self) -> None:
        """Flush, and close the file if this object opened it."""
        if self._owned:
            self._file.close()
        else:
            self.flush()

    def discard(self) -> None:
        """Leave a path given as sink as it was; close anything else this object opened."""
        if isinstance(self._file, Replacement):
            self._file.discard()
        elif self._owned:
            self._file.close()
