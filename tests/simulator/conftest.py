"""Two ways to ask a simulator: the standard library's client, and a bare socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple, Protocol

import pytest

from penstock.simulator import Simulator, SimulatorSettings


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Ask(Protocol):
    def __call__(
        self,
        simulator: Simulator,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Reply: ...


class Raw(NamedTuple):
    data: bytes
    ending: str  # "closed" or "reset"


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Start simulators that end with the test: simulate(users=10, limit=3)."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Simulator:
            return stack.enter_context(Simulator(SimulatorSettings(**settings)))

        yield start


@pytest.fixture
def ask() -> Ask:
    """Make one call with http.client on a connection of its own."""

    def call(
        simulator: Simulator,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    return call


@pytest.fixture
def raw() -> Callable[..., Raw]:
    """Send bytes, and read what comes until the end, whatever the end is."""

    def exchange(simulator: Simulator, data: bytes) -> Raw:
        with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
            sock.sendall(data)
            received = bytearray()
            try:
                while part := sock.recv(65536):
                    received += part
            except ConnectionResetError:
                return Raw(bytes(received), "reset")
            return Raw(bytes(received), "closed")

    return exchange
