"""The same rows in every style of pagination, followed to the end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.simulator import Simulator, SimulatorSettings
from penstock.simulator.users import follower_ids

Start = Callable[..., Simulator]
Call = Callable[..., Any]


@pytest.fixture
def simulator(simulate: Start) -> Simulator:
    return simulate(users=23, deleted=2, pages=5, limit=0)


@pytest.fixture
def expected(simulator: Simulator, ask: Call) -> list[int]:
    return [id_ for id_ in range(23) if ask(simulator, f"/users/{id_}.json").status == 200]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def test_pages_by_number(simulator: Simulator, ask: Call, expected: list[int]) -> None:
    pages = [ask(simulator, f"/pages/page?page={page}").json for page in range(1, 7)]
    assert [len(page["items"]) for page in pages] == [5, 5, 5, 5, 1, 0]
    assert [id_ for page in pages for id_ in ids(page["items"])] == expected
    assert {(page["total"], page["pages"], page["per_page"]) for page in pages} == {(21, 5, 5)}
    assert len(ask(simulator, "/pages/page?per_page=9&page=2").json["items"]) == 9


def test_pages_by_offset(simulator: Simulator, ask: Call, expected: list[int]) -> None:
    pages = [ask(simulator, f"/pages/offset?offset={start}&limit=7").json for start in (0, 7, 14)]
    assert [id_ for page in pages for id_ in ids(page["items"])] == expected
    assert ask(simulator, "/pages/offset?offset=21").json["items"] == []
    assert pages[0]["total"] == 21


def test_a_cursor_in_the_body(simulator: Simulator, ask: Call, expected: list[int]) -> None:
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask(simulator, f"/pages/cursor?cursor={cursor}").json
        found += ids(page["items"])
        cursor = page["next_cursor"]
    assert found == expected


def test_a_cursor_in_a_header(simulator: Simulator, ask: Call, expected: list[int]) -> None:
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = ask(simulator, f"/pages/header-cursor?cursor={cursor}&limit=4")
        found += ids(reply.json)
        cursor = reply.headers["X-Next-Cursor"]
    assert found == expected


def relations(header: str) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def test_links_in_a_header(simulator: Simulator, ask: Call, expected: list[int]) -> None:
    reply = ask(simulator, "/pages/link-header?per_page=6")
    assert set(relations(reply.headers["Link"])) == {"first", "next", "last"}
    found = ids(reply.json)
    while url := relations(reply.headers["Link"]).get("next"):
        assert url.startswith(simulator.url + "/pages/link-header?per_page=6&page=")
        reply = ask(simulator, url.removeprefix(simulator.url))
        found += ids(reply.json)
    assert found == expected
    assert set(relations(reply.headers["Link"])) == {"first", "prev", "last"}


@pytest.mark.parametrize("form", ["absolute", "relative"])
def test_links_in_the_body(simulator: Simulator, ask: Call, expected: list[int], form: str) -> None:
    found: list[int] = []
    url: str | None = f"/pages/link-body?form={form}"
    while url is not None:
        page = ask(simulator, url.removeprefix(simulator.url)).json
        found += ids(page["items"])
        url = page["links"]["next"]
        assert url is None or url.startswith("http" if form == "absolute" else "/pages/")
    assert found == expected


def test_the_loop_comes_back_to_its_first_page(simulator: Simulator, ask: Call) -> None:
    url, seen = "/pages/loop?page=1", []
    for _ in range(4):
        seen.append(url)
        reply = ask(simulator, url)
        url = reply.json["links"]["next"].removeprefix(simulator.url)
        assert relations(reply.headers["Link"])["next"].endswith(url)
    assert seen[3] == seen[0]
    assert len(set(seen)) == 3


def cursored(simulator: Simulator, ask: Call, path: str) -> Iterator[dict[str, Any]]:
    cursor = -1
    while cursor != 0:
        page: dict[str, Any] = ask(simulator, f"{path}?cursor={cursor}").json
        yield page
        cursor = page["next_cursor"]


def test_all_ids_as_twitter_gave_them(simulator: Simulator, ask: Call) -> None:
    pages = list(cursored(simulator, ask, "/users/ids.json"))
    assert [id_ for page in pages for id_ in page["ids"]] == list(range(23))
    assert [page["previous_cursor"] == 0 for page in pages] == [True] + [False] * 4
    assert pages[0]["next_cursor"] > 2**53
    assert str(pages[0]["next_cursor"]) == pages[0]["next_cursor_str"]
    back = ask(simulator, f"/users/ids.json?cursor={pages[2]['previous_cursor']}").json
    assert back["ids"] == pages[1]["ids"]


def test_followers_of_each(simulate: Start, ask: Call) -> None:
    settings = SimulatorSettings(users=60, pages=5)
    simulator = simulate(users=60, pages=5, limit=0)
    lengths = set()
    for id_ in range(0, 60, 7):
        pages = list(cursored(simulator, ask, f"/followers/{id_}.json"))
        found = [follower for page in pages for follower in page["ids"]]
        assert found == list(follower_ids(settings, id_))
        assert id_ not in found
        lengths.add(len(pages))
    assert len(lengths) > 1
    assert ask(simulator, "/followers/60.json").status == 404
    assert ask(simulator, "/followers/x.json").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/pages/page?page=0",
        "/pages/page?page=x",
        "/pages/page?per_page=-1",
        "/pages/offset?offset=-1",
        "/pages/cursor?cursor=***",
        "/pages/cursor?cursor=eA",
        "/pages/header-cursor?cursor=%C3%A9",
        "/users/ids.json?cursor=7",
    ],
)
def test_bad_parameters_are_400(simulator: Simulator, ask: Call, target: str) -> None:
    reply = ask(simulator, target)
    assert reply.status == 400
    assert "error" in reply.json


def test_an_empty_service_has_one_empty_page(simulate: Start, ask: Call) -> None:
    simulator = simulate(users=0)
    assert ask(simulator, "/pages/page").json["pages"] == 0
    assert ask(simulator, "/pages/cursor").json == {"items": [], "next_cursor": None}
    assert ask(simulator, "/users/ids.json").json["next_cursor"] == 0
    assert "next" not in relations(ask(simulator, "/pages/link-header").headers["Link"])


def test_a_strange_host_does_not_break_the_json(simulate: Start, ask: Call) -> None:
    page = ask(simulate(pages=5), "/pages/link-body", {"Host": 'a"b'}).json
    assert page["links"]["next"] == 'http://a"b/pages/link-body?page=2'


def test_links_do_not_repeat_a_secret(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="api-key", pages=5)
    page = ask(simulator, "/pages/link-body?api_key=penstock-key").json
    assert "penstock-key" not in json.dumps(page)
