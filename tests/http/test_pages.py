"""Endpoints in pages: every style to the last row and the last byte, and no circle for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.http.wire import Asked, answer, answering, wire

from penstock.errors import InputError, PermanentError
from penstock.http import (
    Api,
    Beginning,
    BodyCursor,
    BodyLink,
    Get,
    HeaderCursor,
    LinkHeader,
    OAuth2,
    Offset,
    Page,
    PageNumber,
    Style,
    pages,
    rows,
)
from penstock.simulator import Simulator

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]

NEXT_CURSOR = HeaderCursor(header="X-Next-Cursor", param="cursor")
STYLES: dict[str, tuple[str, Style, str]] = {
    "page": ("/pages/page", PageNumber(size=7, items="items"), "items"),
    "page of a total": ("/pages/page", PageNumber(size=7, items="items", total="total"), "items"),
    "page of pages": ("/pages/page", PageNumber(size=7, items="items", pages="pages"), "items"),
    "offset": ("/pages/offset", Offset(size=7, items="items"), "items"),
    "offset of a total": ("/pages/offset", Offset(size=7, items="items", total="total"), "items"),
    "cursor": ("/pages/cursor?limit=7", BodyCursor(), "items"),
    "header": (
        "/pages/header-cursor?limit=7",
        HeaderCursor(header="X-Next-Cursor", param="cursor"),
        "",
    ),
    "link header": ("/pages/link-header?per_page=7", LinkHeader(), ""),
    "link body": ("/pages/link-body?per_page=7", BodyLink(), "items"),
    "relative link": ("/pages/link-body?per_page=7&form=relative", BodyLink(), "items"),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 7, 14, 60])
def test_every_style_gives_every_row_once_and_in_order(
    simulate: Simulate, quick: Make, style: str, concurrency: int, count: int
) -> None:
    path, how, items = STYLES[style]
    simulator = simulate(users=count, gzip=0.5, chunked=0.5)
    found = [
        row
        for page in pages(quick(simulator.url), path, how, concurrency=concurrency)
        for row in rows(page, items)
    ]
    assert [json.loads(row)["id"] for row in found] == list(range(count))


def test_ids_in_pages_as_the_seed_s_server_had_them(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=25)
    style = BodyCursor(first=-1)
    found = [
        int(row)
        for page in pages(quick(simulator.url), "/users/ids.json?count=10", style)
        for row in rows(page, "ids")
    ]
    assert found == list(range(25))


def test_pages_under_faults_lose_nothing(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=60, faults=0.3, mix=(("500", 1.0), ("truncate", 1.0)), seed=4)
    path, how, items = STYLES["page of a total"]
    found = [
        r for p in pages(quick(simulator.url), path, how, concurrency=3) for r in rows(p, items)
    ]
    assert [json.loads(row)["id"] for row in found] == list(range(60))


def test_rows_are_what_the_server_sent_to_the_byte(quick: Make) -> None:
    texts = [b'{"a" : 1.10, "b":"\\u00e9"}', b"12345678901234567890123", b'" x "', b"[ 1 ,2]"]
    body = b'{"x":{"items":[' + b" , ".join(texts) + b'], "n": 1}}'
    with wire(answering(lambda _: answer(body))) as server:
        (page,) = pages(quick(server.url), "/", BodyCursor())
        assert rows(page, "x.items") == texts
        with pytest.raises(PermanentError, match=r"no list at 'x\.rows' of the page"):
            rows(page, "x.rows")


@pytest.mark.parametrize("style", [LinkHeader(), BodyLink()])
def test_pages_in_a_circle_are_noticed(
    simulate: Simulate, quick: Make, style: LinkHeader | BodyLink
) -> None:
    simulator = simulate(users=10)
    seen: list[Page] = []
    with pytest.raises(PermanentError, match="run in a circle"):
        seen.extend(pages(quick(simulator.url), "/pages/loop?page=1", style))
    assert len(seen) <= 4
    assert simulator.truth()["requests"] <= 4


def test_a_cursor_that_stays_the_same_is_a_circle(quick: Make) -> None:
    same = answer(b'{"next_cursor": "c1", "items": []}')
    with wire(answering(lambda _: same)) as server:
        with pytest.raises(PermanentError, match="run in a circle"):
            list(pages(quick(server.url), "/", BodyCursor()))
        assert len(server.asked) == 2


@pytest.mark.parametrize("style", [n for n in STYLES if n != "page of a total"])
def test_harvesting_goes_on_where_it_stopped(simulate: Simulate, quick: Make, style: str) -> None:
    path, how, items = STYLES[style]
    simulator = simulate(users=30)
    first, second, *_ = pages(quick(simulator.url), path, how)
    assert first.following == second.position
    rest = pages(quick(simulator.url), path, how, start=second.position)
    ids = [json.loads(row)["id"] for page in rest for row in rows(page, items)]
    assert ids == list(range(7, 30))


def capped(total: int, cap: int) -> Callable[[Asked], bytes]:
    """A server that gives at most ``cap`` rows a page, whatever was asked for."""

    def reply(asked: Asked) -> bytes:
        query = dict(pair.split("=") for pair in asked.target.partition("?")[2].split("&"))
        size = min(cap, int(query.get("per_page", query.get("limit", "9"))))
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size
        found = list(range(total))[start : start + size]
        return answer(json.dumps({"items": found, "total": total}).encode())

    return reply


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize(("total", "cap"), [(50, 30), (100, 30), (150, 50), (130, 30), (60, 30)])
@pytest.mark.parametrize("kind", [PageNumber, Offset])
def test_a_server_that_gives_smaller_pages_than_asked_loses_no_rows(
    quick: Make, concurrency: int, total: int, cap: int, kind: type[PageNumber | Offset]
) -> None:
    """Pages were counted by the size asked for: the rows beyond the server's own were lost."""
    with wire(answering(capped(total, cap))) as server:
        style = kind(size=100, items="items", total="total")
        found = [
            int(row)
            for page in pages(quick(server.url), "/", style, concurrency=concurrency)
            for row in rows(page, "items")
        ]
    assert found == list(range(total))


