"""Results into a store: each becomes a record, or a dead letter that can be tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import msgspec

from penstock.errors import Absent, PermanentError
from penstock.events import Event, Events, Failed, Landed, RunEnded, RunStarted
from penstock.pipeline.concurrent import Slots
from penstock.pipeline.json_text import is_json
from penstock.pipeline.ports import Store
from penstock.pipeline.result import Entry, FailedRecord, Key, LandedRecord, Result
from penstock.pipeline.uses import Used
from penstock.redaction import redacted


@final
@dataclass(slots=True)
class Counts:
    """What has become of the keys of a run.

    Attributes:
        landed: Records handed to the store.
        failed: Failures handed to the store.
        complete: Whether the source was drawn to its end.
        uses: What was done with what landed, once everything has.
    """

    landed: int = 0
    failed: int = 0
    complete: bool = False
    uses: tuple[Used, ...] = ()


@contextmanager
def reported(events: Events | None, name: str, total: int | None = None) -> Iterator[Counts]:
    """Emit that a run begins and, after the block, how it ended; the block keeps the counts."""
    counts, start, problem = Counts(), time.monotonic(), None
    events = events or Events()
    try:
        events.emit(RunStarted(name=name, total=total))
        yield counts
    except BaseException as error:
        problem = str(error) or type(error).__name__
        raise
    finally:
        events.emit(
            RunEnded(
                name=name,
                landed=counts.landed,
                failed=counts.failed,
                seconds=time.monotonic() - start,
                error=problem,
            )
        )


def entry_of(result: Result[Key, object]) -> LandedRecord | FailedRecord:
    """Return what a store keeps of ``result``.

    A value with a ``body`` of bytes (a response) lands as that JSON text, checked unless its
    ``is_json`` says that it was; anything else is encoded as JSON, mappings (a ``Record``) too.

    >>> entry_of(Result(7, {"name": "Ada"}))
    LandedRecord(key=7, body=b'{"name":"Ada"}')
    """
    if result.error is not None:
        return _failed(result, result.error)
    # Not of a mapping: its attributes may be members, which the world names as it likes.
    body = None if isinstance(result.value, Mapping) else getattr(result.value, "body", None)
    if not isinstance(body, bytes):
        try:
            return LandedRecord(result.key, _encode(result.value))
        except (TypeError, ValueError, OverflowError) as error:
            return _failed(result, error)
    if not body or body.isspace():
        return LandedRecord(result.key, b"null")  # 204 No Content: there, and empty
    if not (getattr(result.value, "is_json", False) or is_json(body)):
        # A store keeps lines of JSON: one that is none would spoil every reader of the segment.
        return _failed(result, PermanentError("the answer is not JSON, so it cannot land"))
    if b"\n" in body or b"\r" in body:
        try:
            body = msgspec.json.format(body, indent=-1)
        except (msgspec.DecodeError, RecursionError):  # half a surrogate pair, or very deep
            body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return LandedRecord(result.key, body)


def _members(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot land: it is not JSON, nor made of it")


_encode = msgspec.json.Encoder(enc_hook=_members).encode


def _failed(result: Result[Key, object], error: Exception) -> FailedRecord:
    return FailedRecord(
        key=result.key,
        error=type(error).__name__,
        message=redacted(str(error)) or type(error).__name__,
        status=getattr(error, "status", None),
        attempts=result.attempts,
        excerpt=redacted(getattr(error, "excerpt", "")),
    )


@final
class Lander:
    """Hands entries to a store, counts them and tells of them: whatever lands, lands here.

    Args:
        store: Where it lands.
        events: Who is told.
    """

    def __init__(self, store: Store, events: Events | None = None) -> None:
        self.store = store
        self.counts = Counts()
        self._events = events

    def settle(
        self,
        entries: Sequence[Entry],
        durable: Callable[[int], object] = lambda _: None,
        *,
        group: int = 100,
    ) -> None:
        """Hand ``entries`` over; ``durable`` hears when they are safe, as the store says."""
        self.store.settle(entries, durable, group=group)
        landed = [type(entry) for entry in entries].count(LandedRecord)
        failed: list[FailedRecord] = []
        if landed < len(entries):
            failed = [
                entry
                for entry in entries
                if isinstance(entry, FailedRecord) and entry.error != Absent.__name__
            ]
        self.counts.landed += landed
        self.counts.failed += len(failed)
        if self._events is not None:
            _tell(self._events, failed, landed)

    def land(
        self, chunks: Iterator[Sequence[Result[Key, object]]], slots: Slots
    ) -> Iterator[Counts]:
        """Land chunks of results and yield the counts after each chunk.

        A slot is free again when its result is durable, so what a crash can cost is one window.
        """
        group = max(1, min(100, slots.limit * 3 // 4))
        for chunk in chunks:
            self.settle([entry_of(result) for result in chunk], slots.returned, group=group)
            yield self.counts


def land(
    chunks: Iterator[Sequence[Result[Key, object]]],
    store: Store,
    slots: Slots,
    events: Events | None = None,
) -> Iterator[Counts]:
    """Hand chunks of results to ``store`` and yield the counts after each chunk."""
    yield from Lander(store, events).land(chunks, slots)
    store.flush()


def _tell(events: Events, failed: Sequence[FailedRecord], landed: int) -> None:
    told: list[Event] = [
        Failed(key=entry.key, reason=entry.message, error=entry.error, status=entry.status)
        for entry in failed
    ]
    if landed:
        told.append(Landed(count=landed))
    for event in told:
        events.emit(event)
