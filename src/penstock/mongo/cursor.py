"""Cursors that go on where they were cut off.

A batch is taken from PyMongo's cursor whole, noted, and handed out from here, so a healthy walk
costs nothing a document; only when the next batch fails is there anything to do.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import islice
from typing import Any

from pymongo.errors import PyMongoError

from penstock.mongo.cursor_liveness import check_reach
from penstock.mongo.cursor_position import Position
from penstock.mongo.effects import Invocation, Steps, done, done_async
from penstock.mongo.error_kinds import fault_of
from penstock.mongo.proxy import Proxy, unwrapped
from penstock.mongo.retry import RetriedTask, again, always
from penstock.mongo.sessions import recorded
from penstock.mongo.settings import Core
from penstock.mongo.sort_order import identity
from penstock.mongo.transaction_replay import TransactionRecord, statement

__all__ = ["Streamed", "StreamedAsync", "Walking"]


class Walking(Proxy):
    """What all cursors share: batches in, documents out, and the way back after a failure."""

    __slots__ = (
        "_begun",
        "_buffer",
        "_ended",
        "_name",
        "_passed",
        "_place",
        "_sitting",
        "_where",
    )

    def __init__(self, real: object, core: Core) -> None:
        self._real, self._core = real, core
        self._buffer: Iterator[Any] = iter(())
        self._name, self._where = "find", ""
        self._ended = self._begun = False
        self._passed: frozenset[object] = frozenset()
        self._place: Any = None
        self._sitting: Any = None

    # Nobody sets anything on a cursor of PyMongo's, so nothing is passed on.
    __setattr__ = object.__setattr__  # type: ignore[assignment]

    def _begin(self) -> bool:
        """Settle what must be before it is sent; return whether it ends by itself."""
        return True

    def _drained(self) -> Steps[list[Any]]:
        """Return PyMongo's next batch; empty at the end."""
        raise NotImplementedError

    def _next_batch(self) -> Steps[list[Any]]:
        """Return the next batch, unless its server is known to be gone.

        A cursor that cannot go on elsewhere waits for its server, as PyMongo's own does.
        """
        inside = self._sitting is not None and unwrapped(self._sitting).in_transaction
        real = self._real
        if inside or (self._place is not None and self._why_not() is None):
            check_reach(real, real._collection.database.client, in_transaction=inside)
        return (yield from self._drained())

    def _reopened(self) -> Steps[None]:
        """Put a cursor in place that goes on from here."""
        raise NotImplementedError

    def _restarted(self) -> Steps[None]:
        """Put a cursor in place that begins again."""
        raise NotImplementedError

    def _fetched(self, record: TransactionRecord) -> Steps[Any]:
        """Return the next batch within a transaction by hand."""
        redo = self._drained if self._begun else self._begin_again
        self._begun = True
        return (yield from statement(record, self._next_batch, lambda: redo, redo))

    @property
    def session(self) -> Any:
        """The session it was given, or None."""
        return self._sitting

    def _begin_again(self) -> Steps[list[Any]]:
        yield from self._restarted()
        return (yield from self._drained())

    def _why_not(self) -> str | None:
        place: Position = self._place
        return place.why_not()

    def _unfit(self) -> Steps[str | None]:
        """Ask the server why it cannot go on here, or None: once, when it was cut off."""
        yield from ()
        return None

    def _long(self) -> bool:
        """Whether it has gone so far that it is to be put in an order before the next batch."""
        return False

    def _turned(self) -> Steps[None]:
        """Put it in an order."""
        raise NotImplementedError

    def _noted(self, batch: list[Any]) -> list[Any]:
        """Note ``batch``, and return it without what was handed out before."""
        if not batch:
            self._ended = not self._real.alive
            return batch
        if self._passed:
            name = self._place.named
            batch = [one for one in batch if identity(one.get(name)) not in self._passed]
        if not self._real.alive:
            self._ended = True
        elif batch:
            self._place.note(batch)
        return batch

    def _batch(self) -> Steps[list[Any]]:
        """Return the next documents, none at the end."""
        batch: list[Any] = []
        while not batch and not self._ended:
            started = self._core.now()
            try:
                record = recorded(self._sitting)
                if record is None:
                    if self._long():
                        yield from self._turned()
                    batch = yield from self._next_batch()
                else:
                    batch = yield from self._fetched(record)
            except PyMongoError as error:
                batch = yield from self._resumed(error, started)
            batch = self._noted(batch)
        return batch

    def _resumed(self, error: PyMongoError, started: float) -> Steps[list[Any]]:
        """Return the next documents after the batch asked for at ``started`` failed."""
        if self._sitting is not None and unwrapped(self._sitting).in_transaction:
            raise error  # its transaction is what is done again, or not
        why_not = self._why_not()
        if not error.timeout:
            started = self._core.now()  # a read that is merely slow is not cut off
        if why_not is None and self._place.delivered and _may_pass(error):
            why_not = yield from self._unfit()
        repeats = always if why_not is None else _never
        task = RetriedTask(
            *(self._core, self._name, self._where, self._go_on, started, repeats),
            remedy=f"This cursor cannot be resumed: {why_not}.",
            reads=True,
        )
        try:
            batch: list[Any] = yield from again(task, error)
        except PyMongoError:
            self._ended = True
            raise
        self._core.count("resumed")
        return batch

    def _go_on(self) -> Steps[list[Any]]:
        self._passed = self._place.passed()
        yield from self._reopened()
        return (yield from self._drained())

    def _to_list(self, length: int | None = None) -> Steps[Any]:
        """Return the documents that are left, or ``length`` of them."""
        if length is not None and length < 1:
            raise ValueError("to_list() length must be greater than 0")
        if not self._begin():
            return (yield Invocation(partial(self._real.to_list, length)))
        most, found = length or sys.maxsize, list[Any]()
        while len(found) < most:
            found += islice(self._buffer, most - len(found))
            if len(found) < most:
                if not (batch := (yield from self._batch())):
                    break
                self._buffer = iter(batch)
        return found

    def _close(self) -> Steps[None]:
        """Let the server forget the cursor."""
        self._ended = True
        yield Invocation(self._real.close)

    @property
    def alive(self) -> bool:
        """Whether there may be more documents."""
        here = operator.length_hint(self._buffer) > 0
        return here or (not self._ended and bool(self._real.alive))


