"""Messages after their sizes: Twitter's ``delimited=length``, and HTTP's chunked coding."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, final

from penstock.streaming.frames import FramingError, Lexer, too_large

__all__ = ["BinaryPrefixed", "ChunkMessages", "LengthPrefixed"]


_LENGTH = re.compile(rb"\A[ \r]*+(\d*+)[ \r]*+")
_CHUNK = re.compile(rb"\A[ \t]*+([0-9A-Fa-f]++)[ \t]*+(?:;.*)?", re.DOTALL)


class _Sized(Lexer[bytes]):
    """A line that says how many bytes follow, and those bytes; blank ones are keep-alives."""

    ended = False
    _break: ClassVar[bytes]
    _longest: ClassVar[int]  # bytes that no line of a size has
    _line: ClassVar[re.Pattern[bytes]]  # its group is the size; an empty one is a keep-alive
    _base: ClassVar[int]
    _end: ClassVar[bytes] = b""  # what has to follow the message, and is not counted
    _wrong: ClassVar[str]

    def _fresh(self) -> None:
        super()._fresh()
        self.ended = False
        self._wanted: int | None = None
        self._prefix = 0  # bytes of the line that said how many

    def _left(self) -> int:
        return 0 if self.ended else len(self._tail) + (self._prefix if self._wanted else 0)

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        buffer = self._tail
        buffer += data
        at = 0
        while not self.ended:
            if self._wanted is None:
                end = buffer.find(self._break, at, at + self._longest)
                if end < 0:
                    if len(buffer) - at >= self._longest:
                        raise self._misframed(bytes(buffer[at : at + 40]))
                    break
                self._prefix = end + len(self._break) - at
                self._wanted = self._size(bytes(buffer[at:end]))
                at += self._prefix
            elif len(buffer) - at >= self._wanted:
                whole = bytes(buffer[at : at + self._wanted])
                at += self._wanted
                self._wanted = None
                self._take(whole, messages)
            else:
                break
        del buffer[:at]

    def _size(self, line: bytes) -> int | None:
        found = self._line.fullmatch(line)
        if found is None:
            raise self._misframed(line)
        if not found[1]:
            self.keepalives += 1
            return None
        size = int(found[1], self._base)
        if size > self._most:
            raise too_large(self._most)
        return size + len(self._end)

    def _take(self, whole: bytes, messages: list[bytes]) -> None:
        if not whole.endswith(self._end):
            raise self._misframed(whole)
        body = whole.removesuffix(b"\n").removesuffix(b"\r")
        if body.strip():
            messages.append(body)
        else:
            self.keepalives += 1

    def _misframed(self, line: bytes) -> FramingError:
        return FramingError(f"{line[:40].decode('latin-1')!r} {self._wrong}")


@final
class LengthPrefixed(_Sized):
    """Messages after their length in bytes; blank lines in between are keep-alives.

    The length counts the CRLF after the message, which is not part of what is given out.
    """

    _break, _longest, _base = b"\n", 22, 10
    _line = _LENGTH
    _wrong = "is no length: is the stream delimited=length?"


@final
class ChunkMessages(_Sized):
    """Chunks (RFC 9112, section 7.1) as messages, for servers that put nothing else in between.

    So does nchan's ``http-chunked``. It is fed what is on the wire, sizes included. A chunk of
    white space is a keep-alive; after the one of size 0 there are trailers.
    """

    raw = True
    _break, _longest, _base, _end = b"\r\n", 4096, 16, b"\r\n"
    _line = _CHUNK
    _wrong = "is no chunk of RFC 9112"

    def _size(self, line: bytes) -> int | None:
        size = super()._size(line)
        self.ended = size == len(self._end)
        return size


@final
class BinaryPrefixed(Lexer[bytes]):
    """Messages after their length in bytes, a whole number of a few bytes."""

    def __init__(self, max_bytes: int, size: int, order: Literal["big", "little"]) -> None:
        super().__init__(max_bytes)
        self._size, self._order = size, order

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        buffer = self._tail
        buffer += data
        start = self._size  # of the message, after its length
        while len(buffer) >= start:
            length = int.from_bytes(buffer[start - self._size : start], self._order)
            if length > self._most:
                raise too_large(self._most)
            if len(buffer) < start + length:
                break
            if length:
                messages.append(bytes(buffer[start : start + length]))
            else:
                self.keepalives += 1
            start += length + self._size
        del buffer[: start - self._size]
