"""Odd lists, as met on public servers: each a small function, served at ``/odd`` by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from penstock.simulator.answer import ServedAnswer, error_answer
from penstock.simulator.pages import page_of, page_url
from penstock.simulator.world import ReceivedCall, World

__all__ = ["ODDITIES", "answer_oddly"]


class OddPage(NamedTuple):
    """A page that is asked for: its number, its rows as JSON, and whether it is the last."""

    call: ReceivedCall
    page: int
    rows: str
    last: bool

    @property
    def next_url(self) -> str:
        """Where the next page is."""
        return page_url(self.call, self.page + 1)

    @property
    def next(self) -> str:
        """The same as JSON."""
        return json.dumps(self.next_url)


class Oddity(NamedTuple):
    """What is odd, in words, and the answer for a page."""

    words: str
    answer: Callable[[OddPage], ServedAnswer]


def _list(text: str, *headers: tuple[str, str]) -> ServedAnswer:
    return ServedAnswer(200, text.encode(), headers)


def _odata(asked: OddPage) -> ServedAnswer:
    link = "" if asked.last else f',"@odata.nextLink":{asked.next}'
    return _list(f'{{"value":{asked.rows}{link}}}')


def _quoted(asked: OddPage) -> ServedAnswer:
    link = f'<{asked.next_url}>; title="the \\"next\\" page"; rel="next"'
    return _list(asked.rows, *([] if asked.last else [("Link", link)]))


def _relations(asked: OddPage) -> ServedAnswer:
    link = "" if asked.last else f',{{"rel":"next","href":{asked.next}}}'
    return _list(f'{{"features":{asked.rows},"links":[{{"rel":"self","href":"/odd"}}{link}]}}')


def _more(asked: OddPage) -> ServedAnswer:
    more = json.dumps(not asked.last)
    return _list(
        f'{{"items":{asked.rows},"cursor":"{asked.page + 1 - asked.last}","has_more":{more}}}'
    )


def _strict(asked: OddPage) -> ServedAnswer:
    return error_answer(404, "Invalid page.") if asked.rows == "[]" else _list(asked.rows)


def _null(asked: OddPage) -> ServedAnswer:
    found = "null" if asked.rows == "[]" else asked.rows
    return _list(f'{{"items":{found},"next_cursor":{"null" if asked.last else asked.page + 1}}}')


def _half(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows.replace('"name":"', '"name":"\\ud83d', 1))


def _nan(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows.replace('"name":"', '"odd":NaN,"name":"', 1))


def _bom(asked: OddPage) -> ServedAnswer:
    return ServedAnswer(200, b"\xef\xbb\xbf" + asked.rows.encode())


def _same(asked: OddPage) -> ServedAnswer:
    return _list(json.dumps([{**row, "id": row["id"] % 3} for row in json.loads(asked.rows)]))


ODDITIES: Mapping[str, Oddity] = MappingProxyType(
    {
        "odata": Oddity("the next link is called @odata.nextLink", _odata),
        "quoted-link": Oddity("a quoted title stands before rel in the Link header", _quoted),
        "relations": Oddity("the next link is an item of a list, by its rel", _relations),
        "has-more": Oddity("a cursor stands on the last page too; has_more says the end", _more),
        "strict": Oddity("a page after the last is a 404", _strict),
        "null": Oddity("an empty list is null", _null),
        "half": Oddity("a text has half a surrogate pair", _half),
        "nan": Oddity("a row has NaN", _nan),
        "bom": Oddity("the body begins with a byte order mark", _bom),
        "same-key": Oddity("rows share three ids", _same),
    }
)


def answer_oddly(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``/odd?page=1&per_page=50`` (or ``cursor``) in the way of ``--odd``."""
    oddity = ODDITIES.get(world.settings.odd)
    if oddity is None:
        return error_answer(404, f"start with --odd NAME: {', '.join(ODDITIES)}")
    return oddity.answer(OddPage(call, *page_of(world, call)))
