"""Cursors that the server opens at once: aggregations, lists of names, change streams."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.synchronous.change_stream import ChangeStream
from pymongo.synchronous.command_cursor import CommandCursor

from penstock.mongo.change_stream import Changes, ChangesAsync
from penstock.mongo.cursor import Streamed, StreamedAsync, Walking
from penstock.mongo.cursor_position import Position
from penstock.mongo.effects import Invocation, Steps
from penstock.mongo.find_arguments import changed_by
from penstock.mongo.namespace import unfit
from penstock.mongo.pipelines import grouped, identity_of
from penstock.mongo.proxy import Proxy, place_of
from penstock.mongo.settings import Core

__all__ = ["opened"]

_FIRST_BATCH = 101
"""How many documents a server's first batch has, and we take at a time."""


class ReplayedListing(Walking):
    """What both kinds share: run again, it passes over what was handed out."""

    __slots__ = ("_chunk", "_collection", "_grouped", "_rerun")

    def __init__(self, real: object, core: Core, rerun: Callable[[], Any], place: Position) -> None:
        super().__init__(real, core)
        self._rerun, self._place, self._chunk = rerun, place, _FIRST_BATCH
        self._collection: Any = None
        self._grouped = ""

    def _unfit(self) -> Steps[str | None]:
        if self._collection is None:
            return (yield from Walking._unfit(self))
        return (yield from unfit(self._core, self._collection, by_text=self._grouped))

    def _drained(self) -> Steps[Any]:
        return (yield Invocation(partial(self._real.to_list, self._chunk)))

    def _reopened(self) -> Steps[None]:
        self._real = yield Invocation(self._rerun)

    _restarted = _reopened

    def batch_size(self, batch_size: int) -> Any:
        """Ask for so many documents at a time."""
        self._real.batch_size(batch_size)
        self._chunk = batch_size or _FIRST_BATCH
        return self


class ListCursor(ReplayedListing, Streamed):
    """A cursor of an aggregation or a list for threads."""

    __slots__ = ()

    def try_next(self) -> Any:
        """Return the next document, or None."""
        return next(self, None)


class ListCursorAsync(ReplayedListing, StreamedAsync):
    """A cursor of an aggregation or a list for asyncio."""

    __slots__ = ()

    async def try_next(self) -> Any:
        """Return the next document, or None."""
        return await anext(self, None)


def opened(thing: Proxy, name: str, given: dict[str, Any], real: Any, session: Any) -> Any:
    """Return the cursor that ``name`` of ``thing`` gave as one that can be opened again."""
    core, where, rerun = thing._core, place_of(thing._real), getattr(thing._real, name)
    if isinstance(real, ChangeStream | AsyncChangeStream):
        watching = ChangesAsync if isinstance(real, AsyncChangeStream) else Changes
        return watching(real, core, rerun, given, where)
    if not isinstance(real, CommandCursor | AsyncCommandCursor) or "raw" in name:
        return real
    place = Position(core.settings.remember, named="name")
    if name == "aggregate":
        place.named, place.lost = "_id", _lost(thing, where, given)
    listing = ListCursorAsync if isinstance(real, AsyncCommandCursor) else ListCursor
    cursor = listing(real, core, partial(rerun, **given), place)
    cursor._name, cursor._where, cursor._sitting = name, where, session
    if name == "aggregate":
        cursor._collection, cursor._grouped = thing._real, grouped(given["pipeline"])
    cursor._chunk = given.get("batchSize") or given.get("cursor", {}).get("batchSize")
    cursor._chunk = cursor._chunk or _FIRST_BATCH
    return cursor


def _lost(thing: Proxy, where: str, given: dict[str, Any]) -> str | None:
    """Return why an aggregation cannot go on once documents were handed out, or None."""
    if "." not in where:
        return "an aggregation of a database has no documents of a collection"
    by_collation = grouped(given["pipeline"]) if "collation" in given else ""
    changed = changed_by(thing._real.codec_options)
    return identity_of(given["pipeline"]) or by_collation or changed or None
