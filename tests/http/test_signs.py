"""What a page says against an end that nobody said: each met at some service."""

from __future__ import annotations

import json

import pytest

from penstock.http import End, Response
from penstock.http.signs import failure_in, full, goes_on, sign_of_more


def page(members: dict[str, object], *headers: str) -> Response:
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *headers, ""))
    return Response(200, "http://a.example/r", head.encode(), json.dumps(members).encode(), 0.0)


MORE = [
    ({}, "X-Total-Pages: 3"),
    ({}, "X-WP-Total: 9"),
    ({}, "X-WP-TotalPages: 3"),
    ({}, "Content-Range: items 0-2/9"),
    ({}, "X-Next-Page: 2"),
    ({"meta": {"total_pages": 3}}, ""),
    ({"last_page": 3, "current_page": 1}, ""),
    ({"totalElements": "9"}, ""),
    ({"isLast": False}, ""),
    ({"last": False}, ""),
    ({"IsTruncated": True}, ""),
    ({"incomplete_results": True}, ""),
    ({"error": "quota"}, ""),
    ({"errors": [{"message": "x"}]}, ""),
]
ALL = [
    ({}, "X-Total-Pages: 1"),
    ({}, "Content-Range: items 0-2/3"),
    ({}, "Content-Range: items 0-2/*"),
    ({"total": 3, "pages": 1, "last": True, "error": None, "errors": []}, ""),
    ({"isLast": True, "truncated": False, "incomplete_results": False}, ""),
    ({"pages": ["a", "b"]}, ""),
]


@pytest.mark.parametrize(("members", "header"), MORE)
def test_what_speaks_of_more_is_seen(members: dict[str, object], header: str) -> None:
    assert sign_of_more(page({"items": [1, 2, 3], **members}, header), 3, End(said=False), 1)


@pytest.mark.parametrize(("members", "header"), ALL)
def test_what_speaks_of_all_is_no_sign(members: dict[str, object], header: str) -> None:
    found = sign_of_more(page({"items": [1, 2, 3], **members}, header), 3, End(said=False), 1)
    assert found == ""


def test_a_page_of_the_size_that_it_names_may_be_full() -> None:
    assert full(page({"items": [1, 2, 3], "limit": 3}), 3) is None
    assert full(page({"items": [1, 2, 3], "limit": 50}), 3) is False


@pytest.mark.parametrize(
    ("members", "more"),
    [
        ({"next": "/r?page=2"}, True),
        ({"next": "/r"}, False),
        ({"next": "http://a.example/other?page=2"}, False),
        ({"hasMore": True}, True),
        ({"has_more": False, "next": None}, False),
        ({"next_bill": "http://a.example/r?page=2", "name": "next"}, True),
    ],
)
def test_an_answer_that_is_the_first_of_several(members: dict[str, object], *, more: bool) -> None:
    assert goes_on(page(members)) is more
    assert goes_on(page({}, "Link: </r?page=2>; rel=next"))


@pytest.mark.parametrize(
    ("members", "fails"),
    [
        ({"error": "quota exceeded"}, True),
        ({"success": False}, True),
        ({"ok": "false"}, True),
        ({"status": "error"}, True),
        ({"meta": {"code": 429, "message": "Too many requests"}}, True),
        ({"error": {"code": 0, "message": ""}}, False),
        ({"error": "none", "success": True, "status": "ok", "code": 200}, False),
        ({"status": 404, "message": "no more pages"}, False),
    ],
)
def test_an_empty_page_that_speaks_of_a_failure(members: dict[str, object], *, fails: bool) -> None:
    """A page without rows was taken for the end, though it said "quota exceeded"."""
    assert bool(failure_in(page({"items": [], **members}))) is fails
