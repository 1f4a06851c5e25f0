"""A pipeline file at work: from its source into its store, and a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec

from penstock.assembly.build import build_api, build_request, build_style, store_path
from penstock.assembly.locking import locked_store, nothing_lost
from penstock.assembly.plan import plan
from penstock.assembly.rooms import build_stages, build_uses
from penstock.assembly.sections import PagesSource, PipelineFile
from penstock.assembly.sources import count, keys
from penstock.assembly.using import Used, finish_all
from penstock.errors import InputError, PermanentError
from penstock.events import Event, Events, Failed, Landed, Retry
from penstock.http import Api, Get, Page, Request, pages, rows
from penstock.http.body import dig
from penstock.pipeline import (
    Entry,
    Failing,
    Fetching,
    Key,
    Landing,
    Mark,
    Pipeline,
    Result,
    entry_of,
    through,
)
from penstock.resilience import QUOTA
from penstock.store import WritableStore

__all__ = ["Run", "Summary"]

_MARK = "pages"
_FOLLOW = 1.0  # seconds between the looks of uses at what has landed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is in the store after a run, and what the run did.

    Attributes:
        landed: Keys whose record is in the store.
        failed: Keys that ended in an error, kept for another try.
        pending: Keys still to do, where that can be known, else 0.
        seconds: Wall time of this run.
        new: Keys that landed in this run.
        skipped: Keys that an earlier run had settled.
        repeated: Keys that came more than once in the source.
        retries: Calls made again after a failure.
        too_many_requests: Calls that the server refused for lack of quota (420, 429).
        complete: Whether the source was drawn to its end.
        store: Where the records are.
        uses: What was done with what landed, in the order of the file.
    """

    landed: int
    failed: int
    pending: int
    seconds: float
    new: int
    skipped: int
    repeated: int
    retries: int
    too_many_requests: int
    complete: bool
    store: str
    uses: tuple[Used, ...] = ()


