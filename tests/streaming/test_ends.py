"""How an answer ends, and what its head says: what is cut is said, what is whole is not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import islice

import msgspec
import pytest
from tests.http.wire import Peer, wire
from tests.streaming.test_frames_of_websockets import CLOSE, TEXT, frame
from tests.streaming.test_odd_messages import handshake
from tests.streaming.test_stream import by_turns, chunked, ends, quick
from tests.waiting import until

from penstock.clock import FakeClock
from penstock.errors import InputError, PermanentError
from penstock.http import Headers, Post, Profile
from penstock.pipeline import Checkpoint, LandedGap
from penstock.streaming import Block, Gap, Message, Stream, StreamFeed

LINES = b'{"id":1}\n{"id":2}\n'
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PACKED = gzip.compress(LINES, mtime=0)


def sends(data: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return script


def gone(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")


def read(data: bytes, framing: str | None = None) -> tuple[list[object], list[str]]:
    """Return the ids and the gaps of an answer after which the server has nothing more."""
    with wire(by_turns(sends(data), gone)) as server:
        with Stream(server.url, preset=quick("plain"), framing=framing) as stream:
            items = list(stream)
    ids = [item.value.id for item in items if isinstance(item, Message)]
    return ids, [item.reason for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize(
    ("answer", "is_cut"),
    [
        (b"Content-Length: 18\r\n\r\n" + LINES, False),
        (b"\r\n" + LINES, False),  # nobody knows
        (b"Content-Length: 99\r\n\r\n" + LINES, True),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(LINES) + b"0\r\n\r\n", False),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(LINES), True),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(LINES) + b"zz\r\n", True),
        (b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", False),
        (b"Content-Encoding: gzip\r\n\r\n" + PACKED, False),
        (b"Content-Encoding: gzip\r\n\r\n" + PACKED + b"\0\0", False),
        (b"Content-Encoding: identity, gzip\r\n\r\n" + PACKED, False),
        (b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-5], True),
        (b"Content-Encoding: gzip\r\n\r\n" + PACKED + b"more", True),
        (b"Content-Encoding: gzip\r\n\r\n" + LINES, True),
        (b"Content-Encoding: none\r\n\r\n" + LINES, False),
    ],
)
def test_an_answer_that_was_cut_between_two_messages_is_a_gap(answer: bytes, is_cut: bool) -> None:
    """The server had nothing more then, and the run ended as if all had been there."""
    ids, gaps = read(JSON + answer)
    assert ids in ([1, 2], [])
    assert gaps == ["no-resume"] * is_cut
    assert is_cut or ids == [1, 2] or b"Length: 0" in answer


def test_a_run_that_ends_while_a_source_that_cannot_go_back_is_down_says_what_is_missing() -> None:
    """A message was cut, no connection came after it, and the time was up: exit code 0."""
    with wire(by_turns(sends(JSON + b"\r\n" + LINES + b'{"id":'), Peer.gone)) as server:
        with Stream(server.url, preset=quick("plain"), id="id") as stream:
            assert stream.missing is None
            assert [message.value.id for message in islice(stream.messages(), 2)] == [1, 2]
            until(lambda: stream.missing is not None)
            feed = StreamFeed(stream, seconds=0)
            entries = [entry for lot in feed.lots(None) for entry in lot.items]
        assert [type(entry) for entry in entries] == [LandedGap, Checkpoint]
        assert feed.lost == 1


def test_an_answer_that_ends_where_the_buffer_is_full_is_read_to_its_end() -> None:
    """libcurl pauses nothing that has ended; that ended the stream, and what was left was lost."""
    lines = b"".join(json.dumps({"id": n, "x": "y" * 300}).encode() + b"\n" for n in range(900))
    answer = JSON + b"Content-Length: %d\r\n\r\n" % len(lines) + lines
    with wire(by_turns(sends(answer), gone)) as server:
        with Stream(server.url, preset=quick("plain"), overflow=Block(10)) as stream:
            assert [item.value.id for item in stream.messages()] == list(range(900))
        assert server.connections == 2


def test_trailers_say_nothing_about_the_answer() -> None:
    """They came with the head, and their Content-Type counted as a second one."""
    whole = b"Transfer-Encoding: chunked\r\n\r\n" + chunked(LINES)
    assert read(JSON + whole + b"0\r\nContent-Type: text/html\r\n\r\n") == ([1, 2], [])
    head = b"HTTP/1.1 103 Early\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nA: 2\r\n\r\nA: 3\r\n\r\n"
    assert dict(Headers(head)) == {"a": "2"}


@pytest.mark.parametrize("data", [b"hello\n" + LINES, b"\x00\x01\x02"])
def test_what_is_not_http_is_a_fault_of_the_moment(data: bytes) -> None:
    """A proxy that begins: it was called a mistake in the URL, for which the stream ended."""
    with wire(by_turns(sends(data), sends(JSON + b"\r\n" + LINES), gone)) as server:
        with Stream(server.url, preset=quick("plain")) as stream:
            assert [item.value.id for item in stream.messages()] == [1, 2]
        assert "answer is not HTTP" in stream.status.last_reason or server.connections == 3


def test_a_coding_that_nobody_asked_for_is_named() -> None:
    coded = JSON + b"Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(coded + chunked(b"x"))
        ends(peer)

    with wire(by_turns(script, gone)) as server:
        with Stream(server.url, preset=quick("plain")) as stream:
            list(stream)
    assert stream.status.last_reason.endswith("the server sends an unknown coding 'br'")


def drops(peer: Peer) -> None:
    peer.request()


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (drops, "closed without an answer"),
        (sends(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), "500 Internal"),
        (sends(JSON + b"Content-Length: 99\r\n\r\n" + LINES), "cut short"),
    ],
)
def test_a_post_that_may_have_acted_is_not_sent_again(
    turn: Callable[[Peer], None], words: str
) -> None:
    """Where its answer never came it was sent again, and again."""
    for request in (Post("/", json={}), Post("/", json={}, idempotent=True)):
        with wire(by_turns(turn, sends(JSON + b"\r\n" + LINES), gone)) as server:
            asked = msgspec.structs.replace(request, path=server.url)
            stream = Stream(asked, preset=quick("plain"), into=bytes, clock=FakeClock())
            if request.repeatable:
                assert len({message.body for message in stream.messages()}) == 2
            else:
                with pytest.raises(PermanentError, match=f"{words}.*not sent again unasked"):
                    list(stream)
                assert server.connections == 1


def test_a_post_that_was_refused_for_now_is_sent_again() -> None:
    busy = sends(b"HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
    with wire(by_turns(busy, sends(JSON + b"\r\n" + LINES))) as server:
        assert len(list(Stream(Post(server.url, json={}), preset=quick("plain")))) == 2


@pytest.mark.parametrize("there", ["file:///etc/passwd", "ftp://127.0.0.1/", "javascript:1"])
def test_a_redirect_leads_to_http_alone(there: str) -> None:
    """Others were taken for a path of the server."""
    answer = f"HTTP/1.1 302 X\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
    with wire(sends(answer.encode())) as server:
        with pytest.raises(PermanentError, match=f"redirected, to {there}"):
            list(Stream(server.url, preset=quick("plain")))


GOOD = (1000).to_bytes(2)


def socketed(*frames: bytes, lines: tuple[str, ...] = ()) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        handshake(peer, *lines)
        for one in frames:
            peer.send(one)

    return script


@pytest.mark.parametrize(
    ("rest", "is_cut"),
    [
        (frame(CLOSE, GOOD), False),
        (frame(CLOSE), False),
        (frame(CLOSE, GOOD) + frame(TEXT, b'{"id":9}'), False),  # nothing may follow
        (frame(CLOSE, GOOD) + b"\x81", False),
        (b"", True),
        (frame(TEXT, b'{"id":2}')[:5], True),
        (b"\x01\x02{}" + frame(CLOSE, GOOD), True),  # within a message
    ],
)
def test_a_websocket_ends_with_a_close_frame_or_was_cut(rest: bytes, is_cut: bool) -> None:
    """With ``once`` a connection that broke was taken for the end of the stream."""
    first = socketed(frame(TEXT, b'{"id":1}') + rest)
    last = socketed(frame(TEXT, b'{"id":3}') + frame(CLOSE, GOOD))
    with wire(by_turns(first, last)) as server:
        url = server.url.replace("http", "ws")
        with Stream(url, preset=quick("plain", once=True)) as stream:
            items = list(stream)
        assert server.connections == 1 + is_cut
    ids = [item.value.id for item in items if isinstance(item, Message)]
    assert (ids, any(isinstance(item, Gap) for item in items)) == ([1, 3][: 1 + is_cut], is_cut)


def test_an_answer_of_once_that_is_cut_is_asked_for_again() -> None:
    """Its coding has no end: the next one is asked for without, where the end is seen."""
    cut = sends(JSON + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-5])
    with wire(by_turns(cut, sends(JSON + b"Content-Length: 18\r\n\r\n" + LINES))) as server:
        with Stream(server.url, preset=quick("plain", once=True), id="id") as stream:
            assert {item.value.id for item in stream.messages()} == {1, 2}
        assert [asked.headers["accept-encoding"] for asked in server.asked][1:] == ["identity"]


def test_a_websocket_says_that_it_is_one() -> None:
    """RFC 6455, section 4.1: the answer to our key, and no extension that nobody asked for."""

    def cached(peer: Peer) -> None:
        peer.request()
        lines = (b"HTTP/1.1 101 X", b"Upgrade: websocket", b"Connection: Upgrade")
        peer.send(b"\r\n".join([*lines, b"Sec-WebSocket-Accept: AAAA", b"", b""]))
        peer.send(frame(TEXT, b'{"id":1}'))

    foreign = socketed(lines=("Sec-WebSocket-Extensions: permessage-foo",))
    for script, words in ((cached, "Sec-WebSocket-Accept"), (foreign, "permessage-foo")):
        with wire(script) as server, pytest.raises(InputError, match=words):
            list(Stream(server.url.replace("http", "ws"), preset=quick("plain")))


def test_a_server_that_keeps_all_of_its_compressed_bytes_is_asked_for_none() -> None:
    """PouchDB Server: not even the head of gzip came, so that it was taken for silent, always."""

    def silent(peer: Peer) -> None:
        peer.request()
        peer.send(JSON + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.gone()

    with wire(
        by_turns(silent, sends(JSON + b"Content-Length: 18\r\n\r\n" + LINES), gone)
    ) as server:
        profile = Profile(stall=0.2)
        with Stream(server.url, preset=quick("plain"), profile=profile) as stream:
            assert [item.value.id for item in stream.messages()] == [1, 2]
        assert [asked.headers["accept-encoding"] for asked in server.asked][1] == "identity"
