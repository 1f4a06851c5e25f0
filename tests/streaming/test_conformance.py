"""What the suites for browsers ask, written again as tables: event streams (WPT), WebSockets."""

from __future__ import annotations

import itertools
import zlib
from typing import NamedTuple

import pytest
from tests.streaming.test_frames_of_websockets import BINARY, CLOSE, PING, PONG, TEXT, frame

from penstock.streaming import FramingError, framing
from penstock.streaming.websocket import OutgoingFrame, WebSocket

CUTS = (1, 2, 3, 7, 1 << 20)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


# Event streams: the suite's inputs (format-*), with data, type and id of each event.
M = "message"
STREAMS: dict[str, tuple[bytes, list[tuple[str, str, str]]]] = {
    "bom": (
        b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n",
        [("1", M, ""), ("3", M, "")],
    ),
    "bom twice": (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\n", [("2", M, "")]),
    "comments": (
        b"data:1\r:\0\n:\r\ndata:2\n:%b\rdata:3\n:data:fail\r:%b\ndata:4\n\n"
        % (b"x" * 99, b"y" * 9),
        [("1\n2\n3\n4", M, "")],
    ),
    "no last empty line": (b"retry:1000\ndata:test1\n\nid:test\ndata:test2", [("test1", M, "")]),
    "field data": (
        b"data:\n\ndata\ndata\n\ndata:test\n\n",
        [("", M, ""), ("\n", M, ""), ("test", M, "")],
    ),
    "empty event": (b"event: \ndata:data\n\n", [("data", M, "")]),
    "event": (b"event:test\ndata:x\n\ndata:x\n\n", [("x", "test", ""), ("x", M, "")]),
    "id": (b"id: a\ndata:1\n\ndata:2\n\n", [("1", M, "a"), ("2", M, "a")]),
    "id again and empty": (
        b"id\ndata:1\n\nid:\xe2\x80\xa6\ndata:2\n\nid:\ndata:3\n\n",
        [("1", M, ""), ("2", M, "…"), ("3", M, "")],
    ),
    "id with null": (b"id: 1\0\ndata:1\n\n", [("1", M, "")]),
    "parsing": (
        (
            b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\n"
            b"data:3\rdata:\r\n data:32\ndata:4\n\n"
        ),
        [("\0\n 2\n1\n3\n\n4", M, "")],
    ),
    "unknown": (
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\n\n",
        [("test\n", M, "")],
    ),
    "leading space": (b"data:\ttest\rdata: \ndata:test\n\n", [("\ttest\n\ntest", M, "")]),
    "newlines": (b"data:test\r\ndata\ndata:test\r\n\r\n", [("test\n\ntest", M, "")]),
    "null": (b"data:\0\n\n\n\n", [("\0", M, "")]),
    "utf-8": ("data:ok…\n\n".encode(), [("ok…", M, "")]),
    "no data": (b"event: x\nid: 7\n\ndata:1\n\n", [("1", M, "7")]),
    "separators that are none": (
        "data:a\u2028b\x85c\x0bd\n\n".encode(),
        [("a\u2028b\x85c\x0bd", M, "")],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", CUTS)
def test_event_streams_are_read_as_browsers_read_them(name: str, size: int) -> None:
    data, wanted = STREAMS[name]
    lexer = framing.sse()
    found = [event for piece in pieces(data, size) for event in lexer.feed(piece)]
    assert [(one.data.decode(), one.event, one.id) for one in found] == wanted


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"retry:3000", 3.0),
        (b"retry:03000", 3.0),
        (b"retry: 3000", 3.0),
        (b"retry:3000\nretry", 3.0),
        (b"retry:3000\nretry:1000x", 3.0),
        (b"retry:3000\nretry:-1", 3.0),
        (b"retry:3000\nretry:1e3", 3.0),
        ("retry:3000\nretry:\u0663".encode(), 3.0),
        (b"retry:0", 0.0),
        (b"retry:", None),
    ],
)
def test_only_digits_say_how_long_to_wait(line: bytes, seconds: float | None) -> None:
    lexer = framing.sse()
    lexer.feed(line + b"\ndata:x\n\n")
    assert lexer.retry == seconds


class Case(NamedTuple):
    """What a server sends, and what has to come of it: messages, and what is answered, or wrong."""

    data: bytes
    messages: list[bytes]
    replies: list[OutgoingFrame] = []  # noqa: RUF012 - of a tuple, never changed
    wrong: str = ""


def answer(payload: bytes) -> OutgoingFrame:
    return OutgoingFrame("pong", payload)


