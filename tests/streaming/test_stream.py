"""A stream over real sockets: servers that drop, stall, lie and hold back, and nothing is lost."""

from __future__ import annotations

import dataclasses
import gzip
import json
import signal
import string
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oauthlib import oauth1
from oauthlib.oauth1.rfc5849 import signature
from tests.http.wire import Asked, Peer, answer, wire

from penstock.clock import FakeClock
from penstock.errors import GaveUp, InputError, PermanentError
from penstock.events import Event, Events, Retry
from penstock.http import Api, Bearer, Get, OAuth1, Post, Profile, Record
from penstock.streaming import (
    PRESETS,
    Block,
    ConnectionWindow,
    Cursor,
    DropOldest,
    Gap,
    LinearWaits,
    Message,
    MessageTooLarge,
    Preset,
    ReconnectPolicy,
    ServerNotice,
    Spill,
    Stream,
    framing,
)

SOURCES = Path(__file__).parents[2] / "src"
QUICK = ReconnectPolicy(
    network=LinearWaits(0.001, 0.002), windows=(ConnectionWindow(1000, 1.0),), healthy=0.0
)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n%s\r\n"
JSON = b"application/json"


def quick(name: str, **changes: Any) -> Preset:
    return dataclasses.replace(PRESETS[name], policy=QUICK, **changes)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def begin(peer: Peer, kind: bytes = JSON, lines: bytes = b"") -> Asked:
    asked = peer.request()
    if asked is None:
        raise OSError("the client has left before it asked")
    peer.send(HEAD % (kind, lines))
    return asked


def line(number: int, end: bytes = b"\n") -> bytes:
    return b'{"id":%d}' % number + end


def state(stream: Stream[Any]) -> str:
    return stream.status.state


def numbers(items: Iterator[Any]) -> list[int]:
    return [item.value.id for item in items if isinstance(item, Message)]


def by_turns(*turns: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """Follow another script for each connection, the last one for all that come after."""
    left = list(turns)

    def script(peer: Peer) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(peer)

    return script


def sends(*bodies: bytes, then: Callable[[Peer], None] = Peer.gone) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        begin(peer)
        for body in bodies:
            peer.send(chunked(body))
        then(peer)

    return script


def ends(peer: Peer) -> None:
    peer.send(b"0\r\n\r\n")


# Messages


def test_messages_come_as_records_and_the_stream_says_what_it_saw() -> None:
    with wire(sends(line(1) + b"\n" + line(2), line(3)[:4], line(3)[4:])) as server:
        with Stream(f"{server.url}/s?key=secret", framing="lf") as stream:
            items = list(islice(stream, 3))
            assert [type(item) for item in items] == [Message] * 3
            assert numbers(iter(items)) == [1, 2, 3]
            assert stream.counters.messages == 3
            assert stream.counters.keepalives == 1
            assert stream.counters.reconnects == 0
            assert state(stream) == "live"
            assert stream.source == f"plain {server.url}/s"
            assert stream.cursor is None
        assert state(stream) == "ended"
        assert server.asked[0].headers["accept-encoding"] == "zstd, gzip"
        assert server.asked[0].target == "/s?key=secret"


class Row(msgspec.Struct):
    id: int


def test_messages_as_a_type_of_ones_own_and_as_bytes() -> None:
    with wire(sends(line(1), line(2))) as server:
        with Stream(server.url, framing="lf", into=Row) as rows:
            assert [row.value for row in islice(rows.messages(), 2)] == [Row(1), Row(2)]
        with Stream(server.url, framing="lf", into=bytes) as bodies:
            assert [m.value for m in islice(bodies.messages(), 2)] == [b'{"id":1}', b'{"id":2}']


def test_a_stream_that_is_left_closes_itself_outside_of_a_with_block() -> None:
    with wire(sends(line(1), line(2))) as server:
        stream = Stream(server.url, framing="lf")
        for _ in stream:
            break
        with pytest.raises(InputError, match="the stream is closed"):
            next(iter(stream))


def test_stop_ends_the_iteration_after_what_was_received() -> None:
    with wire(sends(line(1) + line(2))) as server, Stream(server.url, framing="lf") as stream:
        found = []
        for message in stream.messages():
            found.append(message.value.id)
            stream.stop()
        assert found == [1, 2]


def test_batches_are_lists_and_an_empty_one_gives_the_caller_its_turn() -> None:
    with wire(sends(line(1) + line(2))) as server, Stream(server.url, framing="lf") as stream:
        lists = []
        for items in stream.batches(wait=0.01):
            lists.append(len(items))
            if lists[-1] == 0 and sum(lists) == 2:
                break
        assert 2 in lists


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_however_the_server_cuts_its_chunks(size: int) -> None:
    text = "".join(
        json.dumps({"id": n, "t": "é\u2028😀"}, ensure_ascii=False) + "\r\n" for n in range(50)
    )
    data = text.encode()
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    with wire(sends(*pieces)) as server, Stream(server.url, framing="crlf") as stream:
        assert numbers(islice(stream, 50)) == list(range(50))


def test_a_stream_delimited_by_its_closing_is_not_one_message_late() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + line(1))
        peer.gone()

    with wire(script) as server, Stream(server.url) as stream:
        assert numbers(islice(stream, 1)) == [1]  # while nothing more comes


