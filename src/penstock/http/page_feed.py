"""The rows of a paged endpoint as a feed: they land themselves, or are the keys of requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import msgspec

from penstock.errors import PermanentError
from penstock.http.api import Api
from penstock.http.body import dig
from penstock.http.pages import Page, Style, pages, rows
from penstock.http.request import Get
from penstock.http.url import resolve, shown
from penstock.pipeline import Key, LandedRecord, Lot, Position, Result, source_of

__all__ = ["PageFeed"]


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
        key: Dotted path of what identifies a row; a row that is a text or a number is its own.
        concurrency: Pages to fetch at once, where their number is known beforehand.

    >>> from penstock.http import LinkHeader
    >>> PageFeed(Api("https://a.example"), "/users", LinkHeader()).source.partition(" #")[0]
    'GET https://a.example/users'
    """

    name = "pages"

    def __init__(
        self,
        api: Api,
        request: Get | str,
        style: Style,
        *,
        items: str = "",
        key: str = "id",
        concurrency: int = 1,
    ) -> None:
        self._api = api
        self._request = Get(request) if isinstance(request, str) else request
        self._style = style
        self._items = items
        self._key = key
        self._concurrency = concurrency

    @property
    def source(self) -> str:
        """The endpoint, with a hash of its query, its style, and where rows and keys are."""
        asked = msgspec.structs.replace(self._request, cost=None, idempotent=None)
        style = (type(self._style).__name__, self._style)
        url = resolve(self._api.base, self._request.path)
        return source_of(f"GET {shown(url)}", asked, style, self._items, self._key)

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield page after page.

        Raises:
            PermanentError: A page failed for good, has no list of rows, or a row has no key.
            GaveUp: A page failed as often as the policy allows.
        """
        for page in pages(
            self._api, self._request, self._style, start=position, concurrency=self._concurrency
        ):
            following = "" if page.following is None else page.following
            yield Lot(self._results(page), following)

    def _results(self, page: Page) -> list[Result[Key, object]]:
        found: list[Result[Key, object]] = []
        for row in rows(page, self._items):
            decoded = msgspec.json.decode(row)
            key = decoded if isinstance(decoded, str | int) else dig(decoded, self._key)
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise PermanentError(
                    f"GET {self._request.path}: a row has no text or whole number at "
                    f"{self._key!r}; set source.key. The row begins: "
                    f"{row[:80].decode('utf-8', 'replace')!r}"
                )
            found.append(Result(key, LandedRecord(key, row)))
        return found
