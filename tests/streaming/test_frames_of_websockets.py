"""RFC 6455 and 7692: fragments and control frames in every legal order, and what is not legal."""

from __future__ import annotations

import itertools
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.streaming import FramingError, MessageTooLarge
from penstock.streaming.websocket import OutgoingFrame, WebSocket

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    size = len(payload)
    head = bytes([fin << 7 | rsv | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2) + payload
    return head + b"\x7f" + size.to_bytes(8) + payload


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


fragments = st.lists(st.binary(max_size=300), min_size=1, max_size=4)
controls = st.lists(st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=9)), max_size=2)


@settings(deadline=None, max_examples=150)
@given(
    messages=st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), fragments), max_size=5),
    between=controls,
    places=st.lists(st.integers(0, 4000), max_size=12),
    deflated=st.booleans(),
)
def test_messages_come_whole_however_they_are_cut(
    messages: list[tuple[int, list[bytes]]],
    between: list[tuple[int, bytes]],
    places: list[int],
    deflated: bool,
) -> None:
    """Empty fragments end messages and begin them; pings stand between, and are answered."""
    packer = zlib.compressobj(wbits=-15)
    wire = bytearray()
    for kind, parts in messages:
        sent, rsv = parts, 0
        if deflated:
            whole = packer.compress(b"".join(parts)) + packer.flush(zlib.Z_SYNC_FLUSH)
            sent, rsv = [whole[:-4][:3], whole[:-4][3:], b""], 0x40
        for number, part in enumerate(sent):
            first = number == 0
            last = number == len(sent) - 1
            wire += frame(kind if first else 0, part, fin=last, rsv=rsv if first else 0)
            for opcode, payload in between:
                wire += frame(opcode, payload)
    socket = WebSocket(1 << 20, deflated=deflated)
    got = [message for piece in cut(bytes(wire), places) for message in socket.feed(piece)]
    whole_ones = [b"".join(parts) for _, parts in messages]
    assert got == [message for message in whole_ones if message]
    sent_parts = sum(3 if deflated else len(parts) for _, parts in messages)
    pings = [payload for opcode, payload in between if opcode == PING]
    assert socket.replies == [OutgoingFrame("pong", payload) for payload in pings] * sent_parts
    empty = len(messages) - len(got)
    assert socket.keepalives == empty + len(between) * sent_parts
    assert socket.close() == 0


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x81\x80\0\0\0\0", "masks"),
        (frame(3), "kind 3"),
        (frame(TEXT, b"x", rsv=0x40), "reserved"),
        (frame(PING, b"x", fin=False), "control frame"),
        (b"\x89\x7e\x00\x7e" + b"x" * 126, "control frame"),
        (frame(0, b"x"), "out of order"),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), "out of order"),
        (frame(CLOSE, b"x"), "half a code"),
    ],
)
def test_what_the_standard_forbids_is_refused(data: bytes, what: str) -> None:
    socket = WebSocket(999)
    assert socket.feed(frame(TEXT, b"before") + data) == [b"before"]
    with pytest.raises(FramingError, match=what):
        socket.feed(b"")


def test_a_message_is_bounded_whole_in_fragments_and_inflated() -> None:
    bomb = zlib.compressobj(wbits=-15)
    packed = bomb.compress(b"x" * 5000) + bomb.flush(zlib.Z_SYNC_FLUSH)
    for data in (
        frame(TEXT, b"x" * 101),
        frame(TEXT, b"x" * 60, fin=False) + frame(0, b"x" * 60),
        frame(TEXT, packed[:-4], rsv=0x40),
        b"\x81\x7f" + b"\xff" * 8,
    ):
        with pytest.raises(MessageTooLarge):
            WebSocket(100, deflated=True).feed(data)


def test_a_close_is_answered_with_its_code_and_nothing_comes_after_it() -> None:
    socket = WebSocket(99)
    word = frame(CLOSE, (4004).to_bytes(2) + b"auth failed")
    assert socket.feed(frame(TEXT, b"last") + word + frame(TEXT, b"late")) == [b"last"]
    assert socket.closed == (4004, "auth failed")
    assert socket.replies == [OutgoingFrame("close", b"\x0f\xa4")]
    bare = WebSocket(99)
    bare.feed(frame(CLOSE))
    assert bare.closed == (1005, "")


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_nobody_may_send_is_a_fault_and_not_a_good_end(code: int) -> None:
    socket = WebSocket(99)
    socket.feed(frame(CLOSE, code.to_bytes(2) + b"bye"))
    assert socket.closed == (1002, f"{code} bye")
    assert socket.replies == [OutgoingFrame("close", (1002).to_bytes(2))]


def test_fragments_of_no_bytes_or_few_take_no_memory_beside_them() -> None:
    """The bound of a message was of its bytes: pieces of none could go on without end."""
    socket = WebSocket(1 << 20)
    socket.feed(frame(TEXT, b"a", fin=False))
    flood = frame(0, b"", fin=False) * 2_000 + frame(0, b"bc", fin=False) * 2_000
    tracemalloc.start()
    try:
        socket.feed(flood)
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
    assert socket.feed(frame(0, b"d")) == [b"a" + b"bc" * 2_000 + b"d"]