def test_the_chunk_is_the_message() -> None:
    bodies = [b'{"id":1}', b'{"id":2,\n"x":"}"}', b" ", b'{"id":3}']
    with wire(sends(*bodies)) as server, Stream(server.url, framing="chunk") as stream:
        assert numbers(islice(stream, 3)) == [1, 2, 3]
        assert stream.counters.keepalives == 1
        assert server.asked[0].headers["accept-encoding"] == "identity"


def test_the_framing_is_told_by_the_content_type() -> None:
    def script(peer: Peer) -> None:
        begin(peer, b"application/json-seq")
        peer.send(chunked(b'\x1e{"id":1}\n'))
        peer.gone()

    with wire(script) as server, Stream(server.url) as stream:
        assert numbers(islice(stream, 1)) == [1]


# Compression


def compressed(*pieces: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> list[bytes]:
    packer = zlib.compressobj(wbits=31)
    return [packer.compress(piece) + packer.flush(flush) for piece in pieces]


def test_each_flushed_message_comes_at_once() -> None:
    def script(peer: Peer) -> None:
        begin(peer, lines=b"Content-Encoding: gzip\r\n")
        for piece in compressed(line(1), line(2)):
            peer.send(chunked(piece))
        peer.gone()

    with wire(script) as server, Stream(server.url) as stream:
        assert numbers(islice(stream, 2)) == [1, 2]
        assert stream.counters.decoded_bytes == 18
        assert stream.counters.wire_bytes != 18


def test_gzip_of_several_members() -> None:
    def script(peer: Peer) -> None:
        begin(peer, lines=b"Content-Encoding: gzip\r\n")
        whole = gzip.compress(line(1)) + gzip.compress(line(2)) + gzip.compress(line(3))
        for n in range(len(whole)):
            peer.send(chunked(whole[n : n + 1]))
        peer.gone()

    with wire(script) as server, Stream(server.url) as stream:
        assert numbers(islice(stream, 3)) == [1, 2, 3]


@pytest.mark.parametrize("held", [10, 45], ids=["only its header came", "some bytes came"])
def test_a_server_that_never_flushes_is_asked_for_no_compression_and_for_good(held: int) -> None:
    text = b"".join(b'{"id":%d,"t":"%s"}\n' % (n, string.printable.encode()) for n in range(99))
    begun = gzip.compress(text)[:held]
    assert zlib.decompressobj(wbits=31).decompress(begun) == b""

    def held_back(peer: Peer) -> None:
        begin(peer, lines=b"Content-Encoding: gzip\r\n")
        peer.send(chunked(begun))
        peer.gone()

    script = by_turns(held_back, sends(line(1), then=ends), sends(line(2)))
    preset = quick("plain", decoded_stall=0.05, wire_stall=0.1 if held == 10 else 60.0)
    with wire(script) as server, Stream(server.url, preset=preset) as stream:
        assert numbers(islice(stream.messages(), 2)) == [1, 2]
    codings = [asked.headers["accept-encoding"] for asked in server.asked]
    assert codings == ["zstd, gzip", "identity", "identity"]


def test_an_unknown_coding_is_asked_away() -> None:
    def strange(peer: Peer) -> None:
        begin(peer, lines=b"Content-Encoding: snappy\r\n")
        peer.send(chunked(b"???"))
        peer.gone()

    with wire(by_turns(strange, sends(line(1)))) as server:
        with Stream(server.url, preset=quick("plain")) as stream:
            assert numbers(islice(stream.messages(), 1)) == [1]


# Drops


def cut_in_chunk(peer: Peer) -> None:
    peer.send(b'50\r\n{"id":99')


def cut_in_character(peer: Peer) -> None:
    peer.send(chunked('{"t":"é'.encode()[:-1]))


@pytest.mark.parametrize("end", [ends, Peer.reset, cut_in_chunk, cut_in_character])
def test_whatever_the_end_the_stream_goes_on_and_says_what_may_be_missing(
    end: Callable[[Peer], None],
) -> None:
    events, retries = Events(), list[Event]()
    events.subscribe(retries.append)
    script = by_turns(sends(line(1), then=end), sends(line(2)))
    with wire(script) as server:
        with Stream(server.url, preset=quick("plain"), events=events) as stream:
            first, gap, second = islice(stream, 3)
            assert numbers(iter([first, second])) == [1, 2]
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.count) == ("no-resume", None)
            assert gap.until is not None
            assert gap.since <= gap.until
            counters = stream.counters
            assert (counters.reconnects, counters.gaps) == (1, 1)
            cut = end in (cut_in_chunk, cut_in_character)
            assert (counters.unfinished, counters.unfinished_bytes > 0) == (int(cut), cut)
    assert [type(retry) for retry in retries] == [Retry]


