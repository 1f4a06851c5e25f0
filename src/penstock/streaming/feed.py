"""A stream as a feed: messages, gaps and deletions land together with the cursor behind them."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, final

import msgspec

from penstock.errors import InputError
from penstock.pipeline import (
    Checkpoint,
    Deletion,
    Entry,
    FailedRecord,
    Key,
    LandedGap,
    LandedRecord,
    Lot,
    Position,
)
from penstock.streaming.resume import moment
from penstock.streaming.stream import Stream
from penstock.streaming.values import Gap, Item, Message, OnSame, ServerNotice, T

__all__ = ["UNREADABLE", "StreamFeed", "entry_of_item"]

UNREADABLE = "Unreadable"
"""The error of a failure that stands for a message that is not JSON."""


_EXCERPT = 500
_LOOK = 0.25  # seconds after which a quiet stream is asked whether its time is up


@final
class StreamFeed(Generic[T]):
    """What a stream brings, for a store: each list that came together is a lot.

    Messages land under their ids, or a hash of their bytes where they have none (with the id of the
    event, which is a position). What is not JSON lands as a failure; text and bytes (in base64) as
    texts. Where the stream has no cursors, the time takes their place: the next run
    then lands a gap from that time on.

    Args:
        stream: The stream. It goes on at the store's checkpoint, and is closed by its owner.
        deletes: Whether to delete the messages that the service wants deleted.
        seconds: Seconds to go on, or None.
        most: New messages to bring, or None.
        again: Says how many of them had landed before, which do not count; asked when ``most``
            seem to be there.
        since: Where nothing tells when the last run ended: that time, for the gap.
        on_same: What happens to a message whose id landed before, with other content: ``"first"``
            leaves it out, and the store counts it (``changed``); with ``"keep"`` all that differ
            land, under their ids and a hash, and messages without ids however often they come.
            ``"replace"`` and ``"history"`` are up to the store, which has to be told as well. None:
            as the stream's preset has it.

    Attributes:
        unidentified: Messages without an id so far.
        lost: Gaps so far, but for what we dropped as we were set to, and the time when nobody
            read a source that cannot go back.
        notices: What the service said beside its messages, by kind.
        ended: Whether the server ended the stream for good.
    """

    name = "stream"

    def __init__(  # noqa: PLR0913 - all that a store may want of a stream
        self,
        stream: Stream[T],
        *,
        deletes: bool = False,
        seconds: float | None = None,
        most: int | None = None,
        again: Callable[[], int] = int,
        since: str | None = None,
        on_same: OnSame | None = None,
    ) -> None:
        on_same = on_same or stream.on_same
        if deletes and on_same == "keep":
            raise InputError(
                "deletes needs one record for each id: on_same='first'; of a feed of changes, "
                "Stream(id=...)"
            )
        self._stream = stream
        self._deletes = deletes
        self._seconds = seconds
        self._most = most
        self._again = again
        self._since = since
        self._taken = 0
        self._had = 0  # of those taken, as far as is known
        self._on_same = on_same
        self._kept, self._began = 0, time.time_ns()
        self.unidentified = self.lost = 0
        self.notices: Counter[str] = Counter()
        self.ended = False

    @property
    def source(self) -> str:
        """Preset and URL without secrets, with a hash of method, query and body."""
        return self._stream.identity

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield what comes, until the stream ends, or time or messages are enough."""
        stream = self._stream
        until = None if self._seconds is None else time.monotonic() + self._seconds
        if isinstance(position, str):
            stream.resume(position)
        elif stream.cursor is None and (since := self._paused(position)) is not None:
            yield Lot([LandedGap(since, moment(time.time()), "no-resume")])
        for items in stream.batches(_LOOK):
            yield from self._parts(items)
            if self._is_enough() or (until is not None and time.monotonic() >= until):
                if (gap := stream.missing) is not None:
                    yield from self._parts([gap])
                return
        self.ended = True

    def _paused(self, position: Position | None) -> str | None:
        return moment(position / 1000) if isinstance(position, int) else self._since

    def _parts(self, items: Sequence[Item[T]]) -> Iterator[Lot]:
        """Yield all the items as one lot, or those up to the last message that is wanted."""
        if not items:
            yield Lot(())
        while items and not self._is_enough():
            part = items
            if self._most is not None:
                part = _up_to(items, self._most - self._taken + self._had)
            entries, cursor = self._entries(part), self._stream.cursor
            position = cursor and cursor.position
            if cursor is None:
                # The time alone: it is nothing to go on from, and may be that of another stream.
                entries.append(Checkpoint(self.name, str(int(time.time() * 1000))))
            elif len(part) < len(items):
                position = _cursor_of(part)
            yield Lot(entries, position)
            items = items[len(part) :]

    def _is_enough(self) -> bool:
        if self._most is None or self._taken - self._had < self._most:
            return False
        self._had = self._again()
        return self._taken - self._had >= self._most

    def _entries(self, items: Sequence[Item[T]]) -> list[Entry]:
        entries: list[Entry] = []
        for item in items:
            if isinstance(item, Message):
                self._taken += 1
                entries.append(LandedRecord(self._key(item), self._body(item)))
                continue
            if isinstance(item, ServerNotice):
                self.notices[item.kind] += 1
            elif item.reason != "overflow":
                self.lost += 1
            final = not self._stream.reuses_ids
            entry = entry_of_item(item, deletes=self._deletes, final=final)
            if entry is not None:
                entries.append(entry)
        return entries

    def _key(self, message: Message[T]) -> Key:
        """Return what ``message`` lands under."""
        keeps = self._on_same == "keep"
        if message.id is not None and self._stream.keyed:
            return f"{message.id}{_hash(message.body)}" if keeps else message.id
        if message.id is None and self._stream.placed:
            return _hash(message.body)
        self.unidentified += message.id is None
        if keeps and message.id is None:
            self._kept += 1  # of a process that began at its own time
            return f"@{self._began:x}-{self._kept:x}"
        return _hash(message.body, message.id)

    def _body(self, message: Message[T]) -> bytes:
        if self._stream.decode == "json":
            return message.body
        return msgspec.json.encode(message.value)


