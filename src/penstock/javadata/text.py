"""Modified UTF-8, exactly as the JDK reads and writes it.

Java's text is a sequence of 16-bit units. Each unit is encoded alone in one to three bytes:
NUL as C0 80, a character beyond U+FFFF as its two surrogates of three bytes each, and a lone
surrogate like any other unit. Reading, the JDK also takes a raw NUL and every overlong form, and
refuses a first byte of 80-BF or F0-FF, a bad continuation and a character cut short.
"""

from __future__ import annotations

import re
from array import array
from sys import byteorder

from penstock.javadata.errors import MalformedText

__all__ = ["MOST_UTF_BYTES", "decode_modified_utf8", "decode_units", "encode_modified_utf8"]

MOST_UTF_BYTES = 65_535
UTF_16 = "utf-16-le" if byteorder == "little" else "utf-16-be"
FOUR_BYTE_LEAD = re.compile(rb"[\xf0-\xff]").search
ASTRAL = re.compile("[\U00010000-\U0010ffff]")
CUT_SHORT = "malformed input: partial character at end"


def decode_modified_utf8(data: bytes) -> str:
    r"""Return the text of modified UTF-8 bytes (without the two length bytes).

    Raises:
        MalformedText: A ``ValueError`` with the JDK's message.

    >>> decode_modified_utf8(b"caf\xc3\xa9 \xc0\x80 \xed\xa0\xbd\xed\xb8\x80")
    'café \x00 😀'
    >>> decode_modified_utf8(b"Lo/\xed\x80\xad;")  # Hangul, not a surrogate
    'Lo/\ud02d;'
    >>> decode_modified_utf8(b"a\xf0\x9f\x98\x80")
    Traceback (most recent call last):
    ...
    penstock.javadata.errors.MalformedText: malformed input around byte 1
    """
    if data.isascii():
        return data.decode("ascii")
    if FOUR_BYTE_LEAD(data) is None:
        try:
            # Within three bytes a character, strict UTF-8 is a subset of what Java accepts.
            return data.decode()
        except UnicodeDecodeError:
            pass
        try:
            return decode_common(data)
        except UnicodeDecodeError:
            pass
    return decode_units(data)


def decode_common(data: bytes) -> str:
    """Decode what Java's own encoder writes; UnicodeDecodeError for anything rarer."""
    # C0 is never a continuation byte, so a replaced C0 80 cannot mend a broken neighbour.
    text = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    return text.encode(UTF_16, "surrogatepass").decode(UTF_16, "surrogatepass")


def decode_units(data: bytes) -> str:
    """Decode unit by unit, in the order of DataInputStream.readUTF and with its errors."""
    units = array("H")
    position, size = 0, len(data)
    while position < size:
        first = data[position]
        if first < 0x80:
            units.append(first)
            position += 1
        elif 0xC0 <= first < 0xE0:
            second = continuation_bytes(data, position, 2)
            units.append((first & 0x1F) << 6 | second)
            position += 2
        elif 0xE0 <= first < 0xF0:
            rest = continuation_bytes(data, position, 3)
            units.append((first & 0x0F) << 12 | rest)
            position += 3
        else:
            raise MalformedText(f"malformed input around byte {position}")
    return units.tobytes().decode(UTF_16, "surrogatepass")


def continuation_bytes(data: bytes, position: int, width: int) -> int:
    """Return the bits of the bytes that follow a lead byte."""
    end = position + width
    if end > len(data):
        raise MalformedText(CUT_SHORT)
    bits = 0
    for byte in data[position + 1 : end]:
        if byte & 0xC0 != 0x80:
            # The JDK counts past the character before it looks: byte 2 of 2, but byte 2 of 3.
            raise MalformedText(f"malformed input around byte {end - (width == 3)}")
        bits = bits << 6 | byte & 0x3F
    return bits


def encode_modified_utf8(text: str) -> bytes:
    r"""Return ``text`` as modified UTF-8, without length bytes and without a limit.

    Two adjacent surrogates and the character they make are the same text to Java, so they encode
    alike and read back as the one character.

    >>> encode_modified_utf8("é\0😀")
    b'\xc3\xa9\xc0\x80\xed\xa0\xbd\xed\xb8\x80'
    >>> encode_modified_utf8("\ud800")
    b'\xed\xa0\x80'
    """
    if text.isascii():
        return text.encode().replace(b"\0", b"\xc0\x80")
    data = text.encode("utf-8", "surrogatepass")
    if FOUR_BYTE_LEAD(data) is not None:
        data = ASTRAL.sub(surrogates, text).encode("utf-8", "surrogatepass")
    return data.replace(b"\0", b"\xc0\x80")


def surrogates(match: re.Match[str]) -> str:
    """Return the two surrogates of the character found."""
    above = ord(match[0]) - 0x10000
    return chr(0xD800 | above >> 10) + chr(0xDC00 | above & 0x3FF)