def test_a_stall_is_noticed_and_the_stream_goes_on() -> None:
    script = by_turns(sends(line(1)), sends(line(2)))
    with wire(script) as server:
        with Stream(server.url, preset=quick("plain", wire_stall=0.1)) as stream:
            assert numbers(islice(stream.messages(), 2)) == [1, 2]


def test_heartbeats_keep_a_quiet_stream_up() -> None:
    def thumps(peer: Peer) -> None:
        begin(peer)
        waiting = threading.Event()
        for _ in range(8):
            peer.send(chunked(b"\n"))
            waiting.wait(0.1)
        peer.send(chunked(line(1)))
        peer.gone()

    with wire(thumps) as server:
        with Stream(server.url, preset=quick("plain", wire_stall=0.5)) as stream:
            assert numbers(islice(stream, 1)) == [1]
            assert stream.counters.keepalives == 8
            assert stream.counters.reconnects == 0


def test_a_server_that_is_away_is_waited_for_by_the_documented_curve() -> None:
    """On the fake clock: 30 failures, and not a second passes."""
    events, waits = Events(), []
    events.subscribe(lambda event: waits.append(event.wait))  # type: ignore[attr-defined] # a Retry
    with wire(lambda _peer: None) as server:
        url = server.url
    clock = FakeClock()
    policy = ReconnectPolicy(attempts=31, windows=())
    with Stream(url, policy=policy, events=events, clock=clock) as stream:
        with pytest.raises(GaveUp, match="cannot connect"):
            next(iter(stream))
    assert waits == [0.25 * n for n in range(1, 31)]
    assert clock.monotonic() == sum(waits)


def test_http_errors_and_refusals_for_the_rate_wait_by_theirs() -> None:
    events, waits = Events(), []
    events.subscribe(lambda event: waits.append((event.status, event.wait)))  # type: ignore[attr-defined] # a Retry
    replies = [503, 503, 429, 420, 503]

    def script(peer: Peer) -> None:
        peer.request()
        if replies:
            peer.send(answer(b"no", replies.pop(0), "Connection: close"))
        else:
            begin_without_request(peer)

    def begin_without_request(peer: Peer) -> None:
        peer.send(HEAD % (JSON, b"") + chunked(line(1)))
        peer.gone()

    with wire(script) as server, Stream(server.url, events=events, clock=FakeClock()) as stream:
        assert numbers(islice(stream, 1)) == [1]
    assert waits == [(503, 5.0), (503, 10.0), (429, 60.0), (420, 120.0), (503, 20.0)]


