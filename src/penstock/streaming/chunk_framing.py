"""HTTP's chunked coding (RFC 9112, section 7.1) as a framing: each chunk is a message."""

from __future__ import annotations

import re
from typing import final

from penstock.streaming.frames import FramingError, Lexer, too_large

__all__ = ["ChunkMessages"]

_HEX = re.compile(rb"[0-9A-Fa-f]+")
_LINE = 4096  # more than any chunk's size line has, extensions included


@final
class ChunkMessages(Lexer[bytes]):
    """Chunks as messages, for servers that put nothing else in between (nchan's ``http-chunked``).

    It is fed what is on the wire, sizes included. A chunk of white space is a keep-alive.
    """

    raw = True

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.ended = False
        self._buffer = bytearray()
        self._wanted: int | None = None
        self._prefix = 0  # bytes of the line that said how many

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while not self.ended:
            if self._wanted is None:
                end = buffer.find(b"\r\n", at, at + _LINE)
                if end < 0:
                    if len(buffer) - at >= _LINE:
                        raise self._no_chunk(bytes(buffer[at : at + 40]))
                    break
                self._wanted = self._size(bytes(buffer[at:end]))
                self.ended = self._wanted == 0  # what follows are trailers
                self._prefix = end + 2 - at
                at = end + 2
            elif len(buffer) - at >= self._wanted + 2:
                body = bytes(buffer[at : at + self._wanted])
                at += self._wanted
                if buffer[at : at + 2] != b"\r\n":
                    raise self._no_chunk(bytes(buffer[at : at + 40]))
                at += 2
                self._wanted = None
                self._take(body, messages)
            else:
                break
        del buffer[:at]

    def _take(self, body: bytes, messages: list[bytes]) -> None:
        if body.strip():
            messages.append(body)
        else:
            self.keepalives += 1

    def _size(self, line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        if not _HEX.fullmatch(digits):
            raise self._no_chunk(line)
        size = int(digits, 16)
        if size > self._most:
            raise too_large(self._most)
        return size

    def _no_chunk(self, line: bytes) -> FramingError:
        return FramingError(f"{line[:40].decode('latin-1')!r} is no chunk of RFC 9112")

    def _forget(self) -> int:
        left = len(self._buffer) + (0 if self._wanted is None else self._prefix)
        if self.ended:
            left = 0
        self._buffer.clear()
        self._wanted, self.ended = None, False
        return left
