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


class Oddity(NamedTuple):
    """What is odd, in words, and the answer for a page's number and rows, and if it is the last."""

    words: str
    answer: Callable[[ReceivedCall, int, str, bool], ServedAnswer]


def _list(text: str, *headers: tuple[str, str]) -> ServedAnswer:
    return ServedAnswer(200, text.encode(), headers)


def _next(call: ReceivedCall, page: int) -> str:
    return json.dumps(page_url(call, page + 1))


def _odata(call: ReceivedCall, page: int, rows: str, last: bool) -> ServedAnswer:  # noqa: FBT001 - the table's shape
    link = "" if last else f',"@odata.nextLink":{_next(call, page)}'
    return _list(f'{{"value":{rows}{link}}}')


def _quoted(call: ReceivedCall, page: int, rows: str, last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    link = f'<{page_url(call, page + 1)}>; title="the \\"next\\" page"; rel="next"'
    return _list(rows, *([] if last else [("Link", link)]))


def _relations(call: ReceivedCall, page: int, rows: str, last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    link = "" if last else f',{{"rel":"next","href":{_next(call, page)}}}'
    return _list(f'{{"features":{rows},"links":[{{"rel":"self","href":"/odd"}}{link}]}}')


def _more(_call: ReceivedCall, page: int, rows: str, last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    more = json.dumps(not last)
    return _list(f'{{"items":{rows},"cursor":"{page + 1 - last}","has_more":{more}}}')


def _strict(_call: ReceivedCall, _page: int, rows: str, _last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    return error_answer(404, "Invalid page.") if rows == "[]" else _list(rows)


def _null(_call: ReceivedCall, page: int, rows: str, last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    found = "null" if rows == "[]" else rows
    return _list(f'{{"items":{found},"next_cursor":{"null" if last else page + 1}}}')


def _half(_call: ReceivedCall, _page: int, rows: str, _last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    return _list(rows.replace('"name":"', '"name":"\\ud83d', 1))


def _nan(_call: ReceivedCall, _page: int, rows: str, _last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    return _list(rows.replace('"name":"', '"odd":NaN,"name":"', 1))


def _bom(_call: ReceivedCall, _page: int, rows: str, _last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    return ServedAnswer(200, b"\xef\xbb\xbf" + rows.encode())


def _same(_call: ReceivedCall, _page: int, rows: str, _last: bool) -> ServedAnswer:  # noqa: FBT001 - likewise
    return _list(json.dumps([{**row, "id": row["id"] % 3} for row in json.loads(rows)]))


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
    page, rows, last = page_of(world, call)
    return oddity.answer(call, page, rows, last)
