"""The cursor of ``find``: asked once more for what is left, in the order it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pymongo.errors import PyMongoError

from penstock.mongo.cursor import Streamed, StreamedAsync, Walking
from penstock.mongo.cursor_position import Position, Question
from penstock.mongo.effects import Invocation, Steps, done, done_async, run
from penstock.mongo.find_arguments import Asked, asked
from penstock.mongo.namespace import unfit
from penstock.mongo.proxy import place_of
from penstock.mongo.retry import RetriedTask, always, attempt
from penstock.mongo.settings import Core
from penstock.mongo.transaction_replay import TransactionRecord

__all__ = ["FindCursor", "FindCursorAsync"]

# What changes what must be asked so that the cursor can go on, and what says that it cannot.
_SETTLED_FIRST = frozenset({"projection", "cursor_type", "add_option"})
_TEXTS = """its collation says which texts are equal: give it to the query as well \
(collation=...), or sort by _id"""
_CHAINED = """add_option remove_option allow_disk_use batch_size collation comment hint limit max
max_await_time_ms max_scan max_time_ms min skip sort where"""


class Finding(Walking):
    """What both kinds share: how the question is kept and asked again."""

    __slots__ = (
        "_args",
        "_asked",
        "_brought",
        "_calls",
        "_collection",
        "_initial",
        "_kwargs",
        "_movable",
    )

    def __init__(self, real: object, core: Core, collection: Any, args: Any, kwargs: Any) -> None:
        super().__init__(real, core)
        self._collection, self._args, self._kwargs = collection, args, kwargs
        self._calls: list[tuple[str, tuple[Any, ...], Mapping[str, Any]]] = []
        self._asked: Any = None
        self._movable = True

    def _begin(self) -> bool:
        named = {*self._kwargs, *(name for name, _, _ in self._calls)}
        if len(self._args) < 2 and not named & _SETTLED_FIRST:
            return True
        return self._settled().plain

    def _settled(self) -> Asked:
        """Settle what is asked, if it is not yet; from here on nothing can be chained."""
        if self._asked is not None:
            now: Asked = self._asked
            return now
        question: Asked = asked(self._args, self._kwargs, self._calls)
        codec = self._collection.codec_options
        place, brought = question.position(self._core.settings.remember, codec)
        self._asked, self._place, self._brought = question, place, brought
        self._initial, self._where = place.question(), place_of(self._collection)
        if question.plain and brought.projection != question.projection:
            self._real = self._open(place.question())
        return question

    def _open(self, question: Question) -> Any:
        now: Asked = self._asked
        fits = question.filter
        if fits is None or now.filter:
            fits = now.filter if fits is None else {"$and": [now.filter, fits]}
        cursor = self._collection.find(
            fits,
            self._brought.projection,
            sort=list(question.sort) or now.raw_sort,
            skip=question.skip,
            limit=question.limit,
            **now.options,
        )
        for name, args, kwargs in now.calls:
            getattr(cursor, name)(*args, **kwargs)
        return cursor

    def _drained(self) -> Steps[list[Any]]:
        real = self._real
        before = real.retrieved
        batch: list[Any] = yield Invocation(partial(real.to_list, 1))
        rest = real.retrieved - before - 1
        return (
            batch + (yield Invocation(partial(real.to_list, rest))) if batch and rest > 0 else batch
        )

    def _reopened(self) -> Steps[None]:
        yield from ()
        self._real = self._open(self._place.question())

    def _restarted(self) -> Steps[None]:
        yield from ()
        self._real = self._open(self._initial)

    def _noted(self, batch: list[Any]) -> list[Any]:
        if self._asked is None and not self._real.alive:
            self._ended = True
            return batch
        self._settled()
        place: Position = self._place
        left = place.limit - place.delivered
        batch = Walking._noted(self, batch)
        if place.limit > 0 and self._passed:
            batch = batch[: max(0, left)]
        for name in self._brought.hidden:
            for document in batch:
                document.pop(name, None)
        return batch

    def _long(self) -> bool:
        return bool(self._movable and self._place is not None and self._place.full)

    def _turned(self) -> Steps[None]:
        """Let the next batches come in the order of ``_id``, past those that came in none."""
        self._movable = False
        decoded = self._collection.codec_options.type_registry.codecs
        if decoded or not self._asked.movable:
            return
        if (yield from unfit(self._core, self._collection, in_view=_TEXTS)):
            return
        old, place = self._real, self._place.moved()
        self._place, self._passed = place, place.passed()
        yield from self._reopened()
        yield Invocation(old.close)

    def _unfit(self) -> Steps[str | None]:
        """Ask the server why it cannot go on here, or None: once, when it was cut off."""
        place: Position = self._place
        arrays = place.may_be_arrays
        if arrays and place.delivered:
            fits = {"$and": [self._asked.filter or {}, {"$or": arrays}]}
            if (yield Invocation(lambda: self._collection.find_one(fits, {"_id": 1}))) is not None:
                return "it skips, and its order goes by arrays: sort by plain fields"
        by_text = _TEXTS if place.texts - {"_id"} else ""
        in_view = _TEXTS if place.texts else ""
        return (yield from unfit(self._core, self._collection, by_text=by_text, in_view=in_view))

    def _resumed(self, error: PyMongoError, started: float) -> Steps[list[Any]]:
        self._settled()
        return (yield from Walking._resumed(self, error, started))

    def _fetched(self, record: TransactionRecord) -> Steps[Any]:
        self._settled()
        return (yield from Walking._fetched(self, record))

    def _fresh(self) -> Any:
        real = self._collection.find(*self._args, **self._kwargs)
        for name, args, kwargs in self._calls:
            getattr(real, name)(*args, **kwargs)
        return real

    def clone(self) -> Any:
        """Return the same query, not yet sent."""
        twin = type(self)(self._fresh(), self._core, self._collection, self._args, self._kwargs)
        twin._calls.extend(self._calls)
        twin._sitting = self._sitting
        return twin

    def __copy__(self) -> Any:
        return self.clone()

    def __deepcopy__(self, memo: object) -> Any:
        return self.clone()

    def _sliced(self, index: slice) -> Any:
        empty = index.start is not None and index.start == index.stop
        self._real[index]
        self._calls.append(("skip", (index.start or 0,), {}))
        self._calls.append(
            ("limit", (0 if index.stop is None else index.stop - (index.start or 0),), {})
        )
        self._ended = empty
        return self

    def _rewind(self) -> Steps[Any]:
        """Begin again with the next document."""
        yield Invocation(self._real.close)
        self._real, self._buffer, self._ended = self._fresh(), iter(()), False
        self._passed, self._place, self._asked, self._movable = frozenset(), None, None, True
        return self


def _chain(name: str) -> Callable[..., Any]:
    def chained(self: Finding, *args: Any, **kwargs: Any) -> Any:
        getattr(self._real, name)(*args, **kwargs)
        self._calls.append((name, args, kwargs))
        return self

    return chained


for _name in _CHAINED.split():
    setattr(Finding, _name, _chain(_name))


class FindCursor(Finding, Streamed):
    """The cursor of ``find`` for threads."""

    __slots__ = ()

    rewind = done(Finding._rewind)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._sliced(index)
        where, now = place_of(self._collection), self._core.now()
        call = partial(self._real.__getitem__, index)
        task = RetriedTask(self._core, "find", where, call, now, always, reads=True)
        return run(attempt(task), self._core.settings.clock)


class FindCursorAsync(Finding, StreamedAsync):
    """The cursor of ``find`` for asyncio."""

    __slots__ = ()

    rewind = done_async(Finding._rewind)

    def __getitem__(self, index: Any) -> Any:
        return self._sliced(index) if isinstance(index, slice) else self._real[index]
