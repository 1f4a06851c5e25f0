"""Messages that end with a line break: CRLF only, or LF."""

from __future__ import annotations

from typing import final

from penstock.streaming.frames import Lexer

__all__ = ["CrlfLines", "Lines"]

_CR = 13


@final
class Lines(Lexer[bytes]):
    """Messages that end with LF; a CR before it is not part of the message.

    U+2028, U+0085 and their kin end nothing: they are ordinary characters of JSON.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._tail = bytearray()

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        fed = len(self._tail) + len(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        if self._tail and lines:
            self._tail += lines[0]
            lines[0] = bytes(self._tail)
            self._tail.clear()
        self._tail += rest
        stripped = [line[:-1] if line[-1:] == b"\r" else line for line in lines]
        messages += filter(None, stripped)
        self.keepalives += len(lines) - len(messages)
        self._bound(messages, len(self._tail), fed)

    def rest(self) -> bytes:
        """Return the last line."""
        return bytes(self._tail).removesuffix(b"\r")

    def _forget(self) -> int:
        left = len(self._tail)
        self._tail.clear()
        return left


@final
class CrlfLines(Lexer[bytes]):
    """Messages that end with CRLF. A lone LF may stand within a message, as Twitter allows."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._tail = bytearray()

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        fed = len(self._tail) + len(data)
        start = 0
        # One byte is looked for by memchr; looking for two at once is several times slower.
        mark = data.find(b"\n")
        if mark >= 0 and self._tail:
            mark, start = self._finish_tail(data, mark, messages)
        while mark >= 0:
            if mark > start and data[mark - 1] == _CR:
                if mark - 1 > start:
                    messages.append(data[start : mark - 1])
                else:
                    self.keepalives += 1
                start = mark + 1
            mark = data.find(b"\n", mark + 1)
        if start < len(data):
            self._tail += data[start:] if start else data
        self._bound(messages, len(self._tail), fed)

    def _finish_tail(self, data: bytes, mark: int, messages: list[bytes]) -> tuple[int, int]:
        """Go to the first CRLF and end the tail there; return the next LF and where it starts."""
        tail = self._tail
        while mark >= 0:
            before = data[mark - 1] if mark else tail[-1]
            if before == _CR:
                tail += data[:mark]
                body = bytes(tail[:-1])
                tail.clear()
                if body:
                    messages.append(body)
                else:
                    self.keepalives += 1
                return data.find(b"\n", mark + 1), mark + 1
            mark = data.find(b"\n", mark + 1)
        return -1, 0

    def rest(self) -> bytes:
        """Return the last line."""
        return bytes(self._tail).removesuffix(b"\r")

    def _forget(self) -> int:
        left = len(self._tail)
        self._tail.clear()
        return left
