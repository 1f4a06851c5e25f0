"""No row is lost in silence, whatever the API does: its own count is the judge.

``PENSTOCK_EXAMPLES=20000 python -m pytest tests/http/test_odd_apis.py`` tries as many APIs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.http.odd_api import InProcess, OddApi, odd_apis
from tests.http.wire import Asked, answer, answering, wire

from penstock.errors import PenstockError
from penstock.http import Api, Get, Page, Post, Request, Rows, pages, rows

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "300"))
MANY = settings(max_examples=EXAMPLES, deadline=None)
FEW = settings(
    max_examples=max(10, EXAMPLES // 30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def asking(odd: OddApi) -> Request:
    return Post("/rows", json={"filter": 1}) if odd.style == "cursor-post" else Get("/rows")


def harvest(
    api: Api, odd: OddApi, concurrency: int, kill: int | None = None
) -> tuple[list[int], str]:
    """Return the keys that land, and what was said; with a kill after some pages, and again."""
    keyed, said = Rows("id"), ""
    landed: list[int | str] = []
    dead = set[int | str]()

    def walk(found: Iterator[Page]) -> Page | None:
        nonlocal said
        page = None
        try:
            for page in found:
                found_here = keyed.results(rows(page, odd.name))
                landed.extend(r.key for r in found_here)
                dead.update(r.key for r in found_here if r.error is not None)
                said += page.doubt
        except PenstockError as error:
            said += str(error)
        return page

    style, request = odd.client(), asking(odd)
    found = pages(api, request, style, concurrency=concurrency)
    page = walk(islice(found, kill)) if kill else walk(found)
    if kill and page is not None and page.following is not None:
        walk(pages(api, request, style, start=page.following, concurrency=concurrency))
    assert len(dead) == len((odd.bad - odd.hidden) & frozenset(range(odd.count))) or said
    return [key for key in landed if isinstance(key, int)], said + keyed.doubt


def judge(odd: OddApi, landed: list[int], said: str) -> None:
    lost = odd.rows - set(landed)
    assert not lost or said, f"{len(lost)} rows lost in silence"


@MANY
@given(odd_apis(), st.integers(1, 8))
def test_an_api_that_can_be_read_is_read_to_the_last_row_and_not_doubted(
    odd: OddApi, concurrency: int
) -> None:
    landed, said = harvest(cast("Api", InProcess(odd)), odd, concurrency)
    judge(odd, landed, said)
    assert not odd.rows - set(landed), said
    assert not said


@MANY
@given(odd_apis(), st.integers(1, 8), st.integers(1, 6))
def test_pages_that_were_cut_off_go_on_without_a_loss(
    odd: OddApi, concurrency: int, kill: int
) -> None:
    landed, said = harvest(cast("Api", InProcess(odd)), odd, concurrency, kill)
    assert not odd.rows - set(landed), said


@MANY
@given(odd_apis(kind="wrong"), st.integers(1, 8))
def test_an_api_that_is_asked_wrongly_is_never_taken_for_read(
    odd: OddApi, concurrency: int
) -> None:
    landed, said = harvest(cast("Api", InProcess(odd)), odd, concurrency)
    judge(odd, landed, said)


@MANY
@given(odd_apis(kind="sly"), st.integers(1, 8))
def test_pages_without_rows_before_the_last_are_passed_or_said(
    odd: OddApi, concurrency: int
) -> None:
    landed, said = harvest(cast("Api", InProcess(odd)), odd, concurrency)
    judge(odd, landed, said)


def test_rows_that_come_again_are_not_counted_for_those_that_did_not_come() -> None:
    """The last page again and again made up for a row behind a hole."""
    plain = {"shift": 0, "end": "absent", "empty": "list", "more": False, "wrong": False}
    odd = OddApi(
        **plain,  # type: ignore[arg-type] # each of its own type
        style="offset",
        count=6,
        size=3,
        cap=2,
        first=0,
        hidden=frozenset({0, 1}),
        beyond="clamp",
        total="number",
        name="items",
    )
    landed, said = harvest(cast("Api", InProcess(odd)), odd, 1)
    judge(odd, landed, said)


@FEW
@given(odd_apis() | odd_apis(kind="wrong"), st.integers(1, 8))
def test_over_the_wire_it_is_the_same(
    quick: Callable[..., Api], odd: OddApi, concurrency: int
) -> None:
    made = iter(range(10_000))

    def reply(asked: Asked) -> bytes:
        status, headers, body = odd.answer(f"http://x{asked.target}", asked.body, next(made))
        lines = [f"{name}: {value}".replace("http://x/", "/") for name, value in headers.items()]
        return answer(body.replace(b"http://x/", b"/"), status, *lines)

    with wire(answering(reply)) as server:
        landed, said = harvest(quick(server.url), odd, concurrency)
    judge(odd, landed, said)
    if not odd.wrong:
        assert not odd.rows - set(landed), said
