"""How messages and heartbeats are told apart on the wire: one framing, one pair of functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from penstock.simulator.streams.settings import Framing

__all__ = ["FRAMINGS", "Framed", "close_frame", "frame"]


class Framed(NamedTuple):
    """One framing: ``put(message, event, id)`` to bytes, its heartbeat, and its content type."""

    put: Callable[[bytes, str, str], bytes]
    beat: bytes
    content_type: str = "application/json"


def _length(message: bytes, _event: str, _id: str) -> bytes:
    # delimited=length: the number counts the line end that follows the message, too
    return b"%d\r\n%b\r\n" % (len(message) + 2, message)


def _event(message: bytes, event: str, id_: str) -> bytes:
    lines = [f"event: {event}\n".encode()] if event else []
    if id_:
        lines.append(f"id: {id_}\n".encode())
    lines += [b"data: %b\n" % line for line in message.split(b"\n")]
    return b"".join(lines) + b"\n"


def frame(opcode: int, payload: bytes) -> bytes:
    r"""Return a WebSocket frame of a server: whole, and not masked (RFC 6455 §5.2).

    >>> frame(1, b"hi")
    b'\x81\x02hi'
    """
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return the frame that ends a WebSocket."""
    return frame(8, struct.pack("!H", code) + reason.encode())


FRAMINGS: Mapping[Framing, Framed] = MappingProxyType(
    {
        "crlf": Framed(lambda message, _event, _id: message + b"\r\n", b"\r\n"),
        "lf": Framed(lambda message, _event, _id: message.replace(b"\n", b" ") + b"\n", b"\n"),
        "length": Framed(_length, b"\r\n"),
        "sse": Framed(_event, b": thump\n\n", "text/event-stream"),
        # RFC 7464 §2.1: more than one RS in a row begins one text only
        "json-seq": Framed(
            lambda message, _event, _id: b"\x1e" + message + b"\n", b"\x1e", "application/json-seq"
        ),
        "concatenated": Framed(lambda message, _event, _id: message, b"\n"),
        "chunk": Framed(lambda message, _event, _id: message, b"\n"),
        "websocket": Framed(lambda message, _event, _id: frame(1, message), frame(9, b"thump"), ""),
    }
)