def entry_of_item(item: ServerNotice | Gap, *, deletes: bool, final: bool = True) -> Entry | None:
    """Return what a store keeps of what is not a message; None: nothing.

    >>> entry_of_item(ServerNotice("delete", None, b"{}", id=7), deletes=True)
    Deletion(key=7, final=True)
    >>> notice = ServerNotice("unreadable", None, b"<p>", text="not JSON")
    >>> entry_of_item(notice, deletes=True).excerpt
    '<p>'
    """
    if isinstance(item, Gap):
        return LandedGap(item.since, item.until, item.reason, item.count)
    if item.id is not None:  # what is to go, whatever the service calls it
        return Deletion(item.id, final) if deletes else None
    if item.kind == "unreadable":
        excerpt = item.body[:_EXCERPT].decode("utf-8", "replace")
        return FailedRecord(_hash(item.body), UNREADABLE, item.text, excerpt=excerpt)
    return None


def _hash(body: bytes, position: Key | None = None) -> str:
    """Return the key of a message without an id: the same bytes are the same message.

    The id of a server-sent event says where it stands in the stream: two of them are two events.
    """
    salt = (
        b""
        if position is None
        else hashlib.blake2b(str(position).encode(), digest_size=16).digest()
    )
    return "#" + hashlib.blake2b(body, digest_size=16, salt=salt).hexdigest()


def _up_to(items: Sequence[Item[T]], messages: int) -> Sequence[Item[T]]:
    """Return the items up to and with so many messages."""
    for place, item in enumerate(items):
        if isinstance(item, Message):
            messages -= 1
            if messages == 0:
                return items[: place + 1]
    return items


def _cursor_of(items: Sequence[Item[T]]) -> str | None:
    """Return where to go on after the last of ``items`` that tells it."""
    for item in reversed(items):
        if isinstance(item, Message | ServerNotice) and item.cursor is not None:
            return item.cursor
    return None
