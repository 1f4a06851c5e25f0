"""Link headers: every spelling that servers use, and a word where one cannot be read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import End, LinkHeader, Next, Response, Unreadable
from penstock.http.links import links


def following(*headers: bytes) -> Next | End | Unreadable:
    lines = b"".join(b"Link: " + header + b"\r\n" for header in headers)
    head = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"
    return LinkHeader().following(Response(200, "http://h/a", head, b"", 0.0), None)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        (b'<http://x/2>; rel="next"', "http://x/2"),
        (b"</2>; rel=next", "http://h/2"),
        (b"<http://x/1>; rel=\"prev\", <?page=2>; rel='next last'", "http://h/a?page=2"),
        (b'<http://x/2,3>; title="a, <b>; rel=x"; REL="NEXT"', "http://x/2,3"),
        (b'</2>; title="the \\"next\\" page"; rel="next"', "http://h/2"),
        (b"</2>; rel='next'", "http://h/2"),
        (b"</2>; title='n roll; rel=next", "http://h/2"),
        ("</2>; title=é b; rel=next".encode(), "http://h/2"),
        ('</2>; title="é, b"; rel=next'.encode("latin-1"), "http://h/2"),
        (b"</2>;rel = next ;crossorigin", "http://h/2"),
        (b'</1>; rel=prev,, </2>; hreflang=en; rel="foo next"', "http://h/2"),
        (b'</2>; rel=next; rel="prev"', "http://h/2"),
        (b'< /2 >; rel="next"', "http://h/2"),
    ],
)
def test_a_next_link_is_read_however_it_is_written(header: bytes, target: str) -> None:
    """A quoted pair before rel, rel in single quotes and others were read as no next page."""
    assert following(header) == Next(target)


def test_of_several_link_headers_each_counts() -> None:
    assert following(b'</1>; rel="prev"', b'</3>; rel="next"') == Next("http://h/3")


@pytest.mark.parametrize("header", [b'<http://x/1>; rel="prev"', b"", b"</2>; rel=nextish"])
def test_a_header_without_a_next_link_is_an_end_that_was_not_said(header: bytes) -> None:
    found = following(header)
    assert isinstance(found, End)
    assert not found.said


@pytest.mark.parametrize("header", [b"nonsense", b'</2; rel="next"', b'</2>; title="a; rel=next'])
def test_a_header_that_cannot_be_read_is_not_the_end(header: bytes) -> None:
    assert isinstance(following(header), Unreadable)


TOKEN = st.text("abcdefgxyz-", min_size=1, max_size=8)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
TARGET = st.text("abc/?=&,;'%2F~", min_size=1, max_size=12)


@given(st.lists(st.tuples(TARGET, st.lists(st.tuples(TOKEN, TEXT), max_size=3)), max_size=4))
def test_what_was_written_by_the_rules_is_read_as_it_was(
    written: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"<{target}>" + "".join(f"; {name}={quoted(text)}" for name, text in parameters)
        for target, parameters in written
    )
    read = list(links(header))
    assert [link.target for link in read] == [target for target, _ in written]
    for link, (_, parameters) in zip(read, written, strict=True):
        for name, text in reversed(parameters):  # the first of a name counts
            assert link.parameters[name] == dict(reversed(parameters))[name], text


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_is_read_or_refused(header: str) -> None:
    with contextlib.suppress(ValueError):
        list(links(header))
