"""A server of bare sockets that does what a test says, and writes down what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One connection, seen from the server's side."""

    def __init__(self, wire: Wire, sock: socket.socket) -> None:
        self._wire = wire
        self.sock = sock
        self._buffer = b""

    def request(self) -> Asked | None:
        """Read one request; None when the client is gone."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name:
                headers[name.lower()] = value.strip()
        body = self._exactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        asked = Asked(method, target, headers, body)
        self._wire.asked.append(asked)
        return asked

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(mark)
        return head

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count and self._more():
            pass
        body, self._buffer = self._buffer[:count], self._buffer[count:]
        return body

    def _more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def gone(self) -> None:
        """Wait until the client closes."""
        while self._more():
            pass

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


class Wire:
    """A listening socket with a thread for each connection that follows a script."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        plain = sock
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._open.add(sock)
            self._script(Peer(self, sock))
        except (OSError, ValueError):
            pass
        finally:
            sock.close()
            plain.close()
            self._open -= {sock, plain}

    def stop_listening(self) -> None:
        """Refuse new connections from now on; those that stand go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.stop_listening()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    server = Wire(script, tls)
    try:
        yield server
    finally:
        server.close()


def answer(body: bytes = b"{}", status: int = 200, *lines: str) -> bytes:
    """Return the bytes of an answer with more header lines."""
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def answering(reply: Callable[[Asked], bytes]) -> Script:
    """Answer each request of a kept-alive connection."""

    def script(peer: Peer) -> None:
        while (asked := peer.request()) is not None:
            peer.send(reply(asked))

    return script
