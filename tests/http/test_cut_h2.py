"""What was cut is not an answer in HTTP/2 either: at every byte, over TLS, by every way to stop."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from tests.http.test_wire import authority, tls

from penstock import Api, RetryPolicy
from penstock.http import Get, Profile

__all__ = ["authority"]  # the fixture

BODY = b'{"id":7,"name":"Ada"}'
PACKED = gzip.compress(BODY, mtime=0)
OK = [(":status", "200"), ("content-type", "application/json")]
KINDS = {
    "counted": ([*OK, ("content-length", str(len(BODY)))], BODY),
    "not counted": (OK, BODY),
    "text": ([(":status", "200"), ("content-type", "text/csv")], BODY),
    "gzip": ([*OK, ("content-encoding", "gzip")], PACKED),
    "nothing": ([(":status", "204")], b""),
}


def respond(link: h2.connection.H2Connection, stream: int, kind: str) -> bytes:
    """Return the bytes of an answer, its body in two frames."""
    headers, body = KINDS[kind]
    link.send_headers(stream, headers, end_stream=not body)
    for part, end in ((body[:9], False), (body[9:], True)) if body else ():
        link.send_data(stream, part, end_stream=end)
    return link.data_to_send()


def reset(link: h2.connection.H2Connection, stream: int, kind: str) -> bytes:
    """Return an answer that the server takes back in the midst of its body."""
    headers, body = KINDS[kind]
    link.send_headers(stream, headers)
    link.send_data(stream, body[:9])
    link.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
    return link.data_to_send()


def going(link: h2.connection.H2Connection, stream: int, kind: str) -> bytes:
    """Return an answer in whose midst the server goes away."""
    headers, body = KINDS[kind]
    link.send_headers(stream, headers)
    link.send_data(stream, body[:9])
    link.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, last_stream_id=0)
    return link.data_to_send()


Answer = Callable[[h2.connection.H2Connection, int], bytes]
"""Returns the bytes of an answer to the request of a stream."""


@contextmanager
def server(context: ssl.SSLContext, whole: Answer, firsts: list[Answer]) -> Iterator[str]:
    """Answer "/N" by the Nth of ``firsts`` at first, then whole; close every connection."""
    answers: dict[str, Answer] = {f"/{number}": first for number, first in enumerate(firsts)}

    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def attend(connection: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                answer_one(secure, lambda path: answers.pop(path, whole))

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                if connection.recv(1, socket.MSG_PEEK) == b"!":
                    connection.close()
                    return
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listening.getsockname()
        yield f"https://{host}:{port}"
        with socket.create_connection((host, port)) as last:
            last.sendall(b"!")
        thread.join()


def answer_one(secure: ssl.SSLSocket, answer: Callable[[str], Answer]) -> None:
    link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    link.initiate_connection()
    secure.sendall(link.data_to_send())
    while data := secure.recv(65536):
        for event in link.receive_data(data):
            # What comes after its request is read, and not answered: unread, it would be a reset.
            if isinstance(event, h2.events.RequestReceived):
                link.data_to_send()
                path = dict(event.headers or [])[b":path"].decode()
                secure.sendall(answer(path)(link, event.stream_id))
                secure.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_cut_anywhere_is_tried_again(kind: str, authority: Path) -> None:
    made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    made.receive_data(opening())
    made.data_to_send()
    size = len(respond(made, 1, kind))

    def cut(at: int) -> Answer:
        return lambda link, stream: respond(link, stream, kind)[:at]

    whole: Answer = lambda link, stream: respond(link, stream, kind)  # noqa: E731 - beside cut
    firsts = [cut(at) for at in range(size)]
    if kind != "nothing":
        firsts += [lambda link, stream: reset(link, stream, kind)]
        firsts += [lambda link, stream: going(link, stream, kind)]
    right = b"" if kind == "nothing" else BODY
    with server(tls(authority), whole, firsts) as base:
        profile = Profile(ca_file=str(authority / "ca.pem"))
        retry = RetryPolicy(attempts=5, base=1e-6, cap=1e-6)
        api = Api(base, retry=retry, profile=profile, decode="bytes")
        for at in range(len(firsts)):
            assert api.call(Get(f"/{at}")).body == right, at


def opening() -> bytes:
    """Return how a client begins, with one request."""
    link = h2.connection.H2Connection()
    link.initiate_connection()
    names = ((":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x"))
    link.send_headers(1, names, end_stream=True)
    return bytes(link.data_to_send())