def test_retry_after_and_reset_headers_are_obeyed() -> None:
    clock = FakeClock(epoch=1_800_000_000.0)
    events, waits = Events(), []
    events.subscribe(lambda event: waits.append(event.wait))  # type: ignore[attr-defined] # a Retry
    told = [
        answer(b"", 503, "Retry-After: 33", "Connection: close"),
        answer(b"", 429, "x-rate-limit-remaining: 0", "x-rate-limit-reset: 1800000933"),
    ]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(told.pop(0) if told else HEAD % (JSON, b"") + chunked(line(1)))
        if not told:
            peer.gone()

    with wire(script) as server, Stream(server.url, events=events, clock=clock) as stream:
        assert numbers(islice(stream, 1)) == [1]
    assert waits == [33.0, 900.0]


def test_a_storm_of_clean_closes_gets_few_connections() -> None:
    """Each connection ends at once: by the clock of the policy, never more than 4 in 3 s."""
    clock, dials = FakeClock(), []

    def script(peer: Peer) -> None:
        dials.append(clock.monotonic())
        begin(peer)
        ends(peer)

    with wire(script) as server:
        policy = ReconnectPolicy(attempts=12)
        with Stream(server.url, policy=policy, clock=clock) as stream:
            with pytest.raises(GaveUp, match="closed by the server"):
                list(stream)
    assert len(dials) == 12
    assert max(sum(t <= d < t + 3.0 for d in dials) for t in dials) <= 4


# Ends


@pytest.mark.parametrize("status", [401, 403, 404, 406])
def test_what_cannot_be_mended_by_coming_again_ends_with_one_line(status: int) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"no such stream", status))

    with wire(script) as server, Stream(server.url) as stream:
        with pytest.raises(InputError, match=f"{status} .*it said 'no such stream'") as caught:
            next(iter(stream))
        assert caught.value.exit_code == 2
        assert server.connections == 1


def test_204_ends_server_sent_events_in_good_order() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with wire(script) as server, Stream(server.url, preset="sse") as stream:
        assert list(stream) == []


def test_a_web_page_is_no_stream() -> None:
    def page(kind: bytes) -> Callable[[Peer], None]:
        def script(peer: Peer) -> None:
            begin(peer, kind)
            peer.send(chunked(b"<!DOCTYPE html><title>Log in</title>\n"))
            peer.gone()

        return script

    for kind in (b"text/html; charset=utf-8", JSON):
        with wire(page(kind)) as server, Stream(server.url, preset="twitter") as stream:
            with pytest.raises(InputError, match=r"is a web page.*the stream") as caught:
                next(iter(stream))
            assert "\n" not in str(caught.value)


def test_server_sent_events_of_another_content_type_are_refused() -> None:
    with wire(sends(line(1))) as server, Stream(server.url, preset="sse") as stream:
        with pytest.raises(InputError, match="is application/json, not text/event-stream"):
            next(iter(stream))


def test_a_message_beyond_the_bound_ends_the_stream_after_those_before_it() -> None:
    with wire(sends(line(1) + b'"' + b"x" * 100 + b'"\n')) as server:
        with Stream(server.url, framing=framing.lf(max_bytes=50)) as stream:
            messages = stream.messages()
            assert next(messages).value.id == 1
            with pytest.raises(MessageTooLarge, match="max_bytes=50"):
                next(messages)


@pytest.mark.parametrize("url", ["stream.example.com", "ftp://x.example/", "https://", "/path"])
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError, match="is not the URL of a stream"):
        Stream(url)


# Going on


def events_from(peer: Peer, first: int, last: int) -> None:
    for n in range(first, last):
        peer.send(chunked(b'id: %d\ndata: {"id":%d}\n\n' % (n, n)))


