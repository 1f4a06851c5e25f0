"""Endpoints that give their rows in pages, in order, or many at once.

A :mod:`style <penstock.http.styles>` says how to ask for a page and where the next one is named.
Where the number of pages is known beforehand, they are fetched in parallel and still come in order.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import msgspec

from penstock.errors import InputError, PenstockError, PermanentError
from penstock.events import Notice
from penstock.http.api import Api
from penstock.http.body import MISSING, number
from penstock.http.completeness import is_measured
from penstock.http.request import Get, Request
from penstock.http.response import Response
from penstock.http.row_keys import KeyPath, row_result
from penstock.http.signs import failure_in, full, sign_of_more
from penstock.http.styles import (
    End,
    Following,
    Listing,
    Next,
    Numbered,
    Offset,
    PageNumber,
    Position,
    Style,
    Unreadable,
    at,
    is_object,
    rows_at,
    with_parameters,
)
from penstock.http.url import Query, add_query, encode_query, origin, resolve, shown
from penstock.pipeline import Key, Result, fetch
from penstock.redaction import secret_parameters

_EXPIRED = frozenset({400, 404, 410})  # how a cursor is refused that is too old
_BLANK = 2  # pages in a row without rows, before the last by the server's count, until we stop
_ROOM = 500_000  # rows that are known when they come again
_SAME = 2  # pages in a row that only repeat the one before, until we stop
_PAGES = ("page", "p", "_page", "pageNumber", "page_number", "page[number]")
_OFFSETS = ("offset", "skip", "start", "_start", "startAt", "$skip", "page[offset]")
_TRUTH = {
    **dict.fromkeys(("true", "1", "yes"), True),
    **dict.fromkeys(("false", "0", "no"), False),
}


@final
@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it is, its answer, and where the next one is (None after the last).

    Attributes:
        doubt: Why this may not be all there is, in words; ``""`` where nothing speaks against it.
        cut: Whether it is the last only since ``max_pages`` were read.
    """

    position: Position | None
    response: Response
    following: Position | None
    doubt: str = ""
    cut: bool = False
    _rows: tuple[str, Sequence[bytes]] | None = field(default=None, repr=False, compare=False)

    @property
    def whole(self) -> bool:
        """Whether this is the last page, and nothing speaks against having seen all."""
        return self.following is None and not (self.doubt or self.cut)

    def rows(self, items: str) -> Sequence[bytes] | None:
        """Return the rows at a path as JSON texts, or None where there is no list."""
        if self._rows is not None and self._rows[0] == items:
            return self._rows[1]
        return rows_at(self.response, items)


def rows(page: Page, items: str = "") -> list[bytes]:
    """Return the page's rows as JSON texts, to the byte as the server sent them.

    Args:
        page: A page.
        items: Path of the list in the body; ``""`` where the body is the list.

    Raises:
        PermanentError: There is no list there.
    """
    found = page.rows(items)
    if found is None:
        raise PermanentError(_no_list(page.response, items))
    return list(found)


def _no_list(response: Response, items: str) -> str:
    where = f"at {items!r}" if items else "in the body"
    return (
        f"{shown(response.url)}: no list {where} of the page, which begins "
        f"{response.excerpt(60)!r}; say where the rows are (items), or missing = 'empty' where the "
        "service leaves an empty list out"
    )


