"""Messages that end with a line break: CRLF only, or LF."""

from __future__ import annotations

from typing import TypeVar, final

from penstock.streaming.frames import Lexer

__all__ = ["ByLine", "CrlfLines", "Delimited", "Lines"]

F = TypeVar("F")


class ByLine(Lexer[F]):
    """What is read line by line; the beginning of a line waits for its end."""

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes."""
        *lines, rest = self._split(data)
        if self._tail and lines:
            self._tail += lines[0]
            lines[0] = bytes(self._tail)
            self._tail.clear()
        self._tail += rest
        return lines

    def _split(self, data: bytes) -> list[bytes]:
        """Return what stands before, between and after the line breaks."""
        return data.split(b"\n")


class Lines(ByLine[bytes]):
    """Messages that end with LF; a CR before it is not part of the message.

    U+2028, U+0085 and their kin end nothing: they are ordinary characters of JSON.
    """

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        fed = len(self._tail) + len(data)
        lines = self._lines(data)
        stripped = [line[:-1] if line[-1:] == b"\r" else line for line in lines]
        messages += filter(None, stripped)
        self.keepalives += len(lines) - len(messages)
        self._bound(messages, len(self._tail), fed)

    def rest(self) -> bytes:
        """Return the last line."""
        return bytes(self._tail).removesuffix(b"\r")


@final
class CrlfLines(Lines):
    """Messages that end with CRLF. A lone LF may stand within a message, as Twitter allows."""

    def _split(self, data: bytes) -> list[bytes]:
        # One byte is looked for by memchr; looking for two at once is several times slower.
        lines = data.split(b"\n")
        cut = data[:1] == b"\n" and self._tail[-1:] == b"\r"  # the first CRLF, that is
        if all(line[-1:] == b"\r" for line in lines[cut:-1]):
            return lines
        *whole, rest = data[cut:].split(b"\r\n")
        return [b""] * cut + [line + b"\r" for line in whole] + [rest]


@final
class Delimited(ByLine[bytes]):
    """Messages that end with some bytes, which are not part of them."""

    def __init__(self, max_bytes: int, end: bytes) -> None:
        self._end = end
        super().__init__(max_bytes)

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        held = min(len(self._end) - 1, len(self._tail))  # bytes that the end may begin with
        if held:
            data = bytes(self._tail[-held:]) + data
            del self._tail[-held:]
        fed = len(self._tail) + len(data)
        lines = self._lines(data)
        messages += filter(None, lines)
        self.keepalives += len(lines) - len(messages)
        self._bound(messages, len(self._tail), fed)

    def _split(self, data: bytes) -> list[bytes]:
        return data.split(self._end)

    def rest(self) -> bytes:
        """Return the last message."""
        return bytes(self._tail)
