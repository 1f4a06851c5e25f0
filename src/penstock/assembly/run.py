"""A pipeline file at work: from its source into its store, and a summary at the end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, final

import msgspec

from penstock.address import hide
from penstock.assembly.build import (
    build_api,
    build_listing,
    build_request,
    build_since,
    build_style,
    seconds_of,
    store_path,
    store_shown,
)
from penstock.assembly.executors import service_of
from penstock.assembly.heartbeat import beating
from penstock.assembly.kept_tokens import keeping, latest, place_of
from penstock.assembly.kinds import Section, Site
from penstock.assembly.locking import (
    Opened,
    locked_store,
    nothing_lost,
    opened_room,
    room_of,
    scope_of,
)
from penstock.assembly.notify import Notifier
from penstock.assembly.plans import planned
from penstock.assembly.processes import (
    check_workers,
    making,
    shared_by,
    why_alone,
    why_directory,
    workers_of,
)
from penstock.assembly.refreshing import Revalidating
from penstock.assembly.resources import children, key_children
from penstock.assembly.sections import (
    PagesSource,
    PipelineFile,
    RequestSection,
    ResourceSection,
    StoreSection,
)
from penstock.assembly.sources import keys, names
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.streams import build_stream, on_same_of, stream_store
from penstock.assembly.timestamps import lag
from penstock.assembly.values import in_path, revealed
from penstock.cluster import Blocks, Leased, Processes, sharded
from penstock.errors import Absent, InputError, Stopped, StoreInUse
from penstock.events import Event, Events, Notice
from penstock.http import (
    FAILED_PARENT,
    Api,
    ChildFeed,
    LinkHeader,
    OAuth2,
    PageFeed,
    Response,
    goes_on,
)
from penstock.pipeline import (
    Checkpoint,
    Counts,
    Feed,
    Key,
    LandedRecord,
    Lot,
    Meter,
    Pipeline,
    Position,
    Progress,
    Result,
    Stage,
    Used,
    position_in,
    reported,
    source_of,
)
from penstock.resilience import SharedGate
from penstock.store import StoreReader, StoreStatus, WritableStore, open_readonly, open_store
from penstock.streaming import UNREADABLE, Counters, Stream, StreamFeed, StreamStatus, moment


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is in the store after a run, and what the run did.

    Attributes:
        landed: Keys whose record is in the store.
        failed: Keys that ended in an error, kept for another try.
        seconds: Wall time of this run.
        new: Keys that landed in this run.
        store: Where the records are.
        uses: What was done with what landed, in the order of the file.
        pending: Keys still to do, where that can be known, else 0.
        skipped: Keys that an earlier run had settled.
        repeated: Keys that came more than once in the source.
        retries: Calls made again after a failure.
        too_many_requests: Calls that the server refused for lack of quota (420, 429).
        complete: Whether the source was drawn to its end.
        duplicates: Messages of a stream that came again in this run and were left out.
        changed: Messages that came again in this run with other content, and were left out.
        unfinished: Messages of this run that were cut off, and are not there.
        gaps: Gaps written down in the store.
        lost: Gaps of this run that the file does not accept.
        reconnects: Connections after the first.
        keepalives: Signs of life that were not messages.
        missed: Messages missing in the gaps whose number is known.
        deleted: Messages taken out since the service wanted it.
        unidentified: Messages of this run without an id: they landed under a hash of their bytes.
        notices: What the service said beside its messages, by kind.
        ended: Whether the server ended the stream for good.
        lives: Connections of this run that began to stream.
        state: How the stream's connection was at last, such as ``"live"`` or ``"waiting"``.
        last_reason: Why a connection ended last, or was not made.
        is_stream: Whether it is that of a stream.
        warnings: What a person should know of this run, each in a line.
        doubts: How many of the warnings mean that rows may be missing.
        absent: Keys that have no record, and need none.
        acknowledged: Failed keys that somebody has accepted as failed.
    """

    landed: int
    failed: int
    seconds: float
    new: int
    store: str
    uses: tuple[Used, ...]
    pending: int
    skipped: int
    repeated: int
    retries: int
    too_many_requests: int
    complete: bool
    duplicates: int
    changed: int
    unfinished: int
    gaps: int
    lost: int
    reconnects: int
    keepalives: int
    missed: int
    deleted: int
    unidentified: int
    notices: dict[str, int]
    ended: bool
    lives: int
    state: str
    last_reason: str
    is_stream: bool
    warnings: tuple[str, ...]
    doubts: int
    absent: int
    acknowledged: int = 0

    def fields(self) -> dict[str, object]:
        """Return what there is to say of this kind of source, by name."""
        told = asdict(self)
        return {name: told[name] for name in (_OF_STREAMS if self.is_stream else _OF_KEYS)}


