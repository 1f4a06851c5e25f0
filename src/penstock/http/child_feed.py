"""The pages of an endpoint that belongs to a parent, such as the comments of each issue."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, final

import msgspec

from penstock.errors import Absent, GaveUp, PenstockError, PermanentError
from penstock.http.api import Api
from penstock.http.pagination import Beginning, pages, rows
from penstock.http.request import Request
from penstock.http.row_keys import KeyPath, Rows, tell
from penstock.http.since import Since, Watermark, Watermarks
from penstock.http.styles import Style
from penstock.pipeline import Checkpoint, Key, LandedRecord, Lot, Position, Result, source_of

FAILED_PARENT = "pages of "  # how the key of a parent begins whose pages failed
_READ_AHEAD = 2  # pages of each parent that are read before it is its turn


class Child(NamedTuple):
    """A parent whose pages are to be read.

    Attributes:
        key: Its key.
        request: The first page of what belongs to it, or why it cannot be asked for.
        include: What its rows get in ``_parent``, as JSON; ``b""`` for nothing.
        position: Where the parents go on after it.
    """

    key: Key
    request: Request | PermanentError
    include: bytes
    position: str


Parents: TypeAlias = Callable[[str], Iterator[Child]]
"""Yields the parents behind a position, all of them behind ``""``, in an order that lasts."""


class _ChildPage(NamedTuple):
    """The rows of a page, or why there are none; where the next one is; how far it all came."""

    found: list[bytes] | PenstockError
    following: Position | None = None
    mark: tuple[Checkpoint, ...] = ()


def _nothing(_name: str) -> None:
    """Remember nothing."""


@final
class ChildFeed:
    """The pages of each parent as a feed; the checkpoint says which parent, and which page of it.

    Several parents are read at once, and land in their order. A parent whose pages fail for good
    is a dead letter and ends nothing else.

    Args:
        api: The service.
        parents: The parents.
        style: How the pages follow each other.
        facts: What the positions belong to: a text for people, and what else matters.
        items: Dotted path of the rows in the body.
        key: Path of what identifies a row, with its ``_parent``.
        concurrency: Parents at once.
        every: Whether rows that have the same key all count.
        again: Whether the next run reads the pages of all parents again.
        since: How to ask for what is new only, of each parent by itself, or None.
        recall: The store's ``mark``, which keeps how far each came.
        first: Where pages that have numbers surely begin; unset: the first rows tell.
    """

    name = "pages"

    def __init__(  # noqa: PLR0913 - what pages need, for each of many
        self,
        api: Api,
        parents: Parents,
        style: Style,
        facts: tuple[str, object],
        *,
        items: str = "",
        key: KeyPath = "id",
        concurrency: int = 1,
        every: bool | str = False,
        again: bool = True,
        since: Since | None = None,
        recall: Callable[[str], str | None] = _nothing,
        first: int | None = None,
    ) -> None:
        self._api = api
        self._parents = parents
        self._style = style
        self._items = items
        self._concurrency = concurrency
        self._again = again
        self._keyed = Rows(key, every=every, newest=None if since is None else since.field)
        self._since = since
        self._recall = recall
        own = [path for path in ([key] if isinstance(key, str) else key) if path[:8] != "_parent."]
        self._begun = Beginning(own or "id", first)
        self.source = source_of(*facts, (type(style).__name__, style), items, str(key))

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield the pages of parent after parent.

        Raises:
            GaveUp: The server has failed for too long.
            InputError: The server refuses our credentials.
        """
        done, page = msgspec.json.decode(str(position)) if position else ("", None)
        marks = None
        if self._since is not None:
            marks = Watermarks(self._since, self.source, self._recall)
            yield Lot(marks.begun)
        for parent, walk in self._ahead(self._parents(done), page, marks):
            for found, following, mark in walk:
                results: list[Result[Key, LandedRecord]]
                if isinstance(found, PenstockError):
                    results = [Result(f"{FAILED_PARENT}{parent.key}", None, found)]
                else:
                    results = self._keyed.results(found)
                here = [parent.position, None] if following is None else [done, following]
                yield Lot([*results, *mark], msgspec.json.encode(here).decode())
            done = parent.position
        if self._again:
            yield Lot((), "")
        tell(self._api, self._keyed, None if marks is None else marks.unread)

    def _ahead(
        self, parents: Iterator[Child], start: Position | None, marks: Watermarks | None
    ) -> Iterator[tuple[Child, Iterator[_ChildPage]]]:
        """Yield parents with their pages, of which the first are read beforehand."""
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="penstock-pages")
        waiting: deque[tuple[Child, Future[list[_ChildPage]], Iterator[_ChildPage]]] = deque()
        try:
            for parent in parents:
                walk = self._walk(parent, start, marks and marks.of(parent.key))
                start = None
                waiting.append((parent, pool.submit(_first, walk), walk))
                if len(waiting) >= self._concurrency:
                    yield _whole(*waiting.popleft())
            while waiting:
                yield _whole(*waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _walk(
        self, parent: Child, start: Position | None, mark: Watermark | None
    ) -> Iterator[_ChildPage]:
        try:
            if isinstance(parent.request, PermanentError):
                raise parent.request
            request = parent.request if mark is None else mark.asked(parent.request)
            for page in pages(self._api, request, self._style, start=start, beginning=self._begun):
                found = rows(page, self._items)
                seen = () if mark is None else (mark.saw(page.response, found, last=page.whole),)
                joined = [_joined(row, parent.include) for row in found]
                yield _ChildPage(joined, page.following, seen)
        except Absent:
            yield _ChildPage([])
        except (PermanentError, GaveUp) as error:
            if isinstance(error, GaveUp) and error.status is None:
                raise  # the server is down, for every parent
            yield _ChildPage(error)


def _first(walk: Iterator[_ChildPage]) -> list[_ChildPage]:
    return list(itertools.islice(walk, _READ_AHEAD))


def _whole(
    parent: Child, first: Future[list[_ChildPage]], rest: Iterator[_ChildPage]
) -> tuple[Child, Iterator[_ChildPage]]:
    return parent, itertools.chain(first.result(), rest)


def _joined(row: bytes, include: bytes) -> bytes:
    """Return a row with what it gets of its parent.

    >>> _joined(b' {"id": 1}', b'{"id":7}'), _joined(b"3", b'{"id":7}')
    (b'{"_parent":{"id":7},"id": 1}', b'{"_parent":{"id":7},"value":3}')
    """
    if not include:
        return row
    text = row.strip()
    if text[:1] != b"{":
        return b'{"_parent":%b,"value":%b}' % (include, text)
    rest = text[1:].lstrip()
    return b'{"_parent":%b%b%b' % (include, b"" if rest == b"}" else b",", rest)
