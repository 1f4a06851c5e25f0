"""Streams as a bare socket and the standard library see them, beside what the server counted."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from penstock.simulator import Simulator, stream_message
from penstock.simulator.oauth1 import signature
from penstock.simulator.streams.settings import (
    READERS,
    BadPath,
    Framing,
    ShapeName,
    read_stream,
)
from penstock.simulator.streams.shapes import SHAPES
from penstock.simulator.streams.websocket import incoming

Start = Callable[..., Simulator]
Call = Callable[..., Any]

HTTP = [framing for framing in get_args(Framing) if framing != "websocket"]


# How the tests take streams apart: over the whole body, by rules written a second time.


def by_length(body: bytes) -> Iterator[bytes]:
    while body:
        line, _, body = body.partition(b"\r\n")
        if line:
            yield body[: int(line) - 2]
            assert body[int(line) - 2 : int(line)] == b"\r\n"
            body = body[int(line) :]


def by_event(body: bytes) -> Iterator[bytes]:
    for block in body.split(b"\n\n"):
        lines = [line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")]
        if lines:
            yield b"\n".join(lines)


def concatenated(body: bytes) -> Iterator[bytes]:
    text, at = body.decode(), 0
    while at < len(text):
        _, end = json.JSONDecoder().raw_decode(text, at)
        yield text[at:end].encode()
        at = end + len(text[end:]) - len(text[end:].lstrip())


READ: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "crlf": lambda body: (part for part in body.split(b"\r\n") if part),
    "lf": lambda body: (part for part in body.split(b"\n") if part),
    "length": by_length,
    "sse": by_event,
    "json-seq": lambda body: (part for part in body.split(b"\x1e") if part),
    "concatenated": concatenated,
    "chunk": lambda body: (part for part in body.split(b"\0") if part),
}


def whole(simulator: Simulator, path: str, headers: dict[str, str] | None = None) -> bytes:
    """Return the body of a stream that ends properly."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        body = answer.read()
    assert isinstance(body, bytes)
    return body


def chunks(data: bytes) -> list[bytes]:
    """Return the chunks of a body, and b"" last if it ended properly."""
    found = []
    while data:
        size, _, data = data.partition(b"\r\n")
        found.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return found


def numbers(messages: list[bytes]) -> list[int]:
    return [json.loads(message)["id"] for message in messages]


def truth(simulator: Simulator, path: str) -> Any:
    return simulator.truth(ids=True)["streams"][path.partition("?")[0]]


# Framings


@pytest.mark.parametrize("framing", [framing for framing in HTTP if framing != "chunk"])
@pytest.mark.parametrize("block", [0, 1, 7, 65536])
@pytest.mark.parametrize("coding", ["chunked", "close"])
def test_every_message_comes_whole_and_once(
    simulate: Start, framing: str, block: int, coding: str
) -> None:
    simulator = simulate()
    path = f"/stream/{framing};messages=300;block={block};coding={coding};ends=close"
    messages = list(READ[framing](whole(simulator, path)))
    wanted = [stream_message(simulator.settings, "tweets", n) for n in range(1, 301)]
    if framing == "lf":
        wanted = [message.replace(b"\n", b" ") for message in wanted]
    assert [message.rstrip(b"\n") for message in messages] == wanted
    counted = truth(simulator, path)
    assert (counted["told"], counted["told_total"]) == (300, 300)
    assert counted["endings"] == {"close": 1}


def test_blocks_are_as_long_as_told(simulate: Start, raw: Call) -> None:
    for block in (7, 65536):
        path = f"/stream/crlf;messages=400;block={block};ends=close"
        data = raw(simulate(), f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).data
        *full, last, end = chunks(data.partition(b"\r\n\r\n")[2])
        assert {len(chunk) for chunk in full} == {block}
        assert 0 < len(last) <= block
        assert end == b""


def test_a_chunk_is_a_message(simulate: Start, raw: Call) -> None:
    simulator = simulate()
    path = "/stream/chunk;messages=50;ends=close"
    data = raw(simulator, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).data
    *messages, end = chunks(data.partition(b"\r\n\r\n")[2])
    assert end == b""
    assert numbers(messages) == list(range(1, 51))


