"""Prices and articles: what other rooms rehearse on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import date
from typing import Any

from penstock.simulator import Simulator
from penstock.simulator.feeds import ASSETS, DAYS, article_json, price_json

Start = Callable[..., Simulator]
Call = Callable[..., Any]


def test_prices_come_in_pages_a_row_a_day(simulate: Start, ask: Call) -> None:
    simulator = simulate(users=23, pages=10, limit=0)
    rows = [row for page in (1, 2, 3) for row in ask(simulator, f"/prices.json?page={page}").json]
    days = [date.fromisoformat(row["date"]) for row in rows]
    assert len(days) == 23
    assert {(later - earlier).days for earlier, later in itertools.pairwise(days)} == {1}
    assert [json.loads(price_json(1, day)) for day in range(23)] == rows
    links = [ask(simulator, f"/prices.json?page={page}").headers.get("Link") for page in (2, 3)]
    assert "page=3" in links[0]
    assert links[1] is None


def test_prices_stay_above_zero_and_have_dates_to_the_last() -> None:
    for day in [*range(0, DAYS, 997), DAYS - 1]:
        row = json.loads(price_json(7, day))
        assert min(row[name] for name in ASSETS) > 0
        assert date.fromisoformat(row["date"]).isoformat() == row["date"]


def test_an_article_follows_from_seed_and_number(simulate: Start, ask: Call) -> None:
    simulator = simulate(users=9, deleted=1, limit=0)
    answers = [ask(simulator, f"/articles/{number}.json") for number in range(10)]
    assert sorted(answer.status for answer in answers) == [200] * 8 + [404] * 2
    given = next(answer for answer in answers if answer.status == 200)
    assert given.json == json.loads(article_json(1, given.json["id"]))
    assert given.json["html"].count("<p>") >= 3
