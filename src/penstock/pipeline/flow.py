"""Stages chained into one pipeline, and run into a store."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar, cast, final

import msgspec

from penstock.clock import Clock
from penstock.errors import InputError
from penstock.events import Events
from penstock.markup import html_table
from penstock.pipeline.batch import batches
from penstock.pipeline.concurrent import Slots, fetch, fetch_chunks
from penstock.pipeline.feeds import AcknowledgedFeed, Feed, Lot, checkpoint, position_in
from penstock.pipeline.landing import Counts, Lander, entry_of, reported
from penstock.pipeline.ports import ApiPort, Sizer, Store
from penstock.pipeline.result import Entry, FailedRecord, Key, LandedRecord, Result
from penstock.pipeline.stages import Stage, through
from penstock.pipeline.uses import Use, Used, finish_all
from penstock.pipeline.workers import Workers, itself

_FOLLOW = 1.0  # seconds between the looks of uses at what has landed
_GROUP = 2000  # entries of a feed that become safe together, where so many are there

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar  # mypy's own

    V_co = DefaultTypeVar("V_co", covariant=True, default=object)
else:
    V_co = TypeVar("V_co", covariant=True)
R = TypeVar("R")
W = TypeVar("W")
S = TypeVar("S")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did.

    Attributes:
        landed: Records that were handed to the store.
        failed: Failures that were handed to the store.
        seconds: Wall time.
        complete: Whether the source was drawn to its end.
        uses: What was done with what landed.
    """

    landed: int
    failed: int
    seconds: float
    complete: bool = True
    uses: tuple[Used, ...] = ()

    def _repr_html_(self) -> str:
        row = [f"{self.landed:,}", f"{self.failed:,}", f"{self.seconds:,.1f}", self.complete]
        told = [one.text for one in self.uses]
        return html_table(["landed", "failed", "seconds", "complete"], [row], "; ".join(told))


@final
@dataclass(frozen=True, slots=True)
class _Batching:
    size: int
    sizer: Sizer | Callable[[], int] | None
    empty: Literal["wait", "stop"]
    clock: Clock | None


@final
@dataclass(frozen=True, slots=True)
class _Calling:
    api: ApiPort[object, object]
    request: Callable[[Key], object]
    concurrency: int
    ordered: bool


