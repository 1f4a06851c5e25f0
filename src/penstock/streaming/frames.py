"""What every framing is: a lexer that is fed bytes and gives whole messages."""

from __future__ import annotations

from typing import Generic, Protocol, TypeAlias, TypeVar, final

import msgspec

from penstock.errors import InputError, PermanentError

__all__ = [
    "MAX_MESSAGE_BYTES",
    "Frame",
    "Framer",
    "FramingError",
    "Lexer",
    "MessageTooLarge",
    "ServerEvent",
]

F = TypeVar("F")

MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@final
class ServerEvent(msgspec.Struct, frozen=True, gc=False):
    """A server-sent event, as the WHATWG rules dispatch it.

    Attributes:
        data: The lines of ``data``, joined by LF, still in UTF-8.
        event: Its type; ``"message"`` where the server named none.
        id: The last event id; it stays until the server sends another.
    """

    data: bytes
    event: str = "message"
    id: str = ""


Frame: TypeAlias = bytes | ServerEvent


class FramingError(PermanentError):
    """The bytes are not framed as told: name another framing."""


class MessageTooLarge(FramingError):
    """A message is larger than the bound: give a larger ``max_bytes``, or another framing."""


class Framer(Protocol):
    """One direction of one connection, cut into messages.

    Attributes:
        keepalives: Blank messages and comments seen so far; they are not given out.
        raw: Whether it wants the bytes before HTTP's chunked coding is taken off.
        error: What the next :meth:`feed` will raise, since messages before it came first.
    """

    keepalives: int
    raw: bool
    error: FramingError | None

    def feed(self, data: bytes, /) -> list[bytes] | list[ServerEvent]:
        """Take in ``data`` and return the messages that it completes.

        Raises:
            MessageTooLarge: One is larger than the bound.
            FramingError: The bytes are not framed like that.
        """
        ...

    def close(self) -> int:
        """Forget an unterminated tail; return its length in bytes. Ready for a new connection."""
        ...

    def rest(self) -> bytes:
        """Return the tail where it is a message if nothing can follow it, else nothing."""
        ...


class Lexer(Generic[F]):
    """What all framings share: messages before an error are given out before it is raised."""

    raw = False

    def __init__(self, max_bytes: int) -> None:
        self.keepalives = 0
        self.error: FramingError | None = None
        self._most = check_bound(max_bytes)
        self._fresh()

    def _fresh(self) -> None:
        """Begin with a new connection."""
        self._tail = bytearray()

    def feed(self, data: bytes, /) -> list[F]:
        """Take in ``data`` and return the messages that it completes.

        Raises:
            MessageTooLarge: One is larger than the bound.
            FramingError: The bytes are not framed like that.
        """
        if self.error is not None:
            raise self.error
        messages: list[F] = []
        try:
            self._lex(data, messages)
        except FramingError as error:
            self.error = error
            if not messages:
                raise
        return messages

    def _lex(self, data: bytes, messages: list[F]) -> None:
        raise NotImplementedError

    def close(self) -> int:
        """Forget an unterminated tail; return its length in bytes. Ready for a new connection."""
        self.error = None
        left = self._left()
        self._fresh()
        return left

    def rest(self) -> bytes:
        """Return the tail where it is a message if nothing can follow it, else nothing."""
        return b""

    def _left(self) -> int:
        """Return the bytes of what is not whole."""
        return len(self._tail)

    def _bound(self, messages: list[bytes], tail: int, fed: int) -> None:
        """Refuse what is too large; ``fed`` bytes, with the tail before them, were looked at."""
        if fed > self._most:
            for number, message in enumerate(messages):
                if len(message) > self._most:
                    del messages[number:]
                    raise too_large(self._most)
            if tail > self._most:
                raise too_large(self._most)


def check_bound(max_bytes: int) -> int:
    """Return ``max_bytes``.

    Raises:
        InputError: It is no size.
    """
    if max_bytes < 1:
        raise InputError(f"max_bytes={max_bytes}: a message has at least 1 byte")
    return max_bytes


def too_large(max_bytes: int) -> MessageTooLarge:
    """Return the error for a message beyond the bound."""
    return MessageTooLarge(
        f"a message is larger than max_bytes={max_bytes} (max_message of a stream): raise it, or "
        "name the right framing"
    )
