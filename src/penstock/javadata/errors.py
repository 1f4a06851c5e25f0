"""What can be wrong with Java data, each error with the place it was found."""

from __future__ import annotations

from typing import final

from penstock.errors import InputError

__all__ = ["EndOfData", "MalformedText", "SchemaMismatch", "UTFDataFormatError", "join", "shown"]
LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """Return a value for an error, cut short; Python refuses to print numbers of 5,000 digits."""
    try:
        return f"{value!r:.{LONGEST_SHOWN}}"
    except ValueError:
        return f"a {type(value).__name__} of very many digits"


def join(path: str, name: str) -> str:
    """Return the path of a field: "record 3" begins it, a dot goes on."""
    return f"{path}.{name}" if ", field " in path else f"{path}, field {name}"


@final
class EndOfData(InputError, EOFError):
    """The data ended inside a value. An ``EOFError``, like Java's EOFException.

    Attributes:
        offset: Byte at which the value began.
        reading: What was being read: ``"long"``, or ``"record 3, field legs[2].price: double"``.
        needed: Bytes the value takes, as far as its length is known.
        got: Bytes that were there.

    >>> print(EndOfData(offset=12, reading="long", needed=8, got=5))
    data ended at offset 17 inside long at offset 12: needed 8 bytes, got 5
    """

    def __init__(self, *, offset: int, reading: str, needed: int, got: int) -> None:
        super().__init__(
            f"data ended at offset {offset + got} inside {reading} at offset {offset}: "
            f"needed {needed} bytes, got {got}"
        )
        self.offset = offset
        self.reading = reading
        self.needed = needed
        self.got = got


class CodecError(InputError, ValueError):
    """A value that does not fit, and where."""

    def __init__(self, reason: str, *, offset: int | None = None, reading: str = "utf") -> None:
        where = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{reading}{where}: {reason}")
        self.offset = offset
        self.reading = reading
        self.reason = reason


@final
class MalformedText(ValueError):
    """Bytes that are not modified UTF-8; the text is the JDK's own."""


@final
class UTFDataFormatError(CodecError):
    """Text that modified UTF-8 cannot hold, or bytes that are not modified UTF-8.

    Attributes:
        offset: Byte at which the value began, or None where there is no stream.
        reading: What was being read or written.
        reason: The JDK's own words, as ``"malformed input around byte 3"``.
    """


@final
class SchemaMismatch(CodecError):
    """The data does not fit the schema: a negative count, an unknown tag, a value out of range.

    Attributes:
        offset: Byte at which the value began, or None when writing.
        reading: The record and field path.
    """
