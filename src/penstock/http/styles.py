"""How the pages of an endpoint follow each other: every usual style as a frozen value.

A style answers one of three things after a page: where the *next* one is, that this was the *end*,
or that what the server says *cannot be read*. An end that the server said (null, an empty page, the
total reached) differs from one that is only not denied (no such member, no such header).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar, final

import msgspec

from penstock.errors import InputError
from penstock.http.body import MISSING, find, number, value_at
from penstock.http.links import linked
from penstock.http.request import Request
from penstock.http.response import Response
from penstock.http.url import Query, join
from penstock.pipeline import elements, members

Position: TypeAlias = str | int
"""Where a page is: its number, offset, cursor or URL."""

_NOTHING = ("null", "None", "false", "undefined")  # no cursor, no link, written as a text
R = TypeVar("R", bound=Request)


@final
@dataclass(frozen=True, slots=True)
class Next:
    """There is a next page.

    Attributes:
        position: Where it is.
        unmatched: What was looked for and not found, in words: a number of rows, for example.
        counted: Whether the server's own count says so.
    """

    position: Position
    unmatched: str = ""
    counted: bool = False


@final
@dataclass(frozen=True, slots=True)
class End:
    """There is no next page.

    Attributes:
        said: Whether the server said so; False where it only named no next page.
        unmatched: What was looked for and not found, in words; ``""`` where nothing was.
        surely: Whether that is a reason to doubt, whatever else the page says.
    """

    said: bool = True
    unmatched: str = ""
    surely: bool = False


@final
@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where the next page is named is none that can be followed."""

    why: str


Following: TypeAlias = Next | End | Unreadable


class Style(Protocol):
    """How to ask for a page, and how the next one is named."""

    @property
    def first(self) -> Position | None:
        """The position of the first page; None is the plain request."""
        ...

    def ask(self, request: R, position: Position | None) -> R:
        """Return the request for the page at ``position``."""
        ...

    def following(
        self, response: Response, position: Position | None
    ) -> Following | Position | None:
        """Return what comes after the page at ``position``.

        A bare position stands for ``Next``, None for an ``End`` that was said.
        """
        ...

    def count(self, response: Response) -> range | None:
        """Return all positions where the first page tells how many there are, else None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What every style of ours knows of an endpoint beside how its pages follow each other.

    Attributes:
        items: Path of the rows in the body; ``""`` where the body is the list.
        missing: ``"empty"`` takes a page without the list for one without rows.
        more: Path of a member that is true while there are more pages, such as ``has_more``.
        until: Path of a member that is true on the last page, such as ``isLast``.
        end: Statuses that mean that the page before was the last. By default 404 does after
            the first page where pages have numbers.
        max_pages: The most pages to read.
        on_expired: What to do when a cursor is refused with 400, 404 or 410: ``"restart"`` begins
            once with the first page again, ``"fail"`` does not.
        sure: Take the end for the end, whatever else on the page speaks of more.
    """

    items: str = ""
    missing: Literal["fail", "empty"] = "fail"
    more: str | None = None
    until: str | None = None
    end: frozenset[int] | None = None
    max_pages: int | None = None
    on_expired: Literal["fail", "restart"] = "fail"
    sure: bool = False

    def had(self, response: Response) -> int:
        """Return how many rows a page has."""
        return len(rows_at(response, self.items) or ())


def rows_at(response: Response, path: str) -> list[bytes] | None:
    """Return the rows at a path as JSON texts, or None where there is no list.

    The list may be null: that is an empty one (Go's nil slice).
    """
    try:
        found = find(msgspec.Raw(response.body), path)
        if not isinstance(found, msgspec.Raw):
            return None
        text = bytes(found)
        if path and response.of_xml and text[:1] != b"[":
            return [text]  # one element does not look like one of several
        return [] if path and text.strip() == b"null" else elements(text)
    except msgspec.DecodeError:
        return None


def at(response: Response, path: str) -> object:
    """Return the value at a path of the body, or MISSING, also where the body is not JSON."""
    try:
        return value_at(response.body, path)
    except msgspec.DecodeError:
        return MISSING


def is_object(response: Response) -> bool:
    """Whether the body is a whole JSON object, whatever is in it."""
    try:
        members(response.body)
    except msgspec.DecodeError:
        return False
    return True


