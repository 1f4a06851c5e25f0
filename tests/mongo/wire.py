"""A wire between a client and a server that loses messages on order: real sockets, real bytes.

The client connects to :attr:`Wire.uri` as to a single server. :meth:`Wire.lose` orders, for the
next messages of some commands, ``"request"`` (cut off before the server sees it) or ``"reply"``
(the server has done it, and the answer is lost).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from typing import Any, Self

from bson import decode

OP_MSG = 2013


class Wire:
    """Use it in a ``with`` statement."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.lost: list[str] = []
        self._orders: deque[str] = deque()
        self._commands: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._door.getsockname()[1]}/?directConnection=true"

    def lose(self, commands: str, *orders: str) -> None:
        """Lose the next messages of ``commands`` (their names, separated by spaces)."""
        with self._lock:
            self._commands, self._orders = frozenset(commands.split()), deque(orders)
            self.lost = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._door, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                self._open.append(client)
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, EOFError),
            socket.create_connection(self.address) as server,
        ):
            self._open.append(server)
            while True:
                asked = message(client)
                name, flags = command_of(asked)
                order = self._order(name)
                if order == "request":
                    break
                server.sendall(asked)
                if flags & 2:  # moreToCome: no reply
                    continue
                answer = message(server)
                if order == "reply":
                    break
                client.sendall(answer)
                while struct.unpack_from("<I", answer, 16)[0] & 2:  # a stream of replies
                    answer = message(server)
                    client.sendall(answer)
        client.close()

    def _order(self, name: str) -> str | None:
        with self._lock:
            if name not in self._commands or not self._orders:
                return None
            order = self._orders.popleft()
            self.lost.append(f"{order} of {name}")
            return order


def message(source: socket.socket) -> bytes:
    head = exactly(source, 4)
    return head + exactly(source, struct.unpack("<i", head)[0] - 4)


def exactly(source: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def command_of(data: bytes) -> tuple[str, int]:
    """Return a message's command and its flags; a legacy message has none."""
    if struct.unpack_from("<i", data, 12)[0] != OP_MSG:
        return "", 0
    flags, kind = struct.unpack_from("<IB", data, 16)
    if kind != 0:
        return "", flags
    size = struct.unpack_from("<i", data, 21)[0]
    document: dict[str, Any] = decode(data[21 : 21 + size])
    return next(iter(document)), flags
