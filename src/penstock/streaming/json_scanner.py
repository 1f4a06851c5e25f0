"""JSON values one after the other, with or without something in between."""

from __future__ import annotations

import re
from typing import final

from penstock.streaming.frames import FramingError, Lexer, MessageTooLarge

__all__ = ["Concatenated", "JsonSequence"]

# Everything up to the next bracket that is not in a string; never gives back what it took.
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_TO_QUOTE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR_END = re.compile(rb'[ \t\n\r"{\[]')
_BLANK = re.compile(rb"[ \t\n\r]*+")
_OPENING, _CLOSING, _QUOTE, _BACKSLASH = b"{[", b"}]", 0x22, 0x5C
_SCALAR_BEGINS = b"-0123456789tfn"
_CONTAINER, _STRING, _SCALAR = "container", "string", "scalar"


@final
class Concatenated(Lexer[bytes]):
    """JSON values with nothing, or white space, in between; pretty-printed ones, too.

    An object, a list or a string ends where it closes; a number, ``true``, ``false`` and ``null``
    end at the white space or the value that follows.
    """

    def rest(self) -> bytes:
        """Return a last number or word: nothing but the end could end it."""
        return bytes(self._tail) if self._kind is _SCALAR else b""

    def _fresh(self) -> None:
        super()._fresh()
        self._kind: str | None = None
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        fed = len(self._tail) + len(data)
        at = start = 0
        while at < len(data):
            if self._kind is None:
                blank = _BLANK.match(data, at)
                at = start = blank.end() if blank else at
                if at == len(data):
                    break
                at = self._begin(data, at)
            if self._quoted:
                at, ended = self._through_string(data, at)
            elif self._kind is _SCALAR:
                at, ended = self._through_scalar(data, at)
            else:
                at, ended = self._through_container(data, at)
            if ended:
                messages.append(
                    bytes(self._tail) + data[start:at] if self._tail else data[start:at]
                )
                self._fresh()
                start = at
        if self._kind is not None:
            self._tail += data[start:]
        self._bound(messages, len(self._tail), fed)

    def _begin(self, data: bytes, at: int) -> int:
        first = data[at]
        if first in _OPENING:
            self._kind, self._depth = _CONTAINER, 1
            return at + 1
        if first == _QUOTE:
            self._kind, self._quoted = _STRING, True
            return at + 1
        if first in _SCALAR_BEGINS:
            self._kind = _SCALAR
            return at
        raise FramingError(f"{data[at : at + 40].decode('latin-1')!r} is no beginning of JSON")

    def _through_string(self, data: bytes, at: int) -> tuple[int, bool]:
        if self._escaped:
            self._escaped = False
            at += 1
        found = _TO_QUOTE.match(data, at)
        at = found.end() if found else at
        if at >= len(data):
            return at, False
        if data[at] == _BACKSLASH:  # the last byte: what it escapes comes next
            self._escaped = True
            return at + 1, False
        self._quoted = False
        return at + 1, self._kind is _STRING

    def _through_scalar(self, data: bytes, at: int) -> tuple[int, bool]:
        found = _SCALAR_END.search(data, at)
        return (len(data), False) if found is None else (found.start(), True)

    def _through_container(self, data: bytes, at: int) -> tuple[int, bool]:
        found = _TO_BRACKET.match(data, at)
        at = found.end() if found else at
        if at >= len(data):
            return at, False
        if data[at] == _QUOTE:
            self._quoted = True
        elif data[at] in _OPENING:
            self._depth += 1
        else:
            self._depth -= 1
        return at + 1, self._depth == 0


@final
class JsonSequence(Lexer[bytes]):
    """JSON text sequences (RFC 7464): each text after a record separator, 0x1E.

    A text that ends at the next separator without being whole is left out and counted, as
    section 2.3 wants, and reading goes on with the next.
    """

    def _fresh(self) -> None:
        self._values = Concatenated(self._most)
        self._begun = False
        self._skipping = False
        self._lost = 0

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        first, *others = data.split(b"\x1e")
        self._take(first, messages)
        for text in others:
            self._lost += self._values.close()
            self._begun, self._skipping = True, False
            self._take(text, messages)

    def _take(self, text: bytes, messages: list[bytes]) -> None:
        if not self._begun:
            if text.strip():
                raise FramingError(f"{text[:40].decode('latin-1')!r}: no record separator leads it")
        elif self._skipping:
            self._lost += len(text)
        else:
            self._read(text, messages)

    def _read(self, text: bytes, messages: list[bytes]) -> None:
        try:
            messages += self._values.feed(text)
            error = self._values.error
        except FramingError as raised:
            error = raised
        if isinstance(error, MessageTooLarge):
            raise error
        if error is not None:
            self._skipping = True
            self._lost += 1

    def _left(self) -> int:
        return self._values.close() + self._lost
