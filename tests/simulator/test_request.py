"""The lexer: any cut of the bytes gives the same requests, and nonsense is told apart."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator import Simulator, user_json
from penstock.simulator.request import BadRequest, ReceivedRequest, lex, wants_continue

THREE = (
    b"GET /users/1.json?a=1 HTTP/1.1\r\nHost: x\r\nX-Odd:  spaced \r\n\r\n"
    b"POST /items HTTP/1.1\r\nContent-Length: 8\r\n\r\n" + b'{"id":7}' + b"POST /items HTTP/1.1\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n4;x=y\r\n{"id\r\n4\r\n":7}\r\n0\r\n\r\n'
)


def lex_all(parts: list[bytes]) -> list[ReceivedRequest]:
    requests, buffer = [], b""
    for part in parts:
        buffer += part
        while buffer and (found := lex(buffer)):
            requests.append(found[0])
            buffer = buffer[found[1] :]
    assert buffer == b""
    return requests


@given(st.lists(st.integers(0, len(THREE)), max_size=12))
def test_any_cut_gives_the_same_three_requests(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(THREE)]
    parts = [THREE[start:end] for start, end in itertools.pairwise(places)]
    one, two, three = lex_all(parts)
    assert (one.method, one.path, one.parameters()) == ("GET", "/users/1.json", {"a": "1"})
    assert one.headers["x-odd"] == "spaced"
    assert two.body == three.body == b'{"id":7}'


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n : empty\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\nSet-Cookie: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000, 431),
    ],
)
def test_nonsense_gets_its_status_and_the_door(
    simulate: Callable[..., Simulator], raw: Callable[..., Any], data: bytes, status: int
) -> None:
    with pytest.raises(BadRequest) as raised:
        lex(data)
    assert raised.value.status == status
    answer, ending = raw(simulate(users=1), data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert ending == "closed"


def test_the_absolute_form_of_a_proxy_is_understood() -> None:
    found = lex(b"GET http://127.0.0.1:80/users/1.json?a=1 HTTP/1.1\r\n\r\n")
    assert found is not None
    assert found[0].target == "/users/1.json?a=1"


@pytest.mark.parametrize(
    ("line", "header", "stays"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: close\r\n", False),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_when_a_connection_stays_open(line: bytes, header: bytes, *, stays: bool) -> None:
    found = lex(b"GET / " + line + b"\r\n" + header + b"\r\n")
    assert found is not None
    assert found[0].keep_alive is stays


def test_a_body_waits_for_100_continue(simulate: Callable[..., Simulator]) -> None:
    head = b"POST /items HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    assert wants_continue(head)
    assert not wants_continue(head[:-4])
    simulator = simulate()
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(head)
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b'{"id":7}')
        assert sock.recv(1000).startswith(b"HTTP/1.1 201 Created")


def test_pipelined_requests_are_answered_in_order_also_when_one_is_slow(
    simulate: Callable[..., Simulator], raw: Callable[..., Any]
) -> None:
    simulator = simulate(users=50, limit=0, chunked=0.0, latency=0.001)
    lines = [f"GET /users/{id_}.json HTTP/1.1\r\n\r\n".encode() for id_ in range(49)]
    lines.append(b"GET /users/49.json HTTP/1.1\r\nConnection: close\r\n\r\n")
    data, ending = raw(simulator, b"".join(lines))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [user_json(1, id_) for id_ in range(50)]
    assert ending == "closed"


def asked(simulator: Simulator) -> int:
    """Wait for the first request; tell how many there have been."""
    while not (requests := simulator.truth()["requests"]):
        pass
    return requests


def read_to_the_end(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


@pytest.fixture
def slow_reader() -> Iterator[socket.socket]:
    """Make a socket with so little room that a server soon has to wait for its reader."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        yield sock


def test_a_client_that_does_not_read_is_waited_for_and_gets_everything(
    simulate: Callable[..., Simulator], slow_reader: socket.socket
) -> None:
    simulator = simulate(users=1000, limit=0, chunked=0.0, pages=1000)
    slow_reader.connect(("127.0.0.1", simulator.port))
    last = b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n"
    slow_reader.sendall(b"GET /pages/page HTTP/1.1\r\n\r\n" * 199 + last)
    assert asked(simulator) < 200
    data = read_to_the_end(slow_reader)
    assert data.count(b"HTTP/1.1 200 OK\r\n") == 200
    assert json.loads(data.rpartition(b"\r\n\r\n")[2])["path"] == "/echo"


def test_a_client_that_only_sends_is_not_listened_to_for_ever(
    simulate: Callable[..., Simulator], slow_reader: socket.socket
) -> None:
    simulator = simulate()
    slow_reader.connect(("127.0.0.1", simulator.port))
    body = b"x" * 3_000_000
    posts = [
        b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\nConnection: %b\r\n\r\n%b"
        % (len(body), connection, body)
        for connection in [b"keep-alive"] * 9 + [b"close"]
    ]
    sender = threading.Thread(target=slow_reader.sendall, args=(b"".join(posts),))
    sender.start()
    assert asked(simulator) < 10
    data = read_to_the_end(slow_reader)
    sender.join()
    assert data.count(b"HTTP/1.1 200 OK\r\n") == 10
    assert data.count(b"x") == 10 * len(body)


def test_what_comes_after_the_last_answer_is_not_read(
    simulate: Callable[..., Simulator], raw: Callable[..., Any]
) -> None:
    simulator = simulate()
    last = b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(last)
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 200 OK")
        sock.sendall(last)
        raw(simulator, last)
    assert simulator.truth()["requests"] == 2
