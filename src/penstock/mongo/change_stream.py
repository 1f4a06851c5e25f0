"""Change streams that go on behind the last change they have seen, until the deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.errors import PyMongoError

from penstock.mongo.cursor_liveness import check_reach
from penstock.mongo.effects import Steps, run, run_async
from penstock.mongo.proxy import Proxy
from penstock.mongo.retry import Task, again, always
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
        object.__setattr__(self, "_open", open_)
        object.__setattr__(self, "_kwargs", dict(kwargs))
        object.__setattr__(self, "_where", where)

    def _resumed(self, error: PyMongoError) -> Steps[None]:
        """Go on behind the last change after ``error``."""
        if error.has_error_label("NonResumableChangeStreamError"):
            raise error
        now = self._core.now()
        task = Task(self._core, "watch", self._where, self._reopened, now, always, reads=True)
        yield from again(task, error)
        self._core.count("resumed")

    def _check(self) -> None:
        cursor = self._real._cursor
        check_reach(cursor, cursor._collection.database.client)

    def _reopened(self) -> Any:
        token = self._real.resume_token
        kwargs = dict(self._kwargs)
        if token is not None:
            # start_after also goes on behind a token that ended a stream (invalidate).
            kwargs = {k: v for k, v in kwargs.items() if k not in _ANCHORS} | {"start_after": token}
        stream = self._open(**kwargs)
        if hasattr(stream, "__await__"):
            return self._placed_later(stream)
        object.__setattr__(self, "_real", stream)
        return stream

    async def _placed_later(self, stream: Any) -> Any:
        object.__setattr__(self, "_real", await stream)
        return self._real


class Changes(Watching):
    """A change stream for threads."""

    __slots__ = ()

    def try_next(self) -> Any:
        """Return the next change, or None if there is none within a second."""
        try:
            self._check()
            return self._real.try_next()
        except PyMongoError as error:
            run(self._resumed(error), self._core.settings.clock)
            return None

    def next(self) -> Any:
        """Return the next change, however long it takes."""
        while self._real.alive:
            change = self.try_next()
            if change is not None:
                return change
        raise StopIteration

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.next()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()


class ChangesAsync(Watching):
    """A change stream for asyncio."""

    __slots__ = ()

    async def try_next(self) -> Any:
        """Return the next change, or None if there is none within a second."""
        try:
            self._check()
            return await self._real.try_next()
        except PyMongoError as error:
            await run_async(self._resumed(error), self._core.settings.clock)
            return None

    async def next(self) -> Any:
        """Return the next change, however long it takes."""
        while self._real.alive:
            change = await self.try_next()
            if change is not None:
                return change
        raise StopAsyncIteration

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        return await self.next()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._real.close()