def test_server_sent_events_go_on_after_the_last_id_without_a_gap() -> None:
    def script(peer: Peer) -> None:
        asked = begin(peer, b"text/event-stream")
        start = int(asked.headers.get("last-event-id", "-1")) + 1
        events_from(peer, start, start + 7)
        peer.send(b"25\r\nid: 1000\nda")  # cut within an event: its id does not count

    with wire(script) as server:
        with Stream(server.url, preset=quick("sse")) as stream:
            items = list(islice(stream, 50))
            assert numbers(iter(items)) == list(range(50))
            assert stream.cursor == Cursor(stream.source, "49")
            assert stream.counters.gaps == 0
        with Stream(server.url, preset=quick("sse"), cursor=Cursor(stream.source, "49")) as more:
            assert numbers(islice(more, 3)) == [50, 51, 52]


def test_the_cursor_is_of_what_was_handed_out_and_not_of_what_was_received() -> None:
    def script(peer: Peer) -> None:
        begin(peer, b"text/event-stream")
        events_from(peer, 0, 10)
        peer.gone()

    with wire(script) as server, Stream(server.url, preset="sse") as stream:
        for message in stream.messages():
            assert stream.cursor == Cursor(stream.source, message.cursor or "")
            if message.id == "6":
                break
        assert stream.cursor == Cursor(stream.source, "6")


def test_the_wait_that_the_server_asks_for_within_the_stream() -> None:
    events, waits = Events(), []
    events.subscribe(lambda event: waits.append(event.wait))  # type: ignore[attr-defined] # a Retry

    def script(peer: Peer) -> None:
        begin(peer, b"text/event-stream")
        peer.send(chunked(b"retry: 7000\n\n"))
        events_from(peer, 0, 1)
        ends(peer)

    with wire(script) as server:
        with Stream(server.url, preset="sse", events=events, clock=FakeClock()) as stream:
            list(islice(stream, 3))
    assert waits[:2] == [7.0, 7.0]


def test_a_cursor_of_another_stream_is_refused() -> None:
    with pytest.raises(InputError, match="the cursor is of another stream, 'sse https://a"):
        Stream("https://b.example/", preset="sse", cursor=Cursor("sse https://a.example/", "7"))


def test_overlap_is_left_out_and_counted() -> None:
    def script(peer: Peer) -> None:
        asked = begin(peer, b"text/event-stream")
        start = max(0, int(asked.headers.get("last-event-id", "0")) - 2)
        for n in range(start, start + 6):
            data = json.dumps({"id": n, "meta": {"id": f"m{n}", "domain": "x"}}).encode()
            peer.send(chunked(b"id: %d\ndata: %s\n\n" % (n, data)))
        ends(peer)

    with wire(script) as server, Stream(server.url, preset=quick("eventstreams")) as stream:
        assert numbers(islice(stream, 12)) == list(range(12))
        assert stream.counters.duplicates >= 6
        assert stream.counters.gaps == 0


def test_couchdb_goes_on_from_its_sequence() -> None:
    def script(peer: Peer) -> None:
        asked = begin(peer)
        assert "feed=continuous" in asked.target
        start = int(asked.target.partition("since=")[2].partition("&")[0] or 0)
        for n in range(start + 1, start + 4):
            peer.send(chunked(b'{"seq":%d,"id":"d%d","changes":[]}\n' % (n, n)))

    with wire(script) as server, Stream(server.url, preset=quick("couchdb")) as stream:
        found = [item.cursor for item in islice(stream, 9) if isinstance(item, Message)]
        assert found == [str(n) for n in range(1, 10)]


def test_a_cursor_too_old_in_a_200_is_a_gap_and_a_new_beginning() -> None:
    gone = b'{"type":"ERROR","object":{"code":410,"message":"too old"}}\n'
    pod = b'{"type":"ADDED","object":{"metadata":{"uid":"u","resourceVersion":"%d"}}}\n'
    script = by_turns(sends(pod % 7, then=ends), sends(gone, then=ends), sends(pod % 90))
    with wire(script) as server, Stream(server.url, preset=quick("kubernetes")) as stream:
        kinds = [(item.kind, getattr(item, "since", "")) for item in islice(stream, 4)]
        assert kinds == [("ADDED", ""), ("error", ""), ("gap", "7"), ("ADDED", "")]
    targets = [asked.target for asked in server.asked]
    assert ["resourceVersion=7" in target for target in targets] == [False, True, False]


