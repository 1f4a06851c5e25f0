"""Stages chained into one pipeline, and run into a store."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar, cast, final

from penstock.clock import Clock
from penstock.errors import InputError
from penstock.events import Events
from penstock.pipeline.batches import batches
from penstock.pipeline.concurrent import Slots, fetch, fetch_chunks
from penstock.pipeline.landing import Counts, land
from penstock.pipeline.ports import Api, Sizer, Store
from penstock.pipeline.result import Key, Result
from penstock.pipeline.stages import Stage, through
from penstock.pipeline.workers import Workers, itself

__all__ = ["Fetching", "Pipeline", "Report"]

R = TypeVar("R")
V = TypeVar("V")
W = TypeVar("W")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did. ``seconds`` is wall time."""

    landed: int
    failed: int
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class _Batching:
    size: int
    sizer: Sizer | Callable[[], int] | None
    empty: Literal["wait", "stop"]
    clock: Clock | None


@final
class Pipeline:
    """A source of keys and the stages after it. Nothing happens until it is iterated or landed.

    >>> doubled = Pipeline([1, 2, 3]).in_threads(lambda n: n * 2, ordered=True)
    >>> {result.key: result.value for result in doubled}
    {1: 2, 2: 4, 3: 6}
    """

    def __init__(self, source: Iterable[Key]) -> None:
        self._source = source
        self._batching: _Batching | None = None

    def batches(
        self,
        size: int,
        *,
        sizer: Sizer | Callable[[], int] | None = None,
        empty: Literal["wait", "stop"] = "wait",
        clock: Clock | None = None,
    ) -> Pipeline:
        """Fetch in batches, each finished before the next is sized: see :func:`batches`."""
        batches((), size, sizer=sizer, empty=empty)  # refuse bad arguments here and now
        self._batching = _Batching(size, sizer, empty, clock)
        return self

    def fetch(
        self,
        api: Api[R, V],
        request: Callable[[Key], R],
        *,
        concurrency: int = 10,
        ordered: bool = False,
    ) -> Fetching[R, V]:
        """Fetch each key's request: see :func:`penstock.pipeline.fetch`."""
        Slots(concurrency)
        return Fetching(self._source, self._batching, api, request, concurrency, ordered)

    def in_threads(
        self,
        function: Callable[[Key], V],
        *,
        threads: int = 10,
        executor: Executor | None = None,
        ordered: bool = False,
    ) -> Fetching[Key, V]:
        """Call a blocking function for each key: see :func:`penstock.pipeline.in_threads`."""
        workers = Workers(function, executor)
        return Fetching(self._source, self._batching, workers, itself, threads, ordered)


@final
@dataclass(frozen=True)
class Fetching(Generic[R, V]):
    """A pipeline up to its concurrent stage, and the stages after it: iterate it, or land it."""

    source: Iterable[Key]
    batching: _Batching | None
    api: Api[R, object]
    request: Callable[[Key], R]
    concurrency: int
    ordered: bool
    stages: tuple[Stage[object, object], ...] = ()

    def __iter__(self) -> Iterator[Result[Key, V]]:
        for lot in self._lots(self.source):
            results = fetch(
                lot,
                self.api,
                self.request,
                concurrency=self.concurrency,
                ordered=self.ordered,
            )
            for chunk in self._staged((result,) for result in results):
                yield from chunk

    def through(self, stage: Stage[V, W]) -> Fetching[R, W]:
        """Pass results through ``stage`` before they land: see :func:`penstock.pipeline.through`.

        Stages follow each other in the order they are given.

        >>> from penstock.pipeline import each
        >>> numbers = Pipeline([1, 2]).in_threads(lambda n: n * 2, ordered=True)
        >>> [result.value for result in numbers.through(each(str))]
        ['2', '4']
        """
        stages = (*self.stages, cast("Stage[object, object]", stage))
        return cast("Fetching[R, W]", replace(self, stages=stages))

    def _staged(
        self, chunks: Iterable[Sequence[Result[Key, object]]]
    ) -> Iterator[Sequence[Result[Key, V]]]:
        for stage in self.stages:
            chunks = through(chunks, stage)
        return cast("Iterator[Sequence[Result[Key, V]]]", iter(chunks))

    def _lots(self, keys: Iterable[Key]) -> Iterator[Iterable[Key]]:
        if self.batching is None:
            yield keys
        else:
            b = self.batching
            yield from batches(keys, b.size, sizer=b.sizer, empty=b.empty, clock=b.clock)

    def land(self, store: Store, *, events: Events | None = None) -> Report:
        """Run to the end: every key ends in ``store``, landed or failed, each exactly once.

        Keys that are settled in the store already are passed over, so running again after any
        interruption goes on where it stopped.

        Raises:
            PenstockError: The run could not go on; what was settled is safe.
        """
        start = time.monotonic()
        counts = Counts()
        for latest in self.landing(store, events=events):
            counts = latest
        return Report(landed=counts.landed, failed=counts.failed, seconds=time.monotonic() - start)

    def landing(self, store: Store, *, events: Events | None = None) -> Iterator[Counts]:
        """Do what :meth:`land` does, yielding the counts after every step."""
        if self.ordered:
            raise InputError("ordered=True is for reading; a store keeps keys, not their order")
        slots = Slots(self.concurrency)
        lots = self._lots(store.claim(self.source))
        chunks: Iterator[Sequence[Result[Key, object]]] = itertools.chain.from_iterable(
            fetch_chunks(lot, self.api, self.request, slots, hold=True) for lot in lots
        )
        return land(self._staged(chunks), store, slots, events)
