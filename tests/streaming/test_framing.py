"""Framings: the same bytes cut anywhere give the same messages, and nothing that is not whole."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.streaming import Framer, FramingError, MessageTooLarge, ServerEvent, framing

BODIES = [
    b'{"id":1}',
    '{"text":"a\u2028b\u0085c\u2029d\x0b\x0c"}'.encode(),
    b'{"text":"\\"}{[ \\\\"}',
    '{"text":"\U0001f600 é"}'.encode(),
    b'{"deep":[{"a":[1,2,{"b":"]}"}]}]}',
    b"[1,2,3]",
    b'"a text"',
    b"{}",
    b'{"long":"' + b"x" * 300 + b'"}',
]

Encode = Callable[[Sequence[bytes]], bytes]


def as_events(bodies: Sequence[bytes]) -> bytes:
    return b"".join(b"id: %d\r\ndata: %s\r\n\r\n" % (n, body) for n, body in enumerate(bodies))


ENCODINGS: dict[str, Encode] = {
    "crlf": lambda bodies: b"\r\n".join(bodies) + b"\r\n",
    "lf": lambda bodies: b"\n".join(bodies) + b"\n",
    "length": lambda bodies: b"\r\n".join(b"%d\r\n%s\r\n" % (len(b) + 2, b) for b in bodies),
    "sse": as_events,
    "json-seq": lambda bodies: b"".join(b"\x1e%s\n" % body for body in bodies),
    "concatenated": lambda bodies: b"".join(b"%s" % body for body in bodies),
    "chunk": lambda bodies: b"".join(b"%x\r\n%s\r\n" % (len(b), b) for b in bodies),
}


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def fed(framer: Framer, pieces: Sequence[bytes]) -> list[Any]:
    return [message for piece in pieces for message in framer.feed(piece)]


def plain(messages: Sequence[bytes | ServerEvent]) -> list[bytes]:
    return [m.data if isinstance(m, ServerEvent) else m for m in messages]


@pytest.mark.parametrize("name", framing.FRAMINGS)
def test_what_was_framed_comes_out_whole(name: str) -> None:
    framer = framing.by_name(name)
    assert plain(framer.feed(ENCODINGS[name](BODIES))) == BODIES
    assert framer.close() == 0


@pytest.mark.parametrize("name", framing.FRAMINGS)
def test_byte_by_byte_it_is_the_same(name: str) -> None:
    data = ENCODINGS[name](BODIES)
    framer = framing.by_name(name)
    assert plain(fed(framer, [data[n : n + 1] for n in range(len(data))])) == BODIES


@pytest.mark.parametrize("name", framing.FRAMINGS)
@given(
    bodies=st.lists(st.sampled_from(BODIES), max_size=12),
    tail=st.integers(0, 40),
    places=st.lists(st.integers(0, 10_000), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_messages_and_no_tail(
    name: str, bodies: list[bytes], tail: int, places: list[int]
) -> None:
    whole = ENCODINGS[name](bodies)
    more = ENCODINGS[name]([b'{"never":"' + b"y" * 40 + b'"}'])
    data = whole + more[:tail]
    framer, at_once = framing.by_name(name), framing.by_name(name)
    assert plain(fed(framer, cut(data, places))) == plain(at_once.feed(data)) == bodies
    assert framer.keepalives == at_once.keepalives
    assert (framer.close() > 0) == (at_once.close() > 0)


@pytest.mark.slow
def test_many_thousands_of_random_cuts_of_every_framing() -> None:
    rng = random.Random(3)
    for name, encode in ENCODINGS.items():
        data = encode(BODIES)
        for _ in range(1500):
            places = [rng.randrange(len(data)) for _ in range(rng.randrange(1, 8))]
            framer = framing.by_name(name)
            assert plain(fed(framer, cut(data, places))) == BODIES, (name, places)


@given(data=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=150, deadline=None)
def test_noise_gives_the_same_messages_or_the_same_error_however_it_is_cut(
    data: bytes, places: list[int]
) -> None:
    for name in framing.FRAMINGS:
        assert outcome(name, cut(data, places)) == outcome(name, [data]), name


def outcome(name: str, pieces: Sequence[bytes]) -> tuple[list[bytes], bool]:
    framer = framing.by_name(name)
    messages: list[bytes] = []
    for piece in pieces:
        try:
            messages += plain(framer.feed(piece))
        except FramingError:
            break
    return messages, framer.error is not None


# Tails


@pytest.mark.parametrize("name", framing.FRAMINGS)
def test_an_unterminated_tail_is_counted_and_never_a_message(name: str) -> None:
    data = ENCODINGS[name]([b'{"a":1}', b'{"b":22222}'])
    for end in range(len(data) - 1):
        framer = framing.by_name(name)
        messages = plain(framer.feed(data[:end]))
        assert messages in ([], [b'{"a":1}'], [b'{"a":1}', b'{"b":22222}'])
        if len(messages) < 2:
            consumed = len(ENCODINGS[name](messages)) if messages else 0
            assert framer.close() > 0 or end <= consumed + 2 or name == "sse"


def test_a_closed_framer_begins_anew() -> None:
    for name in framing.FRAMINGS:
        framer = framing.by_name(name)
        framer.feed(ENCODINGS[name]([b'{"a":1}'])[:-4])
        framer.close()
        assert plain(framer.feed(ENCODINGS[name]([b'{"b":2}']))) == [b'{"b":2}'], name


# Each by itself


def test_only_crlf_ends_a_message_where_told_so() -> None:
    framer = framing.crlf()
    assert framer.feed(b'{"a":\n1}\r') == []
    assert framer.feed(b'\n\r\n{"b"\r:2}\r\n') == [b'{"a":\n1}', b'{"b"\r:2}']
    assert framer.keepalives == 1


def test_unicode_line_separators_are_ordinary_characters() -> None:
    body = '{"text":"a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"}'.encode()
    assert framing.lf().feed(body + b"\n") == [body]
    assert framing.crlf().feed(body + b"\r\n") == [body]
    assert framing.sse().feed(b"data:" + body + b"\n\n")[0].data == body


def test_blank_lines_are_keepalives() -> None:
    lines = framing.lf()
    assert lines.feed(b"\n\r\n\n{}\n") == [b"{}"]
    assert lines.keepalives == 3


def test_lengths_count_bytes_and_may_be_kept_apart_by_blank_lines() -> None:
    framer = framing.length()
    body = '{"é":1}'.encode()
    assert framer.feed(b"\r\n\r\n%d\r\n%s\r\n\r\n" % (len(body) + 2, body)) == [body]
    assert framer.keepalives == 3
    with pytest.raises(FramingError, match="is no length: is the stream delimited=length"):
        framer.feed(b'{"not":"a length"}\r\n')


def test_json_sequences_leave_out_what_is_not_whole_and_go_on() -> None:
    framer = framing.json_seq()
    texts = b'\x1e{"a":1}\n\x1e{"cut":\x1e{"b":2}\n\x1e]garbage\n\x1e 7\n\x1etrue\x1enull\n'
    assert framer.feed(texts) == [b'{"a":1}', b'{"b":2}', b"7", b"null"]
    assert framer.close() > 0
    with pytest.raises(FramingError, match="no record separator"):
        framing.json_seq().feed(b'{"a":1}\n')


def test_concatenated_values_of_every_kind() -> None:
    framer = framing.concatenated()
    text = b'{"a":"\\\\"}[]"x\\"y" -1.5e3 true\nfalse null{"b":\n 2}'
    expected = [b'{"a":"\\\\"}', b"[]", b'"x\\"y"', b"-1.5e3", b"true", b"false", b"null"]
    assert framer.feed(text) == [*expected, b'{"b":\n 2}']
    with pytest.raises(FramingError, match="is no beginning of JSON"):
        framer.feed(b"<html>")


@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=6,
    ),
    places=st.lists(st.integers(0, 2000), max_size=6),
    ascii_only=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_concatenated_json_of_any_shape(
    values: list[Any], places: list[int], *, ascii_only: bool
) -> None:
    texts = [json.dumps(v, ensure_ascii=ascii_only, indent=len(values) % 3) for v in values]
    data = "\n".join([*texts, ""]).encode()
    messages = fed(framing.concatenated(), cut(data, places))
    assert [json.loads(message) for message in messages] == values


@given(
    bodies=st.lists(st.binary(max_size=9).map(lambda one: one.replace(b"|", b"")), max_size=6),
    places=st.lists(st.integers(0, 90), max_size=6),
    end=st.sampled_from([b"|", b"||", b"|-|"]),
    size=st.sampled_from([1, 2, 4, 8]),
    order=st.sampled_from(["big", "little"]),
)
@settings(max_examples=60, deadline=None)
def test_framings_of_ones_own(
    bodies: list[bytes], places: list[int], end: bytes, size: int, order: Literal["big", "little"]
) -> None:
    whole = [body for body in bodies if body]
    ended = framing.delimited(end)
    assert fed(ended, cut(b"".join(body + end for body in bodies), places)) == whole
    sized = framing.prefixed(size, order)
    data = b"".join(len(body).to_bytes(size, order) + body for body in bodies)
    assert fed(sized, cut(data, places)) == whole
    assert ended.keepalives == sized.keepalives == len(bodies) - len(whole)
    assert (ended.close(), sized.close()) == (0, 0)


def test_framings_of_ones_own_are_bounded_and_a_tail_is_counted() -> None:
    for own in (framing.delimited(b"||", 5), framing.prefixed(2, "big", 5)):
        assert (own.feed(b"\0\3on"), own.close()) == ([], 4)
        with pytest.raises(MessageTooLarge):
            own.feed(b"\1\0" + b"x" * 9)
    with pytest.raises(InputError, match="1 byte"):
        framing.delimited(b"")


def test_chunks_with_extensions_trailers_and_a_keepalive() -> None:
    framer = framing.chunk()
    assert framer.feed(b'5;name="x"\r\nhello\r\n1\r\n\n\r\n0\r\nTrailer: 1\r\n\r\n') == [b"hello"]
    assert (framer.keepalives, framer.close()) == (1, 0)
    with pytest.raises(FramingError, match="is no chunk"):
        framing.chunk().feed(b"xyz\r\n")
    with pytest.raises(FramingError, match="is no chunk"):
        framing.chunk().feed(b"2\r\nhello\r\n")


# Bounds


@pytest.mark.parametrize("name", framing.FRAMINGS)
def test_what_came_before_a_message_that_is_too_large_is_given_out_first(name: str) -> None:
    small, large = b'{"a":1}', b'{"b":"' + b"x" * 100 + b'"}'
    data = ENCODINGS[name]([small, large, small])
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        framer = framing.by_name(name, max_bytes=50)
        messages: list[bytes] = []
        error: FramingError | None = None
        for piece in [*pieces, b""]:
            try:
                messages += plain(framer.feed(piece))
            except FramingError as raised:
                error = raised
                break
        assert isinstance(error, MessageTooLarge)
        assert "max_bytes=50" in str(error)
        assert messages == [small]


def test_a_bound_is_at_least_one_byte() -> None:
    with pytest.raises(InputError, match="max_bytes=0"):
        framing.lf(0)


def test_an_unknown_framing_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'json-seq'"):
        framing.by_name("jsonseq")
    with pytest.raises(InputError, match="there are crlf, lf"):
        framing.by_name("xyz")


@pytest.mark.slow
@pytest.mark.parametrize("name", framing.FRAMINGS)
def test_a_message_of_many_megabytes_in_small_pieces(name: str) -> None:
    """A lexer that looks at its tail again for each piece would copy 60 GB: no test would end."""
    size = 16 * 1024 * 1024
    data = ENCODINGS[name]([b'{"text":"' + b"x" * (size - 100) + b'"}'])
    framer = framing.by_name(name, max_bytes=size)
    messages = [m for n in range(0, len(data), 2048) for m in framer.feed(data[n : n + 2048])]
    assert [len(body) for body in plain(messages)] == [size - 89]


# Server-sent events: 18 cases of the WHATWG rules, in one piece and byte by byte


def event(data: str, type_: str = "message", id_: str = "") -> ServerEvent:
    return ServerEvent(data.encode(), type_, id_)


CASES: dict[str, tuple[bytes, list[ServerEvent]]] = {
    "a byte order mark is left out once": (
        b"\xef\xbb\xbfdata: a\n\n",
        [event("a")],
    ),
    "lines end with LF": (
        b"data: a\n\ndata: b\n\n",
        [event("a"), event("b")],
    ),
    "lines end with CRLF": (
        b"data: a\r\n\r\ndata: b\r\n\r\n",
        [event("a"), event("b")],
    ),
    "lines end with CR": (
        b"data: a\r\rdata: b\r\r",
        [event("a"), event("b")],
    ),
    "line ends are mixed": (
        b"data: a\r\ndata: b\n\rdata: c\r\n\n",
        [event("a\nb"), event("c")],
    ),
    "one leading space is taken off": (
        b"data:  a \n\ndata:b\n\n",
        [event(" a "), event("b")],
    ),
    "data of several lines": (
        b"data: a\ndata\ndata: b\n\n",
        [event("a\n\nb")],
    ),
    "trailing empty data stays": (
        b"data: a\ndata:\n\n",
        [event("a\n")],
    ),
    "empty data is an event": (
        b"data\n\ndata:\n\n",
        [event(""), event("")],
    ),
    "without data there is no event, but the id holds": (
        b"id: 7\n\ndata: a\n\n",
        [event("a", id_="7")],
    ),
    "an id with NUL is ignored": (
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        [event("a", id_="1"), event("b", id_="1")],
    ),
    "an empty id takes it back": (
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        [event("a", id_="1"), event("b")],
    ),
    "the type holds for one event": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [event("a", "x"), event("b")],
    ),
    "a type without data does not stay": (
        b"event: x\n\ndata: b\n\n",
        [event("b")],
    ),
    "comments and unknown fields": (
        b": hi\n:\nfoo: bar\nDATA: no\n data: no\ndata: a\n\n",
        [event("a")],
    ),
    "an unfinished event is none": (
        b"data: a\n\ndata: b\n",
        [event("a")],
    ),
    "colons belong to the value": (
        b"data: a:b: c\n\ndata:: d\n\n",
        [event("a:b: c"), event(": d")],
    ),
    "other separators are text": (
        "data: a\u2028b\x85c\x0bd\x0ce\n\n".encode(),
        [event("a\u2028b\x85c\x0bd\x0ce")],
    ),
}


@pytest.mark.parametrize("pieces", ["one", "bytes"])
@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_server_sent_events_by_the_whatwg_rules(
    data: bytes, expected: list[ServerEvent], pieces: str
) -> None:
    framer = framing.sse()
    cuts = [data] if pieces == "one" else [data[n : n + 1] for n in range(len(data))]
    assert fed(framer, cuts) == expected


def test_the_wait_that_events_ask_for_is_of_ascii_digits_only() -> None:
    framer = framing.sse()
    framer.feed(b"retry: 2500\n")
    assert framer.retry == 2.5
    for odd in ("2.5", "-1", "x", "", "\u0661", "1 "):
        framer.feed(f"retry: {odd}\n".encode())
    assert framer.retry == 2.5


def test_an_id_outlives_its_connection_and_can_be_given() -> None:
    framer = framing.sse()
    framer.resume("9")
    assert framer.feed(b"data: a\n\n") == [event("a", id_="9")]
    framer.feed(b"id: 10\ndata: b\n")
    assert framer.close() > 0
    assert framer.last_id == "9"  # an id counts when its event is whole
    assert framer.feed(b"data: c\n\n") == [event("c", id_="9")]


def test_comments_are_keepalives() -> None:
    framer = framing.sse()
    framer.feed(b": thump\n\n:\n\n")
    assert framer.keepalives == 2