def _whole(response: Response, path: str | None) -> int | None:
    found = None if path is None else number(at(response, path))
    return None if found is None or found < 0 else int(found)


def _unread(value: object, path: str, wanted: str) -> Unreadable:
    text = msgspec.json.encode(value)[:80].decode("utf-8", "replace")
    return Unreadable(f"at {path!r} stands {text}, not {wanted}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered(Listing):
    """What page numbers and offsets share.

    Attributes:
        param: Name of the parameter.
        first: Number of the first page, or offset of the first row.
        size_param: Name of the parameter for the page size, or None.
        size: Rows a page.
        total: Path of the number of rows, or None; with it pages come in parallel.
    """

    param: str
    first: int
    size_param: str | None
    size: int = 100
    total: str | None = None

    def ask(self, request: R, position: Position | None) -> R:
        """Return the request for one page."""
        size = {self.size_param: self.size} if self.size_param else {}
        return with_parameters(request, {self.param: position, **size})

    def after(self, position: int, had: int) -> int:
        """Return the position after a page of so many rows."""
        raise NotImplementedError

    def _unmatched(self, response: Response, *paths: str | None) -> str:
        """Return which of the counts that the file names are not there, in words."""
        absent = [path for path in paths if path and _whole(response, path) is None]
        return " and ".join(f"a number at {path!r}" for path in absent)

    def _total(self, response: Response) -> int | None:
        """Return the number of rows, where pages of the size asked for can be counted by it.

        Many servers have a greatest size and keep to it without a word: counted by the size asked
        for, the rows beyond would never be asked for. Such pages are followed one by one.
        """
        total = _whole(response, self.total)
        had = self.had(response)
        return total if total is not None and had == min(self.size, total) else None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumber(Numbered):
    """``?page=3``: ends at an empty page, or after ``total`` rows, or ``pages`` pages.

    Attributes:
        pages: Path of the number of pages, or None; likewise.
    """

    param: str = "page"
    first: int = 1
    size_param: str | None = "per_page"
    pages: str | None = None

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the next number, unless this page was empty or the last."""
        assert isinstance(position, int)
        page = position - self.first + 1
        if (number := _whole(response, self.pages)) is not None:
            return Next(position + 1, counted=True) if page < number else End()
        unmatched = self._unmatched(response, self.pages, self.total)
        had = self.had(response)
        total = _whole(response, self.total)
        if total is None:
            return Next(position + 1, unmatched) if had else End(unmatched=unmatched)
        if not had:  # a hole, while the pages so far cannot have held all
            last = page * self.size >= total
        else:
            # A page that is not full may be the last, or the server's own, smaller size: unknown.
            last = had >= total if page == 1 else had == self.size and page * had >= total
        return End() if last else Next(position + 1, counted=page * self.size < total)

    def after(self, position: int, _had: int) -> int:
        """Return the number after this one."""
        return position + 1

    def count(self, response: Response) -> range | None:
        """Return all numbers, where the body tells how many there are."""
        number = _whole(response, self.pages)
        if number is None:
            total = self._total(response)
            number = None if total is None else math.ceil(total / self.size)
        return None if number is None else range(self.first, self.first + number)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Offset(Numbered):
    """``?offset=200&limit=100``: ends at an empty page, or after ``total`` rows."""

    param: str = "offset"
    first: int = 0
    size_param: str | None = "limit"

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the next offset: as many rows further as this page had."""
        assert isinstance(position, int)
        had = self.had(response)
        total = _whole(response, self.total)
        if total is None:
            unmatched = self._unmatched(response, self.total)
            return Next(position + had, unmatched) if had else End(unmatched=unmatched)
        following = self.after(position, had)
        return End() if following - self.first >= total else Next(following, counted=True)

    def after(self, position: int, had: int) -> int:
        """Return the offset after a page of so many rows; one without rows is a hole."""
        return position + (had or self.size)

    def count(self, response: Response) -> range | None:
        """Return all offsets, where the body tells the number of rows."""
        total = self._total(response)
        return None if total is None else range(self.first, self.first + total, self.size)


class _Chained:
    """A style whose page names the next one: how many there are is not known beforehand."""

    __slots__ = ()

    def ask(self, request: R, position: Position | None) -> R:
        """Return the request for one page, at its URL; None is the first page."""
        if position is None:
            return request
        return msgspec.structs.replace(request, path=str(position), query=None)

    def count(self, response: Response) -> range | None:
        """Return None: such a page tells one page ahead."""
        return None


def with_parameters(request: R, parameters: Query) -> R:
    """Return ``request`` with parameters: in its JSON body where it has one, else in the query."""
    if isinstance(request.json, dict):
        body: object = request.json
        for path, value in parameters.items():
            body = _set(body, path.split("."), value)
        return msgspec.structs.replace(request, json=body)
    return msgspec.structs.replace(request, query={**(request.query or {}), **parameters})


def _set(body: object, path: list[str], value: object) -> object:
    members = dict(body) if isinstance(body, dict) else {}
    name, *rest = path
    members[name] = _set(members.get(name), rest, value) if rest else value
    return members


def _at_cursor(request: R, position: Position | None, param: str) -> R:
    """Return the request for the page at a cursor; None is the first page."""
    return request if position is None else with_parameters(request, {param: position})


def _led(response: Response, link: str) -> Following:
    try:
        return Next(join(response.url, link))
    except InputError as error:
        return Unreadable(str(error))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BodyCursor(_Chained, Listing):
    """``?cursor=...`` with the next cursor in the body; null, 0, "" or "-1" end it.

    Attributes:
        param: Name of the parameter; a path into the JSON body where the request has one.
        path: Path of the next cursor, such as ``items.-1.id`` for the last row's.
        first: Cursor of the first page, or None for the plain request.
    """

    param: str = "cursor"
    path: str = "next_cursor"
    first: Position | None = None

    def ask(self, request: R, position: Position | None) -> R:
        """Return the request for one page."""
        return _at_cursor(request, position, self.param)

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the next cursor."""
        cursor = at(response, self.path)
        if cursor is MISSING:
            return End(said=False, unmatched=f"a cursor at {self.path!r}")
        if cursor in (None, 0, "", "0", "0.0", -1, "-1", "-1.0", *_NOTHING) or cursor is False:
            return End()
        if isinstance(cursor, bool | list | dict):
            return _unread(cursor, self.path, "a cursor")
        return Next(cursor if isinstance(cursor, str | int) else str(cursor))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderCursor(_Chained, Listing):
    """``?cursor=...`` with the next cursor, or the next URL, in a response header.

    Attributes:
        header: Name of the header.
        param: Name of the parameter, or None where the header has a URL.
        first: Cursor of the first page, or None for the plain request.
    """

    header: str
    param: str | None = None
    first: Position | None = None

    def ask(self, request: R, position: Position | None) -> R:
        """Return the request for one page."""
        if self.param is None:
            return _Chained.ask(self, request, position)
        return _at_cursor(request, position, self.param)

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the next cursor or URL."""
        value = response.headers.get(self.header)
        if value is None:
            return End(said=False, unmatched=f"a header {self.header}")
        if not value:
            return End()
        return _led(response, value) if self.param is None else Next(value)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHeader(_Chained, Listing):
    """``Link: <...>; rel="next"`` (RFC 8288).

    Attributes:
        rel: The relation of the link to the next page.
        first: URL of the first page, or None for the plain request.
    """

    rel: str = "next"
    first: Position | None = None

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the URL of the next page."""
        header = response.headers.get("link", "")
        try:
            link = linked(header, self.rel)
        except ValueError as error:
            return Unreadable(f"the Link header: {error}")
        if link is None:
            return End(said=False, unmatched=f'a Link header with rel="{self.rel}"')
        return _led(response, link)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLink(_Chained, Listing):
    """The URL of the next page, whole or relative, in the body.

    Attributes:
        path: Path of the link or of an object with ``href``, such as ``links[rel=next].href``.
        first: URL of the first page, or None for the plain request.
    """

    path: str = "links.next"
    first: Position | None = None

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the URL of the next page."""
        link = at(response, self.path)
        if isinstance(link, dict) and "href" in link:
            link = link["href"]
        if link is MISSING:
            return End(said=False, unmatched=f"a link at {self.path!r}")
        if link in (None, "", *_NOTHING) or link is False:
            return End()
        return _led(response, link) if isinstance(link, str) else _unread(link, self.path, "a link")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePage(_Chained, Listing):
    """An endpoint that gives all its rows at once.

    Attributes:
        first: Unused.
    """

    first: Position | None = None

    def following(self, response: Response, position: Position | None) -> Following:
        """Return the end, which the file says and not the server."""
        return End(said=False)
