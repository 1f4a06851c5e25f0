"""The rows of a paged endpoint as a feed: they land themselves, or are the keys of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import final

import msgspec

from penstock.http.api import Api
from penstock.http.pagination import Beginning, pages, rows
from penstock.http.request import Get, Request
from penstock.http.row_keys import KeyPath, Rows, tell
from penstock.http.since import SINCE, Since, Watermark
from penstock.http.styles import Style
from penstock.http.url import resolve, shown
from penstock.pipeline import Entry, Key, Lot, Position, Result, source_of


@final
class PageFeed:
    """Pages as a feed: each page is a lot, and the position of the next one its checkpoint.

    After the last page the checkpoint is the beginning: another run walks all pages again, and
    only rows whose keys are new land.

    Args:
        api: The service.
        request: The endpoint, as a request or a path.
        style: How its pages follow each other.
        items: Dotted path of the rows in the body; ``""`` where the body is the list.
        key: Path of what identifies a row, or several; a row that is a text or a number is its own.
        concurrency: Pages to fetch at once, where their number is known beforehand.
        since: How to ask for what is new only, or None.
        recall: With ``since``: the store's ``mark``, which keeps how far it came.
        every: Whether rows that have the same key all count: the store knows what to do with them.
        first: Where pages that have numbers surely begin; unset: it is found out.

    >>> from penstock.http import LinkHeader
    >>> PageFeed(Api("https://a.example"), "/users", LinkHeader()).source.partition(" #")[0]
    'GET https://a.example/users'
    """

    name = "pages"

    def __init__(  # noqa: PLR0913 - all that a listing is
        self,
        api: Api,
        request: Request | str,
        style: Style,
        *,
        items: str = "",
        key: KeyPath = "id",
        concurrency: int = 1,
        since: Since | None = None,
        recall: Callable[[str], str | None] | None = None,
        every: bool | str = False,
        first: int | None = None,
    ) -> None:
        self._api = api
        self._request = Get(request) if isinstance(request, str) else request
        self._style = style
        self._items = items
        self._key = key
        self._concurrency = concurrency
        self._since = since
        self._recall = recall
        self._every = every
        self._first = first

    @property
    def source(self) -> str:
        """The endpoint, with a hash of its query, its style, and where rows and keys are."""
        asked = msgspec.structs.replace(self._request, cost=None, idempotent=None)
        style = (type(self._style).__name__, self._style)
        url = resolve(self._api.base, self._request.path)
        facts = [asked, style, self._items, str(self._key)]
        facts += [] if self._since is None else [self._since.param, self._since.field]
        return source_of(f"{self._request.method} {shown(url)}", *facts)

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield page after page; a row without a usable key is a dead letter.

        Raises:
            PermanentError: A page failed for good, or has no list of rows.
            GaveUp: A page failed as often as the policy allows.
        """
        newest = self._since.field if self._since is not None else None
        keyed = Rows(self._key, every=self._every, newest=newest)
        mark, request = None, self._request
        if self._since is not None:
            mark = Watermark(self._since, self.source, self._recall and self._recall(SINCE))
            request = mark.asked(request)
        known = mark.first if mark is not None and self._first is None else self._first
        begun = Beginning(self._key, known)
        for page in pages(
            self._api,
            request,
            self._style,
            start=position,
            concurrency=self._concurrency,
            beginning=begun,
        ):
            following = "" if page.following is None else page.following
            found = rows(page, self._items)
            items: list[Result[Key, object] | Entry] = [*keyed.results(found)]
            if mark is not None:
                mark.first = begun.first
                items.append(mark.saw(page.response, found, last=page.whole))
            yield Lot(items, following)
        tell(self._api, keyed, None if mark is None else mark.unread)