def test_some_messages_have_line_feeds_and_separators_within(simulate: Start) -> None:
    simulator = simulate()
    body = whole(simulator, "/stream/crlf;messages=100;ends=close")
    assert re.search(rb"[^\r]\n", body)
    assert "\u2028".encode() in body
    assert "\u0085".encode() in body
    assert b"\r" not in body.replace(b"\r\n", b"")


def test_server_sent_events_have_ids_and_resume_behind_them(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/sse;messages=40;ends=close"
    body = whole(simulator, path)
    assert re.findall(rb"^id: (\d+)$", body, re.MULTILINE) == [b"%d" % n for n in range(1, 41)]
    rest = list(by_event(whole(simulator, path, {"Last-Event-ID": "37"})))
    assert numbers(rest) == [38, 39, 40]
    assert truth(simulator, path)["numbers"]["38"] == 2


# Compression


@pytest.mark.parametrize("way", ["sync", "members", "never"])
@pytest.mark.parametrize("coding", ["chunked", "close"])
def test_gzip_for_those_who_accept_it(simulate: Start, way: str, coding: str) -> None:
    simulator = simulate()
    path = f"/stream/crlf;messages=200;gzip={way};coding={coding};ends=close"
    plain = whole(simulator, path)
    packed = whole(simulator, path, {"Accept-Encoding": "gzip"})
    assert packed[:2] == b"\x1f\x8b"
    assert gzip.decompress(packed) == plain
    assert numbers(list(READ["crlf"](plain))) == list(range(1, 201))


def test_what_is_never_flushed_cannot_be_read(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/crlf;messages=10;gzip=never;beat=0.01"
    with open_stream(simulator, path, "Accept-Encoding: gzip\r\n") as (_, read):
        while truth(simulator, path)["beats"] < 5:
            pass
        found = b"".join(chunks(read()))
    assert truth(simulator, path)["told"] == 10
    assert zlib.decompressobj(31).decompress(found) == b""


@contextlib.contextmanager
def open_stream(
    simulator: Simulator, path: str, headers: str = ""
) -> Iterator[tuple[bytes, Callable[[], bytes]]]:
    """Give the head of an answer, and what reads what has come since."""
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, rest = data.partition(b"\r\n\r\n")
        parts = [rest]

        def read() -> bytes:
            if not parts:
                parts.append(sock.recv(65536))
            return parts.pop()

        yield head, read


# Time


def test_messages_come_at_their_rate_and_a_late_client_gets_what_it_missed(
    simulate: Start,
) -> None:
    simulator = simulate()
    path = "/stream/lf;messages=12;rate=100;ends=close"
    assert numbers(list(READ["lf"](whole(simulator, path)))) == list(range(1, 13))
    assert numbers(list(READ["lf"](whole(simulator, path + "?since=10")))) == [11, 12]


@pytest.mark.parametrize("framing", HTTP)
def test_heartbeats_fill_the_silence_and_are_no_messages(simulate: Start, framing: str) -> None:
    simulator = simulate()
    path = f"/stream/{framing};messages=2;beat=0.01"
    with open_stream(simulator, path) as (_, read):
        data = read()
        while truth(simulator, path)["beats"] < 3:
            data += read()
        while len(data) < 800 or not data.endswith(b"\n"):
            data += read()
    parts = chunks(data)
    body = (b"\0" if framing == "chunk" else b"").join(parts)
    messages = [part for part in READ[framing](body) if part.strip()]
    assert numbers(messages) == [1, 2]


# Endings


@pytest.mark.parametrize("coding", ["chunked", "close"])
@pytest.mark.parametrize("kind", ["close", "reset", "truncate", "character"])
def test_endings_come_after_so_many_messages(
    simulate: Start, raw: Call, kind: str, coding: str
) -> None:
    simulator = simulate()
    path = f"/stream/lf;messages=20;coding={coding};ends={kind}@6"
    data, ending = raw(simulator, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert ending == ("reset" if kind == "reset" else "closed")
    body = data.partition(b"\r\n\r\n")[2]
    proper = body.endswith(b"0\r\n\r\n") if coding == "chunked" else body.endswith(b"\n")
    assert proper == (kind == "close" or (kind, coding) == ("reset", "close"))
    if coding == "chunked":
        body = b"".join(chunks(body))
    *lines, tail = body.split(b"\n")
    assert numbers(lines) == [1, 2, 3, 4, 5, 6]
    if kind == "character":
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            tail.decode()
    assert bool(tail) == (kind in {"truncate", "character"})
    counted = truth(simulator, path)
    assert (counted["told"], counted["endings"]) == (6, {kind: 1})


def test_a_truncated_chunk_promised_more(simulate: Start, raw: Call) -> None:
    path = "/stream/lf;messages=20;ends=truncate@0"
    data = raw(simulate(), f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).data
    size, _, rest = data.partition(b"\r\n\r\n")[2].partition(b"\r\n")
    assert 0 < len(rest) < int(size, 16)


def test_a_stalled_stream_is_silent_and_then_ends(simulate: Start, raw: Call) -> None:
    simulator = simulate(stall=0.05)
    path = "/stream/crlf;messages=5;beat=0.01;ends=stall@3"
    data, ending = raw(simulator, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert ending == "closed"
    assert len(chunks(data.partition(b"\r\n\r\n")[2])) == 3
    assert truth(simulator, path)["beats"] == 0


def test_each_connection_has_its_ending_and_the_last_one_repeats(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/lf;messages=20;ends=close@2,close@5"
    got = [numbers(list(READ["lf"](whole(simulator, path))))[-1] for _ in range(3)]
    assert got == [2, 5, 5]


def test_an_ending_after_more_than_there_is_does_not_come(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/lf;messages=3;beat=0.01;ends=close@10"
    with open_stream(simulator, path) as (_, read):
        while truth(simulator, path)["beats"] < 3:
            read()
    assert truth(simulator, path)["endings"] == {}


def test_random_endings_are_those_of_the_seed(simulate: Start, raw: Call) -> None:
    def fates(seed: int) -> list[tuple[int, str]]:
        simulator = simulate(seed=seed)
        path = "/stream/lf;messages=100;ends=random@20"
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        return [(len(raw(simulator, request).data) // 400, path) for _ in range(8)]

    assert fates(5) == fates(5) != fates(6)


def test_the_last_words_of_a_service(simulate: Start) -> None:
    simulator = simulate()
    body = whole(simulator, "/stream/crlf;messages=3;ends=disconnect")
    assert json.loads(list(READ["crlf"](body))[-1])["disconnect"]["reason"] == "Shutdown"


# Notices


def test_limit_notices_count_on_within_a_connection(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/crlf;messages=10;limits=4;warnings=5;unknown=9;deletes=3;ends=close"
    said = [json.loads(message) for message in READ["crlf"](whole(simulator, path))]
    assert [m["limit"]["track"] for m in said if "limit" in m] == [7, 14]
    assert [m["delete"]["status"]["id"] for m in said if "delete" in m] == [2, 5, 8]
    assert [m["warning"]["code"] for m in said if "warning" in m] == ["FALLING_BEHIND"] * 2
    whole(simulator, path)
    counted = truth(simulator, path)
    assert counted["undelivered"] == 28
    assert counted["deleted"] == [2, 5, 8]
    assert counted["notices"] == {"limit": 4, "delete": 6, "warning": 4, "unknown": 2}


# Resume


def test_without_resume_messages_between_connections_are_lost(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/lf;messages=30;resume=none;missed=4;ends=close@10"
    assert numbers(list(READ["lf"](whole(simulator, path)))) == list(range(1, 11))
    assert numbers(list(READ["lf"](whole(simulator, path)))) == list(range(15, 25))
    assert truth(simulator, path)["missed"] == 4


def test_overlap_tells_some_again(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/lf;messages=30;overlap=3;ends=close@10"
    whole(simulator, path)
    assert numbers(list(READ["lf"](whole(simulator, path + "?since=10"))))[:2] == [8, 9]


@pytest.mark.parametrize(
    ("shape", "cursor"),
    [("jetstream", "cursor=1700000000003000"), ("couchdb", "since=2-g1AAAA"), ("x", "since=2")],
)
def test_cursors_are_those_of_the_service(simulate: Start, shape: ShapeName, cursor: str) -> None:
    simulator = simulate()
    path = f"/stream/lf;shape={shape};messages=4;ends=close?{cursor}"
    messages = list(READ["lf"](whole(simulator, path)))
    wanted = [stream_message(simulator.settings, shape, n) for n in (3, 4)]
    assert messages == wanted


def test_etcd_is_asked_with_a_body_and_says_hello(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    body = json.dumps({"create_request": {"key": "a", "start_revision": 4}}).encode()
    path = "/stream/lf;shape=etcd;messages=4;ends=close"
    reply = ask(simulator, path, method="POST", body=body)
    hello, message = (json.loads(line)["result"] for line in reply.body.splitlines())
    assert hello["created"] is True
    assert message["events"][0]["kv"]["mod_revision"] == "4"


def test_wikimedia_s_ids_are_places_in_its_topics(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/sse;shape=wikimedia;messages=4;ends=close"
    ids = re.findall(rb"^id: (.*)$", whole(simulator, path), re.MULTILINE)
    rest = whole(simulator, path, {"Last-Event-ID": ids[2].decode()})
    assert numbers(list(by_event(rest))) == [4]


def test_a_cursor_too_old_is_told_as_the_service_does(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    options = "messages=20;floor=10;ends=close"
    pods = f"/stream/lf;shape=kubernetes;{options}?resourceVersion=3"
    status = json.loads(whole(simulator, pods))
    assert (status["type"], status["object"]["code"]) == ("ERROR", 410)
    keys = f"/stream/lf;shape=etcd;{options}?start_revision=4"
    assert json.loads(whole(simulator, keys))["result"]["compact_revision"] == "10"
    reply = ask(simulator, f"/stream/lf;shape=jetstream;{options}?cursor=1700000000003000")
    assert (reply.status, reply.json["error"]) == (400, "CursorTooOld")
    events = whole(simulator, f"/stream/sse;{options}", {"Last-Event-ID": "3"})
    assert numbers(list(by_event(events)))[0] == 11
    assert [log["too_old"] for log in simulator.truth()["streams"].values()] == [1, 1, 1, 1]


@pytest.mark.parametrize("cursor", ["99", "abc", "7:2"])
def test_a_cursor_from_another_server_is_refused(simulate: Start, ask: Call, cursor: str) -> None:
    reply = ask(simulate(), "/stream/sse;messages=20", {"Last-Event-ID": cursor})
    assert reply.status == 400
    assert "is not one of ours" in reply.json["error"]


# Refusals


def test_the_first_connects_are_refused_as_told(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    path = "/stream/crlf;messages=1;refuse=420*2,503,html;retry_after=7;ends=close"
    replies = [ask(simulator, path) for _ in range(5)]
    assert [reply.status for reply in replies] == [420, 420, 503, 200, 200]
    assert replies[0].headers["Retry-After"] == "7"
    assert replies[3].headers["Content-Type"].startswith("text/html")
    counted = truth(simulator, path)
    assert (counted["connects"], counted["refused"]) == (5, {"420": 2, "503": 1, "html": 1})
    assert len(counted["connected_at"]) == 5


def test_connects_fall_under_the_limit_and_the_credentials(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="bearer", limit=2, window=3600.0)
    path = "/stream/crlf;messages=1;ends=close"
    assert ask(simulator, path).status == 401
    right = {"Authorization": "Bearer penstock-token"}
    assert [ask(simulator, path, right).status for _ in range(3)] == [200, 200, 429]
    assert truth(simulator, path)["connects"] == 2


def test_a_signed_post_of_a_form_is_a_stream_too(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="oauth1")
    path = "/stream/crlf;messages=2;ends=close"
    claims = {
        "oauth_consumer_key": "penstock-consumer",
        "oauth_token": "penstock-access",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time())),
        "oauth_nonce": "n",
    }
    signed = signature(
        "POST",
        f"http://127.0.0.1:{simulator.port}{path}",
        [*claims.items(), ("track", "iphone")],
        "consumer-secret&token-secret",
    )
    claims["oauth_signature"] = signed.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    header = "OAuth " + ", ".join(f'{name}="{value}"' for name, value in claims.items())
    form = "application/x-www-form-urlencoded"
    reply = ask(
        simulator,
        path,
        {"Authorization": header, "Content-Type": form},
        method="POST",
        body=b"track=iphone",
    )
    assert numbers(list(READ["crlf"](reply.body))) == [1, 2]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/stream/csv", "a stream is one of crlf, lf"),
        ("/stream/crlf;mesages=3", "did you mean messages?"),
        ("/stream/crlf;messages=-3", "messages is a whole number"),
        ("/stream/crlf;rate=fast", "rate is a number"),
        ("/stream/crlf;ends=bang", "ends knows hold"),
        ("/stream/crlf;refuse=418", "refuse knows 204"),
        ("/stream/crlf;shape=cubes", "shape is one of tweets"),
        ("/stream/chunk;block=7", "cut by its messages"),
        ("/stream/websocket;gzip=sync", "neither gzip nor block"),
    ],
)
def test_what_can_be_no_stream_is_told(simulate: Start, ask: Call, path: str, words: str) -> None:
    reply = ask(simulate(), path)
    assert reply.status == 400
    assert words in reply.json["error"]
    with pytest.raises(BadPath):
        read_stream(path)


# WebSocket


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while (frame := incoming(data)) is not None:
        size = data[1]
        head = 2 if size < 126 else 4 if size == 126 else 10
        found.append((frame.opcode, data[head : frame.length]))
        data = data[frame.length :]
    return found


def masked(opcode: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    coded = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload)) + mask + coded


def test_a_websocket_tells_pings_and_closes(simulate: Start) -> None:
    simulator = simulate()
    path = "/stream/websocket;shape=jetstream;messages=3;beat=0.02;size=70000"
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n".encode())
        data = b""
        while b"\x89\x05thump" not in data:
            data += sock.recv(1 << 20)
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        sock.sendall(masked(10, b"thump") + masked(8, b"\x03\xe8"))
        while part := sock.recv(65536):
            data += part
    frames = server_frames(data)
    texts = [json.loads(payload)["commit"]["rkey"] for opcode, payload in frames if opcode == 1]
    assert texts == ["1", "2", "3"]
    assert frames[-1] == (8, b"\x03\xe8")
    assert truth(simulator, path)["pongs"] == 1


def test_a_websocket_wants_a_handshake(simulate: Start, ask: Call) -> None:
    assert ask(simulate(), "/stream/websocket").status == 426


# Everything


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_json_with_its_id(shape: ShapeName) -> None:
    def texts(value: object) -> Iterator[object]:
        yield value
        for inner in value.values() if isinstance(value, dict) else ():
            yield from texts(inner)
        for inner in value if isinstance(value, list) else ():
            yield from texts(inner)

    simulator = Simulator()
    for number in (1, 2, 3, 50, 999):
        message = stream_message(simulator.settings, shape, number)
        assert SHAPES[shape].key(number) in list(texts(json.loads(message)))
        assert any(byte >= 0xC0 for byte in message)
    assert len(stream_message(simulator.settings, shape, 7, size=5000)) >= 5000
    for said in (SHAPES[shape].warning, SHAPES[shape].disconnect, SHAPES[shape].hello):
        assert not said or json.loads(said)


def test_every_option_is_read() -> None:
    assert set(READERS) <= set(read_stream("/stream/crlf").__dataclass_fields__)


def test_a_reset_of_the_counts_begins_streams_anew(simulate: Start, ask: Call) -> None:
    simulator = simulate()
    whole(simulator, "/stream/lf;messages=1;ends=close")
    ask(simulator, "/_reset", method="POST")
    assert simulator.truth()["streams"] == {}
