"""Endpoints that give their rows in pages: every usual style, in order, or many at once.

A style is a frozen value that says how to ask for a page and where the next one is named. Where the
number of pages is known beforehand, they are fetched in parallel and still come in order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final

import msgspec

from penstock.errors import InputError, PermanentError
from penstock.http.api import Api
from penstock.http.body import dig, number_at
from penstock.http.request import Get, Query
from penstock.http.response import Response
from penstock.http.url import join, resolve, shown
from penstock.pipeline import Key, fetch

__all__ = [
    "BodyCursor",
    "BodyLink",
    "HeaderCursor",
    "LinkHeader",
    "Offset",
    "Page",
    "PageNumber",
    "Style",
    "pages",
    "rows",
]

Position: TypeAlias = str | int
"""Where a page is: its number, offset, cursor or URL."""


@final
@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it is, its answer, and where the next one is (None after the last)."""

    position: Position | None
    response: Response
    following: Position | None


class Style(Protocol):
    """How to ask for a page, and how the next one is named."""

    @property
    def first(self) -> Position | None:
        """The position of the first page; None is the plain request."""
        ...

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for the page at ``position``."""
        ...

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the position after the page at ``position``, or None where it was the last."""
        ...

    def count(self, response: Response) -> range | None:
        """Return all positions where the first page tells how many there are, else None."""
        ...


def _with(request: Get, **query: object) -> Get:
    return msgspec.structs.replace(request, query={**(request.query or {}), **query})


def _rows_at(response: Response, path: str) -> list[msgspec.Raw] | None:
    """Return the rows as raw JSON, digging without decoding what is beside the path."""
    raw = response.body
    try:
        for step in path.split(".") if path else ():
            raw = bytes(msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[step])
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
        return None


def rows(page: Page, items: str = "") -> list[bytes]:
    """Return the page's rows as JSON texts, to the byte as the server sent them.

    Args:
        page: A page.
        items: Dotted path of the list in the body; ``""`` where the body is the list.

    Raises:
        PermanentError: There is no list there.
    """
    found = _rows_at(page.response, items)
    if found is None:
        where = f"at {items!r}" if items else "in the body"
        raise PermanentError(f"{shown(page.response.url)}: no list {where} of the page")
    return [bytes(row) for row in found]


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumber:
    """``?page=3``: ends at an empty page, or after ``total`` rows, or ``pages`` pages.

    Attributes:
        param: Name of the parameter.
        first: Number of the first page.
        size_param: Name of the parameter for the page size, or None.
        size: Rows a page.
        items: Dotted path of the rows in the body; an empty page is the end.
        total: Dotted path of the number of rows, or None; with it pages come in parallel.
        pages: Dotted path of the number of pages, or None; likewise.
    """

    param: str = "page"
    first: int = 1
    size_param: str | None = "per_page"
    size: int = 100
    items: str = ""
    total: str | None = None
    pages: str | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        return _numbered(self, request, position)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the next number, unless this page was empty or the last."""
        assert isinstance(position, int)  # positions of this style are numbers
        if self.pages is not None:
            number = _whole(number_at(response.json(), self.pages))
            if number is not None:
                return position + 1 if position - self.first + 1 < number else None
        had = len(_rows_at(response, self.items) or ())
        return None if not had or self._was_last(response, position, had) else position + 1

    def _was_last(self, response: Response, position: int, had: int) -> bool:
        total = None if self.total is None else number_at(response.json(), self.total)
        if total is None:
            return False
        if position == self.first:
            return had >= total
        # A page that is not full may be the last, or the server's own, smaller size: not known.
        return had == self.size and (position - self.first + 1) * had >= total

    def count(self, response: Response) -> range | None:
        """Return all numbers, where the body tells how many there are."""
        if self.pages is not None:
            number = _whole(number_at(response.json(), self.pages))
        elif self.total is not None:
            total = _total(self, response)
            number = None if total is None else math.ceil(total / self.size)
        else:
            return None
        return None if number is None else range(self.first, self.first + number)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """``?offset=200&limit=100``: ends at an empty page, or after ``total`` rows."""

    param: str = "offset"
    first: int = 0
    size_param: str | None = "limit"
    size: int = 100
    items: str = ""
    total: str | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        return _numbered(self, request, position)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the next offset: as many rows further as this page had."""
        assert isinstance(position, int)  # positions of this style are numbers
        had = len(_rows_at(response, self.items) or ())
        total = None if self.total is None else number_at(response.json(), self.total)
        last = not had or (total is not None and position + had >= total)
        return None if last else position + had

    def count(self, response: Response) -> range | None:
        """Return all offsets, where the body tells the number of rows."""
        total = _total(self, response)
        return None if total is None else range(self.first, int(total), self.size)


def _numbered(style: PageNumber | Offset, request: Get, position: Position | None) -> Get:
    """Return the request for the page at a number, of the style's size."""
    size = {style.size_param: style.size} if style.size_param else {}
    return _with(request, **{style.param: position}, **size)


def _total(style: PageNumber | Offset, response: Response) -> float | None:
    """Return the number of rows, where pages of the size asked for can be counted by it.

    Many servers have a greatest size and keep to it without a word: counted by the size asked for,
    the rows beyond would never be asked for. Such pages are followed one by one.
    """
    total = None if style.total is None else number_at(response.json(), style.total)
    if total is None or total < 0:
        return None
    had = len(_rows_at(response, style.items) or ())
    return total if had == min(style.size, total) else None


