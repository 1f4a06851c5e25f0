"""What strangers send is read in linear time: steps are counted on generated worst inputs.

Every expression of the package is found in its source, so that none is left out. One that is only
used on our own words is in ``OWN``, with what those are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType

import pytest
from tests.security.expressions import Use, expressions
from tests.security.steps import Matcher, growth

from penstock.http.body import dig
from penstock.http.links import linked
from penstock.http.response import Headers
from penstock.reading.wrap import line_pattern
from penstock.resilience import parse_hints, parse_reset
from penstock.visible import visible

LINEAR = 2.6  # twice the text, twice the steps, and some to begin with
OWN = {
    "address:_USER": "a place or an address that the user wrote",
    "assembly.kinds": "our docstrings",
    "assembly.reading": "a pipeline file, which may do anything anyway",
}
# What is open at the end of a text is read on from each beginning: a parser refused such a one.
WELL_FORMED = {
    "reading.inline:PIECE",
    "reading.markup:PARAGRAPHS_OR_TAG",
    "reading.markup:TAG",
    "reading.names:EVENT",
    "reading.restore:MARK",
}
MADE_WHEN_USED = {
    "assembly.build:text": "an expression that the pipeline file itself has",
    "javadata.text:FOUR_BYTE_LEAD": "one class of bytes",
    "mongo.client_options": "a password, quoted",
    "reading.language:SCRIPTS": "one class of characters each",
    "reading.lines:GLUED": "a blank and a character",
    "reading.layout": "letters of fixed length",
    "reading.terminal": "what was searched for, quoted",
    "reading.tidy": "digits of fixed length",
    "reading.units": "one dash",
    "reading.wrap": "lines of at most a width, see the test of them",
    "redaction": "secrets, quoted",
    "tables.numbers": "groups of digits of fixed length",
}

Trace = Callable[[FrameType, str, object], object]
USES = list(expressions())


def listed(use: Use, *tables: dict[str, str]) -> bool:
    names = (use.place, use.place.partition(":")[0])
    return any(name in table for name in names for table in tables)


def test_the_table_names_nothing_that_is_gone() -> None:
    known = {name for use in USES for name in (use.place, use.place.partition(":")[0])}
    assert [place for place in (*OWN, *MADE_WHEN_USED, *WELL_FORMED) if place not in known] == []
    assert len(USES) > 100


@pytest.mark.parametrize("use", [u for u in USES if u.pattern is None], ids=lambda u: u.place)
def test_what_is_made_when_it_is_used_is_known(use: Use) -> None:
    assert listed(use, OWN, MADE_WHEN_USED)


@pytest.mark.parametrize(
    "use",
    [u for u in USES if u.pattern and not listed(u, OWN)],
    ids=lambda u: u.place,
)
def test_expressions_take_linear_time(use: Use) -> None:
    assert use.pattern is not None
    # What repeats at most 200 times grows once, where a text gets longer than that.
    joined = use.place not in WELL_FORMED
    grown = (
        growth(use.pattern, anchored=use.anchored, count=count, joined=joined) for count in (16, 64)
    )
    assert any(one < LINEAR for one in grown), use.pattern.pattern


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"(?:a|a)*b", True),
        (r"(\w+\s?)+$", True),
        (r"\s+x", False),
        (r"<a[^>]*>", False),
        (r"(?:^|[\s:])(?:on[^\s=]*|ping)\s*=|a", False),
    ],
)
def test_the_judge_sees_what_is_not_linear(pattern: str, anchored: bool) -> None:
    assert growth(re.compile(pattern), anchored=anchored) > LINEAR


@pytest.mark.parametrize("word", ["a", "a ", "a\u2014", "a, ", "the ", "\n"])
@pytest.mark.parametrize("phrases", [True, False])
def test_lines_of_a_book_are_cut_in_linear_time(word: str, phrases: bool) -> None:
    lines = line_pattern(40, "en", phrases=phrases)
    few, many = (Matcher(lines, word * count + "\n").count(anchored=False) for count in (200, 400))
    assert many <= LINEAR * few


def executed(parse: Callable[[str], object], text: str) -> int:
    """Return how many lines of Python a parser runs through."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Trace:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type] # it returns itself
    try:
        parse(text)
    except ValueError:
        pass
    finally:
        sys.settrace(before)
    return lines


PARSERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "link headers": (lambda t: linked(t, "next"), ("<", "<a>;", '<a>;x="\\', ",", " ", "<a>,")),
    "headers": (lambda t: Headers(t.encode()), ("a:b\n", ":\n", "\n", "HTTP/1.1 200\n")),
    "hints": (
        lambda t: parse_hints(b"HTTP/1.1 200 OK\n" + t.encode()),
        ("ratelimit: a;r=1\n", "x-ratelimit-limit: 1\n", 'ratelimit: "a\\', "retry-after: 1\n"),
    ),
    "one hint": (lambda t: parse_hints(f"ratelimit: {t}\n".encode()), ('"', '"a";r=1;', ";", ",a")),
    "durations": (parse_reset, ("1h", "1", "1.", " ", "-")),
    "paths": (lambda t: dig({"a": [1]}, t), ("a.", ".", "a.0.")),
    "escapes": (visible, ("\x1b", "a", "\u202e")),
}


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_take_linear_time(name: str) -> None:
    parse, pieces = PARSERS[name]
    for piece in pieces:
        few, many = executed(parse, piece * 200), executed(parse, piece * 400)
        assert many <= max(60, LINEAR * few), piece


def test_three_hundred_kilobytes_of_one_header_are_joined_once() -> None:
    value = Headers(b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 60_000)["a"]
    assert value == ", ".join(["b"] * 60_000)
