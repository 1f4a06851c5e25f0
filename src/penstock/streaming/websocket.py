"""The messages of a WebSocket (RFC 6455), with what has to be answered. No I/O."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import NamedTuple, final

from penstock.streaming.frames import FramingError, Lexer, too_large

__all__ = ["Closed", "OutgoingFrame", "WebSocket", "accept_of"]

_CONTINUED, _BINARY, _CLOSE, _PING, _PONG = 0, 2, 8, 9, 10
_CODES = frozenset({*range(1000, 1004), *range(1007, 1015)})  # those of IANA's that are sent
_PROTOCOL_ERROR = (1002).to_bytes(2)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL = 125  # bytes a control frame may have
_WINDOW = 32 * 1024  # bytes that a compressed message may refer back to
_END = b"\0\0\xff\xff"  # RFC 7692 section 7.2.2: what a sender has left out


def accept_of(key: str) -> str:
    """Return what a server has to answer to a WebSocket's key (RFC 6455, section 4.2.2).

    >>> accept_of("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class OutgoingFrame(NamedTuple):
    """A frame to be sent: ``"text"``, ``"binary"``, ``"ping"``, ``"pong"`` or ``"close"``."""

    kind: str
    payload: bytes


class Closed(NamedTuple):
    """The server's close frame: its code, 1005 where it has none, and its words."""

    code: int
    words: str


@final
class WebSocket(Lexer[bytes]):
    r"""Frames of a server, put together to messages whatever their fragments.

    Args:
        max_bytes: The bound of one message.
        deflated: Whether messages may be compressed (RFC 7692).
        forgets: Whether the server begins each message with an empty window.

    Attributes:
        replies: What has to be sent; taken by who sends it.
        closed: The server's last word, or None.

    >>> socket = WebSocket(99)
    >>> socket.feed(b"\x01\x02on\x89\x01p\x80\x01e\x81\x03two")
    [b'one', b'two']
    >>> socket.replies
    [OutgoingFrame(kind='pong', payload=b'p')]
    """

    def __init__(self, max_bytes: int, *, deflated: bool = False, forgets: bool = False) -> None:
        super().__init__(max_bytes)
        self.replies: list[OutgoingFrame] = []
        self._deflated = deflated
        self._forgets = forgets

    def _left(self) -> int:
        return self._have + len(self._message or b"")

    def _fresh(self) -> None:
        self._parts: list[bytes] = []  # bytes of a frame that is not whole
        self._have, self._need = 0, 2
        self._message: bytearray | None = None  # what is there of a message that is not whole
        self._compressed = False
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self.closed: Closed | None = None

    def _lex(self, data: bytes, messages: list[bytes]) -> None:
        if self._is_closed():
            return
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return
        data = data if len(self._parts) == 1 else b"".join(self._parts)
        at = 0
        while end := self._frame(data, at, messages):
            at = end
        # Section 5.5.1: what comes after a close frame is nothing.
        rest = b"" if self._is_closed() else data[at:]
        self._parts, self._have = [rest], len(rest)

    def _is_closed(self) -> bool:
        return self.closed is not None

    def _frame(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Take one frame and return where it ends; 0 where it is not whole, and what it needs."""
        start = at + 2
        self._need = 2
        if len(data) < start or self._is_closed():
            return 0
        first, size = data[at], data[at + 1]
        if size & 0x80:
            raise FramingError("the server masks its frames, which RFC 6455 forbids")
        if size >= 126:  # the length follows, in 2 or 8 bytes
            start += 2 if size == 126 else 8
            self._need = start - at
            if len(data) < start:
                return 0
            size = int.from_bytes(data[at + 2 : start])
        self._check(first, size)
        self._need = start - at + size
        if len(data) < start + size:
            return 0
        payload = data[start : start + size]
        if first & 15 >= _CLOSE:
            self._control(first & 15, payload)
        else:
            self._fragment(first, payload, messages)
        return start + size

    def _check(self, first: int, size: int) -> None:
        """Refuse what the standard does not allow (RFC 6455, section 5.2)."""
        opcode, final_, reserved = first & 15, first & 0x80, first & 0x70
        control = opcode >= _CLOSE
        begins = 0 < opcode < _CLOSE
        if opcode not in (_CONTINUED, 1, _BINARY, _CLOSE, _PING, _PONG):
            raise FramingError(f"a WebSocket has no frames of kind {opcode}")
        if reserved and not (reserved == 0x40 and self._deflated and begins):
            raise FramingError("a frame has reserved bits set, which nobody agreed on")
        if control and (size > _CONTROL or not final_):
            raise FramingError("a control frame is cut or too long")
        if not control and (self._message is None) is not begins:
            raise FramingError("the fragments of a message are out of order")
        if not control and len(self._message or b"") + size > self._most:
            raise too_large(self._most)

    def _control(self, opcode: int, payload: bytes) -> None:
        self.keepalives += opcode != _CLOSE
        if opcode == _PING:
            self.replies.append(
                OutgoingFrame("pong", payload)
            )  # section 5.5.3: with the ping's payload
        elif opcode == _CLOSE:
            if len(payload) == 1:
                raise FramingError("a close frame has half a code")
            code = int.from_bytes(payload[:2]) if payload else 1005
            # Section 5.5.1: its code, echoed; section 7.4: unless nobody may send it.
            legal = not payload or code in _CODES or 3000 <= code < 5000
            self.replies.append(OutgoingFrame("close", payload[:2] if legal else _PROTOCOL_ERROR))
            words = payload[2:].decode("utf-8", "replace")
            self.closed = Closed(code, words) if legal else Closed(1002, f"{code} {words}")

    def _fragment(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        if self._message is None:
            self._compressed = bool(first & 0x40)
        if not first & 0x80:
            # In one piece, since a fragment may have one byte, or none.
            self._message = bytearray() if self._message is None else self._message
            self._message += payload
            return
        body = payload if self._message is None else bytes(self._message + payload)
        self._message = None
        if self._compressed:
            body = self._inflated(body)
        if body:
            messages.append(body)
        else:
            self.keepalives += 1

    def _inflated(self, body: bytes) -> bytes:
        whole, rest = b"", body + _END
        try:
            while rest:
                whole += self._inflate.decompress(rest, self._most + 1 - len(whole))
                if len(whole) > self._most or self._inflate.unconsumed_tail:
                    raise too_large(self._most)
                rest = self._inflate.unused_data
                if self._inflate.eof:  # section 7.2.3.4: a block may say that it is the last one
                    window = whole[-_WINDOW:]
                    self._inflate = zlib.decompressobj(-zlib.MAX_WBITS, zdict=window)
        except zlib.error as error:
            raise FramingError(f"a compressed message is damaged ({error})") from error
        if self._forgets:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return whole