@final
class Run:
    """One run of a pipeline file. Make it, subscribe to its events, then :meth:`go`.

    Args:
        file: The pipeline.
        folder: Where its relative paths start.

    Raises:
        InputError: The file asks for something that cannot be; no store was touched.
    """

    def __init__(self, file: PipelineFile, folder: Path) -> None:
        plan(file, folder)
        self.place = store_path(file.store, folder)
        self.events = Events()
        self.api: Api = build_api(file, events=self.events)
        self.expected: int | None = None
        self._stages = build_stages(file, folder)
        self._uses = build_uses(file, folder, self.events)
        self._file = file
        self._folder = folder
        self._retries = 0
        self._refusals = 0
        self.complete = False
        self._tell_expected: Callable[[int | None], object] = _ignore
        self._check: Callable[[], None] = nothing_lost
        self.events.subscribe(self._count)

    @contextmanager
    def opened(self) -> Iterator[WritableStore]:
        """Give the store to land in, locked for this run; :meth:`go` ends when the lock is lost.

        Raises:
            StoreInUse: Another run has it.
        """
        with locked_store(self._file.lock, self.place, self._folder, self._file.store) as (
            store,
            check,
        ):
            self._check = check
            yield store

    def on_expected(self, tell: Callable[[int | None], object]) -> None:
        """Call ``tell`` with the number of keys in the source, once it is known."""
        self._tell_expected = tell

    def _count(self, event: Event) -> None:
        if isinstance(event, Retry):
            if event.status in QUOTA:
                self._refusals += 1
            else:
                self._retries += 1

    def go(self, store: WritableStore, only: Sequence[Key] | None = None) -> Summary:
        """Run to the end, or until something stops it; what was settled by then is safe.

        Args:
            store: Where records land, opened at :attr:`place`.
            only: Keys to run instead of the source's.

        Raises:
            PenstockError: The run could not go on.
        """
        started = time.monotonic()
        before = store.status().landed
        if only is None and isinstance(self._file.source, PagesSource):
            steps = self._paged(self._file.source, store)
        else:
            steps = self._keyed(only, store)
        due = time.monotonic() + _FOLLOW
        for _ in steps:
            self._check()
            if self._uses and time.monotonic() >= due:
                for use in self._uses:
                    use.catch_up(store)
                due = time.monotonic() + _FOLLOW
        store.flush()
        self._settle_expectation(store)
        return self._summary(store, started, before, finish_all(self._uses, store))

    def _keyed(self, only: Sequence[Key] | None, store: WritableStore) -> Iterator[object]:
        source: Iterable[Key] = only if only is not None else keys(self._file.source, self._folder)
        if only is not None and self._file.request is None:
            raise InputError(
                "rows of pages have no request of their own: they are to do again now, so run the "
                "pipeline once more"
            )
        if only is None:
            self.expected = count(self._file.source, self._folder)
            store.expect(self.expected)
            self._tell_expected(self.expected)
        yield from self._fetching(source).landing(store, events=self.events)

    def _fetching(self, source: Iterable[Key]) -> Fetching[Request, object]:
        request = self._file.request
        if request is None:
            raise InputError("section [request] is missing: it says what to ask for each key")
        pipeline = Pipeline(source)
        if self._file.batch is not None:
            batch = self._file.batch
            pipeline = pipeline.batches(batch.size, sizer=self.api.budget, empty=batch.empty)
        fetching: Fetching[Request, object] = pipeline.fetch(
            self.api, build_request(request), concurrency=self._file.api.concurrency
        )
        for stage in self._stages:
            fetching = fetching.through(stage)
        return fetching

    def _paged(self, source: PagesSource, store: WritableStore) -> Iterator[object]:
        """Page after page; where to go on is noted when all of a page is safe, not before."""
        style = build_style(source)
        start = store.mark(_MARK)
        position = msgspec.json.decode(start) if start else None
        request = Get(source.path, query=dict(source.query) or None)
        for page in pages(self.api, request, style, start=position, concurrency=source.concurrency):
            found = self._rows_by_key(page, source)
            following = (
                "" if page.following is None else msgspec.json.encode(page.following).decode()
            )
            if self._file.request is None:
                self._land_rows(found, Mark(_MARK, following), store)
            else:
                yield from self._fetching(list(found)).landing(store, events=self.events)
                store.settle([Mark(_MARK, following)], _ignore)
            yield page

    def _rows_by_key(self, page: Page, source: PagesSource) -> dict[Key, bytes]:
        found: dict[Key, bytes] = {}
        for row in rows(page, source.items):
            decoded = msgspec.json.decode(row)
            key = decoded if isinstance(decoded, str | int) else dig(decoded, source.key)
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise PermanentError(
                    f"GET {source.path}: a row has no text or whole number at {source.key!r}; "
                    f"set source.key. The row begins: {row[:80].decode('utf-8', 'replace')!r}"
                )
            found[key] = row
        return found

    def _land_rows(self, found: dict[Key, bytes], mark: Mark, store: WritableStore) -> None:
        fresh = [Result(key, Landing(key, found[key])) for key in store.claim(found)]
        for chunk in self._staged(fresh):
            entries = [entry_of(result) for result in chunk]
            store.settle([*entries, mark], _ignore)
            self._tell(entries)

    def _tell(self, entries: Sequence[Entry]) -> None:
        failing = [entry for entry in entries if isinstance(entry, Failing)]
        for entry in failing:
            self.events.emit(Failed(key=entry.key, reason=entry.message))
        if landed := len(entries) - len(failing):
            self.events.emit(Landed(count=landed))

    def _staged(
        self, fresh: Sequence[Result[Key, object]]
    ) -> Iterator[Sequence[Result[Key, object]]]:
        chunks: Iterator[Sequence[Result[Key, object]]] = iter([fresh])
        for stage in self._stages:
            chunks = through(chunks, stage)
        return chunks

    def _settle_expectation(self, store: WritableStore) -> None:
        """The source may have repeated keys: now their number is known."""
        status = store.status()
        done = status.landed + status.failed
        stops = self._file.batch is not None and self._file.batch.empty == "stop"
        if stops and self.expected is not None:
            distinct = max(done, self.expected - store.repeated)
            self.complete = done == distinct
            store.expect(distinct)
        else:
            self.complete = True
            store.expect(done)

    def _summary(
        self, store: WritableStore, started: float, before: int, uses: tuple[Used, ...]
    ) -> Summary:
        status = store.status()
        return Summary(
            landed=status.landed,
            failed=status.failed,
            pending=status.pending or 0,
            seconds=round(time.monotonic() - started, 3),
            new=status.landed - before,
            skipped=store.skipped,
            repeated=store.repeated,
            retries=self._retries,
            too_many_requests=self._refusals,
            complete=self.complete,
            store=str(store.path),
            uses=uses,
        )


def _ignore(_count: int | None) -> None:
    """Nobody waits for it."""
