"""The server's side of RFC 6455, as far as a stream needs it."""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from penstock.simulator.request import ReceivedRequest

__all__ = ["Incoming", "accept_key", "incoming", "wants_websocket"]

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Incoming(NamedTuple):
    """A frame of the client: ``opcode``, and the bytes it took up."""

    opcode: int
    length: int


def wants_websocket(request: ReceivedRequest) -> bool:
    """Return whether the request asks for what RFC 6455 §4.2.1 says."""
    headers = request.headers
    return (
        "websocket" in headers.get("upgrade", "").lower()
        and "upgrade" in headers.get("connection", "").lower()
        and bool(headers.get("sec-websocket-key"))
    )


def accept_key(key: str) -> str:
    """Return what proves that the handshake was understood; the example is RFC 6455's own.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()  # noqa: S324 - the RFC's choice


def incoming(data: bytes) -> Incoming | None:
    r"""Return the first frame in ``data``, or None while it is incomplete.

    >>> incoming(b"\x8a\x80mask"), incoming(b"\x8a")
    (Incoming(opcode=10, length=6), None)
    """
    if len(data) < 2:
        return None
    size, head = data[1] & 0x7F, 2
    if size >= 126:
        head = 4 if size == 126 else 10
        size = int.from_bytes(data[2:head], "big")
    length = head + (4 if data[1] & 0x80 else 0) + size
    return Incoming(data[0] & 15, length) if len(data) >= length else None
