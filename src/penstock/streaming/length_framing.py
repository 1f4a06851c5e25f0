"""Twitter's ``delimited=length``: a decimal number and CRLF, then so many bytes."""

from __future__ import annotations

from typing import final

from penstock.streaming.frames import FramingError, Lexer, too_large

__all__ = ["LengthPrefixed"]

_DIGITS = 20  # more than any length has


@final
class LengthPrefixed(Lexer[bytes]):
    """Messages after their length in bytes; blank lines in between are keep-alives.

    The length counts the CRLF after the message, which is not part of what is given out.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._buffer = bytearray()
        self._wanted: int | None = None
        self._prefix = 0  # bytes of the line that said how many

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while True:
            if self._wanted is None:
                end = buffer.find(b"\n", at, at + _DIGITS + 2)
                if end < 0:
                    if len(buffer) - at > _DIGITS:
                        raise self._not_a_length(bytes(buffer[at : at + _DIGITS]))
                    break
                self._wanted = self._length(bytes(buffer[at:end]))
                self._prefix = end + 1 - at
                at = end + 1
            elif len(buffer) - at >= self._wanted:
                body = bytes(buffer[at : at + self._wanted])
                at += self._wanted
                self._wanted = None
                self._take(body.removesuffix(b"\n").removesuffix(b"\r"), messages)
            else:
                break
        del buffer[:at]

    def _take(self, body: bytes, messages: list[bytes]) -> None:
        if body:
            messages.append(body)
        else:
            self.keepalives += 1

    def _length(self, line: bytes) -> int | None:
        text = line.strip(b" \r")
        if not text:
            self.keepalives += 1
            return None
        if not text.isdigit():
            raise self._not_a_length(line)
        length = int(text)
        if length > self._most:
            raise too_large(self._most)
        return length

    def _not_a_length(self, line: bytes) -> FramingError:
        return FramingError(
            f"{line[:40].decode('latin-1')!r} is no length: is the stream delimited=length?"
        )

    def _forget(self) -> int:
        left = len(self._buffer) + (0 if self._wanted is None else self._prefix)
        self._buffer.clear()
        self._wanted = None
        return left
