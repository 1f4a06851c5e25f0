"""How pages end: expired cursors, bodies that are odd in one place, lists that are not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from tests.http.wire import Asked, Peer, answer, answering, wire

from penstock.errors import PermanentError
from penstock.events import Event, Events, Notice
from penstock.http import (
    Api,
    Beginning,
    BodyCursor,
    BodyLink,
    LinkHeader,
    Offset,
    PageNumber,
    SinglePage,
    Style,
    pages,
    row_result,
    rows,
)
from penstock.resilience import RetryPolicy

Make = Callable[..., Api]
ONCE = RetryPolicy(attempts=1)


def expiring(asked: Asked) -> bytes:
    """Three pages; the cursor "old" of another day is refused."""
    cursor = asked.target.partition("cursor=")[2] or "0"
    if cursor == "old":
        return answer(b'{"error": "cursor expired"}', 410)
    number = int(cursor)
    following = number + 1 if number < 2 else None
    return answer(json.dumps({"items": [{"id": number}], "next_cursor": following}).encode())


def test_an_expired_cursor_begins_again_where_that_was_asked_for(quick: Make) -> None:
    """Every run after it died at the same place: nothing forgot the mark."""
    events = Events()
    seen: list[Event] = []
    events.subscribe(seen.append)
    style = BodyCursor(items="items", on_expired="restart")
    with wire(answering(expiring)) as server:
        api = quick(server.url, retry=ONCE, events=events)
        found = [r for page in pages(api, "/", style, start="old") for r in rows(page, "items")]
    assert found == [b'{"id": 0}', b'{"id": 1}', b'{"id": 2}']
    notices = [event for event in seen if isinstance(event, Notice)]
    assert ["begin again" in notice.reason for notice in notices] == [True]
    assert not notices[0].doubtful


def test_an_expired_cursor_names_the_way_out_where_it_was_not(quick: Make) -> None:
    with wire(answering(expiring)) as server:
        api = quick(server.url, retry=ONCE)
        with pytest.raises(PermanentError, match="penstock run --restart") as caught:
            list(pages(api, "/", BodyCursor(items="items"), start="old"))
    assert caught.value.status == 410


def test_one_odd_row_costs_neither_its_page_nor_the_next(quick: Make) -> None:
    """Half a surrogate pair, NaN or endless nesting in one row ended the pages for good."""
    deep = b'{"id": 3, "d": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    odd = b'{"id": 1, "t": "\\ud83d"}', b'{"id": 2, "n": NaN}', deep
    body = b'{"next": null, "items": [%s, {"id": 4}]}' % b", ".join(odd)
    with wire(answering(lambda _: answer(body))) as server:
        (page,) = pages(quick(server.url), "/", BodyLink(path="next", items="items"))
    results = [row_result(row, "id") for row in rows(page, "items")]
    assert [r.key for r in results if r.ok] == [1, 4]
    assert next(r.value.body for r in results if r.value) == odd[0]


@pytest.mark.parametrize("body", [b'{"error": "down"}', b'{"items": {}}', b"", b"<html>", b"[[]"])
def test_a_page_without_its_list_is_not_an_empty_page(quick: Make, body: bytes) -> None:
    """An error in an answer of 200 was taken for the end of the pages."""

    def reply(asked: Asked) -> bytes:
        return answer(body if "page=2" in asked.target else b'{"items": [{"id": 1}]}')

    with wire(answering(reply)) as server:
        found = pages(quick(server.url), "/", PageNumber(items="items"))
        assert len(rows(next(found), "items")) == 1
        with pytest.raises(PermanentError, match="no list at 'items'"):
            next(found)
        left_out = PageNumber(items="items", missing="empty")
        if body.startswith(b'{"error'):
            assert len(list(pages(quick(server.url), "/", left_out))) == 2


def listed(asked: Asked, param: str, size: int, count: int, first: int = 1) -> bytes:
    """Rows in pages that only a parameter tells apart; an empty ``param``: all at once."""
    query = dict(parse_qsl(asked.target.partition("?")[2]))
    if param == "strict" and query:
        return answer(b'{"error": "unknown parameter"}', 400)
    start = 0
    if param in ("offset", "skip", "startAt"):
        start = int(query.get(param, 0))
    elif param in query:
        start = (int(query[param]) - first) * size
    if param == "404" and query:
        return answer(b"{}", 404)
    found = [{"id": n} for n in range(count)][start : start + size if param else None]
    return answer(json.dumps(found).encode())


@pytest.mark.parametrize("count", [10, 12, 20, 30, 64, 100])
@pytest.mark.parametrize("param", ["", "404", "page", "_page", "offset"])
def test_a_list_without_pages_is_not_doubted_for_its_round_number_of_rows(
    quick: Make, count: int, param: str
) -> None:
    """Every list of 10, 20, 30 rows ended with exit code 1, whatever the server does."""
    with wire(answering(lambda asked: listed(asked, param, 100, count))) as server:
        (page,) = pages(quick(server.url), "/", LinkHeader())
    assert len(rows(page)) == count
    assert not page.doubt


@pytest.mark.parametrize(
    ("param", "first"),
    [("page", 1), ("page", 0), ("p", 1), ("_page", 1), ("offset", 0), ("skip", 0), ("startAt", 0)],
)
@pytest.mark.parametrize("size", [10, 15, 16, 20, 25, 48, 100])
def test_rows_behind_a_page_that_names_no_next_one_are_found_and_told(
    quick: Make, param: str, first: int, size: int
) -> None:
    with wire(answering(lambda asked: listed(asked, param, size, size + 1, first))) as server:
        (page,) = pages(quick(server.url), "/", LinkHeader())
        assert "brings other rows; if it is all there is, say style = 'single'" in page.doubt
        for style in (SinglePage(), BodyLink(sure=True)):
            server.asked.clear()
            (page,) = pages(quick(server.url), "/", style)
            assert not page.doubt
            assert len(server.asked) == 1


@pytest.mark.parametrize("said", [{"total": 9}, {"has_more": True}, {"next": "/?page=2"}])
def test_a_single_page_of_fewer_rows_than_the_server_counts_is_doubted(
    quick: Make, said: dict[str, object]
) -> None:
    with wire(
        answering(lambda _: answer(json.dumps({"items": [{"id": 1}], **said}).encode()))
    ) as server:
        (page,) = pages(quick(server.url), "/", SinglePage(items="items"))
        assert "and yet" in page.doubt
        (page,) = pages(quick(server.url), "/", SinglePage(items="items", sure=True))
        assert not page.doubt


@pytest.mark.parametrize(
    ("form", "body"), [("jsonl", b'{"id": 1}\n{"id": 2}\n'), ("csv", b"id,a\n1,x\n2,y\n")]
)
@pytest.mark.parametrize("line", ["", "Content-Length: "])
def test_lines_that_end_with_their_connection_may_have_been_cut(
    quick: Make, form: str, body: bytes, line: str
) -> None:
    """CSV that was cut between two lines was all there was; whole lines of JSON never landed."""
    length = f"{line}{len(body)}\r\n" if line else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/{form}\r\n{length}\r\n".encode()

    def script(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(head + body)

    with wire(script) as server:
        (page,) = pages(quick(server.url, decode=form), "/", SinglePage())
    assert len(rows(page)) == 2
    assert ("no stated length" in page.doubt) is not bool(line)


def test_a_page_as_long_as_asked_for_and_a_refusal_to_tell_are_doubted(quick: Make) -> None:
    with wire(answering(lambda asked: listed(asked, "strict", 20, 20))) as server:
        (page,) = pages(quick(server.url, retry=ONCE), "/", LinkHeader())
        assert "a page of 20 rows looks full (page=2: " in page.doubt
    with wire(answering(lambda asked: listed(asked, "", 7, 7))) as server:
        (page,) = pages(quick(server.url), "/?per_page=7", LinkHeader())
        assert "a page of 7 rows is as long as asked for" in page.doubt
        assert len(server.asked) == 1


def test_a_next_link_in_a_list_of_links_is_seen_by_a_style_that_looks_elsewhere(
    quick: Make,
) -> None:
    links = [{"rel": "self", "href": "/"}, {"rel": "next", "href": "/?cursor=3"}]
    body = json.dumps({"links": links, "items": [{"id": 1}]}).encode()
    with wire(answering(lambda _: answer(body))) as server:
        (page,) = pages(quick(server.url), "/", BodyLink(path="nxt", items="items"))
    assert "there is 'links[rel=next]'" in page.doubt


@pytest.mark.parametrize("told", ["of the page", "zero", "less", "capped", "pages less"])
@pytest.mark.parametrize("style", [PageNumber, Offset])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_count_that_the_rows_belie_ends_nothing(
    quick: Make, told: str, style: type[PageNumber | Offset], concurrency: int
) -> None:
    """A total of 0, one of the page alone, or one that stops at 10 cost the rows behind it."""

    def reply(asked: Asked) -> bytes:
        query = {k: int(v) for k, v in parse_qsl(asked.target.partition("?")[2])}
        start = query.get("offset", (query.get("page", 1) - 1) * 5)
        found = [{"id": n} for n in range(17)][start : start + 5]
        total = {"of the page": len(found), "zero": 0, "less": 7, "capped": 10}.get(told, 17)
        return answer(json.dumps({"items": found, "total": total, "pages": 2}).encode())

    how: PageNumber | Offset = style(size=5, items="items", total="total")
    if told == "pages less":
        how = PageNumber(size=5, items="items", pages="pages")
    with wire(answering(reply)) as server:
        found = list(pages(quick(server.url), "/", how, concurrency=concurrency))
    assert len({row for page in found for row in rows(page, "items")}) == 17
    assert not found[-1].doubt


def test_a_count_that_falls_on_the_way_is_said(quick: Make) -> None:
    """Rows were deleted while pages were read: two that moved up were never seen."""

    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        found = [{"id": n} for n in range(0 if number == 1 else 2, 12)]
        page = found[number * 5 - 5 : number * 5]
        return answer(json.dumps({"items": page, "total": len(found)}).encode())

    with wire(answering(reply)) as server:
        how = PageNumber(size=5, items="items", total="total")
        *_, last = pages(quick(server.url), "/", how)
    assert "the server's count of rows fell on the way" in last.doubt


@pytest.mark.parametrize("style", [PageNumber(size=1, items="items"), PageNumber(size=1)])
def test_an_answer_of_204_is_a_page_without_rows(quick: Make, style: PageNumber) -> None:
    def reply(asked: Asked) -> bytes:
        if "?page=1" not in asked.target:
            return answer(b"", 204)
        return answer(b'{"items": [1]}' if style.items else b"[1]")

    with wire(answering(reply)) as server:
        found = list(pages(quick(server.url), "/", style))
    assert [rows(page, style.items) for page in found] == [[b"1"], []]
    assert not found[-1].doubt


def test_max_pages_and_until_end_the_pages(quick: Make) -> None:
    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        return answer(json.dumps({"items": [{"id": number}], "isLast": number == 4}).encode())

    with wire(answering(reply)) as server:
        api = quick(server.url)
        assert len(list(pages(api, "/", PageNumber(items="items", max_pages=2)))) == 2
        style = PageNumber(items="items", until="isLast", first=2)
        assert len(list(pages(api, "/", style))) == 3


def counting(first: int, below: int, total: str = "") -> Callable[[Asked], bytes]:
    """Return a list of 7 rows whose first page, or row, has that number."""

    def reply(asked: Asked) -> bytes:
        query = dict(parse_qsl(asked.target.partition("?")[2]))
        size = 2 if "page" in query else 3
        start = int(query.get("offset", 0)) - first
        if "page" in query:
            start = (int(query["page"]) - first) * size
        if start < 0 and below != 200:
            return answer(b'{"detail": "no such page"}', below)
        found = [{"id": row} for row in range(7)][start : start + size] if start >= 0 else []
        return answer(json.dumps({"items": found, **({total: 4} if total else {})}).encode())

    return reply


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("total", ["", "pages"])
def test_a_list_that_counts_pages_from_0_keeps_its_first_page(
    quick: Make, total: str, concurrency: int
) -> None:
    """Read from 1 it lost a page with exit code 0."""
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    style = PageNumber(items="items", size=2, pages=total or None)
    with wire(answering(counting(0, 200, total))) as server:
        api = quick(server.url, events=events)
        found = [*pages(api, "/", style, concurrency=concurrency)]
    assert [row for page in found for row in rows(page, "items")] == [
        b'{"id": %d}' % row for row in range(7)
    ]
    said = [event.reason for event in seen if isinstance(event, Notice)]
    assert len(said) == 1
    assert said[0].endswith("say first = 0")


@pytest.mark.parametrize("below", [200, 400, 404, 500])
@pytest.mark.parametrize(("style", "first"), [(PageNumber, 1), (PageNumber, 0), (Offset, 0)])
def test_a_list_is_asked_once_where_it_begins(
    quick: Make, style: type[PageNumber | Offset], first: int, below: int
) -> None:
    begun = Beginning()
    with wire(answering(counting(first, below))) as server:
        for _ in range(2):
            found = pages(quick(server.url), "/", style(items="items", size=2), beginning=begun)
            assert sum(len(rows(page, "items")) for page in found) == 7
    number = {"page=1": 1, "page=0": 0}
    asked = [number.get(one.target.partition("?")[2].partition("&")[0], 9) for one in server.asked]
    assert sum(one < 9 for one in asked) == (0 if style is Offset else 3 + 2 * (first == 0))


@pytest.mark.parametrize("style", [Offset(items="items"), PageNumber(items="items", first=0)])
def test_a_list_that_counts_from_1_is_not_taken_for_empty_at_0(quick: Make, style: Style) -> None:
    with wire(answering(counting(1, 200))) as server:
        found = pages(quick(server.url), "/", style)
        assert sum(len(rows(page, "items")) for page in found) == 7


def test_a_list_that_begins_again_at_its_end_is_read_once(quick: Make) -> None:
    """Pages 4, 5, 6 were pages 1, 2, 3 again: it was read for days."""

    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        return answer(json.dumps([{"id": (number - 1) % 3}]).encode())

    with wire(answering(reply)) as server:
        found = [*pages(quick(server.url), "/", PageNumber())]
    assert {row for page in found for row in rows(page)} == {b'{"id": %d}' % n for n in range(3)}
    assert len(found) <= 6
    assert not found[-1].doubt


def test_a_failure_in_place_of_rows_is_no_end(quick: Make) -> None:
    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        body = {"items": [{"id": number}]} if number == 1 else {"items": [], "error": "quota"}
        return answer(json.dumps(body).encode())

    with wire(answering(reply)) as server:
        *_, last = pages(quick(server.url), "/", PageNumber(items="items"))
    assert last.doubt.endswith("the last page has no rows, and there is 'error'")


@pytest.mark.parametrize("concurrency", [1, 3])
def test_one_more_is_asked_for_where_the_last_page_is_as_long_as_the_others(
    quick: Make, concurrency: int
) -> None:
    """A number of pages that is too low was believed, since the server's pages are smaller."""

    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        found = [{"id": row} for row in range(8)][number * 2 - 2 : number * 2] if number else []
        return answer(json.dumps({"items": found, "pages": 3}).encode())

    with wire(answering(reply)) as server:
        style = PageNumber(items="items", pages="pages")
        found = [*pages(quick(server.url), "/", style, concurrency=concurrency)]
    assert sum(len(rows(page, "items")) for page in found) == 8


@pytest.mark.parametrize(("apart", "raises"), [(1, False), (3, True)])
def test_an_offset_that_counts_pages_is_refused(quick: Make, apart: int, *, raises: bool) -> None:
    """Two of three pages were left out, or all behind the first, with exit code 0."""

    def reply(asked: Asked) -> bytes:
        start = apart * int(dict(parse_qsl(asked.target.partition("?")[2]))["offset"])
        return answer(json.dumps([{"id": row} for row in range(9)][start : start + 3]).encode())

    with wire(answering(reply)) as server:
        found = pages(quick(server.url), "/", Offset(size=3))
        if raises:
            with pytest.raises(PermanentError, match="counts pages: say style = 'page'"):
                next(found)
        else:
            assert sum(len(rows(page)) for page in found) == 9


def test_one_element_of_xml_is_a_list_of_one(quick: Make) -> None:
    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        body = "".join(f"<row><id>{number}</id></row>" for _ in range(number))
        return answer(f"<all>{body if number < 3 else ''}</all>".encode())

    style = PageNumber(items="all.row", missing="empty")
    with wire(answering(reply)) as server:
        found = [*pages(quick(server.url, decode="xml"), "/", style)]
    assert [len(rows(page, style.items)) for page in found] == [1, 2, 0]
