"""``penstock run`` on the simulator's odd lists: all lands, or it is said, by the exit code too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.simulator import Simulator
from penstock.simulator.oddities import ODDITIES

from .conftest import Files, Penstock

Simulators = Callable[..., Simulator]

RIGHT = {
    "odata": ('style = "link-body"\nnext = "@odata.nextLink"\nitems = "value"', 25, 0),
    "quoted-link": ("", 25, 0),
    "relations": (
        'style = "link-body"\nnext = "links[rel=next].href"\nitems = "features"',
        *(25, 0),
    ),
    "has-more": ('style = "cursor"\nnext = "cursor"\nitems = "items"\nmore = "has_more"', 25, 0),
    "strict": ('style = "page"\nsize = 10', 25, 0),
    "null": ('style = "cursor"\nitems = "items"', 25, 0),
    "half": ('style = "page"\nsize = 10', 25, 0),
    "nan": ('style = "page"\nsize = 10', 22, 1),
    "bom": ('style = "page"\nsize = 10', 25, 0),
    "same-key": ('style = "page"\nsize = 10', 3, 1),
    "single-quotes": ("", 25, 0),
    "capped": ('style = "page"\nsize = 10', 25, 0),
    "clamp": ('style = "page"\nsize = 10', 25, 0),
    "no-list": ('style = "cursor"\nitems = "items"\nmissing = "empty"', 0, 0),
    "hole": ('style = "link-body"\nitems = "items"', 25, 0),
    "expired": ('style = "cursor"\nitems = "items"\non_expired = "restart"', 25, 0),
    "later": ('style = "page"\nsize = 10', 25, 0),
    "too-fast": ('style = "page"\nsize = 10', 25, 0),
    "latin": ('style = "page"\nsize = 10', 25, 0),
    "deep": ('style = "page"\nsize = 10', 22, 1),
    "big-id": ('style = "page"\nsize = 10', 22, 1),
    "no-key": ('style = "page"\nsize = 10', 22, 1),
    "words": ('style = "cursor"\nnext = "cursor"\nitems = "items"\nmore = "has_more"', 25, 0),
    "partial": ('style = "cursor"\nitems = "items"\nmethod = "POST"', 25, 1),
    "overlap": ('style = "cursor"\nitems = "items"', 25, 1),
    "post": ('style = "cursor"\nitems = "items"\nmethod = "POST"', 25, 0),
    "csv": ('decode = "csv"', 25, 0),
    "from-0": ('style = "page"\nsize = 10', 25, 0),
    "closing": ('style = "page"\nsize = 5', 25, 0),
    "apart": ('style = "page"\nsize = 10', 25, 0),
    "short-total": ('style = "page"\nsize = 10\nitems = "items"\ntotal = "total"', 25, 0),
}


def test_every_odd_list_is_rehearsed() -> None:
    assert {*RIGHT} == {*ODDITIES}


@pytest.mark.parametrize("odd", RIGHT)
def test_an_odd_list_lands_or_is_said(
    penstock: Penstock, simulator: Simulators, pipeline: Files, odd: str
) -> None:
    source, landed, code = RIGHT[odd]
    server = simulator(users=25, limit=0, pages=10, odd=odd)
    text = f'[source]\nkind = "pages"\npath = "/odd"\n{source}\n[request]\n'
    file = pipeline(server.url, text)
    file.write_text(file.read_text().replace("[request]\n", ""))
    ended = penstock("run", file, "--quiet", "--json")
    assert "Traceback" not in ended.err
    assert (ended.last["landed"], ended.code) == (landed, code), ended
    assert bool(ended.last["doubts"]) == (odd in ("same-key", "partial", "overlap"))


def test_a_next_link_that_matches_nowhere_is_said(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=25, limit=0, pages=10, odd="odata")
    source = 'style = "link-body"\nnext = "nextLink"\nitems = "value"'
    file = pipeline(server.url, f'[source]\nkind = "pages"\npath = "/odd"\n{source}\n[request]\n')
    file.write_text(file.read_text().replace("[request]\n", ""))
    ended = penstock("run", file, "--quiet", "--json")
    assert (ended.code, ended.last["landed"], ended.last["doubts"]) == (1, 10, 1)
    assert "no page had a link at 'nextLink', and yet there is '@odata.nextLink'" in ended.line


def test_a_server_that_closes_kept_connections_costs_no_key_and_no_attempt(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=40, limit=0, odd="closing")
    file = pipeline(server.url, '[source]\nkind = "range"\nstop = 40\n')
    ended = penstock("run", file, "--quiet", "--json")
    assert (ended.code, ended.last["landed"], ended.last["retries"]) == (0, 40, 0), ended


def test_a_limit_of_one_resource_holds_no_other_back(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    """All pages of the list spend its own limit, whose end does not hold back the users."""
    server = simulator(users=12, limit=14, window=3600, dialect="legacy", pages=1, odd="apart")
    source = '[source]\nkind = "pages"\npath = "/odd"\nstyle = "page"\nsize = 1\n'
    ended = penstock("run", pipeline(server.url, source), "--quiet", "--json")
    assert (ended.code, ended.last["landed"]) == (0, 12), ended
    assert ended.last["too_many_requests"] == 0
    assert server.truth()["requests"] == 26
