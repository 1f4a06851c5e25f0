"""The server as a thread and as a child: start, stop, count, and hold many connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from penstock.errors import InputError, PenstockError
from penstock.simulator import Simulator, SimulatorSettings, simulator_process, user
from penstock.simulator.process import arguments
from penstock.simulator.server import raise_open_files
from penstock.simulator.settings import CHOICES, RANGES

Start = Callable[..., Simulator]
Call = Callable[..., Any]


def test_a_user_is_served_as_the_pure_function_says_and_counted() -> None:
    settings = SimulatorSettings(users=10, deleted=1)
    with Simulator(settings) as simulator:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port)
        statuses = []
        for id_ in range(11):
            connection.request("GET", f"/users/{id_}.json")
            answer = connection.getresponse()
            body = json.loads(answer.read())
            statuses.append(answer.status)
            if answer.status == 200:
                assert body == user(settings, id_)
        connection.close()
    truth = simulator.truth(ids=True)
    assert sorted(statuses) == [200] * 9 + [404] * 2
    assert truth["served"] == truth["served_total"] == len(truth["ids"]) == 9
    assert truth["by_status"] == {"200": 9, "404": 2}
    assert truth["peak_connections"] == 1


def test_the_child_process_counts_too() -> None:
    with simulator_process(SimulatorSettings(users=10, mix=(("500", 1.0),))) as simulator:
        with urllib.request.urlopen(simulator.url + "/users/3.json") as answer:
            assert json.load(answer)["id"] == 3
        assert simulator.truth(ids=True)["ids"] == {"3": 1}
        pid = simulator.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_cannot_start_says_why(simulate: Start) -> None:
    taken = simulate().port
    with (
        pytest.raises(PenstockError, match=f"127.0.0.1:{taken}"),
        simulator_process(port=taken),
    ):
        pytest.fail("it started")


def test_a_child_ends_with_a_parent_that_was_killed() -> None:
    program = (
        "from penstock.simulator import simulator_process\n"
        "with simulator_process() as simulator:\n"
        "    print(simulator.port, flush=True)\n"
        "    input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            parent.send_signal(signal.SIGKILL)
            with contextlib.suppress(ConnectionResetError):  # it may not have accepted us yet
                assert sock.recv(1) == b""  # closed by the child's own end


def test_every_setting_can_be_said_on_the_command_line() -> None:
    unusual = SimulatorSettings(
        users=7, limit=3, window=1.5, dialect="legacy", faults=0.5, seed=9, auth="basic",
        latency=0.25, limiter="bucket", burst=4, mix=(("stall", 2.0),), reset_form="delta",
        date_skew=-3.0, deleted=1, pages=6, token_life=8.0, drip=0.5, stall=2.0, gzip=0.75,
        chunked=0.5, retry_dates=True, odd="bom",
    )  # fmt: skip
    assert len(arguments(unusual)) == 2 + 2 * 21 + 1
    assert set(RANGES) | set(CHOICES) | {"mix", "retry_dates", "odd"} == set(
        SimulatorSettings.__dataclass_fields__
    )
    with simulator_process(unusual) as simulator:
        assert simulator.truth()["users"] == 7


def test_the_truth_can_be_asked_for_from_many_threads(simulate: Start, ask: Call) -> None:
    simulator = simulate(users=100, limit=0)
    truths: list[int] = []

    def look() -> None:
        truths.extend(simulator.truth()["requests"] for _ in range(50))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for id_ in range(50):
        ask(simulator, f"/users/{id_}.json")
    for thread in threads:
        thread.join()
    assert len(truths) == 200
    assert simulator.truth()["requests"] == 50


def test_closing_twice_is_closing_once_and_the_truth_stays(ask: Call) -> None:
    simulator = Simulator(SimulatorSettings(users=2))
    assert simulator.truth()["requests"] == 0
    simulator.start()
    ask(simulator, "/users/1.json")
    simulator.close()
    simulator.close()
    assert simulator.truth()["served"] == 1
    with pytest.raises(ConnectionRefusedError):
        ask(simulator, "/users/1.json")


def test_a_port_in_use_is_said_in_one_line(simulate: Start) -> None:
    taken = simulate().port
    with pytest.raises(InputError, match=rf"127\.0\.0\.1:{taken}.*in use"):
        Simulator(port=taken).start()


def test_2000_connections_at_once() -> None:
    assert raise_open_files() >= 2100, "raise the limit of open files (ulimit -n)"
    with simulator_process(SimulatorSettings(users=2000, limit=0, chunked=0.0)) as simulator:
        sockets = [
            socket.create_connection(("127.0.0.1", simulator.port), timeout=60) for _ in range(2000)
        ]
        for id_, sock in enumerate(sockets):
            sock.sendall(f"GET /users/{id_}.json HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        heads = [sock.recv(65536)[:15] for sock in sockets]
        truth = simulator.truth()
        for sock in sockets:
            sock.close()
    assert heads == [b"HTTP/1.1 200 OK"] * 2000
    assert truth["served"] == 2000
    assert truth["peak_connections"] >= 2000


def test_nothing_was_served_before_its_latency_is_over(simulate: Start) -> None:
    simulator = simulate(latency=3600.0, limit=10)
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(b"GET /users/1.json HTTP/1.1\r\n\r\n")
        while simulator.truth()["requests"] == 0:
            pass
        assert not select.select([sock], [], [], 0.1)[0]
    truth = simulator.truth()
    assert (truth["served"], truth["accepted"]) == (0, 1)


def test_posts_are_applied_as_often_as_they_come(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    replies = [
        ask(simulator, "/items", method="POST", body=json.dumps({"id": id_}).encode())
        for id_ in (7, 7, "a")
    ]
    assert [reply.json["applied"] for reply in replies] == [1, 2, 1]
    assert simulator.truth()["posted"] == {"7": 2, "a": 1}
    for body in (b"", b"[]", b"{}", b"\xff"):
        assert ask(simulator, "/items", method="POST", body=body).status == 400


def test_echo_and_redirect(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    echo = ask(simulator, "/echo?a=1", {"X-Mine": "yes"}, method="PUT", body=b"hello").json
    assert (echo["method"], echo["path"], echo["body"]) == ("PUT", "/echo?a=1", "hello")
    assert echo["headers"]["x-mine"] == "yes"
    there = ask(simulator, "/redirect?to=http://localhost:1/echo")
    assert (there.status, there.headers["Location"]) == (302, "http://localhost:1/echo")
    assert ask(simulator, "/redirect").status == 400
    assert ask(simulator, "/redirect?to=a%0d%0aSet-Cookie:b").status == 400


def test_head_has_the_length_and_no_body(simulate: Start, ask: Call) -> None:
    reply = ask(simulate(), "/users/1.json", method="HEAD")
    assert int(reply.headers["Content-Length"]) > 900
    assert reply.body == b""


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/users/x.json", 404),
        ("GET", "/users/.json", 404),
        ("GET", "/users/1/2.json", 404),
        ("GET", "/users/1/2/.json", 404),
        ("GET", f"/followers/{'9' * 5000}.json", 404),
        ("GET", f"/pages/page?page={'9' * 5000}", 400),
        ("GET", "/users/-1.json", 404),
        ("GET", f"/users/{'9' * 5000}.json", 404),
        ("GET", "/users/²3.json".encode().decode("latin-1"), 400),
        ("DELETE", "/users/1.json", 405),
        ("GET", "/items", 405),
    ],
)
def test_what_is_not_there(
    simulate: Start, raw: Call, method: str, target: str, status: int
) -> None:
    request = f"{method} {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert raw(simulate(), request).data.startswith(b"HTTP/1.1 %d " % status)


def test_reset_forgets_counts_and_limits(simulate: Start, ask: Call) -> None:
    simulator = simulate(limit=1, window=3600.0)
    assert [ask(simulator, "/users/1.json").status for _ in range(2)] == [200, 429]
    ask(simulator, "/_reset", method="POST")
    assert ask(simulator, "/users/1.json").status == 200
    assert simulator.truth()["requests"] == 1


def test_the_truth_over_http_is_the_truth(simulate: Start, ask: Call) -> None:
    simulator = simulate(users=5, limit=3, faults=0.3, drip=0.0)
    for id_ in range(5):
        try:
            ask(simulator, f"/users/{id_}.json")
        except (OSError, http.client.HTTPException):
            continue
    over_http = ask(simulator, "/_truth?ids=1").json
    here = simulator.truth(ids=True)
    for connections in ("connections", "peak_connections"):
        over_http.pop(connections)
        here.pop(connections)  # type: ignore[misc]  # asking opened a connection more
    assert over_http == here
