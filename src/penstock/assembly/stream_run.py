"""A stream at work: what comes lands with its cursor, its gaps and its deletions, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

import msgspec

from penstock.assembly.locking import locked_store, nothing_lost
from penstock.assembly.stream_items import cursor_of, entry_of_item, up_to
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.streams import build_stream, plan_stream, stream_store
from penstock.errors import InputError
from penstock.events import Events, Landed
from penstock.pipeline.result import Entry, Gap, Mark
from penstock.store import WritableStore
from penstock.streaming import Counters, Cursor, Item, Message, Notice, Status, Stream

__all__ = ["StreamRun", "StreamSummary"]

_MARK = "stream"
_GROUP = 2000  # messages that become safe together, where so many are there
_LOOK = 0.25  # seconds after which a quiet stream is asked whether its time is up


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """What is in the store after a run, and what the run saw.

    Attributes:
        landed: Messages in the store.
        duplicates: Messages that came again in this run and were left out.
        gaps: Gaps written down in the store.
        reconnects: Connections after the first.
        keepalives: Signs of life that were no messages.
        seconds: Wall time of this run.
        new: Messages that landed in this run.
        missed: Messages missing in the gaps whose number is known.
        deleted: Messages taken out since the service wanted it.
        failed: Messages that were no JSON, kept with their beginning.
        unidentified: Messages of this run without an id: they landed under a hash of their bytes.
        notices: What the service said beside its messages, by kind.
        ended: Whether the server ended the stream for good.
        store: Where the messages are.
    """

    landed: int
    duplicates: int
    gaps: int
    reconnects: int
    keepalives: int
    seconds: float
    new: int
    missed: int
    deleted: int
    failed: int
    unidentified: int
    notices: dict[str, int]
    ended: bool
    store: str


@final
class StreamRun:
    """One run of a stream's file. Make it, subscribe to its events, then :meth:`go`.

    Args:
        file: The pipeline.
        folder: Where its relative paths start.

    Raises:
        InputError: The file asks for something that cannot be; no store was touched.
    """

    def __init__(self, file: StreamFile, folder: Path) -> None:
        plan_stream(file, folder)
        self._place = stream_store(file, folder)
        build_stream(file).close()  # so that a bad value or a missing secret makes no store
        self.events = Events()
        self._file = file
        self._folder = folder
        self._check: Callable[[], None] = nothing_lost
        self._notices: Counter[str] = Counter()
        self._unidentified = 0
        self._taken = 0
        self._ended = False
        self._stream: Stream[bytes] | None = None
        self._started = time.monotonic()
        self._before = 0

    @contextmanager
    def opened(self) -> Iterator[WritableStore]:
        """Give the store to land in, locked for this run; :meth:`go` ends when the lock is lost.

        Raises:
            StoreInUse: Another run has it.
        """
        with locked_store(self._file.lock, self._place, self._folder, self._file.store) as (
            store,
            check,
        ):
            self._check = check
            yield store

    def go(
        self, store: WritableStore, *, seconds: float | None = None, messages: int | None = None
    ) -> None:
        """Land what comes until something stops it; what was settled by then is safe.

        Args:
            store: Where messages land, from :meth:`opened`.
            seconds: How long to go on, or None.
            messages: How many new messages to land, or None.

        Raises:
            InputError: The stored cursor belongs to another stream, or the server refuses us.
            PenstockError: The run could not go on.
        """
        self._started = time.monotonic()
        until = None if seconds is None else self._started + seconds
        self._before = store.status().landed
        cursor = _stored(store)
        with build_stream(self._file, cursor=cursor, events=self.events) as stream:
            self._stream = stream
            if cursor is None:
                self._tell_pause(store)
            for items in stream.batches(_LOOK):
                self._check()
                enough = messages is not None and self._land_some(items, store, stream, messages)
                if messages is None and items:
                    self._land(items, store, stream.cursor)
                if enough or (until is not None and time.monotonic() >= until):
                    break
            else:
                self._ended = True
        store.flush()

    def _land_some(
        self, items: Sequence[Item[bytes]], store: WritableStore, stream: Stream[bytes], wanted: int
    ) -> bool:
        """Land ``items`` up to so many messages of this run; return whether they all came."""
        while items:
            part = up_to(items, wanted - self._taken + store.again)
            whole = len(part) == len(items)
            self._land(part, store, stream.cursor if whole else cursor_of(part, stream.source))
            items = items[len(part) :]
            if self._taken - store.again >= wanted:
                store.flush()  # only now it is known which of them had come before
                if self._taken - store.again >= wanted:
                    return True
        return False

    def _tell_pause(self, store: WritableStore) -> None:
        """Write down that nothing is known of the time since the last run, where it is so."""
        status = store.status()
        if status.landed or status.gaps:
            since, until = _moment(status.updated), _moment(time.time())
            store.settle([Gap(since, until, "no-resume")], _ignore)

    def _land(
        self, items: Sequence[Item[bytes]], store: WritableStore, position: Cursor | None
    ) -> None:
        entries: list[Entry] = []
        landed = 0
        deletes = self._file.stream.deletes
        for item in items:
            if isinstance(item, Message):
                landed += 1
                self._unidentified += item.id is None
            elif isinstance(item, Notice):
                self._notices[item.kind] += 1
            entry = entry_of_item(item, deletes=deletes)
            if entry is not None:
                entries.append(entry)
        self._taken += landed
        if position is not None:
            entries.append(Mark(_MARK, msgspec.json.encode(position).decode()))
        store.settle(entries, _ignore, group=_GROUP)
        if landed:
            self.events.emit(Landed(count=landed))

    def look(self) -> tuple[Counters, Status]:
        """Return how the stream is doing; may be asked from any thread."""
        stream = self._stream
        return (Counters(), Status()) if stream is None else (stream.counters, stream.status)

    def summary(self, store: WritableStore) -> StreamSummary:
        """Return what there is by now; also after the run was stopped."""
        status = store.status()
        counters, _ = self.look()
        return StreamSummary(
            landed=status.landed,
            duplicates=store.again + counters.duplicates,
            gaps=status.gaps,
            reconnects=counters.reconnects,
            keepalives=counters.keepalives,
            seconds=round(time.monotonic() - self._started, 3),
            new=status.landed - self._before,
            missed=status.missed,
            deleted=status.deleted,
            failed=status.failed,
            unidentified=self._unidentified,
            notices=dict(self._notices),
            ended=self._ended,
            store=str(store.path),
        )


def _stored(store: WritableStore) -> Cursor | None:
    text = store.mark(_MARK)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Cursor)
    except msgspec.MsgspecError as error:
        raise InputError(f"{store.path}: its stream's cursor cannot be read: {error}") from error


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _ignore(_count: int) -> None:
    """Nobody waits for it."""
