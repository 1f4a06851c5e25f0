"""Change streams that go on behind the last change they have seen, until the deadline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pymongo.errors import PyMongoError

from penstock.mongo.cursor_liveness import check_reach
from penstock.mongo.effects import Invocation, Steps, done, done_async
from penstock.mongo.proxy import Proxy
from penstock.mongo.retry import RetriedTask, again, always
from penstock.mongo.settings import Core

__all__ = ["Changes", "ChangesAsync"]

_ANCHORS = ("resume_after", "start_after", "start_at_operation_time")


class Watching(Proxy):
    """What both kinds share."""

    __slots__ = ("_kwargs", "_open", "_where")

    def __init__(
        self, real: object, core: Core, open_: Callable[..., Any], kwargs: Any, where: str
    ) -> None:
        super().__init__(real, core)
        self._open, self._kwargs, self._where = open_, dict(kwargs), where

    def _try_next(self) -> Steps[Any]:
        """Return the next change, or None if there is none within a second."""
        cursor = self._real._cursor
        try:
            check_reach(cursor, cursor._collection.database.client)
            return (yield Invocation(self._real.try_next))
        except PyMongoError as error:
            yield from self._resumed(error)
            return None

    def _next(self) -> Steps[Any]:
        """Return the next change, however long it takes; None when the stream has ended."""
        change = None
        while change is None and self._real.alive:
            change = yield from self._try_next()
        return change

    def _resumed(self, error: PyMongoError) -> Steps[None]:
        """Go on behind the last change after ``error``."""
        if error.has_error_label("NonResumableChangeStreamError"):
            raise error
        now = self._core.now()
        task = RetriedTask(
            self._core, "watch", self._where, self._reopened, now, always, reads=True
        )
        yield from again(task, error)
        self._core.count("resumed")

    def _reopened(self) -> Steps[None]:
        token = self._real.resume_token
        kwargs = self._kwargs
        if token is not None:
            # start_after also goes on behind a token that ended a stream (invalidate).
            kwargs = {k: v for k, v in kwargs.items() if k not in _ANCHORS} | {"start_after": token}
        self._real = yield Invocation(partial(self._open, **kwargs))


class Changes(Watching):
    """A change stream for threads."""

    __slots__ = ()

    try_next = done(Watching._try_next)
    _more = done(Watching._next)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if (change := self._more()) is None:
            raise StopIteration
        return change

    next = __next__

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()


class ChangesAsync(Watching):
    """A change stream for asyncio."""

    __slots__ = ()

    try_next = done_async(Watching._try_next)
    _more = done_async(Watching._next)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        if (change := await self._more()) is None:
            raise StopAsyncIteration
        return change

    next = __anext__

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._real.close()