def test_a_cursor_too_old_by_status_is_one_as_well() -> None:
    def refuses(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"{}", 410))

    pod = b'{"type":"ADDED","object":{"metadata":{"uid":"u","resourceVersion":"90"}}}\n'
    with wire(by_turns(refuses, sends(pod))) as server:
        with Stream(server.url, preset=quick("kubernetes"), cursor="7") as stream:
            gap, message = islice(stream, 2)
            assert isinstance(gap, Gap)
            assert (gap.since, gap.reason) == ("7", "cursor-too-old")
            assert message.kind == "ADDED"


def test_etcd_asks_for_the_next_revision_and_is_left_where_it_says_compacted() -> None:
    watched: list[dict[str, Any]] = []

    def event(revision: int) -> bytes:
        events = [{"kv": {"key": "a", "mod_revision": str(revision)}}]
        return json.dumps({"result": {"header": {"revision": "99"}, "events": events}}).encode()

    compacted = b'{"result":{"canceled":true,"compact_revision":"50"}}\n'

    def script(peer: Peer) -> None:
        asked = begin(peer)
        watched.append(json.loads(asked.body)["create_request"])
        turns = [event(5) + b"\n", compacted, event(60) + b"\n"]
        peer.send(chunked(turns[min(len(watched), 3) - 1]))
        if len(watched) == 2:
            peer.gone()  # it stays open: we have to leave
        elif len(watched) == 3:
            peer.gone()

    watch = Post("", json={"create_request": {"key": "YQ=="}})
    with wire(script) as server:
        request = msgspec.structs.replace(watch, path=f"{server.url}/v3/watch")
        with Stream(request, preset=quick("etcd")) as stream:
            items = list(islice(stream, 4))
    assert [item.kind for item in items] == ["data", "canceled", "gap", "data"]
    revisions = [create.get("start_revision") for create in watched]
    assert revisions == [None, 6, None]


def test_x_fills_in_the_minutes_it_was_away_and_says_what_is_beyond() -> None:
    clock = FakeClock(epoch=1_800_000_000.0)

    def script(peer: Peer) -> None:
        begin(peer)
        peer.send(chunked(b'{"data":{"id":"1"}}\r\n'))
        peer.gone()

    with wire(script) as server:
        earlier = Cursor(f"x {server.url}/2/stream", f"{clock.time() - 100:.3f}")
        with Stream(f"{server.url}/2/stream", preset="x", cursor=earlier, clock=clock) as stream:
            assert [item.kind for item in islice(stream, 1)] == ["data"]
        long_ago = f"{clock.time() - 1000:.3f}"
        with Stream(f"{server.url}/2/stream", preset="x", cursor=long_ago, clock=clock) as stream:
            gap, _ = islice(stream, 2)
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.until) == ("backfill", "2027-01-15T07:55:00.000Z")
    minutes = [asked.target.partition("=")[2] for asked in server.asked]
    assert minutes == ["2", "5"]


# In-band messages over the wire


def test_twitter_as_documented() -> None:
    lines = [
        b'{"created_at":"x","id_str":"1"}',
        b"",
        b'{"limit":{"track":5}}',
        b'{"delete":{"status":{"id_str":"1"}}}',
        b'{"disconnect":{"code":7,"reason":"admin logout"}}',
    ]
    first = sends(b"".join(line + b"\r\n" for line in lines), then=ends)
    with wire(by_turns(first, sends(b'{"created_at":"x","id_str":"2"}\r\n'))) as server:
        with Stream(server.url, preset=quick("twitter")) as stream:
            items = list(islice(stream, 7))
            assert stream.counters.keepalives == 1
    kinds = [item.kind for item in items]
    assert kinds == ["data", "limit", "gap", "delete", "disconnect", "gap", "data"]
    assert [item.reason for item in items if isinstance(item, Gap)] == ["limit", "no-resume"]


