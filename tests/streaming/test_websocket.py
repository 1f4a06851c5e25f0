"""Streams over a WebSocket, against a simulator that knows what it told and what we answered."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator
from itertools import islice

import pytest
from tests.http.wire import Peer, answer, wire

from penstock.errors import InputError
from penstock.simulator import Simulator, SimulatorSettings
from penstock.streaming import (
    PRESETS,
    ConnectionWindow,
    Gap,
    LinearWaits,
    Message,
    ReconnectPolicy,
    Stream,
)

JETSTREAM = dataclasses.replace(
    PRESETS["jetstream"],
    policy=ReconnectPolicy(
        network=LinearWaits(0.001, 0.002), windows=(ConnectionWindow(1000, 1.0),)
    ),
)


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(limit=0)) as simulator:
        yield simulator


def socket_url(server: Simulator, options: str) -> str:
    return server.url.replace("http", "ws") + f"/stream/websocket;shape=jetstream;{options}"


@pytest.mark.parametrize("size", [0, 16_384, 200_000])
def test_messages_of_any_size_come_whole(server: Simulator, size: int) -> None:
    url = socket_url(server, f"messages=30;size={size}")
    with Stream(url, preset=JETSTREAM) as stream:
        items = list(islice(stream.messages(), 30))
    times = [str(1_700_000_000_000_000 + 1000 * n) for n in range(1, 31)]
    assert [item.cursor for item in items] == times
    assert min(len(item.body) for item in items) >= size


def test_after_drops_it_goes_back_a_little_and_leaves_out_what_it_knows(server: Simulator) -> None:
    url = socket_url(server, "messages=40;ends=close@10,reset@20,hold")
    with Stream(url, preset=JETSTREAM) as stream:
        items = list(islice(stream, 40))
        assert [type(item) for item in items] == [Message] * 40
        assert len({item.id for item in items if isinstance(item, Message)}) == 40
        assert stream.counters.reconnects == 2
        assert stream.counters.duplicates > 0
        assert stream.counters.gaps == 0


def test_pings_are_answered_by_the_reader_and_are_signs_of_life(server: Simulator) -> None:
    url = socket_url(server, "messages=1;beat=0.05")
    preset = dataclasses.replace(JETSTREAM, wire_stall=1.0)
    stream = Stream(url, preset=preset)
    for _ in stream.batches(wait=0.05):
        if stream.counters.keepalives >= 30:  # longer than the watchdog waits for
            break
    assert stream.counters.reconnects == 0
    (truth,) = server.truth()["streams"].values()
    assert truth["pongs"] >= 29


def test_a_cursor_too_old_is_a_gap(server: Simulator) -> None:
    url = socket_url(server, "messages=9;floor=5")
    with Stream(url, preset=JETSTREAM, cursor="1700000000001000") as stream:
        gap, message = islice(stream, 2)
        assert isinstance(gap, Gap)
        assert (gap.since, gap.reason) == ("1700000000001000", "cursor-too-old")
        assert message.kind == "commit"


def test_a_server_that_speaks_no_websocket_is_told_in_one_line() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"not here", 404))

    with wire(script) as plain, Stream(plain.url.replace("http", "ws")) as stream:
        with pytest.raises(InputError, match="404 Not Found"):
            next(iter(stream))


def test_pings_of_a_server_that_does_not_read_are_not_all_kept() -> None:
    pings = b"\x89\x7d" + b"p" * 125

    def script(peer: Peer) -> None:
        asked = peer.request()
        assert asked is not None
        key = asked.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ("HTTP/1.1 101 X", "Upgrade: websocket", "Connection: Upgrade")
        peer.send("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
        for _ in range(300):
            peer.send(pings * 200)
        peer.send(b"\x81\x02{}")
        peer.gone()

    with wire(script) as server:
        stream = Stream(server.url.replace("http", "ws"))
        with stream:
            next(iter(stream))
            present = stream._driver.present
            assert present is not None
            assert len(present.outgoing) <= 128
            assert stream.counters.keepalives == 60_000