def pages(  # noqa: PLR0913 - all that a way through pages is
    api: Api,
    request: Request | str,
    style: Style,
    *,
    query: Query | None = None,
    start: Position | None = None,
    concurrency: int = 1,
    beginning: Beginning | None = None,
) -> Iterator[Page]:
    """Yield the pages of an endpoint in order.

    Some count pages from 0: read from 1, they would lose a page in silence. So page 0 is asked
    for once, too, and where it has rows that page 1 has not, the pages begin with it.

    What speaks against having seen all is the ``doubt`` of the last page, and a
    :class:`~penstock.events.Doubt` among the API's events.

    Args:
        api: The service.
        request: The endpoint, as a request or a path. Of one with a JSON body, a ``Post``, the
            parameters of pages go into that body.
        style: How its pages follow each other.
        query: Parameters of every page, where ``request`` is a path.
        start: Position to begin at instead of the first: where an earlier run stopped.
        concurrency: Pages to fetch at once, where their number is known beforehand.
        beginning: Where pages that have numbers begin, found out for several lists at once.

    Raises:
        PermanentError: A page failed for good, what it says of the next page cannot be read, or
            the pages run in a circle.
        GaveUp: A page failed as often as the policy allows.
    """
    plain: Request = Get(request, query=query) if isinstance(request, str) else request
    if not plain.repeatable and plain.idempotent is None:
        plain = msgspec.structs.replace(plain, idempotent=True)  # it reads
    if concurrency < 1:
        raise InputError(f"pages(concurrency={concurrency}): at least 1 page at a time")
    return _Walk(api, plain, style, start, beginning).go(concurrency)


@final
@dataclass(slots=True)
class Beginning:
    """Where lists begin whose pages have numbers, once that is known: then nothing more is asked.

    Attributes:
        key: What tells rows apart, where one page is compared with another.
        first: The number of the first page, or None where it is not known yet.
    """

    key: KeyPath = "id"
    first: int | None = None


