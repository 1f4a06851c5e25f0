"""Servers that nobody here wrote: sse-starlette, websockets, ws of Node."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from tests.ready import ready
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import ServerConnection, serve

from penstock.errors import PermanentError
from penstock.streaming import PRESETS, Message, ReconnectPolicy, Stream

PLAIN = PRESETS["plain"]
ONCE = dataclasses.replace(PLAIN, once=True)

# websockets


@contextmanager
def sockets(script: Callable[[ServerConnection], object], **options: object) -> Iterator[str]:
    with serve(script, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type] # what a test says
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("deflate", [False, True])
def test_messages_come_whole_compressed_and_in_fragments(forgets: bool, deflate: bool) -> None:
    bodies = [json.dumps({"n": n, "t": "ä" * (n * 997 % 70_000)}) for n in range(60)]

    def script(there: ServerConnection) -> None:
        for number, body in enumerate(bodies):
            there.ping()
            third = len(body) // 3
            parts = [body[:third], "", body[third : 2 * third], body[2 * third :]]
            there.send(iter(parts) if number % 2 else body)

    packing = ServerPerMessageDeflateFactory(server_no_context_takeover=forgets)
    options = {"compression": None, "extensions": [packing] if deflate else None}
    with sockets(script, **options) as url:
        with Stream(url, preset=ONCE, decode="text") as stream:
            assert [message.body.decode() for message in stream.messages()] == bodies
        assert stream.counters.connects == 1
        assert (stream.counters.wire_bytes < stream.counters.messages * 20_000) is deflate


def test_what_to_subscribe_to_is_sent_first_on_each_connection() -> None:
    asked: list[list[str | bytes]] = []

    def script(there: ServerConnection) -> None:
        asked.append([there.recv(), there.recv()])
        there.send(f'{{"n":{len(asked)}}}')
        there.close(1001 if len(asked) < 3 else 1000)

    with sockets(script, subprotocols=["feed.v1"]) as url:
        headers = {"Sec-WebSocket-Protocol": "feed.v1"}
        with Stream(url, preset=ONCE, open=['{"a":1}', b"\x00"], headers=headers) as stream:
            values = [message.value.n for message in stream.messages()]
    assert values == [1, 2, 3]
    assert asked == [['{"a":1}', b"\x00"]] * 3


def test_a_code_of_its_own_ends_it_with_the_server_s_words() -> None:
    seen: list[tuple[int | None, str | None]] = []
    done = threading.Event()

    def script(there: ServerConnection) -> None:
        there.send("{}")
        there.close(4004, "no such room")
        seen.append((there.close_code, there.close_reason))
        done.set()

    with sockets(script) as url, pytest.raises(PermanentError, match="4004 no such room"):
        list(Stream(url, preset=PLAIN))
    assert done.wait(20)
    assert seen == [(4004, "")]  # our answer


def test_a_quiet_server_is_asked_and_answers() -> None:
    quiet = threading.Event()
    preset = dataclasses.replace(PLAIN, wire_stall=0.6)

    def script(there: ServerConnection) -> None:
        there.send("{}")
        with contextlib.suppress(TimeoutError):
            there.recv(timeout=2)  # it answers our pings meanwhile
        there.send("[]")
        quiet.wait(20)

    with sockets(script, ping_interval=None) as url:
        with Stream(url, preset=preset) as stream:
            messages = stream.messages()
            assert [next(messages).body, next(messages).body] == [b"{}", b"[]"]
            assert stream.counters.connects == 1
            assert stream.counters.keepalives > 0
        quiet.set()


# Node's ws

NODE = """
const { WebSocketServer } = require(process.argv[1]);
const server = new WebSocketServer(
  { host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 } },
  () => console.log(server.address().port));
server.on("connection", (there) => there.on("message", (first) => {
  for (let n = 0; n < 40; n++) {
    there.ping();
    const body = JSON.stringify({ n, asked: String(first), t: "x".repeat((n * 991) % 9000) });
    there.send(body.slice(0, 5), { fin: false });
    there.pong();
    there.send(body.slice(5), { fin: true });
  }
  there.close(1000);
}));
"""


def test_node_s_messages_come_whole() -> None:
    words: Sequence[str] = [str(ready("node")), "-e", NODE, str(ready("ws").parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        url = f"ws://127.0.0.1:{int(node.stdout.readline())}"
        with Stream(url, preset=ONCE, open=["hello"]) as stream:
            values = [message.value for message in stream.messages()]
        node.terminate()
    assert [value.n for value in values] == [*range(40)]
    assert {value.asked for value in values} == {"hello"}
    assert [len(str(value.t)) for value in values] == [n * 991 % 9000 for n in range(40)]


# sse-starlette

EVENTS = 30


async def events(request: Request) -> EventSourceResponse:
    last = int(request.headers.get("last-event-id", "0"))

    async def brought() -> AsyncIterator[ServerSentEvent]:
        for number in range(last + 1, EVENTS + 1):
            data = json.dumps({"n": number}, indent=1)  # several lines of data
            yield ServerSentEvent(data, id=str(number), event="tick", retry=10)
            if number % 10 == 0:
                return  # and the client comes again

    if last == EVENTS:
        return EventSourceResponse(brought(), status_code=204)
    return EventSourceResponse(brought(), ping=1, sep="\r\n")


def test_events_of_starlette_are_resumed_and_end_with_204() -> None:
    app = Starlette(routes=[Route("/events", events)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/events"
        sse = dataclasses.replace(PRESETS["sse"], policy=ReconnectPolicy(windows=()))
        with Stream(url, preset=sse) as stream:
            items = list(stream)
        server.should_exit = True
        thread.join(20)
    assert all(isinstance(item, Message) and item.kind == "tick" for item in items)
    assert [item.value.n for item in items if isinstance(item, Message)] == [*range(1, EVENTS + 1)]
    assert (stream.counters.reconnects, stream.counters.gaps) == (3, 0)