def strict(asked: Asked) -> bytes:
    """A server that answers 404 for a page after the last."""
    number = int(asked.target.partition("page=")[2].partition("&")[0])
    if number > 3:
        return answer(b"{}", 404)
    left = [1, 2] if number < 3 else [1]
    return answer(json.dumps({"items": left, "pages": 3, "total": 5}).encode())


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_page_beyond_the_last_is_asked_for_where_their_number_is_told(
    quick: Make, concurrency: int
) -> None:
    style = PageNumber(size=2, items="items", pages="pages")
    with wire(answering(strict)) as server:
        found = pages(
            quick(server.url), "/", style, concurrency=concurrency, beginning=Beginning(first=1)
        )
        assert len(list(found)) == 3
        assert len(server.asked) == 3


def test_an_offset_ends_at_its_total(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=13)
    path, how, _ = STYLES["offset of a total"]
    assert len(list(pages(quick(simulator.url), path, how))) == 2
    assert simulator.truth()["requests"] == 2


@pytest.mark.parametrize("told", ['"nan"', '"inf"', "-5", '"many"', "null", "9" * 400])
@pytest.mark.parametrize("style", [PageNumber, Offset])
def test_a_count_that_is_no_number_counts_nothing_and_is_said(
    quick: Make, told: str, style: type[PageNumber | Offset]
) -> None:
    body = b'{"n": %s, "items": []}' % told.encode()
    with wire(answering(lambda _: answer(body))) as server:
        how = style(items="items", total="n")
        (page,) = pages(quick(server.url), "/", how, concurrency=2)
        assert "no page had a number at 'n'" in page.doubt


def test_parallel_pages_come_in_order_though_they_finish_in_another(quick: Make) -> None:
    arrived: list[int] = []

    def reply(asked: Asked) -> bytes:
        number = int(asked.target.partition("page=")[2].partition("&")[0])
        arrived.append(number)
        return answer(b'{"items":[%d],"pages":6}' % number if number in range(1, 7) else b"{}")

    with wire(answering(reply)) as server:
        style = PageNumber(size=2, items="items", pages="pages", missing="empty")
        found = list(pages(quick(server.url), "/", style, concurrency=3))
    assert [page.position for page in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [page.following for page in found] == [2, 3, 4, 5, 6, 7, None]
    assert sorted(arrived) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_pages_are_lazy(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=60)
    path, how, _ = STYLES["cursor"]
    made: Iterator[object] = pages(quick(simulator.url), path, how)
    assert simulator.truth()["requests"] == 0
    next(made)
    assert simulator.truth()["requests"] == 1


def test_wrong_calls() -> None:
    with pytest.raises(InputError, match="at least 1 page"):
        pages(Api("http://x"), Get("/a"), LinkHeader(), concurrency=0)


def test_a_walk_leaves_the_api_as_it_was(quick: Make) -> None:
    """It read the pages' bytes, and so did every call after it; a refresh token ended it."""
    with wire(answering(lambda _: answer(b'{"access_token": "t"}'))) as server:
        auth = OAuth2(f"{server.url}/token", "me", "secret-of-mine", refresh_token="refresh-it")
        api = quick(server.url, auth=auth)
        assert len(list(pages(api, "/a", LinkHeader()))) == 1
        assert api.decode == "json"
