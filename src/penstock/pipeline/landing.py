"""Results into a store: each becomes a record, or a dead letter that can be tried again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import msgspec

from penstock.errors import PermanentError
from penstock.events import Event, Events, Failed, Landed
from penstock.pipeline.concurrent import Slots
from penstock.pipeline.json_text import is_json
from penstock.pipeline.ports import Store
from penstock.pipeline.result import Entry, Failing, Key, Landing, Result

__all__ = ["Counts", "entry_of", "land"]


@final
@dataclass(slots=True)
class Counts:
    """What has become of the keys of a run."""

    landed: int = 0
    failed: int = 0


def entry_of(result: Result[Key, object]) -> Entry:
    """Return what a store keeps of ``result``.

    A value with a ``body`` of bytes (a response) lands as that JSON text, checked unless its
    ``is_json`` says that it was; anything else is encoded as JSON.

    >>> entry_of(Result(7, {"name": "Ada"}))
    Landing(key=7, body=b'{"name":"Ada"}')
    """
    if result.error is not None:
        return _failing(result, result.error)
    body = getattr(result.value, "body", None)
    if not isinstance(body, bytes):
        try:
            return Landing(result.key, msgspec.json.encode(result.value))
        except (TypeError, ValueError, OverflowError) as error:
            return _failing(result, error)
    if not body or body.isspace():
        return Landing(result.key, b"null")  # 204 No Content: there, and empty
    if not (getattr(result.value, "is_json", False) or is_json(body)):
        # A store keeps lines of JSON: one that is none would spoil every reader of the segment.
        return _failing(result, PermanentError("the answer is not JSON, so it cannot land"))
    if b"\n" in body or b"\r" in body:
        try:
            body = msgspec.json.format(body, indent=-1)
        except (msgspec.DecodeError, RecursionError):  # half a surrogate pair, or very deep
            body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return Landing(result.key, body)


def _failing(result: Result[Key, object], error: Exception) -> Failing:
    return Failing(
        key=result.key,
        error=type(error).__name__,
        message=str(error) or type(error).__name__,
        status=getattr(error, "status", None),
        attempts=result.attempts,
        excerpt=getattr(error, "excerpt", ""),
    )


def land(
    chunks: Iterator[Sequence[Result[Key, object]]],
    store: Store,
    slots: Slots,
    events: Events | None = None,
) -> Iterator[Counts]:
    """Hand chunks of results to ``store`` and yield the counts after each chunk.

    A slot is free again when its result is durable, so what a crash can cost is one window.
    """
    counts = Counts()
    group = max(1, min(100, slots.limit * 3 // 4))
    for chunk in chunks:
        entries = [entry_of(result) for result in chunk]
        store.settle(entries, slots.returned, group=group)
        failing = [entry for entry in entries if isinstance(entry, Failing)]
        counts.failed += len(failing)
        counts.landed += len(entries) - len(failing)
        if events is not None:
            _tell(events, failing, len(entries) - len(failing))
        yield counts
    store.flush()


def _tell(events: Events, failing: Sequence[Failing], landed: int) -> None:
    told: list[Event] = [Failed(key=entry.key, reason=entry.message) for entry in failing]
    if landed:
        told.append(Landed(count=landed))
    for event in told:
        events.emit(event)