def test_what_the_server_ends_for_good_ends_with_its_words() -> None:
    stop = b'{"errors":[{"disconnect_type":"UserNotAuthorized","detail":"access revoked"}]}\r\n'
    with wire(sends(stop)) as server, Stream(server.url, preset="x") as stream:
        iteration = iter(stream)
        assert isinstance(next(iteration), ServerNotice)
        with pytest.raises(PermanentError, match="the server ended the stream: access revoked"):
            next(iteration)


# Who we are


def test_oauth_is_signed_anew_for_each_connection_over_the_very_bytes_sent() -> None:
    auth = OAuth1("client", "client secret", "token", "token secret")
    bodies: list[Asked] = []

    def script(peer: Peer) -> None:
        bodies.append(begin(peer))
        peer.send(chunked(b'{"created_at":"x","id_str":"%d"}\r\n' % len(bodies)))
        if len(bodies) == 1:
            peer.reset()
        peer.gone()

    with wire(script) as server:
        url = f"{server.url}/1.1/statuses/filter.json"
        request = Post(url, form={"track": "iphone,ipad,ä ö", "stall_warnings": "true"})
        with Stream(request, preset=quick("twitter"), auth=auth) as stream:
            assert len(list(islice(stream.messages(), 2))) == 2
    first, second = bodies
    assert first.headers["authorization"] != second.headers["authorization"]
    assert first.body == second.body == b"track=iphone%2Cipad%2C%C3%A4+%C3%B6&stall_warnings=true"
    assert all(verified(asked, url) for asked in bodies)


def verified(asked: Asked, url: str) -> bool:
    headers = {"Authorization": asked.headers["authorization"]}
    pairs = signature.collect_parameters(
        body=asked.body.decode(), headers=headers, exclude_oauth_signature=False
    )
    given = dict(pairs)["oauth_signature"]
    unsigned = [(name, value) for name, value in pairs if name != "oauth_signature"]
    base = signature.signature_base_string(
        "POST",
        signature.base_string_uri(url),
        signature.normalize_parameters(unsigned),  # type: ignore[arg-type] # pairs, as it says itself
    )
    secret = oauth1.Client("client", "client secret", "token", "token secret")
    return bool(signature.sign_hmac_sha1_with_client(base, secret) == given)


def test_credentials_do_not_follow_a_redirect_to_another_origin() -> None:
    with wire(sends(line(1))) as there:

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(answer(b"", 307, f"Location: {there.url}/elsewhere"))

        with wire(script) as here, Stream(here.url, auth=Bearer("t0p")) as stream:
            assert numbers(islice(stream, 1)) == [1]
        assert here.asked[0].headers["authorization"] == "Bearer t0p"
        assert "authorization" not in there.asked[0].headers
        assert there.asked[0].target == "/elsewhere"


def test_redirects_without_end_are_an_error() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"", 302, "Location: /round"))

    with wire(script) as server, Stream(server.url, policy=QUICK) as stream:
        with pytest.raises(PermanentError, match="redirected too often"):
            next(iter(stream))


# Slow consumers


def flood(count: int, size: int = 1000) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        begin(peer)
        text = b"x" * size
        for n in range(count):
            peer.send(chunked(b'{"id":%d,"t":"%s"}\n' % (n, text)))
        peer.gone()

    return script


def held(stream: Stream[Any], first: int) -> Iterator[Any]:
    """Take the first item, and the others only when reading has stopped or caught up."""
    iteration = iter(stream)
    yield next(iteration)
    seen, still = -1, threading.Event()
    while seen != stream.counters.wire_bytes:
        seen = stream.counters.wire_bytes
        still.wait(0.15)
    yield from islice(iteration, first - 1)


def test_a_slow_consumer_holds_the_server_back_and_loses_nothing() -> None:
    with wire(flood(30_000)) as server:
        with Stream(server.url, framing="lf", overflow=Block(1_000_000)) as stream:
            items = list(held(stream, 30_000))
            assert numbers(iter(items)) == list(range(30_000))
            assert stream.counters.wire_bytes > 30_000_000


def test_reading_stops_at_the_bound() -> None:
    with wire(flood(30_000)) as server:
        with Stream(server.url, framing="lf", overflow=Block(1_000_000)) as stream:
            next(held(stream, 1))
            assert list(islice(held(stream, 2), 1))
            assert stream.counters.decoded_bytes < 10_000_000