SIZES = (125, 126, 127, 128, 65535, 65536)
LONG = {size: b"*" * size for size in SIZES}
P = b"payload"
ILLEGAL = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
LEGAL = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
CASES: dict[str, Case] = {
    **{f"1.1 {n}": Case(frame(TEXT, body), [body]) for n, body in LONG.items()},
    **{f"1.2 {n}": Case(frame(BINARY, body), [body]) for n, body in LONG.items()},
    "2.1": Case(frame(PING), [], [answer(b"")]),
    "2.2": Case(frame(PING, P), [], [answer(P)]),
    "2.3": Case(frame(PING, b"\0\xff\xfe"), [], [answer(b"\0\xff\xfe")]),
    "2.4": Case(frame(PING, b"\xfe" * 125), [], [answer(b"\xfe" * 125)]),
    "2.5": Case(frame(PING, b"\xfe" * 126), [], [], "control frame"),
    "2.7": Case(frame(PONG) + frame(PONG, P) + frame(PING, P), [], [answer(P)]),
    "2.10": Case(
        b"".join(frame(PING, b"%d" % n) for n in range(10)),
        [],
        [answer(b"%d" % n) for n in range(10)],
    ),
    **{
        f"3 {rsv:x}": Case(frame(TEXT, P, rsv=rsv), [], [], "reserved")
        for rsv in range(16, 128, 16)
    },
    "3.7": Case(frame(TEXT, P) + frame(PING, rsv=0x70), [P], [], "reserved"),
    **{f"4 {n}": Case(frame(n), [], [], "kind") for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5.1": Case(frame(PING, P, fin=False) + frame(0, P), [], [], "control frame"),
    "5.3": Case(frame(TEXT, P, fin=False) + frame(0, P), [P + P]),
    "5.6": Case(
        frame(TEXT, P, fin=False) + frame(PING, b"p") + frame(0, P), [P + P], [answer(b"p")]
    ),
    "5.9": Case(frame(0, P) + frame(TEXT, P), [], [], "out of order"),
    "5.12": Case(frame(0, P, fin=False) + frame(TEXT, P), [], [], "out of order"),
    "5.15": Case(
        frame(TEXT, P, fin=False) + frame(0, P) + frame(0, P, fin=False),
        [P + P],
        [],
        "out of order",
    ),
    "5.18": Case(frame(TEXT, P, fin=False) + frame(TEXT, P), [], [], "out of order"),
    "5.19": Case(
        frame(TEXT, b"1", fin=False)
        + frame(0, b"2", fin=False)
        + frame(PING, b"a")
        + frame(0, b"3", fin=False)
        + frame(0, b"4", fin=False)
        + frame(PING, b"b")
        + frame(0, b"5"),
        [b"12345"],
        [answer(b"a"), answer(b"b")],
    ),
    "6.1": Case(frame(TEXT, fin=False) + frame(0, P, fin=False) + frame(0), [P]),
    "6.2": Case(frame(TEXT, "Hello-µ@".encode()), ["Hello-µ@".encode()]),
    "7.1": Case(
        frame(TEXT, P) + frame(CLOSE, b"\3\xe8") + frame(TEXT, P) + frame(PING),
        [P],
        [OutgoingFrame("close", b"\3\xe8")],
    ),
    "7.3.1": Case(frame(CLOSE), [], [OutgoingFrame("close", b"")]),
    "7.3.2": Case(frame(CLOSE, b"a"), [], [], "half a code"),
    "7.3.5": Case(frame(CLOSE, b"\3\xe8" + b"*" * 123), [], [OutgoingFrame("close", b"\3\xe8")]),
    "7.3.6": Case(frame(CLOSE, b"\3\xe8" + b"*" * 124), [], [], "control frame"),
    **{
        f"7.7 {code}": Case(
            frame(CLOSE, code.to_bytes(2)), [], [OutgoingFrame("close", code.to_bytes(2))]
        )
        for code in LEGAL
    },
    **{
        f"7.9 {code}": Case(frame(CLOSE, code.to_bytes(2)), [], [OutgoingFrame("close", b"\3\xea")])
        for code in ILLEGAL
    },
}


@pytest.mark.parametrize("name", CASES)
def test_websockets_do_what_the_suite_asks(name: str) -> None:
    """Each case of Autobahn's list that is about a client which only reads, cut anywhere."""
    case = CASES[name]
    for size in CUTS if len(case.data) < 1000 else (997, 1 << 20):
        lexer = WebSocket(1 << 20)
        got: list[bytes] = []
        said = ""
        try:
            for piece in pieces(case.data, size):
                got += lexer.feed(piece)
            lexer.feed(b"")
        except FramingError as error:
            said = str(error)
        assert (got, case.wrong in said, bool(said)) == (case.messages, True, bool(case.wrong))
        assert lexer.replies == case.replies


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize(("bits", "size"), [*itertools.product((9, 15), (16, 64, 1024, 65536))])
def test_compressed_messages_of_every_window(forgets: bool, bits: int, size: int) -> None:
    """12 and 13 of the list, and section 7.2.3.4 of RFC 7692: a block that says it is the last."""
    bodies = [(b"%d " % n * size)[:size] for n in range(20)]
    lexer = WebSocket(1 << 20, deflated=True, forgets=forgets)
    packer = zlib.compressobj(wbits=-bits)
    got = []
    for number, body in enumerate(bodies):
        if forgets:
            packer = zlib.compressobj(wbits=-bits)
        packed = (packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if forgets and number % 2:
            packed = zlib.compress(body, wbits=-bits) + b"\0"
        got += lexer.feed(frame(TEXT, packed, rsv=0x40))
        got += lexer.feed(frame(TEXT, b"plain"))
    assert got == [part for body in bodies for part in (body, b"plain")]
