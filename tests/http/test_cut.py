"""What was cut is no answer: at every byte of every kind of answer, over a real socket."""

import gzip
import socket
import threading
from collections.abc import Iterator
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
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN + b"Content-Length: 2\r\n\r\n[]",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": PLAIN + b"Content-Length: 0\r\n\r\n",
}
RIGHT = {"interim": b"[]", "nothing": b"", "empty": b""}


@contextmanager
def server(answers: list[bytes]) -> Iterator[str]:
    """Give every connection the next answer, and close it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            waiting = list(reversed(answers))
            while waiting:
                connection, _ = listening.accept()
                with connection:
                    if connection.recv(65536):
                        connection.sendall(waiting.pop())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_cut_anywhere_is_tried_again(kind: str) -> None:
    whole, right = KINDS[kind], RIGHT.get(kind, BODY)
    # Of a compressed answer that ends with the connection, what follows the data is a checksum:
    # libcurl does not say that it is missing, and the JSON is whole.
    cuts = range(len(whole) - 9 * (kind == "gzip, close"))
    api_retry = RetryPolicy(attempts=5, base=1e-6, cap=1e-6)
    with server([part for cut in cuts for part in (whole[:cut], whole)]) as base:
        for cut in cuts:
            # An answer that is whole and empty is not JSON, so none is asked for.
            api = Api(base, retry=api_retry, decode="bytes" if kind == "empty" else "json")
            assert api.call(Get("/")).body == right, whole[:cut]


def test_an_answer_that_is_always_cut_is_a_failure() -> None:
    whole = KINDS["close"]
    with server([whole[:-1]] * 2) as base:
        api = Api(base, retry=RetryPolicy(attempts=2, base=1e-6, cap=1e-6))
        with pytest.raises(PenstockError, match="ended within its body"):
            api.call(Get("/"))
