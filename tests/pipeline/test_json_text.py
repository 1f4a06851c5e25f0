"""JSON as servers send it: numbers beyond all bounds, half pairs, and texts cut anywhere."""

from __future__ import annotations

import msgspec
import pytest

from penstock.pipeline.json_text import (
    closes,
    elements,
    has_odd_numbers,
    is_json,
    load,
    members,
    without_halves,
)


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        (b"1" * 19, False),
        (b"1" * 20, True),
        (b"-" + b"1" * 18, False),
        (b"-" + b"1" * 19, True),
        (b"1e99", False),
        (b"1e123", True),
        (b"1E123", True),
        (b"1e+99", False),
        (b"1E+123", True),
        (b"1e-123", False),
    ],
)
def test_a_number_beyond_64_bits_is_seen(body: bytes, odd: bool) -> None:
    assert has_odd_numbers(body) is odd


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"a": 1e123}', True),
        (b'{"a": 1e400}', False),  # the grammar has it, no number does
        (b'{"a": -1E+400}', False),
        (b'{"a": 1%b}' % (b"0" * 400), True),
        (b'{"a": 1%b.5}' % (b"0" * 400), False),
        (b'{"a": 1%be99}' % (b"0" * 250), False),
        (b'{"a": "caf\\u00e9123 and 1e400"}', True),
        ('{"a": "é"}'.encode(), True),
        (b'{"a": "\xe9"}', False),
        (b'{"a": "\\ud83d"}', True),
        (b'{"a": "\\ud83d"', False),
        (b"[" * 100_000, False),
    ],
)
def test_what_is_json_can_be_read(body: bytes, good: bool) -> None:
    assert is_json(body) is good


def test_half_a_pair_is_replaced_and_a_whole_one_stays() -> None:
    text = rb'["\ud83d", "\ud83d\ude00", "\ude00", "\\ud83d", "\n"]'
    assert load(text) == ["\ufffd", "\U0001f600", "\ufffd", "\\ud83d", "\n"]
    assert without_halves(b'["\\n"]') == b'["\\n"]'
    for broken in (b"[1", b'["\\ud83d"'):
        with pytest.raises(msgspec.DecodeError):
            load(broken)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"[]", []),
        (b"[NaN]", [b"NaN"]),
        (b' [ NaN , [1, 2] , {"a": 1, "b": NaN} ] ', [b"NaN", b"[1, 2]", b'{"a": 1, "b": NaN}']),
        (b'["a,]\\"", NaN]', [b'"a,]\\""', b"NaN"]),
        (b"[[[NaN, 1], 2], 3]", [b"[[NaN, 1], 2]", b"3"]),
        (b"[NaN,]", [b"NaN"]),
    ],
)
def test_a_list_is_taken_apart_whatever_is_in_it(text: bytes, parts: list[bytes]) -> None:
    assert elements(text) == parts


def test_an_object_is_taken_apart_whatever_is_in_it() -> None:
    assert members(b'{"a": 1, "b": [2, 3]}') == {"a": b"1", "b": b"[2, 3]"}
    odd = b'{"a" : NaN, "b\\u0041": [1, NaN], "c": {"d": 1, "e": NaN}}'
    assert members(odd) == {"a": b"NaN", "bA": b"[1, NaN]", "c": b'{"d": 1, "e": NaN}'}
    with pytest.raises(msgspec.DecodeError, match="a member has no name"):
        members(b'{"a": NaN, 3}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "does not begin and end"),
        (b"[", "does not begin and end"),
        (b'{"a": NaN}', "does not begin and end"),
        (b"[NaN", "does not begin and end"),
        (b"NaN]", "does not begin and end"),
        (b"[NaN] [1]", "more follows after its end"),
        (b"[[NaN]", "it does not end"),
    ],
)
def test_what_is_not_a_list_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=words):
        elements(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"[]", True),
        (b"{}", True),
        (b'\xef\xbb\xbf [{"a": NaN}]', True),
        ("[1]".encode("utf-16"), True),
        (b"[1", False),
        (b"[1}", False),
        (b"5", False),
        (b'"]"', False),
        (b"", False),
    ],
)
def test_a_text_that_was_cut_does_not_close(text: bytes, whole: bool) -> None:
    assert closes(text) is whole