_OF_KEYS = (
    *("landed", "failed", "pending", "seconds", "new", "skipped", "repeated", "retries"),
    *("too_many_requests", "complete", "store", "uses"),
    *("warnings", "doubts", "absent", "acknowledged"),
)
_OF_STREAMS = (
    *("landed", "duplicates", "gaps", "reconnects", "keepalives", "seconds", "new", "missed"),
    *("deleted", "failed", "unidentified", "notices", "ended", "store", "uses"),
    "acknowledged",
    *("lost", "changed", "unfinished", "lives", "state", "last_reason"),
)


@final
@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run is doing just now.

    Attributes:
        progress: Keys done, rate, time to go, what is waited for.
        counters: What a stream has seen so far; zeros where it is none.
        status: How a stream's connection is.
    """

    progress: Progress
    counters: Counters
    status: StreamStatus


@final
class Run:
    """One run of a pipeline file. Make it, subscribe to its events, then :meth:`go`.

    Args:
        file: The pipeline.
        folder: Where its relative paths start.
        parent: The pipeline whose records this one is read for, of a child resource.
        like: Another run of the same file: the service, with what is left to spend, is shared.
        shard: Which part of the keys to do, of how many, counted from 1; None: all of them.
        path: Where the file was read, for workers that read it too.

    Attributes:
        file: The pipeline.
        path: Where it was read, if that was given.
        place: The store.
        events: What happens, as it happens.
        expected: Keys in the source, or None where that is not known.
        group: Which workers it is one of; ``""`` where nobody started them together.
        is_worker: Whether others work on the same run.

    Raises:
        InputError: The file asks for something that cannot be; no store was touched.
    """

    def __init__(
        self,
        file: PipelineFile | StreamFile,
        folder: Path,
        *,
        parent: PipelineFile | None = None,
        like: Run | None = None,
        shard: tuple[int, int] | None = None,
        path: str | Path | None = None,
    ) -> None:
        self._parent = parent
        self.group, self.is_worker = "", False
        self._scratch = ExitStack()
        self._workers = workers_of(file) if isinstance(file, PipelineFile) else 0
        self.path = path
        if isinstance(file, PipelineFile) and (self._workers or file.executor is not None):
            file = self._shared(file, folder)
        if shard is not None:
            file = _sharded(file, shard)
        self._shard = shard
        self.events: Events = Events() if like is None else like.events
        parts = planned(file, folder, self.events)
        self._stages, self._uses = parts.stages, parts.uses
        self.expected = parts.plan.items
        self._api: Api | None = None
        if isinstance(file, StreamFile):
            self.place = store_path(stream_store(file), folder)
            build_stream(file).close()  # so that a bad value or a missing secret makes no store
        else:
            self.place = store_path(file.store, folder)
            self._api = self._opened_api(file, folder, None if like is None else like._api)  # noqa: SLF001 - another of our kind
        self.file = file
        self._folder = folder
        self._check: Callable[[], None] = nothing_lost
        self._meter, self._done = Meter(self.expected), 0
        self._blocks: Blocks | None = None
        self._landing: StoreReader | None = None
        self._counts = Counts()
        self._stream: Stream[bytes] | None = None
        self._stopped = False
        self._feed: StreamFeed[bytes] | None = None
        self._started = time.monotonic()
        self._before = 0
        self._notices: list[Notice] = []
        self.events.subscribe(self._saw)

    def _shared(self, file: PipelineFile, folder: Path) -> PipelineFile:
        """Return the file as all its workers read it: with one budget."""
        if self.path is None:
            raise InputError("workers read the file, too: Run(..., path=...)")
        check_workers(file, store_shown(file.store, folder))
        scratch = TemporaryDirectory(prefix="penstock-budget-")
        return shared_by(file, Path(self._scratch.enter_context(scratch)))

    def _opened_api(self, file: PipelineFile, folder: Path, api: Api | None) -> Api:
        if api is None or isinstance(api.budget, SharedGate):  # that one closes with its run
            api = build_api(file, folder=folder, events=self.events)
        self._keep_token(file.api.auth, api.auth, folder)
        return api

    def _keep_token(self, section: object, auth: object, folder: Path) -> None:
        source = getattr(section, "refresh_token", None)
        if isinstance(auth, OAuth2) and source is not None:
            place = place_of(source, self.place, folder)
            auth.begin_with(latest(source, place))
            auth.rotated = keeping(source, place, self._tell)

    def _tell(self, reason: str) -> None:
        self.events.emit(Notice(reason=reason, doubtful=False))

    def _saw(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._notices.append(event)
        self._meter.saw(event)  # of the present go: each counts for itself

    @property
    def is_stream(self) -> bool:
        """Whether its source is a stream."""
        return isinstance(self.file, StreamFile)

    @contextmanager
    def notifying(
        self, name: str, tell: Callable[[str], object], runs: Sequence[Run] | None = None
    ) -> Iterator[None]:
        """Post news of the block to the file's hook, if it names one.

        Args:
            name: What the run is called.
            tell: Called with a line where the hook was not reached.
            runs: All runs of the file, this one among them, as they come; unset: only this one.

        Raises:
            InputError: There is no such variable or file, or it holds no URL.
        """
        if self.file.notify is None:
            yield
            return
        notifier = Notifier(self.file.notify, name, lambda: self._facts(runs or [self]), tell)
        stop = self.events.subscribe(notifier.saw)
        code, reason = 4, "interrupted"
        try:
            yield
            code, reason = 0, ""
        except SystemExit as error:
            code, reason = int(error.code or 0), ""
            raise
        except BaseException as error:
            code, reason = getattr(error, "exit_code", 4), str(error) or type(error).__name__
            raise
        finally:
            stop()
            notifier.ended(code, reason)

    def _beat(self) -> dict[str, object]:
        seen, store = asdict(self._meter.look()), self._landing
        behind = math.nan if store is None else self.lag(store, time.time())
        told = ("remaining", "limit", "reset", "waiting", "reason", "retries", "refused")
        budget = None if self._api is None else self._api.budget
        blocks = self._blocks
        return {
            **{name: seen[name] for name in (*told, "rate", "failed")},
            "landed": seen["done"] - seen["failed"] - self._done,
            "block": None if blocks is None else blocks.now,
            "takes": 0 if blocks is None else blocks.takes,
            "permits": getattr(budget, "permits", 0),
            "reserve": getattr(budget, "reserve", 0.0),
            "lag": None if math.isnan(behind) else behind,
        }

    def _measure(self, status: StoreStatus, total: int | None) -> None:
        self._done = status.landed + status.failed + status.absent
        self._meter = Meter(total, self._done)

    def _facts(self, runs: Sequence[Run]) -> dict[str, object]:
        seen = self._meter.look()
        every = [run._counts for run in runs]  # noqa: SLF001 - of our kind
        counts = {
            "landed": sum(one.landed for one in every),
            "failed": sum(one.failed for one in every),
        }
        return {"store": hide(str(self.place)), "done": seen.done, "total": seen.total, **counts}

    @contextmanager
    def opened(self) -> Iterator[WritableStore]:
        """Give the store to land in, locked for this run; :meth:`go` ends when the lock is lost.

        Raises:
            StoreInUse: Another run has it.
        """
        with locked_store(self.file.lock, self.place, self._folder, self.file.store) as (
            store,
            check,
        ):
            self._keep_same(store)
            self._landing = store
            with self._budget_closed(), beating(self.place, self._beat, self.group) as stop:
                self._check = _unless(stop, check)
                yield store

    def _keep_same(self, store: WritableStore) -> None:
        section = getattr(self.file, "store", None)
        if isinstance(section, StoreSection) and section.on_same != "first":
            store.keep(section.on_same)

    @contextmanager
    def _budget_closed(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._api is not None and isinstance(self._api.budget, SharedGate):
                self._api.budget.close()
            self._scratch.close()

    def go(
        self,
        store: WritableStore,
        *,
        seconds: float | None = None,
        messages: int | None = None,
        restart: bool = False,
        refresh: bool = False,
    ) -> Summary:
        """Run to the end, or until something stops it; what was settled by then is safe.

        Args:
            store: Where records land, opened at :attr:`place`.
            seconds: How long to follow a stream, or None.
            messages: How many new messages of a stream to land, or None.
            restart: Whether to forget how far pages or a stream were read. What has landed stays.
            refresh: Whether to fetch again what has landed, however new it is.

        Raises:
            InputError: What the store holds belongs to another source, or another request.
            PenstockError: The run could not go on.
        """
        if restart:
            _forget(store)
        if isinstance(self.file, StreamFile):
            with build_stream(self.file, events=self.events) as self._stream:
                if self._stopped:
                    self._stream.stop()
                self._feed = StreamFeed(
                    self._stream,
                    deletes=self.file.stream.deletes,
                    seconds=seconds,
                    most=messages,
                    again=lambda: _flushed(store).again,
                    since=_paused(store),
                    on_same=on_same_of(self.file.stream, store),
                )
                return self._land(Pipeline(self._feed), store)
        source = self.file.source
        self._refuse_another(store)
        self._set_refresh(store, refresh=refresh)
        if self.file.request is not None and self.file.request.items is not None:
            self._land(Pipeline(self._rows_of_keys(self.file.request, source, store)), store)
        elif isinstance(source, PagesSource):
            self._land(self._pipeline(self.file, self._pages(source, store), store), store)
        else:
            store.expect(self.expected)
            found = keys(source, self._folder)
            if self._shard is not None and not isinstance(found, Feed):
                found = sharded(found, self._shard)
            self._land(self._pipeline(self.file, found, store), store)
        if self._shard is None:  # else there is more than was drawn here
            self._settle_expectation(store)
        return self.summary(store)

    def stop(self) -> None:
        """End a stream soon; what was received lands. From any thread."""
        self._stopped = True
        if self._stream is not None:
            self._stream.stop()

    def retry(self, store: WritableStore, names: Sequence[str] = ()) -> Summary:
        """Try failed keys again: those called ``names``, or all.

        Keys that are fetched are fetched again. Rows of pages are looked for on all pages. The
        messages of a stream that failed in a stage pass through the stages again.

        Raises:
            InputError: What failed of a stream was not JSON, and does not come again.
            PenstockError: The run could not go on.
        """
        failures = [f for f in store.failures() if not names or str(f.key) in names]
        failed = [failure.key for failure in failures]
        if isinstance(self.file, StreamFile):
            again = [f for f in failures if f.error != UNREADABLE]
            if failures and not again:
                raise InputError("what failed of the stream is not JSON, and comes only once")
            records = [LandedRecord(f.key, f.excerpt.encode()) for f in again]
            return self._land(Pipeline(_Kept(records)), store)
        asked = self.file.request
        paged = isinstance(self.file.source, PagesSource) and asked is None
        if paged or (asked is not None and asked.items is not None):
            _forget(store)
            store.retry_failed(failed)
            return self.go(store)
        self._refuse_another(store)
        store.retry_failed(failed)
        return self._land(self._pipeline(self.file, failed, store), store)

    def work(self, store: WritableStore) -> Summary:
        """Join a run: do blocks of keys that nobody else works on, until all are done.

        A stream has one worker: the others wait until it ends or dies.

        Args:
            store: Where records land, opened at :attr:`place` by :meth:`joined`.

        Raises:
            PenstockError: The run could not go on.
        """
        file = self.file
        if isinstance(file, StreamFile):
            return self.go(store)
        self._workers = 0  # each worker is one
        self._refuse_another(store)
        store.expect(self.expected)
        section, lock = file.cluster, file.lock
        with opened_room(room_of(lock, self.place, self._folder), self.place) as room:
            blocks = self._blocks = Blocks(
                keys(file.source, self._folder),
                section.block,
                store=cast("Leased", store),
                room=room,
                name=lock.name,
                scope=scope_of(lock),
                lease=section.lease,
            )

            stopped = self._check

            def land(part: Iterable[Key], check: Callable[[int], None]) -> bool:
                def checked() -> None:
                    stopped()
                    check(self._counts.landed + self._counts.failed)

                self._check = checked
                self._landed(self._pipeline(file, part, store), store)
                return self._counts.complete

            complete = blocks.work(land)
            if complete and store.status().pending:
                # All blocks are done, and keys are not: the source repeats some, or they were lost.
                complete = land(keys(file.source, self._folder), _ignore)
                self._settle_expectation(store)
        if blocks.lost:
            self._tell(
                f"{blocks.lost} blocks went to other workers: this one, or the store, stood "
                "still for longer than cluster.lease"
            )
        self._counts.complete = complete
        self._tell_stale(store)
        return self.summary(store)

    @contextmanager
    def joined(self) -> Iterator[WritableStore]:
        """Give the store to land in together with other workers, for :meth:`work`.

        That of a stream is given once no other worker has it.

        Raises:
            InputError: Nobody can join this run: its records land in a directory, or what it does
                cannot be divided.
        """
        self._refuse_lonely()
        self.is_worker = True
        with (
            self._budget_closed(),
            beating(self.place, self._beat, self.group) as stop,
            ExitStack() as held,
        ):
            if isinstance(self.file, StreamFile):
                store, check = self._waited_for(held, stop)
            else:
                store, check = held.enter_context(open_store(self.place)), nothing_lost
            self._measure(store.status(), self.expected)
            self._keep_same(store)
            self._landing = store
            self._check = _unless(stop, check)
            yield store

    def _waited_for(self, held: ExitStack, stop: threading.Event) -> Opened:
        lease = self.file.cluster.lease
        lock = msgspec.structs.replace(self.file.lock, lease=lease, timeout=lease)
        while True:
            _unless(stop, nothing_lost)()
            with suppress(StoreInUse):
                opened = locked_store(lock, self.place, self._folder, self.file.store)
                return held.enter_context(opened)

    @contextmanager
    def led(self) -> Iterator[WritableStore]:
        """Give the store that workers land in which somebody else starts.

        Raises:
            InputError: As of :meth:`joined`.
        """
        self._refuse_lonely()
        with open_store(self.place) as store, self._budget_closed():
            self._measure(store.status(), self.expected)
            yield store

    def _refuse_lonely(self) -> None:
        """Refuse what only one process can do."""
        file, said = self.file, ""
        directory = self.place if isinstance(self.place, Path) else None
        if isinstance(file, PipelineFile):
            said = why_alone(file, directory)
        elif directory is not None:
            said = why_directory(directory)
        elif not file.lock.enabled:
            said = "workers of a stream take turns by its lock"
        if self._shard is not None:
            said = "a shard is started by you, workers take blocks: use one or the other"
        if said:
            raise InputError(said)

    def _refuse_another(self, store: WritableStore) -> None:
        """Refuse a store whose keys were fetched by another request: they would be passed over.

        What headers and credentials say is left out: they are renewed. Where rows of answers land,
        their feed's checkpoint knows its request.
        """
        asked = None if isinstance(self.file, StreamFile) else self.file.request
        if asked is None or asked.items is not None:
            return
        assert self._api is not None  # only a stream has none
        what = f"{asked.method} {hide(self._api.base)}{in_path(asked.path)}"
        mine = source_of(what, asked.query, asked.json, asked.form)
        noted = store.mark(_REQUEST)
        if noted == mine:
            return
        status = store.status() if noted else None
        if status is not None and (status.landed or status.failed or self.is_worker):
            raise InputError(
                f"{self.file.store}: its keys were fetched by {noted}, not by {mine}: land in a "
                "store of its own, or go on with penstock run --restart (what has landed stays)"
            )
        store.settle([Checkpoint(_REQUEST, mine)], _ignore)
        store.flush()

    def _set_refresh(self, store: WritableStore, *, refresh: bool) -> None:
        section = self.file.store
        if refresh and not store.takes_again:
            raise InputError(
                "--refresh: what is fetched again is kept with store.on_same = 'replace'"
            )
        if refresh:
            store.refresh(math.inf)
        elif isinstance(section, StoreSection) and section.refresh is not None:
            store.refresh(time.time() - seconds_of(section.refresh, "store.refresh"))

    def _pages(self, source: PagesSource, store: WritableStore) -> Feed:
        assert self._api is not None  # only a stream has none
        source = revealed(source)
        if isinstance(source, ResourceSection) and self._parent is not None:
            return self._children(source, self._parent, store)
        feed = PageFeed(
            self._api,
            build_listing(source),
            build_style(source),
            items=source.items,
            key=source.key,
            concurrency=source.concurrency,
            since=build_since(source),
            recall=store.mark,
            every=self._every(store),
            first=source.first if isinstance(source.first, int) else None,
        )
        assert isinstance(self.file, PipelineFile)  # only they have pages
        whole = self.file.request is None and source.since is None
        return _put_back(feed, store) if whole else feed

    def _children(
        self, source: ResourceSection, parent: PipelineFile, store: WritableStore
    ) -> Feed:
        assert self._api is not None  # only a stream has none
        place = store_path(parent.store, self._folder)
        fixed = isinstance(parent.source, PagesSource) and parent.source.since is None
        since = build_since(source)
        asked = (source.parent, source.query, source.json)
        facts = (self._api.base, *asked, since and (since.param, since.field))
        feed = ChildFeed(
            self._api,
            children(source, lambda: open_readonly(place)),
            build_style(source),
            (f"{source.method} {source.path}", facts),
            items=source.items,
            key=source.key,
            concurrency=self._concurrency(),
            every=self._every(store),
            again=fixed,
            since=since,
            recall=store.mark,
            first=source.first if isinstance(source.first, int) else None,
        )
        if fixed:
            _put_back(feed, store, "" if since is None else FAILED_PARENT)
        return feed

    def _rows_of_keys(
        self, request: RequestSection, source: Section, store: WritableStore
    ) -> ChildFeed:
        assert self._api is not None  # only a stream has none
        named = names(source)
        return ChildFeed(
            self._api,
            key_children(request, named, lambda: iter(keys(source, self._folder))),
            LinkHeader(items=request.items or ""),
            (f"{request.method} {request.path}", (self._api.base, request)),
            items=request.items or "",
            key=request.key,
            concurrency=self._concurrency(),
            every=self._every(store),
        )

    def _every(self, store: WritableStore) -> bool | str:
        section = self.file.store
        named = isinstance(section, StoreSection) and section.on_same
        return store.takes_again and (named or True)

    def _concurrency(self) -> int:
        return self.file.api.concurrency if isinstance(self.file, PipelineFile) else 1

    def _pipeline(
        self, file: PipelineFile, source: Iterable[Key] | Feed, store: WritableStore
    ) -> Pipeline:
        assert self._api is not None  # only a stream has none
        pipeline = Pipeline(source)
        if file.request is None:
            return pipeline
        if file.batch is not None:
            pipeline.batches(file.batch.size, sizer=self._api.budget, empty=file.batch.empty)
        if self._workers or file.executor is not None:
            assert self.path is not None  # __init__ has looked
            budget = file.budget
            make = making(Path(self.path), self._folder, budget.name, budget.shared)
            if file.executor is not None:
                site = Site(self._folder, self.events, file)
                workers = service_of(file.executor, site, make, self._scratch)
                return pipeline.fetch(workers, _same, concurrency=file.api.concurrency)
            processes = Processes(make, self._workers, self.events)
            return pipeline.fetch(
                processes, _same, concurrency=self._workers * file.api.concurrency
            )
        request = build_request(file.request, names(file.source))
        if store.takes_again and not self._stages:
            service = Revalidating(self._api, store)
            return cast(
                "Pipeline", pipeline.fetch(service, request, concurrency=file.api.concurrency)
            )
        return pipeline.fetch(self._api, request, concurrency=file.api.concurrency)

    def _land(self, flow: Pipeline, store: WritableStore) -> Summary:
        self._started, self._before = time.monotonic(), store.new
        status = store.status()
        total = status.expected if self.expected is None else self.expected
        self._measure(status, total)
        self._landed(flow, store)
        self._tell_stale(store)
        return self.summary(store)

    def _landed(self, flow: Pipeline, store: WritableStore) -> None:
        unfollowed = _Unfollowed(store)
        stages: list[Stage[object, object]] = [*self._stages]
        if isinstance(self.file, PipelineFile):  # messages of streams land as they came
            stages.insert(0, unfollowed)
        for stage in stages:
            flow = flow.through(stage)
        for use in self._uses:
            flow = flow.use(use)
        with reported(self.events, str(store.path), self.expected) as told:
            for counts in flow.landing(store, events=self.events):
                self._counts = counts
                told.landed, told.failed = counts.landed, counts.failed
                self._check()
        if unfollowed.count:
            what = (
                f"{unfollowed.count:,} answers name a next page, which nobody asked for: with "
                "request.items the rows of all pages land"
            )
            self.events.emit(Notice(reason=what, doubtful=True))
        if unfollowed.gone:
            self._tell(f"{unfollowed.gone:,} keys are absent now: their earlier records stay")

    def _tell_stale(self, store: WritableStore) -> None:
        if stale := getattr(store, "stale", 0):
            what = f"{stale:,} keys failed when they were fetched again: their earlier records stay"
            self.events.emit(Notice(reason=what, doubtful=True))

    def _settle_expectation(self, store: WritableStore) -> None:
        """The source may have repeated keys: now their number is known."""
        status = store.status()
        done = status.landed + status.failed + status.absent
        if self._counts.complete:
            store.expect(done)
        elif self.expected is not None:
            distinct = max(done, self.expected - store.repeated)
            self._counts.complete = done == distinct
            store.expect(distinct)

    def look(self) -> RunStatus:
        """Return how the run is doing; may be asked from any thread."""
        stream = self._stream
        if stream is None:
            return RunStatus(self._meter.look(), Counters(), StreamStatus())
        return RunStatus(self._meter.look(), stream.counters, stream.status)

    def lag(self, store: StoreReader, now: float) -> float:
        """Return how old the newest message of a stream is by its own time; NaN: it has none."""
        path = self.file.stream.time if isinstance(self.file, StreamFile) else None
        found = [lag(one.body, path, now) for one in store.latest(1)] if path else []
        return math.nan if not found or found[0] is None else found[0]

    def summary(self, store: WritableStore) -> Summary:
        """Return what there is by now; also after the run was stopped."""
        status, look, feed = store.status(), self.look(), self._feed
        return Summary(
            landed=status.landed,
            failed=status.failed,
            seconds=round(time.monotonic() - self._started, 3),
            new=store.new - self._before,
            store=str(store.path),
            uses=self._counts.uses,
            pending=status.pending or 0,
            skipped=store.skipped,
            repeated=store.repeated,
            retries=look.progress.retries,
            too_many_requests=look.progress.refused,
            complete=self._counts.complete,
            duplicates=(store.again - store.changed) + look.counters.duplicates,
            changed=store.changed,
            unfinished=look.counters.unfinished,
            gaps=status.gaps,
            lost=self._lost(),
            reconnects=look.counters.reconnects,
            keepalives=look.counters.keepalives,
            missed=status.missed,
            deleted=status.deleted,
            unidentified=0 if feed is None else feed.unidentified,
            notices={} if feed is None else dict(feed.notices),
            ended=feed is not None and feed.ended and not self._stopped,
            lives=look.status.lives,
            state=look.status.state,
            last_reason=look.status.last_reason,
            is_stream=self.is_stream,
            warnings=tuple(notice.reason for notice in self._notices),
            absent=status.absent,
            doubts=sum(notice.doubtful for notice in self._notices),
            acknowledged=status.acknowledged,
        )

    def _lost(self) -> int:
        accepts = isinstance(self.file, StreamFile) and self.file.stream.gaps == "accept"
        return 0 if self._feed is None or accepts else self._feed.lost


_REQUEST = "request"
_FEEDS = (PageFeed.name, StreamFeed.name, "since", _REQUEST)


def _sharded(file: PipelineFile | StreamFile, shard: tuple[int, int]) -> PipelineFile:
    """Return the file with a lock of the shard's own."""
    if isinstance(file, PipelineFile) and file.request is not None and file.request.items:
        raise InputError("a shard is a part of the keys: with request.items, rows land")
    if not isinstance(file, PipelineFile) or isinstance(file.source, PagesSource):
        raise InputError("a shard is a part of the keys: a stream or pages are not divided")
    name = f"{file.lock.name} {shard[0]}/{shard[1]}"
    return msgspec.structs.replace(file, lock=msgspec.structs.replace(file.lock, name=name))


