"""What was cut is no answer: at every byte of every kind of answer, over a real socket."""

import gzip
import socket
import threading
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pytest

from penstock import Api, RetryPolicy
from penstock.errors import PenstockError
from penstock.http import Get

BODY = b'{"id":7,"name":"Ada"}'
PACKED = gzip.compress(BODY, mtime=0)
JSON = b"Content-Type: application/json\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\n" + JSON
KINDS = {
    "length": PLAIN + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "chunks": PLAIN
    + b"Transfer-Encoding: chunked\r\n\r\n9\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (BODY[:9], len(BODY) - 9, BODY[9:]),
    "close": PLAIN + b"Connection: close\r\n\r\n" + BODY,
    "http/1.0": b"HTTP/1.0 200 OK\r\n" + JSON + b"\r\n" + BODY,
    "untyped": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "gzip, length": PLAIN
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    "gzip, close": PLAIN + b"Content-Encoding: gzip\r\n\r\n" + PACKED,
    "deflate, close": PLAIN + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(BODY),
    "bare deflate, close": PLAIN + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(BODY)[2:-4],
    "text, gzip, close": b"HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\n"
    b"Content-Encoding: gzip\r\n\r\n" + PACKED,
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN + b"Content-Length: 2\r\n\r\n[]",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": PLAIN + b"Content-Length: 0\r\n\r\n",
}
RIGHT = {"interim": b"[]", "nothing": b"", "empty": b""}


@contextmanager
def server(whole: bytes, cuts: Collection[int] = ()) -> Iterator[str]:
    """Answer "/N" with the first N bytes at first, then whole; close every connection."""
    left = set(cuts)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    asked = connection.recv(65536).split()
                    if not asked:
                        continue
                    if asked[1] == b"/":
                        return
                    cut = int(asked[1][1:])
                    connection.sendall(whole[:cut] if cut in left else whole)
                    left.discard(cut)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listening.getsockname()
        yield f"http://{host}:{port}"
        with socket.create_connection((host, port)) as last:
            last.sendall(b"GET / HTTP/1.1\r\n\r\n")
        thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_cut_anywhere_is_tried_again(kind: str) -> None:
    whole, right = KINDS[kind], RIGHT.get(kind, BODY)
    cuts = range(len(whole))
    with server(whole, cuts) as base:
        api = Api(base, retry=RetryPolicy(attempts=5, base=1e-6, cap=1e-6), decode="bytes")
        for cut in cuts:
            assert api.call(Get(f"/{cut}")).body == right, whole[:cut]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if ", close" in kind])
def test_compressed_answers_that_end_with_their_connection_are_read(kind: str) -> None:
    with server(KINDS[kind]) as base:  # the first is asked for again, to see its end
        api = Api(base, retry=RetryPolicy(attempts=1))
        assert [api.call(Get("/9")).body for _ in range(3)] == [BODY] * 3


def test_an_answer_that_is_always_cut_is_a_failure() -> None:
    for kind, words in (("close", "ended within its body"), ("gzip, close", "ends too early")):
        with server(KINDS[kind][:-1]) as base:
            api = Api(base, retry=RetryPolicy(attempts=2, base=1e-6, cap=1e-6))
            with pytest.raises(PenstockError, match=words):
                api.call(Get("/9"))