def test_what_does_not_fit_is_spilled_to_disk_and_read_back_in_order(tmp_path: Path) -> None:
    with wire(flood(10_000)) as server:
        overflow = Spill(200_000, folder=tmp_path)
        with Stream(server.url, framing="lf", overflow=overflow) as stream:
            items = list(held(stream, 10_000))
            assert numbers(iter(items)) == list(range(10_000))
    assert list(tmp_path.iterdir()) == []  # it has no name


def test_events_are_spilled_as_events() -> None:
    def script(peer: Peer) -> None:
        begin(peer, b"text/event-stream")
        events_from(peer, 0, 5000)
        peer.gone()

    with wire(script) as server:
        with Stream(server.url, preset="sse", overflow=Spill(1000)) as stream:
            items = list(held(stream, 5000))
            assert [item.id for item in items] == [str(n) for n in range(5000)]


def test_the_oldest_are_dropped_where_told_so_and_counted() -> None:
    with wire(flood(10_000)) as server:
        with Stream(server.url, framing="lf", overflow=DropOldest(200_000)) as stream:
            found: list[int] = []
            missing = 0
            for item in held(stream, 100_000):
                if isinstance(item, Gap):
                    assert (item.reason, item.until is None) == ("overflow", False)
                    missing += item.count or 0
                elif isinstance(item, Message):
                    found.append(item.value.id)
                if found and found[-1] == 9999:
                    break
            assert missing == stream.counters.dropped > 0
            assert found == sorted(found)
            assert len(found) + missing == 10_000


def test_a_slow_consumer_keeps_no_dropped_connection_down() -> None:
    """The stream's own thread connects again while nobody takes messages."""
    again = threading.Event()

    def second(peer: Peer) -> None:
        begin(peer)
        again.set()
        peer.send(chunked(line(2)))
        peer.gone()

    with wire(by_turns(sends(line(1), then=ends), second)) as server:
        with Stream(server.url, preset=quick("plain")) as stream:
            iteration = iter(stream.messages())
            assert next(iteration).value.id == 1
            assert again.wait(10)
            assert next(iteration).value.id == 2


def test_the_first_byte_and_the_proxy_are_the_profiles() -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.gone()

    policy = dataclasses.replace(QUICK, attempts=2)
    profile = Profile(first_byte=0.05)
    with wire(silent) as server, Stream(server.url, policy=policy, profile=profile) as stream:
        with pytest.raises(GaveUp, match=r"no answer within 0.05 s"):
            next(iter(stream))


def test_many_streams_at_once_share_the_io_thread() -> None:
    with wire(sends(line(1), line(2))) as server:
        streams = [Stream(server.url, framing="lf") for _ in range(20)]
        assert [numbers(islice(stream, 2)) for stream in streams] == [[1, 2]] * 20


def test_calls_go_on_beside_a_stream_that_is_held_back() -> None:
    def user(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer(b'{"id":7}'))

    with wire(flood(30_000)) as flooding, wire(user) as users:
        api = Api(users.url)
        with Stream(flooding.url, framing="lf", overflow=Block(100_000)) as stream:
            iteration = iter(stream)
            next(iteration)
            assert [api.call(Get("/")).json() for _ in range(50)] == [{"id": 7}] * 50
            assert numbers(islice(iteration, 29_999)) == list(range(1, 30_000))


def test_ctrl_c_ends_a_stream_that_waits() -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(SOURCES)!r})
signal.signal(signal.SIGINT, signal.default_int_handler)
from penstock.streaming import Stream
try:
    for message in Stream(sys.argv[1]):
        print(message.value.id, flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
    with wire(sends(line(1))) as server:
        words = [sys.executable, "-c", program, server.url]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "1\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.read() == "stopped\n"
        assert child.returncode == 0


def test_a_record_is_what_a_message_is_by_default() -> None:
    with wire(sends(line(5))) as server, Stream(server.url) as stream:
        (message,) = islice(stream.messages(), 1)
        assert isinstance(message.value, Record)
        assert repr(stream).startswith("<Stream plain http://127.0.0.1")
