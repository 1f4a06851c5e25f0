"""One odd message ends nothing: from bytes to a store, whatever a server sends."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.http.wire import Peer, answer, wire
from tests.streaming.test_frames_of_websockets import CLOSE, PING, PONG, TEXT, frame
from tests.streaming.test_stream import QUICK, begin, by_turns, chunked, ends, quick

from penstock import Pipeline
from penstock.clock import FakeClock
from penstock.errors import InputError, PermanentError
from penstock.http import Post, Profile
from penstock.pipeline import is_json
from penstock.store import LocalStore
from penstock.streaming import (
    PRESETS,
    ControlMessage,
    Gap,
    Message,
    Preset,
    ServerEvent,
    ServerNotice,
    Stream,
    StreamFeed,
    framing,
)
from penstock.streaming.control_messages import EVENT
from penstock.streaming.messages import Decode, Sorter, newest
from penstock.streaming.server_sent_events import ServerEvents

ROUNDS = int(os.environ.get("PENSTOCK_FUZZ", "40"))

ODD = [
    b"<html>502 Bad Gateway</html>",
    b'{"id":1,"t":"\xff\xfe"}',
    b'{"id":1,"t":"\\ud83d"}',
    b'\xef\xbb\xbf{"id":5}',
    b'{"id":18446744073709551617}',
    b'{"id":-9223372036854775809}',
    b'{"id":true}',
    b'{"id":1e999}',
    b'{"id":' + b"9" * 5000 + b"}",
    b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b"NaN",
    b"[]",
    b"7",
    b'"text"',
    b"null",
    b"{}",
    b'{"id":{"id":[1]}}',
    b'{"id":"\\u0000"}',
    b'{"id":"' + b"x" * 3000 + b'"}',
    b'{"id":1,',
    b"\x00\x01\x02",
    b'{"id":1}{"id":2}',
]
LINES = [b"retry: 99999999999999999999", b"id: stra\xc3\x9fe", b"id: \xff\xfe", b"event: x", b": c"]


def lines_of(rng: random.Random, good: int, sse: bool) -> bytes:
    """Return odd messages with good ones in between."""
    out = [b"data: {}", b""] if sse else [b"{}"]  # what begins like a page is taken for one
    for number in range(good):
        for body in (*rng.choices(ODD, k=rng.randrange(3)), b'{"id":"good-%d"}' % number):
            if sse:
                out += [*rng.choices(LINES, k=rng.randrange(2)), b"data: " + body, b""]
            else:
                out.append(body)
    return b"\n".join(out) + b"\n\n"


@pytest.mark.parametrize("form", ["lf", "sse", "websocket"])
def test_no_good_neighbour_is_lost_from_bytes_to_store(form: str, tmp_path: Path) -> None:
    """Every preset's rules, cut anywhere: what lands can be read, and every good message landed."""
    rng = random.Random(form)
    data = lines_of(rng, ROUNDS, form == "sse")

    def script(peer: Peer) -> None:
        if form == "websocket":
            handshake(peer)
            bodies = data.split(b"\n")
            whole = b"".join(frame(TEXT, body) + frame(PING) for body in bodies)
        else:
            begin(peer, b"text/event-stream" if form == "sse" else b"application/x-ndjson")
            whole = data
        at = 0
        while at < len(whole):
            size = rng.choice([1, 7, 1000])
            piece = whole[at : at + size]
            peer.send(piece if form == "websocket" else chunked(piece))
            at += size
        if form != "websocket":
            ends(peer)
        peer.gone()

    with wire(by_turns(script, lambda peer: peer.gone())) as server:
        url = server.url.replace("http", "ws") if form == "websocket" else server.url
        preset = dataclasses.replace(PRESETS["plain"], policy=QUICK)
        with (
            LocalStore(tmp_path / "store") as store,
            Stream(url, preset=preset, into=bytes, id="id") as stream,
        ):
            feed = StreamFeed(stream)
            for counts in Pipeline(feed).landing(store):
                if counts.landed and store.state(f"good-{ROUNDS - 1}") == "landed":
                    break
                store.flush()
            store.flush()
            for record in store.records():
                assert is_json(record.body)
                msgspec.json.decode(record.body)
                json.loads(record.body)
            keys = {record.key for record in store.records()}
            assert {f"good-{number}" for number in range(ROUNDS)} <= keys
            assert store.status().failed > 0