def _may_pass(error: PyMongoError) -> bool:
    fault = fault_of(error)
    return fault.transient or fault.cursor_lost


def _never(fault: object) -> bool:
    return False


class Streamed(Walking):
    """A cursor for threads."""

    __slots__ = ()

    _more = done(Walking._batch)
    to_list = done(Walking._to_list)
    close = done(Walking._close)

    def _documents(self) -> Iterator[Any]:
        yield from self._buffer
        while batch := self._more():
            self._buffer = iter(batch)
            yield from self._buffer

    def __iter__(self) -> Iterator[Any]:
        # Nothing here keeps it: a cursor that is let go of ends on the server at once.
        return self._documents() if self._begin() else iter(self._real)

    def __next__(self) -> Any:
        for document in self._buffer:
            return document
        if not self._begin():
            return next(self._real)
        self._buffer = iter(self._more())
        return next(self._buffer)

    def next(self) -> Any:
        """Return the next document."""
        return next(self)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class StreamedAsync(Walking):
    """A cursor for asyncio."""

    __slots__ = ()

    _more = done_async(Walking._batch)
    to_list = done_async(Walking._to_list)
    close = done_async(Walking._close)

    async def _documents(self) -> AsyncIterator[Any]:
        for document in self._buffer:
            yield document
        while batch := await self._more():
            self._buffer = iter(batch)
            for document in self._buffer:
                yield document

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._documents() if self._begin() else aiter(self._real)

    async def __anext__(self) -> Any:
        for document in self._buffer:
            return document
        if not self._begin():
            return await anext(self._real)
        self._buffer = iter(await self._more())
        for document in self._buffer:
            return document
        raise StopAsyncIteration

    async def next(self) -> Any:
        """Return the next document."""
        return await anext(self)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