@final
class _Unfollowed:
    """A stage that changes nothing, and counts answers that are not all there is to say.

    Attributes:
        count: Those that are the first page of several.
        gone: Keys that are absent now, and whose records stay.
    """

    def __init__(self, store: WritableStore) -> None:
        self.count = self.gone = 0
        self._store = store

    def __call__(self, results: Sequence[Result[Key, object]]) -> Sequence[Result[Key, object]]:
        self.count += sum(isinstance(r.value, Response) and goes_on(r.value) for r in results)
        if self._store.takes_again:
            absent = (r.key for r in results if isinstance(r.error, Absent))
            self.gone += sum(self._store.get(key) is not None for key in absent)
        return results


@final
class _Kept:
    """Records that failed in a stage, as they were kept."""

    name = source = "kept"

    def __init__(self, records: Sequence[LandedRecord]) -> None:
        self._records = records

    def lots(self, position: Position | None) -> Iterator[Lot]:
        yield Lot(self._records)


def _forget(store: WritableStore) -> None:
    """Forget how far pages or a stream were read."""
    store.settle([Checkpoint(name, "") for name in _FEEDS], _ignore)
    store.flush()


def _put_back(feed: Feed, store: WritableStore, prefix: str = "") -> Feed:
    """Put dead letters back where all pages are read again: what is still odd fails again.

    Those whose keys begin with ``prefix``: rows that are not new do not come again.
    """
    if position_in(store.mark(feed.name), feed) is None:
        failed = [one.key for one in store.failures() if not one.acknowledged]
        store.retry_failed([key for key in failed if str(key).startswith(prefix)])
    return feed


def _flushed(store: WritableStore) -> WritableStore:
    store.flush()  # only now it is known what had landed before
    return store


def _paused(store: WritableStore) -> str | None:
    """Return since when a stream without a checkpoint was not listened to, where it ever was."""
    status = store.status()
    return moment(status.updated) if status.landed or status.gaps else None


def _unless(stop: threading.Event, check: Callable[[], None]) -> Callable[[], None]:
    def checked() -> None:
        if stop.is_set():
            raise Stopped("stopped by whoever started the workers")
        check()

    return checked


def _same(key: Key) -> Key:
    return key


def _ignore(_count: int) -> None:
    """Nobody waits for it."""


# Their names while streams were run apart, for one release.
StreamRun = Run
StreamSummary = Summary


Look = RunStatus  # its name in earlier versions