@final
class Pipeline(Generic[V_co]):
    """A source and all that is done with it. Nothing happens until it is iterated or landed.

    The source is an iterable of keys, which are fetched; or a :class:`Feed`, whose lots land
    themselves, or are the keys of what is fetched.

    >>> doubled = Pipeline([1, 2, 3]).in_threads(lambda n: n * 2, ordered=True)
    >>> {result.key: result.value for result in doubled}
    {1: 2, 2: 4, 3: 6}
    """

    def __init__(self, source: Iterable[Key] | Feed) -> None:
        self._source = source
        self._batching: _Batching | None = None
        self._calling: _Calling | None = None
        self._stages: tuple[Stage[object, object], ...] = ()
        self._uses: tuple[Use[Store], ...] = ()

    def batches(
        self,
        size: int,
        *,
        sizer: Sizer | Callable[[], int] | None = None,
        empty: Literal["wait", "stop"] = "wait",
        clock: Clock | None = None,
    ) -> Self:
        """Fetch in batches, each finished before the next is sized: see :func:`batches`."""
        batches((), size, sizer=sizer, empty=empty)  # refuse bad arguments here and now
        self._batching = _Batching(size, sizer, empty, clock)
        return self

    def fetch(
        self,
        api: ApiPort[R, W],
        request: Callable[[Key], R],
        *,
        concurrency: int = 10,
        ordered: bool = False,
    ) -> Pipeline[W]:
        """Fetch each key's request: see :func:`penstock.pipeline.fetch`."""
        Slots(concurrency)
        general = cast("ApiPort[object, object]", api)
        calling = _Calling(general, request, concurrency, ordered)
        return cast("Pipeline[W]", self._with(_calling=calling))

    def in_threads(
        self,
        function: Callable[[Key], W],
        *,
        threads: int = 10,
        executor: Executor | None = None,
        ordered: bool = False,
    ) -> Pipeline[W]:
        """Call a blocking function for each key: see :func:`penstock.pipeline.in_threads`."""
        workers = Workers(function, executor)
        return self.fetch(workers, itself, concurrency=threads, ordered=ordered)

    def through(self, stage: Stage[V_co, W]) -> Pipeline[W]:
        """Pass results through ``stage`` before they land: see :func:`penstock.pipeline.through`.

        Stages follow each other in the order they are given.

        >>> from penstock.pipeline import each
        >>> numbers = Pipeline([1, 2]).in_threads(lambda n: n * 2, ordered=True)
        >>> [result.value for result in numbers.through(each(str))]
        ['2', '4']
        """
        return cast("Pipeline[W]", self._with(_stages=(*self._stages, stage)))

    def use(self, use: Use[S]) -> Self:
        """Let ``use`` follow what lands, about once a second, and finish when all has landed.

        A use reads the store that is landed in, and says by its type what it needs of it, such as
        a :class:`penstock.store.StoreReader`.
        """
        return self._with(_uses=(*self._uses, use))

    def _with(self, **changes: object) -> Self:
        made = copy.copy(self)
        vars(made).update(changes)
        return made

    def __iter__(self) -> Iterator[Result[Key, V_co]]:
        for chunk in self._staged(self._read()):
            yield from chunk

    def _read(self) -> Iterator[Sequence[Result[Key, object]]]:
        """Yield results in chunks, of whatever the source is; entries that are none are left."""
        call = self._checked()
        if isinstance(self._source, Feed):
            brought = (_results(lot) for lot in self._source.lots(None))
            if call is None:
                yield from brought
                return
            parts: Iterable[Iterable[Key]] = ([one.key for one in lot] for lot in brought)
        else:
            parts = [self._source]
        assert call is not None  # _checked saw to it
        for lot in itertools.chain.from_iterable(map(self._lots, parts)):
            for result in fetch(
                lot, call.api, call.request, concurrency=call.concurrency, ordered=call.ordered
            ):
                yield (result,)

    def _checked(self) -> _Calling | None:
        """Return what is called for each key, None where a feed's lots land themselves."""
        if self._calling is None and not isinstance(self._source, Feed):
            raise InputError(
                "Pipeline(keys): keys are not records; add .fetch(api, request) or "
                ".in_threads(function), or land values with Pipeline(RowFeed(values, key=...))"
            )
        return self._calling

    def land(
        self,
        store: Store,
        *,
        events: Events | None = None,
        progress: Callable[[Counts], object] | None = None,
    ) -> Report:
        """Run to the end: every key ends in ``store``, landed or failed, each exactly once.

        Keys that are settled in the store already are passed over, and a feed goes on at its
        checkpoint, so running again after any interruption goes on where it stopped.

        Args:
            store: Where it lands.
            events: Where what happens is told.
            progress: Called with the counts after every step, such as
                :class:`penstock.telemetry.Live`.

        Raises:
            InputError: The store's checkpoint belongs to another source.
            PenstockError: The run could not go on; what was settled is safe.
        """
        start = time.monotonic()
        counts = Counts()
        with reported(events, str(getattr(self._source, "name", "pipeline"))) as told:
            for counts in self.landing(store, events=events):
                told.landed, told.failed = counts.landed, counts.failed
                if progress is not None:
                    progress(counts)
        return Report(
            landed=counts.landed,
            failed=counts.failed,
            seconds=time.monotonic() - start,
            complete=counts.complete,
            uses=counts.uses,
        )

    def landing(self, store: Store, *, events: Events | None = None) -> Iterator[Counts]:
        """Do what :meth:`land` does, yielding the counts after every step."""
        call = self._checked()
        if call is not None and call.ordered:
            raise InputError("ordered=True is for reading; a store keeps keys, not their order")
        return self._landing(Lander(store, events))

    def _landing(self, lander: Lander) -> Iterator[Counts]:
        if isinstance(self._source, Feed):
            steps = self._fed(self._source, lander)
        else:
            steps = self._keyed(self._source, lander)
        due = time.monotonic() + _FOLLOW
        for counts in steps:
            if self._uses and time.monotonic() >= due:
                for use in self._uses:
                    use.catch_up(lander.store)
                due = time.monotonic() + _FOLLOW
            yield counts
        lander.store.flush()
        lander.counts.uses = finish_all(self._uses, lander.store)
        yield lander.counts

    def _keyed(self, keys: Iterable[Key], lander: Lander) -> Iterator[Counts]:
        """Land a call for each key that is to do."""
        call = self._calling
        assert call is not None  # keys without calls were refused
        slots = Slots(call.concurrency)
        drawn = _Drawn(lander.store.claim(keys))
        chunks: Iterator[Sequence[Result[Key, object]]] = itertools.chain.from_iterable(
            fetch_chunks(lot, call.api, call.request, slots, hold=True) for lot in self._lots(drawn)
        )
        yield from lander.land(self._staged(chunks), slots)
        lander.counts.complete = drawn.exhausted

    def _fed(self, feed: Feed, lander: Lander) -> Iterator[Counts]:
        """Land lots; each becomes safe together with its checkpoint, or before it."""
        for lot in feed.lots(position_in(lander.store.mark(feed.name), feed)):
            entries: list[Entry]
            if self._calling is None:
                entries = self._entries(lot, lander.store)
            else:
                entries = [item for item in lot.items if not isinstance(item, _RESULTS)]
                yield from self._keyed([result.key for result in _results(lot)], lander)
                if not lander.counts.complete:
                    return  # what is left of the lot is still to do: its checkpoint must not be
            if lot.position is not None:
                entries.append(checkpoint(feed, lot.position))
            lander.settle(entries, group=_GROUP)
            if isinstance(feed, AcknowledgedFeed):
                lander.store.flush()
                feed.safe(lot)
            yield lander.counts
        lander.counts.complete = True

    def _entries(self, lot: Lot, store: Store) -> list[Entry]:
        """Return what lands of a lot: of results those that are to do, through the stages."""
        fresh = [item for item in lot.items if type(item) is Result]
        if fresh and not getattr(store, "takes_again", False):
            results = {item.key: item for item in fresh}
            fresh = [results[key] for key in store.claim(results)]
        given = [item for item in lot.items if not isinstance(item, Result)]
        bodies: dict[Key, bytes] = {}
        if self._stages:
            bodies = {item.key: item.body for item in given if type(item) is LandedRecord}
            fresh += [_result(item) for item in given if type(item) is LandedRecord]
            given = [item for item in given if type(item) is not LandedRecord]
        landing = [entry_of(one) for chunk in self._staged([fresh]) for one in chunk]
        return [*(_kept(entry, bodies.get(entry.key)) for entry in landing), *given]

    def _staged(
        self, chunks: Iterable[Sequence[Result[Key, object]]]
    ) -> Iterator[Sequence[Result[Key, V_co]]]:
        for stage in self._stages:
            chunks = through(chunks, stage)
        return cast("Iterator[Sequence[Result[Key, V_co]]]", iter(chunks))

    def _lots(self, keys: Iterable[Key]) -> Iterator[Iterable[Key]]:
        if self._batching is None:
            yield keys
        else:
            b = self._batching
            yield from batches(keys, b.size, sizer=b.sizer, empty=b.empty, clock=b.clock)


Fetching = Pipeline  # the name of what `fetch` returned, for one release

_RESULTS = (Result, LandedRecord)


def _results(lot: Lot) -> list[Result[Key, object]]:
    return [_result(item) for item in lot.items if isinstance(item, _RESULTS)]


def _kept(entry: LandedRecord | FailedRecord, body: bytes | None) -> Entry:
    """Return the entry: a record that failed in a stage with all of it, for it comes only once."""
    if body is None or isinstance(entry, LandedRecord):
        return entry
    return msgspec.structs.replace(entry, excerpt=body.decode("utf-8", "replace"))


def _result(item: Result[Key, object] | LandedRecord) -> Result[Key, object]:
    return Result(item.key, item) if isinstance(item, LandedRecord) else item


@final
class _Drawn:
    """Keys that say whether they were drawn to their end."""

    def __init__(self, keys: Iterator[Key]) -> None:
        self._keys = keys
        self.exhausted = False

    def __iter__(self) -> Iterator[Key]:
        return self

    def __next__(self) -> Key:
        for key in self._keys:
            return key
        self.exhausted = True
        raise StopIteration