class _Chained:
    """A style whose page names the next one: how many there are is not told beforehand."""

    __slots__ = ()

    def count(self, response: Response) -> range | None:
        """Return None: such a page tells one page ahead."""
        return None


def _at_cursor(request: Get, position: Position | None, param: str) -> Get:
    """Return the request for the page at a cursor; None is the first page."""
    return request if position is None else _with(request, **{param: position})


def _at_url(request: Get, position: Position | None) -> Get:
    """Return the request for the page at a URL; None is the first page."""
    if position is None:
        return request
    return msgspec.structs.replace(request, path=str(position), query=None)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BodyCursor(_Chained):
    """``?cursor=...`` with the next cursor in the body; null, 0, "" or "-1" end it."""

    param: str = "cursor"
    path: str = "next_cursor"
    first: Position | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        return _at_cursor(request, position, self.param)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the next cursor."""
        cursor = dig(response.json(), self.path)
        if cursor in (None, 0, "", "0", -1, "-1", False):
            return None
        return cursor if isinstance(cursor, str | int) else str(cursor)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderCursor(_Chained):
    """``?cursor=...`` with the next cursor, or the next URL, in a response header."""

    header: str
    param: str | None = None
    first: Position | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        if self.param is None:
            return _at_url(request, position)
        return _at_cursor(request, position, self.param)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the next cursor or URL."""
        value = response.headers.get(self.header)
        if not value:
            return None
        return join(response.url, value) if self.param is None else value


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHeader(_Chained):
    """``Link: <...>; rel="next"`` (RFC 8288)."""

    rel: str = "next"
    first: Position | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        return _at_url(request, position)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the URL of the next page."""
        link = _link(response.headers.get("link", ""), self.rel)
        return None if link is None else join(response.url, link)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLink(_Chained):
    """The URL of the next page, whole or relative, in the body."""

    path: str = "links.next"
    first: Position | None = None

    def ask(self, request: Get, position: Position | None) -> Get:
        """Return the request for one page."""
        return _at_url(request, position)

    def following(self, response: Response, position: Position | None) -> Position | None:
        """Return the URL of the next page."""
        link = dig(response.json(), self.path)
        return join(response.url, link) if isinstance(link, str) and link else None


_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w!#$%&*+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^;,"\s]*))?)*)')
_PARAMETER = re.compile(r';\s*([\w!#$%&*+.^`|~-]+)\s*=\s*(?:"([^"]*)"|([^;,"\s]*))')


def _link(header: str, rel: str) -> str | None:
    """Return the target of the first link of that relation (RFC 8288 section 3)."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, bare in _PARAMETER.findall(parameters):
            if name.lower() == "rel" and rel in (quoted or bare).lower().split():
                return str(target)
    return None


def pages(
    api: Api,
    request: Get | str,
    style: Style,
    *,
    query: Query | None = None,
    start: Position | None = None,
    concurrency: int = 1,
) -> Iterator[Page]:
    """Yield the pages of an endpoint in order.

    Args:
        api: The service.
        request: The endpoint, as a request or a path.
        style: How its pages follow each other.
        query: Parameters of every page, where ``request`` is a path.
        start: Position to begin at instead of the first: where an earlier run stopped.
        concurrency: Pages to fetch at once, where their number is known beforehand.

    Raises:
        PermanentError: A page failed for good, or the pages run in a circle.
        GaveUp: A page failed as often as the policy allows.
    """
    plain = Get(request, query=query) if isinstance(request, str) else request
    if concurrency < 1:
        raise InputError(f"pages(concurrency={concurrency}): at least 1 page at a time")
    return _pages(api, plain, style, style.first if start is None else start, concurrency)


def _pages(
    api: Api, request: Get, style: Style, position: Position | None, concurrency: int
) -> Iterator[Page]:
    first = api.call(style.ask(request, position))
    known = style.count(first) if concurrency > 1 else None
    if known is not None and isinstance(position, int) and position in known:
        yield from _known_pages(
            api, request, style, known[known.index(position) :], first, concurrency
        )
    else:
        yield from _chained_pages(api, request, style, position, first)


def _chained_pages(
    api: Api, request: Get, style: Style, position: Position | None, response: Response
) -> Iterator[Page]:
    # Positions seen, as hashes: a server whose "next" leads back would keep us for ever.
    seen = {hash(_absolute(api, position))}
    home = resolve(api.base, request.path)
    while True:
        following = style.following(response, position)
        yield Page(position, response, following)
        if following is None:
            return
        mark = hash(_absolute(api, following))
        if mark in seen:
            raise PermanentError(
                f"{shown(response.url)}: the pages run in a circle: {following!r} was there before"
            )
        seen.add(mark)
        position = following
        response = api.call(api.led_to(style.ask(request, position), home))


def _absolute(api: Api, position: Position | None) -> Position | None:
    if isinstance(position, str) and position.startswith("/"):
        return resolve(api.base, position)
    return position


def _known_pages(
    api: Api, request: Get, style: Style, known: range, first: Response, concurrency: int
) -> Iterator[Page]:
    yield Page(known[0], first, known[1] if len(known) > 1 else None)
    rest = known[1:]

    def ask(position: Key) -> Get:
        return style.ask(request, position)

    for result in fetch(rest, api, ask, concurrency=concurrency, ordered=True):
        response = result.unwrap()
        assert isinstance(result.key, int)  # keys are the positions of a range
        following = result.key + known.step
        yield Page(result.key, response, following if following in known else None)
