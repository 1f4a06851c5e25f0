"""Cursors that the server opens at once: aggregations, lists of names, change streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.synchronous.change_stream import ChangeStream
from pymongo.synchronous.command_cursor import CommandCursor

from penstock.mongo.change_stream import Changes, ChangesAsync
from penstock.mongo.cursor import Streamed, StreamedAsync, Walking
from penstock.mongo.cursor_position import Position
from penstock.mongo.effects import Steps
from penstock.mongo.namespace import unfit
from penstock.mongo.pipelines import identity_of
from penstock.mongo.proxy import Proxy, place_of
from penstock.mongo.settings import Core

__all__ = ["Opened", "opened"]

_FIRST_BATCH = 101
"""How many documents a server's first batch has, and we take at a time."""


class Listing(Walking):
    """What both kinds share: run again, it passes over what was handed out."""

    __slots__ = ("_chunk", "_collection", "_rerun")

    def __init__(self, real: object, core: Core, rerun: Callable[[], Any], place: Position) -> None:
        super().__init__(real, core)
        self._set(_rerun=rerun, _place=place, _chunk=_FIRST_BATCH, _collection=None)

    def _unfit(self) -> Steps[str | None]:
        if self._collection is None:
            return (yield from Walking._unfit(self))
        return (yield from unfit(self._core, self._collection))

    def _restarted(self) -> Any:
        return self._reopened()

    def batch_size(self, batch_size: int) -> Any:
        """Ask for so many documents at a time."""
        self._real.batch_size(batch_size)
        self._set(_chunk=batch_size or _FIRST_BATCH)
        return self


class ListCursor(Listing, Streamed):
    """A cursor of an aggregation or a list for threads."""

    __slots__ = ()

    def _drained(self) -> list[Any]:
        batch: list[Any] = self._real.to_list(self._chunk)
        return batch

    def _reopened(self) -> None:
        self._set(_real=self._rerun())

    def try_next(self) -> Any:
        """Return the next document, or None."""
        return next(self, None)


class ListCursorAsync(Listing, StreamedAsync):
    """A cursor of an aggregation or a list for asyncio."""

    __slots__ = ()

    async def _drained(self) -> list[Any]:
        batch: list[Any] = await self._real.to_list(self._chunk)
        return batch

    async def _reopened(self) -> None:
        self._set(_real=await self._rerun())

    async def try_next(self) -> Any:
        """Return the next document, or None."""
        return await anext(self, None)


@final
@dataclass(frozen=True, slots=True)
class Opened:
    """A cursor that was opened, and how to open it again."""

    real: Any
    name: str
    where: str
    rerun: Callable[..., Any]
    given: dict[str, Any]

    def proxy(self, core: Core, session: Any) -> Proxy:
        """Return the proxy for it."""
        if self.name == "watch":
            kind = ChangesAsync if isinstance(self.real, AsyncChangeStream) else Changes
            return kind(self.real, core, self.rerun, self.given, self.where)
        return self._listing(core, session)

    def _listing(self, core: Core, session: Any) -> Listing:
        named, why = self._identity()
        place = Position(core.settings.remember, named=named, lost=why or None)
        kind = ListCursorAsync if isinstance(self.real, AsyncCommandCursor) else ListCursor
        cursor = kind(self.real, core, partial(self.rerun, **self.given), place)
        collection = self.source if self.name == "aggregate" else None
        cursor._set(_name=self.name, _where=self.where, _sitting=session, _collection=collection)
        size = self.given.get("batchSize") or self.given.get("cursor", {}).get("batchSize")
        cursor._set(_chunk=size or _FIRST_BATCH)
        return cursor

    @property
    def source(self) -> Any:
        """What it was opened on."""
        return self.rerun.__self__  # type: ignore[attr-defined]

    def _identity(self) -> tuple[str, str]:
        if self.name != "aggregate":
            return "name", ""
        if "." not in self.where:
            return "_id", "an aggregation of a database has no documents of a collection"
        return "_id", identity_of(self.given["pipeline"])


def opened(thing: Proxy, name: str, given: dict[str, Any], real: Any) -> Any:
    """Return what came back, as one that can be opened again if it is a cursor."""
    kinds = (CommandCursor, AsyncCommandCursor, ChangeStream, AsyncChangeStream)
    if not isinstance(real, kinds) or "raw" in name:
        return real
    return Opened(real, name, place_of(thing._real), getattr(thing._real, name), given)