def handshake(peer: Peer, *headers: str) -> None:
    import base64
    import hashlib

    asked = peer.request()
    assert asked is not None
    key = asked.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + "\r\n".join([accept, *headers, "", ""]).encode()
    )


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("decode", ["json", "text", "bytes"])
def test_a_sorter_raises_nothing(name: str, decode: Decode) -> None:
    for id_ in (PRESETS[name].id, ("id",)):
        preset = dataclasses.replace(PRESETS[name], id=id_)
        for into in (None, bytes):
            sorter: Sorter[object] = Sorter(preset, into, None, decode)
            for body in ODD:
                for one in (body, ServerEvent(body), ServerEvent(body, "delete", "5")):
                    for item in sorter.items([one], 1, 1e9):
                        if isinstance(item, Message) and decode == "json":
                            assert is_json(item.body)


def matching(sign: ControlMessage, preset: Preset) -> bytes | ServerEvent:
    """Return a message that has what the sign looks for, beside what all messages have."""
    value: object = sign.equals[0] if sign.equals else {"disconnect_type": "x"}
    if sign.path == EVENT:
        return ServerEvent(b"7", str(value))
    if not sign.path:
        return str(value).encode()
    for step in reversed(sign.path.split(".")):
        value = [value] if step.isdigit() else {step: value}
    body = msgspec.json.encode(value)
    return ServerEvent(body) if preset.framing == "sse" else body


@pytest.mark.parametrize(
    ("name", "sign"), [(name, sign) for name, preset in PRESETS.items() for sign in preset.signs]
)
@pytest.mark.parametrize("into", [None, bytes])
def test_every_sign_of_every_preset_can_fire(
    name: str, sign: ControlMessage, into: type | None
) -> None:
    """X: a delete lies under data, where ordinary messages begin, and was never seen."""
    preset = PRESETS[name]
    if sign.by is not None:
        each = "list" if sign.path == "type" and name == "etcd" else None
        preset = dataclasses.replace(preset, each=each)
        preset = dataclasses.replace(preset, id=(sign.by,))
    sorter: Sorter[object] = Sorter(preset, into, None)
    before = sorter.keepalives
    items = list(sorter.items([matching(sign, preset)], 1, 1e9))
    kinds = [item.kind for item in items if isinstance(item, ServerNotice)]
    assert sign.kind in kinds or sorter.keepalives > before


def test_beside_data_errors_of_x_are_about_one_post_and_end_nothing() -> None:
    body = b'{"data":{"id":"7"},"errors":[{"detail":"gone"}]}'
    sorter: Sorter[bytes] = Sorter(PRESETS["x"], bytes, None)
    (item,) = sorter.items([body], 1, 1e9)
    assert isinstance(item, Message)
    assert sorter.verdicts == []


def test_progress_of_etcd_moves_the_cursor_and_a_watch_that_begins_does_not() -> None:
    header = b'{"result":{"header":{"revision":"90"}%s}}'
    sorter: Sorter[bytes] = Sorter(PRESETS["etcd"], bytes, None)
    list(sorter.items([header % b',"created":true'], 1, 1e9))
    assert sorter.cursor is None
    list(sorter.items([header % b""], 1, 1e9))
    assert sorter.cursor == "90"


