"""Messages that end with a line break: CRLF only, or LF."""

from __future__ import annotations

from typing import TypeVar, final

from penstock.streaming.frames import Lexer

__all__ = ["ByLine", "CrlfLines", "Delimited", "Lines"]

F = TypeVar("F")

_CR = 13


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
        """Return the lines that end in ``data``, the first without what waits, and the rest."""
        raise NotImplementedError


class Lines(ByLine[bytes]):
    """Messages that end with LF; a CR before it is not part of the message.

    U+2028, U+0085 and their kin end nothing: they are ordinary characters of JSON.
    """

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        fed = len(self._tail) + len(data)
        lines = self._lines(data)
        messages += filter(None, lines)
        self.keepalives += len(lines) - len(messages)
        self._bound(messages, len(self._tail), fed)

    def _split(self, data: bytes) -> list[bytes]:
        self._was_cut(data)
        *lines, rest = data.split(b"\n")
        return [*(line[:-1] if line[-1:] == b"\r" else line for line in lines), rest]

    def _was_cut(self, data: bytes) -> bool:
        """Whether ``data`` begins within a CRLF; its CR, which waits, is forgotten."""
        cut = data[:1] == b"\n" and self._tail[-1:] == b"\r"
        if cut:
            del self._tail[-1:]
        return cut

    def rest(self) -> bytes:
        """Return the last line."""
        return bytes(self._tail).removesuffix(b"\r")


@final
class CrlfLines(Lines):
    """Messages that end with CRLF. A lone LF may stand within a message, as Twitter allows."""

    def _split(self, data: bytes) -> list[bytes]:
        start = int(self._was_cut(data))
        lines = [b""] * start
        # One byte is looked for by memchr; looking for two at once is several times slower.
        mark = data.find(b"\n", start)
        while mark >= 0:
            if mark > start and data[mark - 1] == _CR:
                lines.append(data[start : mark - 1])
                start = mark + 1
            mark = data.find(b"\n", mark + 1)
        return [*lines, data[start:]]


@final
class Delimited(Lines):
    """Messages that end with some bytes, which are not part of them."""

    def __init__(self, max_bytes: int, end: bytes) -> None:
        super().__init__(max_bytes)
        self._end = end

    def _split(self, data: bytes) -> list[bytes]:
        held = min(len(self._end) - 1, len(self._tail))  # bytes that the end may begin with
        if held:
            data = bytes(self._tail[-held:]) + data
            del self._tail[-held:]
        return data.split(self._end)

    def rest(self) -> bytes:
        """Return the last message."""
        return bytes(self._tail)
