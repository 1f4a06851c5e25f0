"""Odd lists, as met on public servers: each a small function, served at ``/odd`` by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from penstock.simulator.answer import ServedAnswer, error_answer
from penstock.simulator.pages import LONGEST, page_of, page_url, rows_of
from penstock.simulator.world import ReceivedCall, World

__all__ = ["ODDITIES", "answer_oddly"]


class OddPage(NamedTuple):
    """A page that is asked for.

    Attributes:
        call: How it was asked for.
        page: Its number.
        rows: Its rows as JSON.
        last: Whether it is the last.
        again: Whether it was asked for before.
    """

    call: ReceivedCall
    page: int
    rows: str
    last: bool
    again: bool

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


def _single(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows, *([] if asked.last else [("Link", f"<{asked.next_url}>; rel='next'")]))


def _cursor(asked: OddPage, rows: str, *headers: tuple[str, str]) -> ServedAnswer:
    following = "null" if asked.last else f'"{asked.page + 1}"'
    return _list(f'{{"items":{rows},"next_cursor":{following}}}', *headers)


def _missing(asked: OddPage) -> ServedAnswer:
    answer = _cursor(asked, "[]")
    return _list('{"next_cursor":"2"}') if asked.page == 1 and not asked.last else answer


def _hole(asked: OddPage) -> ServedAnswer:
    rows, here = json.loads(asked.rows), f"{asked.call.base}/odd?page={asked.page}"
    after = None if asked.last else f"{asked.call.base}/odd?page={asked.page + 1}"
    parts = {
        "": (rows[:5], f"{here}&part=none"),
        "none": ([], f"{here}&part=rest"),
        "rest": (rows[5:], after),
    }
    found, link = parts[asked.call.request.parameters().get("part", "")]
    return _list(json.dumps({"items": found, "links": {"next": link}}))


def _expired(asked: OddPage) -> ServedAnswer:
    if asked.page == 2 and not asked.again:
        return error_answer(410, "The cursor has expired.")
    return _cursor(asked, asked.rows)


def _later(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows) if asked.again else ServedAnswer(202, b"{}")


def _slower(asked: OddPage) -> ServedAnswer:
    if asked.page % 2 == 0 and not asked.again:
        return error_answer(403, "You are too fast.", (("Retry-After", "1"),))
    return _list(asked.rows)


def _latin(asked: OddPage) -> ServedAnswer:
    kind = ("Content-Type", "application/json; charset=iso-8859-1")
    text = json.dumps(json.loads(asked.rows), ensure_ascii=False)
    return ServedAnswer(200, text.encode("latin-1", "replace"), (kind,))


def _deep(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows.replace('"name":', f'"deep":{"[" * 3000}{"]" * 3000},"name":', 1))


def _big(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows.replace('"id":', '"id":18446744073709551616', 1))


def _keyless(asked: OddPage) -> ServedAnswer:
    return _list(asked.rows.replace('"id":', '"nr":', 1))


def _words(asked: OddPage) -> ServedAnswer:
    more = str(not asked.last).lower()
    return _list(f'{{"items":{asked.rows},"has_more":"{more}","cursor":"{asked.page + 1}"}}')


def _partial(asked: OddPage) -> ServedAnswer:
    errors = '[{"message":"a row could not be read"}]'
    cursor = "null" if asked.last else asked.page + 1
    return _list(f'{{"items":{asked.rows},"next_cursor":{cursor},"errors":{errors}}}')


def _overlapping(asked: OddPage) -> ServedAnswer:
    rows = json.loads(asked.rows)
    again = asked.page > 1 and [{**rows[0], "id": rows[0]["id"] - 1}]
    return _cursor(asked, json.dumps([*again, *rows] if again else rows))


def _lines(asked: OddPage) -> ServedAnswer:
    kind = ("Content-Type", "text/csv; charset=utf-8")
    lines = [f"{row['id']},{row['screen_name']}" for row in json.loads(asked.rows)]
    link = [] if asked.last else [("Link", f'<{asked.next_url}>; rel="next"')]
    return ServedAnswer(200, "\r\n".join(["id,name", *lines, ""]).encode(), (kind, *link))


def _short(asked: OddPage) -> ServedAnswer:
    return _list(f'{{"items":{asked.rows},"total":{len(json.loads(asked.rows))}}}')


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
        "single-quotes": Oddity("rel='next' in the Link header", _single),
        "capped": Oddity("never more than 7 rows a page", lambda asked: _list(asked.rows)),
        "clamp": Oddity("a page after the last is the last again", lambda asked: _list(asked.rows)),
        "no-list": Oddity("the first page has no list, and a next one", _missing),
        "hole": Oddity("a page without rows stands between others", _hole),
        "expired": Oddity("the second cursor is refused once, with 410", _expired),
        "later": Oddity("each page is a 202 when first asked for", _later),
        "too-fast": Oddity("403 and Retry-After for every other page, once", _slower),
        "latin": Oddity("ISO-8859-1", _latin),
        "deep": Oddity("a row is nested 3,000 levels deep", _deep),
        "big-id": Oddity("an id has more than 64 bits", _big),
        "no-key": Oddity("a row has no id", _keyless),
        "words": Oddity('has_more is a text, "true" or "false"', _words),
        "partial": Oddity("rows and errors come with status 200 (by POST)", _partial),
        "overlap": Oddity("a page begins with a row of the page before", _overlapping),
        "post": Oddity("a list by POST, its cursor in the body", lambda a: _cursor(a, a.rows)),
        "csv": Oddity("lines of CSV, and a Link header", _lines),
        "from-0": Oddity("the first page is page=0, and nothing says so", lambda a: _list(a.rows)),
        "closing": Oddity(
            "each connection is closed behind its answer without a word", lambda a: _list(a.rows)
        ),
        "apart": Oddity(
            "each first part of a path has a --limit of its own (X-RateLimit-Resource)",
            lambda a: _list(a.rows),
        ),
        "short-total": Oddity("total counts the rows of the page only", _short),
    }
)


def answer_oddly(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``/odd?page=1&per_page=50`` (or ``cursor``) in the way of ``--odd``."""
    oddity = ODDITIES.get(world.settings.odd)
    if oddity is None:
        return error_answer(404, f"start with --odd NAME: {', '.join(ODDITIES)}")
    asked = call.request.target.encode() + call.request.body
    again = asked in world.ledger.odd
    world.ledger.odd.add(asked)
    odd = world.settings.odd
    found = page_of(world, call, 7 if odd == "capped" else LONGEST, int(odd != "from-0"))
    if world.settings.odd == "clamp" and found[1] == "[]":
        size = min(world.settings.pages, len(world.existing) or 1)
        rows = world.existing[(len(world.existing) - 1) // size * size :]
        found = (found[0], rows_of(world, rows), True)
    return oddity.answer(OddPage(call, *found, again))