def sends(kind: bytes, body: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        begin(peer, kind)
        peer.send(chunked(body))
        ends(peer)
        peer.gone()

    return script


def land(url: str, folder: Path, wanted: int, **options: object) -> list[tuple[object, bytes]]:
    on_same = options.pop("on_same", "first")
    with LocalStore(folder) as store:
        with Stream(url, into=bytes, **options) as stream:  # type: ignore[arg-type]
            feed = StreamFeed(stream, most=wanted, on_same=on_same)  # type: ignore[arg-type]
            Pipeline(feed).land(store)
        return [(record.key, record.body) for record in store.records()]


def test_a_server_that_counts_its_events_again_has_sent_other_events(tmp_path: Path) -> None:
    body = b'id: 1\ndata: {"e":"%s"}\n\ndata: {"e":"no id of its own"}\n\n'
    script = by_turns(*(sends(b"text/event-stream", body % run) for run in (b"one", b"two")))
    with wire(script) as server:
        records = land(server.url, tmp_path / "s", 4, preset=quick("sse"))
    assert [body for _, body in records] == [
        b'{"e":"one"}',
        b'{"e":"no id of its own"}',
        b'{"e":"two"}',
    ]


def test_the_same_reading_lands_again_where_all_are_kept(tmp_path: Path) -> None:
    script = sends(b"application/x-ndjson", b'{"t":21}\n{"t":22}\n{"t":21}\n')
    with wire(script) as server:
        records = land(server.url, tmp_path / "s", 3, preset=quick("plain"), on_same="keep")
    assert [body for _, body in records] == [b'{"t":21}', b'{"t":22}', b'{"t":21}']


def test_every_version_of_an_id_lands_where_all_are_kept(tmp_path: Path) -> None:
    script = sends(b"application/x-ndjson", b'{"id":1,"v":1}\n{"id":1,"v":2}\n{"id":1,"v":1}\n')
    with wire(script) as server:
        options = {"preset": quick("plain"), "id": "id", "on_same": "keep"}
        records = land(server.url, tmp_path / "s", 2, **options)
    assert [body for _, body in records] == [b'{"id":1,"v":1}', b'{"id":1,"v":2}']
    with Stream("http://a.example") as stream, pytest.raises(InputError, match="one record"):
        StreamFeed(stream, deletes=True, on_same="keep")


@pytest.mark.parametrize(
    ("decode", "landed"), [("text", b'"hello w\xc3\xb6rld"'), ("bytes", b'"aGVsbG8gd8O2cmxk"')]
)
def test_texts_and_bytes_land_as_such(decode: Decode, landed: bytes, tmp_path: Path) -> None:
    script = sends(b"text/plain", "hello wörld\n".encode())
    with wire(script) as server:
        records = land(server.url, tmp_path / "s", 1, preset=quick("plain"), decode=decode)
    assert records[0][1] == landed


@pytest.mark.parametrize(
    ("head", "messages"),
    [
        (b"Content-Length: 17\r\n", 2),  # complete
        (b"Connection: close\r\n", 2),  # who knows; but it is whole
        (b"Content-Length: 99\r\n", 1),  # cut
    ],
)
def test_a_last_line_without_its_end(head: bytes, messages: int) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n" + head + b"\r\n")
        peer.send(b'{"id":1}\n{"id":2}')

    def gone(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with wire(by_turns(script, gone)) as server:
        with Stream(server.url, preset=quick("plain")) as stream:
            items = list(stream)
    assert len([item for item in items if isinstance(item, Message)]) == messages
    assert any(isinstance(item, Gap) for item in items) is (messages == 1)


def test_waits_beyond_all_bounds_are_cut_and_that_is_said() -> None:
    def script(peer: Peer) -> None:
        begin(peer, b"text/event-stream")
        peer.send(chunked(b"retry: 99999999999999999999\nid: stra\xc3\x9fe\ndata: 1\n\n"))
        ends(peer)
        peer.gone()

    limits = answer(b"slower", 429, "Retry-After: 99999999999")

    def limited(peer: Peer) -> None:
        peer.request()
        peer.send(limits)

    clock = FakeClock()
    with wire(by_turns(script, limited, script)) as server:
        with Stream(server.url, preset="sse", clock=clock) as stream:
            messages = stream.messages()
            assert [next(messages).id, next(messages).id] == ["straße", "straße"]
            assert "cut to 8.64e+04" in stream.status.last_reason or clock.monotonic() > 86_000
        assert clock.monotonic() < 4 * 86_400
        back = server.asked[1].headers["last-event-id"]
        assert back.encode("latin-1").decode() == "straße"


def test_a_post_that_was_answered_is_not_sent_again_unasked() -> None:
    with wire(sends(b"text/event-stream", b'data: {"a":1}\n\ndata: [DONE]\n\n')) as server:
        items = list(Stream(Post(server.url, json={}), preset=quick("sse")))
        assert [item.kind for item in items] == ["data", "end"]
        assert server.connections == 1
    with wire(sends(b"application/x-ndjson", b'{"a":1}\n')) as server:
        assert len(list(Stream(Post(server.url, json={}), preset=quick("plain")))) == 1
        assert server.connections == 1


def test_an_error_page_between_two_good_connections_is_outlived() -> None:
    def page(peer: Peer) -> None:
        begin(peer, b"text/html")
        peer.gone()

    def absent(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"not now", 404))

    good = sends(b"text/event-stream", b"id: 1\ndata: 1\n\n")
    with wire(by_turns(good, page, absent, good)) as server:
        with Stream(server.url, preset="sse", clock=FakeClock()) as stream:
            assert [next(stream.messages()).value for _ in range(2)] == [1, 1]


def test_a_sink_that_breaks_ends_its_own_transfer_alone() -> None:
    good = sends(b"application/x-ndjson", b'{"id":1}\n')
    with wire(good) as server:
        with Stream(server.url, preset=quick("plain")) as broken, Stream(server.url) as other:
            feed = broken._driver._plan.newest
            del feed
            object.__setattr__(broken._driver._plan, "newest", 7)
            with pytest.raises(PermanentError, match="the stream broke"):
                list(broken)
            assert next(other.messages()).value.id == 1


def socketed(*frames: bytes, wait: bool = False) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        handshake(peer)
        for one in frames:
            peer.send(one)
        if wait:
            peer.gone()

    return script


def test_a_websocket_is_opened_answered_and_closed_by_the_standard() -> None:
    heard: list[bytes] = []
    done = threading.Event()

    def script(peer: Peer) -> None:
        handshake(peer)
        with contextlib.suppress(TimeoutError):
            peer.sock.settimeout(5)
            heard.append(peer.sock.recv(100))
            peer.send(frame(TEXT, b'{"a":1}') + frame(CLOSE, (4004).to_bytes(2) + b"who are you?"))
            heard.append(peer.sock.recv(100))
        done.set()

    with wire(script) as server:
        url = server.url.replace("http", "ws")
        with Stream(url, preset=quick("plain"), open=['{"subscribe":"x"}']) as stream:
            with pytest.raises(PermanentError, match="4004 who are you"):
                assert [message.value.a for message in stream.messages()] == [1]
        assert done.wait(20)
        assert unmasked(heard[0]) == (0x81, b'{"subscribe":"x"}')
        assert unmasked(heard[1]) == (0x88, (4004).to_bytes(2))
        extensions = server.asked[0].headers["sec-websocket-extensions"]
        assert extensions == "permessage-deflate"


def unmasked(data: bytes) -> tuple[int, bytes]:
    mask, payload = data[2:6], data[6:]
    return data[0], bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


def test_a_silent_websocket_is_asked_and_a_pong_is_a_sign_of_life() -> None:
    def script(peer: Peer) -> None:
        handshake(peer)
        for _ in range(4):
            asked = peer.sock.recv(100)
            if not asked:
                return
            assert unmasked(asked) == (0x89, b"")
            peer.send(frame(PONG))
        peer.send(frame(TEXT, b'{"a":1}'))
        peer.gone()

    with wire(script) as server:
        url = server.url.replace("http", "ws")
        with Stream(url, preset=quick("plain"), profile=Profile(stall=0.6)) as stream:
            assert next(stream.messages()).value.a == 1
            assert (stream.counters.connects, stream.counters.keepalives) == (1, 4)


def test_a_server_behind_a_unix_socket(tmp_path: Path) -> None:
    import threading

    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(9999)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
            sock.sendall(head + b'{"id":1}\n')
            sock.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with Stream("http://docker/events", profile=Profile(unix_socket=path)) as stream:
        assert next(stream.messages()).value.id == 1
    thread.join()
    listener.close()


def test_a_bunch_lands_one_by_one_with_the_cursor_behind_the_last() -> None:
    """etcd: the events of a transaction come in one line, keys and values in base64."""
    preset = dataclasses.replace(
        PRESETS["etcd"],
        each="result.events",
        base64=("kv.key", "kv.value"),
        id=("kv.key",),
        unknown=False,
    )
    events = (
        b'{"kv":{"key":"YQ==","value":"w7w=","mod_revision":"7"}},'
        b'{"type":"DELETE","kv":{"key":"Yg==","mod_revision":"7"}},'
        b'{"kv":{"key":"Yw==","value":"/w==","mod_revision":"7"}}'
    )
    body = b'{"result":{"header":{"revision":"9"},"events":[%s]}}' % events
    sorter: Sorter[bytes] = Sorter(preset, bytes, "5")
    items = list(sorter.items([body], 1, 1e9))
    assert [(item.kind, item.id, item.cursor) for item in items] == [  # type: ignore[union-attr] # no gap
        ("data", "a", "5"),
        ("delete", "b", "5"),
        ("data", "c", "7"),
    ]
    assert items[0].body == '{"kv":{"key":"a","value":"ü","mod_revision":"7"}}'.encode()  # type: ignore[union-attr] # a message
    assert b'"/w=="' in items[2].body  # type: ignore[union-attr] # not a text: as it came


def test_bytes_framed_otherwise_are_outlived_once_where_good_ones_came_before() -> None:
    """A proxy's page in the middle of values without line breaks ended the stream for good."""
    good = sends(b"application/json", b'{"n":1}{"n":2}')
    bad = sends(b"application/json", b'{"n":1}<html>502</html>')
    preset = dataclasses.replace(quick("plain"), framing="concatenated")
    with wire(by_turns(bad, good, bad, bad)) as server:
        stream = Stream(server.url, preset=preset, into=bytes)
        bodies: list[bytes] = []
        with pytest.raises(PermanentError, match="no beginning of JSON"):
            bodies.extend(message.body for message in stream.messages())
        assert bodies == [b'{"n":1}', b'{"n":1}', b'{"n":2}', b'{"n":1}', b'{"n":1}']
        assert server.connections == 4


def test_an_object_with_a_code_of_410_is_an_object() -> None:
    """Kubernetes: a kind of one's own may have any member."""
    body = (
        b'{"type":"ADDED","object":{"code":410,"metadata":{"uid":"u","resourceVersion":"5"}}}',
        b'{"type":"ERROR","object":{"code":410,"metadata":{},"message":"too old"}}',
    )
    sorter: Sorter[bytes] = Sorter(PRESETS["kubernetes"], bytes, None)
    kinds = [type(item) for item in sorter.items(body, 1, 1e9)]
    assert kinds == [Message, ServerNotice, Gap]


def test_members_of_a_list_land_as_they_were_written() -> None:
    preset = dataclasses.replace(PRESETS["plain"], each="rows", id=("id",))
    sorter: Sorter[bytes] = Sorter(preset, bytes, None)
    body = b'{"rows":[{"id":1, "price":0.10},{"id":2,"n":1e2, "big":12345678901234567890.5}]}'
    items = sorter.items([body], 1, 1e9)
    found = [item.body for item in items if isinstance(item, Message)]
    assert found == [b'{"id":1, "price":0.10}', b'{"id":2,"n":1e2, "big":12345678901234567890.5}']
    assert [item.kind for item in sorter.items([b'{"rows":{"id":3}}'], 1, 1e9)] == ["data"]


def parts(body: bytes, **changes: object) -> list[bytes]:
    preset = dataclasses.replace(PRESETS["plain"], **changes)  # type: ignore[arg-type] # as the cases say
    items = Sorter(preset, bytes, None).items([body], 1, 1e9)
    return [item.body for item in items if isinstance(item, Message)]


def test_what_stands_beside_base64_stays_as_it_was_written() -> None:
    body = b'{"n":0.10,"l":[{"v":"w7w="},{"v":7}],"big":1e2,"v":"/w==","x":"no base64"}'
    found = parts(body, base64=("l.0.v", "l.1.v", "l.9.v", "v", "x", "none.v"))
    assert found == [body.replace(b"w7w=", "ü".encode())]


@pytest.mark.parametrize(
    ("body", "each", "found"),
    [
        (b'{"rows":null}', "rows", []),
        (b'{"rows":[]}', "rows", []),
        (b'[{"a":1}, 2]', "", [b'{"a":1}', b"2"]),
        (b'{"rows":{"a":1}}', "rows", [b'{"rows":{"a":1}}']),
        (b'{"other":1}', "rows", [b'{"other":1}']),
        (b'[[1],[{"a":[2,3]}]]', "-1.0.a", [b"2", b"3"]),
    ],
)
def test_lists_of_messages_and_what_is_none(body: bytes, each: str, found: list[bytes]) -> None:
    assert parts(body, each=each) == found


def test_a_cursor_that_cannot_be_reckoned_with_is_not_kept() -> None:
    """It would end the stream when it connects again, and each run after it."""
    sorter: Sorter[bytes] = Sorter(PRESETS["jetstream"], bytes, None)
    bodies = [
        b'{"did":"d","time_us":5}',
        b'{"did":"d","time_us":"x"}',
        b'{"did":"d","time_us":1.5}',
    ]
    assert [item.cursor for item in sorter.items(bodies, 1, 1e9)] == ["5"] * 3  # type: ignore[union-attr] # no gap
    assert newest(PRESETS["jetstream"])(bodies, 0.0) == "5"
    assert newest(PRESETS["couchdb"])([b'{"seq":"4-x","id":"a"}'], 0.0) == "4-x"


def test_an_empty_id_names_nothing() -> None:
    preset = dataclasses.replace(PRESETS["plain"], id=("id",))
    sorter: Sorter[bytes] = Sorter(preset, bytes, None)
    assert [item.id for item in sorter.items([b'{"id":""}', b'{"id":"0"}'], 1, 1e9)] == [None, "0"]  # type: ignore[union-attr] # no gap


def test_a_sentinel_with_blanks_and_a_retry_with_zeros() -> None:
    sorter: Sorter[bytes] = Sorter(PRESETS["sse"], bytes, None)
    assert [item.kind for item in sorter.items([ServerEvent(b" [DONE] ")], 1, 1e9)] == ["end"]
    events = framing.sse()
    assert isinstance(events, ServerEvents)
    for line, seconds in ((b"retry: 00000000000000000005", 0.005), (b"retry:0", 0.0)):
        events.feed(line + b"\n\n")
        assert events.retry == seconds


@pytest.mark.parametrize(("cut", "landed"), [(0, ["one", "two"]), (9, ["one"])])
def test_a_last_line_of_compressed_text_is_one_where_the_coding_is_whole(
    cut: int, landed: list[str]
) -> None:
    packed = gzip.compress(b"one\ntwo")

    def script(peer: Peer) -> None:
        peer.request()
        body = packed[: len(packed) - cut]
        peer.send(answer(body, 200, "Content-Type: text/plain", "Content-Encoding: gzip"))

    def gone(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with wire(by_turns(script, gone)) as server:
        with Stream(server.url, preset=quick("plain"), decode="text") as stream:
            assert [str(message.value) for message in stream.messages()] == landed
            assert stream.counters.unfinished == (cut > 0)


@pytest.mark.parametrize(
    ("asked", "chosen", "words"),
    [
        ("", "", None),
        ("a.v1, b.v2", "b.v2", None),
        ("a.v1", "", "speaks no subprotocol"),
        ("a.v1", "b.v2", "speaks b.v2 subprotocol"),
        ("", "b.v2", "not none"),
    ],
)
def test_a_subprotocol_is_one_that_was_asked_for(asked: str, chosen: str, words: str) -> None:
    def script(peer: Peer) -> None:
        handshake(peer, *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else []))
        peer.send(frame(TEXT, b'{"a":1}'))
        peer.gone()

    headers = {"Sec-WebSocket-Protocol": asked} if asked else {}
    with wire(script) as server:
        url = server.url.replace("http", "ws")
        with Stream(url, preset=quick("plain"), headers=headers) as stream:
            if words is None:
                assert next(stream.messages()).value.a == 1
            else:
                with pytest.raises(InputError, match=words):
                    next(stream.messages())