@final
class _Walk:
    """One way through the pages of an endpoint, and what is known of it so far."""

    def __init__(
        self,
        api: Api,
        request: Request,
        style: Style,
        start: Position | None,
        beginning: Beginning | None,
    ) -> None:
        self._api = copy.copy(api)
        if self._api.decode == "json":
            self._api.decode = "bytes"  # what is odd in one row must not cost the page
        self._request = request
        self._style = style
        self._listing = style if isinstance(style, Listing) else Listing()
        self._numbered = isinstance(style, Numbered)
        self._home = resolve(api.base, request.path)
        self._restarted = self._cut = self._partial = self._open = False
        self._peer = ""  # the address that answered last
        self._beginning = Beginning() if beginning is None else beginning
        first = self._beginning.first if self._numbered else None
        self._unsure = start is first is None and self._numbered and not self._listing.sure
        self._begin(style.first if start is None else start, whole=start is None)
        if start is None and first is not None:
            self._begin_at(first)

    def _begin_at(self, first: int) -> None:
        """Begin with a page that the style does not take for the first."""
        if isinstance(self._style, Numbered):
            # Where it is the one before, the style goes on counting as it did: one page too many.
            self._style = dataclasses.replace(self._style, first=max(first, self._style.first))
        self._begin(first, whole=True)

    def _begin(self, position: Position | None, *, whole: bool) -> None:
        self._position = position
        # Positions seen, as hashes: a server whose "next" leads back would keep us indefinitely.
        self._seen = {hash(self._absolute(position))}
        # Rows, where known from the first page on; of a style of others nobody says where they are.
        self._came: int | None = 0 if whole and isinstance(self._style, Listing) else None
        self._pages = 0
        self._listed = self._matched = not whole  # whether a page had the list, named the next one
        self._steered = not whole or not (self._listing.more or self._listing.until)
        self._total, self._fell = 0.0, False  # rows by the server's count; whether it ever fell
        self._before: frozenset[bytes] = frozenset()
        self._met: set[int] = set()  # hashes of rows: one that comes again is not one more
        self._opening: frozenset[bytes] = frozenset()
        self._repeats = self._round = self._blank = self._most = 0
        self._last: Response | None = None

    def go(self, concurrency: int) -> Iterator[Page]:
        """Yield the pages."""
        more = True
        while more:
            response = self._fetched()
            if response is None:
                continue
            if self._unsure and isinstance(self._style, Numbered):
                response = self._first_of(response, self._style)
            known = self._style.count(response) if concurrency > 1 else None
            if known is not None and isinstance(self._position, int) and self._position in known:
                ahead = known[known.index(self._position) :]
                more = yield from self._known(ahead, response, concurrency)
                continue
            page, following = self._read(response, self._position)
            yield page
            more = self._step(response, following)

    def _fetched(self) -> Response | None:
        """Return the next page's answer, or None where the pages begin again."""
        position = self._position
        request = self._style.ask(self._request, position)
        led = request.path != self._request.path
        if led:
            request = self._api.led_to(self._with_secrets(request), self._home)
        try:
            response = self._api.call(request, guarded=led and self._api.guards(self._peer))
        except PenstockError as error:
            if error.status is None or position == self._style.first:
                raise
            if error.status in self._ends():
                return self._nothing(error.status)
            if self._numbered or error.status not in _EXPIRED:
                raise
            if self._listing.on_expired != "restart" or self._restarted:
                raise _expired(error) from error
            self._tell(f"{error}: the pages begin again")
            self._begin(self._style.first, whole=True)
            self._restarted = True
            return None
        self._peer = response.peer
        return response

    def _nothing(self, status: int) -> Response:
        return Response(status, self._home, b"", b"", 0.0)

    def _first_of(self, response: Response, style: Numbered) -> Response:
        """Return the first page's answer: its neighbour's where the list turns out to begin there.

        A list that counts from 1 gives no page 0, or page 1 again.
        """
        self._unsure = False
        here = self._keys(response)
        other = 1 - style.first
        if other == 1 and len(here) > 1 and isinstance(style, Offset):
            self._check_offset(response, style, here)
        asked = other == 0 and isinstance(style, PageNumber)
        if other not in (0, 1) or not (asked or (other == 1 and not here)):
            return response
        answer = self._probed(style.ask(self._request, other))
        if answer is None or self._keys(answer) <= here:
            self._beginning.first = style.first if here else None
            return response
        self._tell(
            f"{shown(answer.url)}: {style.param}={other} has rows that {style.param}={style.first} "
            f"has not, so the pages begin there: say first = {other}"
        )
        self._beginning.first = other
        self._begin_at(other)
        return answer

    def _check_offset(self, response: Response, style: Offset, here: set[Key]) -> None:
        """See that offset 1 is the second row: where it is the second page, most would be missed.

        Raises:
            PermanentError: It is not.
        """
        known = _counted(style, response) is not None  # then the count tells
        answer = None if known else self._probed(style.ask(self._request, 1))
        there = set() if answer is None else self._keys(answer)
        if there and there.isdisjoint(here):
            raise PermanentError(
                f"{shown(response.url)}: {style.param}=1 has none of the rows of {style.param}=0, "
                "so it counts pages: say style = 'page' and first = 0 (or, if it counts rows "
                "indeed, first = 0 alone)"
            )
        self._beginning.first = style.first

    def _probed(self, request: Request) -> Response | None:
        """Return the answer to what may well be refused, or None."""
        api = copy.copy(self._api)
        api.retry = dataclasses.replace(
            api.retry,
            never={*api.retry.never, 500},  # a negative OFFSET is an error to some databases
            always={*api.retry.always} - {500},
            fatal=frozenset(),
            failed=None,
            failed_text=None,
        )
        try:
            return api.call(request)
        except PenstockError as error:
            if error.status is None:
                raise
            return None

    def _keys(self, response: Response) -> set[Key]:
        response.become_utf8()
        found = rows_at(response, self._listing.items) or ()
        return {row_result(row, self._beginning.key).key for row in found}

    def _with_secrets(self, request: Request) -> Request:
        """Return a link with those parameters of the request that no link is kept with."""
        query = {
            name: value
            for name, value in (self._request.query or {}).items()
            if isinstance(value, str) and secret_parameters("?" + encode_query({name: value}))
        }
        same = origin(resolve(self._api.base, request.path)) == origin(self._home)
        return msgspec.structs.replace(request, query=query) if query and same else request

    def _ends(self) -> frozenset[int]:
        if self._listing.end is not None:
            return self._listing.end
        return frozenset({404}) if self._numbered else frozenset()

    def _read(self, response: Response, position: Position | None) -> tuple[Page, Following]:
        """Return the page, and what comes after it."""
        items = self._listing.items
        if response.status in self._ends() or response.status == 204:
            end = End()
            doubt = self._doubt(response, end, 0)
            return Page(position, response, None, doubt, _rows=(items, ())), end
        response.become_utf8()
        if self._request.method == "POST" and at(response, "errors") not in (MISSING, None, []):
            self._partial = True  # GraphQL says so with status 200
        if self._api.decode in ("csv", "jsonl") and response.head:
            self._open = self._open or not is_measured(response.head)
        following = self._steering(response, self._following(response, position))
        found = self._found(response, following)
        following = self._unless_over(response, position, found, following)
        self._last = response
        doubt = ""
        if isinstance(following, End):
            doubt = self._doubt(response, following, len(found or ()))
        goes_on = following.position if isinstance(following, Next) else None
        if isinstance(following, Unreadable):
            goes_on = position  # the rows land; what comes after them is asked for again
        kept = None if found is None else (items, found)
        return Page(position, response, goes_on, doubt, self._cut, kept), following

    def _following(self, response: Response, position: Position | None) -> Following:
        """Return the style's answer; a bare position, or None, is the older way to say it."""
        answer = self._style.following(response, position)
        if answer is None:
            return End()
        found = Next(answer) if isinstance(answer, str | int) else answer
        if isinstance(found, Next):
            return dataclasses.replace(found, position=_kept(found.position))
        return found

    def _steering(self, response: Response, following: Following) -> Following:
        """Return what follows where members of the page say whether there is more."""
        for path, means in ((self._listing.more, False), (self._listing.until, True)):
            value = None if path is None else at(response, path)
            if value is None or value is MISSING:
                continue
            said = _TRUTH.get(str(value).lower())
            if said is None:
                return Unreadable(f"at {path!r} stands {value!r:.80}, neither true nor false")
            self._steered = True
            if said is means:
                return End()
            if isinstance(following, End) and not self._numbered:
                return Unreadable(
                    f"{path!r} says that there is more, but there is not "
                    f"{following.unmatched or 'a next page'}"
                )
        return following

    def _found(self, response: Response, following: Following) -> list[bytes] | None:
        """Return the rows; None where the style does not know where they are.

        Raises:
            PermanentError: There is no list, and nothing says that this is an empty page.
        """
        items = self._listing.items
        found = rows_at(response, items)
        if found is not None:
            self._listed = True
        elif items or self._numbered:
            absent = items and at(response, items) is MISSING and is_object(response)
            named = isinstance(following, Next) or (isinstance(following, End) and following.said)
            left_out = self._listed and named and not self._numbered
            if not (absent and (left_out or self._listing.missing == "empty")):
                raise PermanentError(_no_list(response, items))
            found = []
        return found

    def _unless_over(
        self,
        response: Response,
        position: Position | None,
        found: list[bytes] | None,
        following: Following,
    ) -> Following:
        """Return what follows, unless what the page holds shows that nothing does."""
        self._pages += 1
        rows = frozenset(found or ())
        repeats = bool(rows) and rows == self._before
        self._repeats = self._repeats + 1 if repeats else 0
        hashes = {hash(row) for row in rows}
        self._go_round(rows, new=not hashes <= self._met)
        if self._came is not None:
            self._came += len(found or ()) - len(hashes & self._met)
        if len(self._met) < _ROOM:
            self._met |= hashes
        self._before = rows
        self._blank = 0 if rows else self._blank + 1
        self._most = max(self._most, len(found or ()))
        following = self._as_counted(response, position, following, len(found or ()))
        if not isinstance(following, Next):
            return following
        self._matched = self._matched or not following.unmatched
        if found == [] and following.position == position:
            return End()
        if max(self._repeats, self._round) >= self._same(len(rows)) and not following.counted:
            return self._over_and_over(response)
        if self._pages == self._listing.max_pages:
            self._cut = True
            self._tell(f"{shown(response.url)}: stopped after max_pages = {self._pages}")
            return End()
        return following

    def _go_round(self, rows: frozenset[bytes], *, new: bool) -> None:
        """Count the pages since the first one came again, where numbers begin again at the end."""
        again = self._pages > 1 and rows == self._opening
        self._round = (
            self._round + 1 if self._numbered and rows and not new and (again or self._round) else 0
        )
        self._opening = rows if self._pages == 1 else self._opening

    def _as_counted(
        self, response: Response, position: Position | None, following: Following, had: int
    ) -> Following:
        """Return what follows by the server's own count, where pages are numbers and it has one."""
        if not isinstance(self._style, Numbered):
            return following
        total = _counted(self._style, response)
        ends = isinstance(following, End) or (
            total is not None and self._came is not None and self._came >= total
        )
        if ends and had and isinstance(position, int) and self._may_go_on(response, total, had):
            return Next(self._style.after(position, had))
        if total is None:
            return following
        self._fell = self._fell or total < self._total
        self._total = total
        if self._came is not None and self._came >= total:
            return End()
        # Where the first pages were read in another run, only a page without rows is the end.
        futile = self._repeats >= self._same(had) or self._blank > (
            0 if self._came is None else _BLANK
        )
        if isinstance(following, End) and not futile and isinstance(position, int):
            return Next(self._style.after(position, had), counted=True)
        return following

    def _may_go_on(self, response: Response, total: float | None, had: int) -> bool:
        """Whether a page that is the last by the server's count looks as if it were not.

        Some count the rows of the page, or no more than they are willing to give.
        """
        if total is not None and self._came is not None and self._came > total:
            return True
        looks = self._pages == 1 and full(response, had) is not False
        size = self._style.size if isinstance(self._style, Numbered) else had
        if self._pages > 1 and not (self._listing.more or self._listing.until):
            size = min(size, self._most)  # the server's own, where it cuts
        return looks or had >= size

    def _same(self, had: int) -> int:
        """Return after how many pages with the same rows we stop.

        Where rows are hidden, offsets go on by what came, and so some pages overlap wholly.
        """
        return max(_SAME, self._style.size - had + 1) if isinstance(self._style, Offset) else _SAME

    def _over_and_over(self, response: Response) -> Following:
        repeats = max(self._repeats, self._round)
        where = f"{shown(response.url)}: the same rows came on {repeats + 1} pages"
        if self._numbered and self._pages > repeats + 1:
            what = "the first page" if self._round > self._repeats else "the last page"
            self._tell(f"{where}, {what} again and again: taken for the end")
            return End()
        return End(unmatched=f"another page ({where}: is the parameter right?)", surely=True)

    def _doubt(self, response: Response, end: End, rows: int) -> str:
        """Return why this may not be the end, and say it; ``""`` where it is."""
        page = response if response.body else self._last or response
        reason = ""
        if not self._listing.sure:
            unseen = f"{self._api.decode} of no stated length came: a cut would not be seen"
            reason = self._reason(page, end, rows) or (unseen if self._open else "")
            known = rows or not response.body or not isinstance(self._style, Listing)
            if not (reason or known) and (failure := failure_in(response)):
                reason = f"the last page has no rows, and {failure}"
        if reason:
            reason = f"{shown(response.url)}: this may not be all: {reason}"
            self._tell(reason, doubtful=True)
        return reason

    def _reason(self, page: Response, end: End, rows: int) -> str:
        counted = _counted(self._style, page)
        if counted is not None and self._came is not None and counted > self._came:
            return f"the server counts {counted:.0f} rows, and {self._came} came"
        if self._partial:
            return "an answer had rows and errors, too (GraphQL)"
        if self._fell:
            return "the server's count of rows fell on the way: what moved up may have been missed"
        if not self._steered:
            return f"no page had {self._listing.more or self._listing.until!r}"
        nowhere = f"no page had {end.unmatched}" if end.unmatched else ""
        if nowhere and (end.surely or (self._numbered and not self._matched)):
            return nowhere
        sign = sign_of_more(page, self._came, end, None if self._came is None else self._pages)
        looks = not (sign or self._matched or not nowhere) and full(page, rows)
        if looks is None:
            sign = self._seen_behind(rows)
        elif looks:
            sign = f"a page of {rows} rows is as long as asked for"
        single = "" if looks is False else "; if it is all there is, say style = 'single'"
        return sign and f"{nowhere or 'the pages end'}, and yet {sign}{single}"

    def _seen_behind(self, rows: int) -> str:
        """Return what the usual parameters bring behind the only page, in words; ``""``: nothing.

        A list of 20 rows may be all there is, or the first 20 of many whose pages the style does
        not know: the server can tell.
        """
        for names, value in ((_PAGES, 2), (_OFFSETS, rows), (_PAGES, 1)):
            asked = f"{names[0]}={value}"
            try:
                request = with_parameters(self._request, dict.fromkeys(names, value))
                response = self._api.call(request)
            except PenstockError as error:
                if error.status == 404:
                    continue
                return f"a page of {rows} rows looks full ({asked}: {error})"
            response.become_utf8()
            found = rows_at(response, self._listing.items)
            if found is None or not self._before.issuperset(found):
                return f"{asked} brings other rows"
        return ""

    def _tell(self, reason: str, *, doubtful: bool = False) -> None:
        if self._api.events is not None:
            self._api.events.emit(Notice(reason=reason, doubtful=doubtful))

    def _step(self, response: Response, following: Following) -> bool:
        """Go on to what follows; return whether there is anything.

        Raises:
            PermanentError: It cannot be read, or was there before.
        """
        if isinstance(following, Unreadable):
            raise PermanentError(
                f"{shown(response.url)}: where the next page is cannot be read: {following.why}"
            )
        if isinstance(following, End):
            return False
        mark = hash(self._absolute(following.position))
        if mark in self._seen:
            raise PermanentError(
                f"{shown(response.url)}: the pages run in a circle: {following.position!r} was "
                "there before"
            )
        self._seen.add(mark)
        self._position = following.position
        return True

    def _absolute(self, position: Position | None) -> Position | None:
        if isinstance(position, str) and position.startswith("/"):
            return resolve(self._api.base, position)
        return position

    def _known(
        self, known: range, first: Response, concurrency: int
    ) -> Generator[Page, None, bool]:
        """Yield pages whose positions are known; return whether there are more behind them."""

        def ask(position: Key) -> Request:
            return self._style.ask(self._request, position)

        response, last = first, known[-1]
        following: Following = End()
        rest = fetch(known[1:], self._api, ask, concurrency=concurrency, ordered=True)
        for result in itertools.chain([Result(known[0], first)], rest):
            assert isinstance(result.key, int)
            status = getattr(result.error, "status", None)
            gone = result.key == last and status in self._ends()
            response = self._nothing(status or 404) if gone else result.unwrap()
            page, following = self._read(response, result.key)
            if result.key != last:
                page = dataclasses.replace(page, following=result.key + known.step, doubt="")
            yield page
        return self._step(response, following)


def _counted(style: Style, response: Response) -> float | None:
    """Return the number of rows by the server's count, where the style knows where it is."""
    total = style.total if isinstance(style, Numbered) else None
    found = None if total is None else number(at(response, total))
    return None if found is None or found < 0 else found


def _kept(position: Position) -> Position:
    """Return a position without secrets that the server said back: it is written to the store."""
    if not isinstance(position, str) or not (names := secret_parameters(position)):
        return position
    return add_query(position, dict.fromkeys(names))


def _expired(error: PenstockError) -> PermanentError:
    told = PermanentError(
        f"{error}: the place to go on from may have expired; begin with the first page again "
        "(penstock run --restart), or let every run do so (source.on_expired = 'restart')"
    )
    told.status, told.excerpt = error.status, error.excerpt
    return told
