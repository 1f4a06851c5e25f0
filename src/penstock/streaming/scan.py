"""JSON values one after the other, with or without something in between."""

from __future__ import annotations

import re
from typing import final

from penstock.streaming.frames import FramingError, MessageTooLarge, check_bound, too_large

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
class Concatenated:
    """JSON values with nothing, or white space, in between; pretty-printed ones, too.

    An object, a list or a string ends where it closes; a number, ``true``, ``false`` and ``null``
    end at the white space or the value that follows.
    """

    raw = False
    keepalives = 0

    def __init__(self, max_bytes: int) -> None:
        self._most = check_bound(max_bytes)
        self._tail = bytearray()
        self._forget()

    def _forget(self) -> None:
        self._tail.clear()
        self._kind: str | None = None
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def feed(self, data: bytes, /) -> list[bytes]:
        """Return the values that ``data`` completes."""
        messages: list[bytes] = []
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
                self._forget()
                start = at
        if self._kind is not None:
            self._tail += data[start:]
        if len(self._tail) > self._most or any(len(m) > self._most for m in messages):
            raise too_large(self._most)
        return messages

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

    def close(self) -> int:
        """Forget the tail and return its length."""
        left = len(self._tail)
        self._forget()
        return left


@final
class JsonSequence:
    """JSON text sequences (RFC 7464): each text after a record separator, 0x1E.

    A text that ends at the next separator without being whole is left out and counted, as
    section 2.3 wants, and reading goes on with the next.
    """

    raw = False

    def __init__(self, max_bytes: int) -> None:
        self.keepalives = 0
        self._values = Concatenated(max_bytes)
        self._begun = False
        self._skipping = False
        self._lost = 0

    def feed(self, data: bytes, /) -> list[bytes]:
        """Return the texts that ``data`` completes."""
        first, *others = data.split(b"\x1e")
        messages = self._take(first)
        for text in others:
            self._lost += self._values.close()
            self._begun, self._skipping = True, False
            messages += self._take(text)
        return messages

    def _take(self, text: bytes) -> list[bytes]:
        if not self._begun:
            if text.strip():
                raise FramingError(f"{text[:40].decode('latin-1')!r}: no record separator leads it")
            return []
        if self._skipping:
            self._lost += len(text)
            return []
        try:
            return self._values.feed(text)
        except MessageTooLarge:
            raise
        except FramingError:
            self._skipping = True
            self._lost += len(text)
            return []

    def close(self) -> int:
        """Forget the tail; return its length and that of all texts that were left out."""
        left = self._values.close() + self._lost
        self._begun, self._skipping, self._lost = False, False, 0
        return left
