"""Frames into messages, notices and gaps: what a preset knows, applied to bytes. No I/O."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, cast, final

import msgspec

from penstock.http import Record
from penstock.http.body import dig
from penstock.streaming.decoding import BAD_JSON, loader, peeker, reader
from penstock.streaming.frames import Frame, ServerEvent
from penstock.streaming.inband import EVENT, Sign, Then
from penstock.streaming.presets import Preset
from penstock.streaming.recent import RecentIds
from penstock.streaming.resuming import Backfill, LastEventId, moment
from penstock.streaming.values import Gap, Item, Message, Notice, T

__all__ = ["Place", "Sorter", "Verdict", "find_sign", "last_cursor", "last_word"]

_LAST_WORDS = 4  # frames at the end of a connection that may say why it ended
_FIRST_MEMBER = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"([^"\\]*)"')


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch came from: the number of its connection, and when, in seconds since 1970."""

    connection: int
    at: float


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sign asks for, beyond being handed out."""

    then: Then
    text: str


@final
class Sorter(Generic[T]):
    """Makes items of frames. Owned by the consumer's thread.

    Attributes:
        cursor: Where to go on after what was made last.
        verdicts: What signs ask for, by the connection they came by; the stream obeys.
        duplicates: Messages left out.
        keepalives: Messages that only say "still here".
    """

    def __init__(self, preset: Preset, into: type[T] | None, cursor: str | None) -> None:
        self.cursor = cursor
        self.verdicts: list[tuple[int, Verdict]] = []
        self.duplicates = 0
        self.keepalives = 0
        self._preset = preset
        self._read = reader(into)
        self._load = loader()
        self._whole = into is None or into is Record
        self._active = tuple(s for s in preset.signs if s.by is None or (s.by,) == preset.id)
        paths = _wanted(preset, self._active)
        self._peek = peeker(paths) if paths else None
        self._recent = RecentIds() if preset.resume.overlaps else None
        self._data = frozenset(name.encode() for name in preset.data)
        self._closely = bool(self._active) or preset.unknown
        self._plain = paths == set() and not self._closely and self._recent is None
        self._by_event = isinstance(preset.resume, LastEventId)
        self._by_time = isinstance(preset.resume, Backfill)
        self._totals: tuple[int, int] = (-1, 0)  # a connection, and what it said it left out
        self._place = Place(0, 0.0)

    def items(self, frames: Sequence[Frame], place: Place) -> Iterator[Item[T]]:
        """Yield the items of ``frames``, in their order.

        Each is decoded when its turn comes: a list of decoded messages would fall out of the
        processor's caches and be gone through by the garbage collector.
        """
        if self._plain and not isinstance(frames[0], ServerEvent):
            read = cast("Callable[[bytes], T]", self._read)
            for body in cast("Sequence[bytes]", frames):
                try:
                    value = read(body)
                except BAD_JSON as error:
                    yield self._unreadable(body, error)
                else:
                    yield Message(value, body)
            return
        self._place = place
        items: list[Item[T]] = []
        for frame in frames:
            if isinstance(frame, ServerEvent):
                self._sort(frame.data, frame, items)
            else:
                self._sort(frame, None, items)
            yield from items
            items.clear()

    def _sort(self, body: bytes, event: ServerEvent | None, items: list[Item[T]]) -> None:
        if event is not None and event.id and self._by_event:
            self.cursor = event.id
        value: object = None
        try:
            look = self._closely and not self._is_data(body)
            if self._whole:
                value = self._load(body)
                facts = value
            else:
                facts = self._peeked(body) if self._peek is not None else None
        except BAD_JSON as error:
            if not (event is not None and self._event_sign(event, body, items)):
                items.append(self._unreadable(body, error))
            return
        if look and self._signs(facts, body, event, items):
            return
        self._message(facts, value, body, event, items)

    def _is_data(self, body: bytes) -> bool:
        if not self._data:
            return False
        first = _FIRST_MEMBER.match(body)
        return first is not None and first[1] in self._data

    def _peeked(self, body: bytes) -> object:
        assert self._peek is not None  # asked before
        try:
            return self._peek(body)
        except msgspec.ValidationError:
            return self._load(body)  # a shape of its own: nothing is passed over

    def _message(
        self,
        facts: object,
        value: object,
        body: bytes,
        event: ServerEvent | None,
        items: list[Item[T]],
    ) -> None:
        preset = self._preset
        id_ = _identity(facts, preset.id)
        if id_ is None and event is not None and event.id and not preset.id:
            id_ = event.id
        self._note_cursor(facts)
        if preset.unknown and id_ is None:
            whole = facts if self._whole else self._load(body)
            items.append(self._notice("unknown", whole, body, None, ""))
            return
        if self._recent is not None and id_ is not None and not self._recent.first(id_):
            self.duplicates += 1
            return
        kind = "data" if event is None or event.event == "message" else event.event
        if preset.kind is not None:
            kind = str(dig(facts, preset.kind) or kind)
        try:
            made = self._made(value) if self._whole else self._read(body)
        except BAD_JSON as error:
            items.append(self._unreadable(body, error))
            return
        items.append(Message(cast("T", made), body, id_, self.cursor, kind))

    def _made(self, value: object) -> object:
        return Record(value) if isinstance(value, dict) else Record({"": value})[""]

    def _note_cursor(self, facts: object) -> None:
        if self._by_time:
            self.cursor = f"{self._place.at:.3f}"
        elif (path := self._preset.resume.path) is not None:
            found = dig(facts, path)
            if found is not None:
                self.cursor = position(found)

    def _signs(
        self, facts: object, body: bytes, event: ServerEvent | None, items: list[Item[T]]
    ) -> bool:
        """Hand out what the first sign that fits says; return whether one did."""
        sign = find_sign(self._active, facts, event)
        if sign is None:
            return False
        whole = facts if self._whole else self._load(body)
        self._note_cursor(whole)
        self._act(sign, whole, body, items)
        return True

    def _event_sign(self, event: ServerEvent, body: bytes, items: list[Item[T]]) -> bool:
        """Like :meth:`_signs` for an event whose data is no JSON, such as a bare id."""
        sign = find_sign(self._active, None, event)
        if sign is not None:
            self._act(sign, None, body, items)
        return sign is not None

    def _act(self, sign: Sign, value: object, body: bytes, items: list[Item[T]]) -> None:
        if sign.then is Then.KEEPALIVE:
            self.keepalives += 1
            return
        text = str(dig(value, sign.text) or "") if sign.text is not None else ""
        id_: str | int | None = None
        if sign.id is not None:
            # An id that is the whole message, as Mastodon's, is a text, like ids in its objects.
            found = (
                dig(value, sign.id) if sign.id else str(value or body.decode("utf-8", "replace"))
            )
            id_ = found if isinstance(found, str | int) else None
        before = self.cursor
        items.append(self._notice(sign.kind, value, body, id_, text))
        if sign.then is Then.LIMIT:
            self._limit(sign, value, items)
        elif sign.then is Then.TOO_OLD:
            items.append(Gap(before or moment(self._place.at), None, "cursor-too-old"))
            self.cursor = None
        if sign.then in (Then.AGAIN, Then.TOO_OLD, Then.STOP):
            self.verdicts.append((self._place.connection, Verdict(sign.then, text or sign.kind)))

    def _limit(self, sign: Sign, value: object, items: list[Item[T]]) -> None:
        # Twitter: "a count of undelivered Tweets since the connection was opened"; -1 is unknown.
        total = dig(value, sign.count or "")
        known = self._totals[1] if self._totals[0] == self._place.connection else 0
        since = self.cursor or moment(self._place.at)
        if not isinstance(total, int) or total < 0:
            items.append(Gap(since, None, "limit"))
        elif total > known:
            self._totals = (self._place.connection, total)
            items.append(Gap(since, moment(self._place.at), "limit", total - known))

    def _notice(
        self, kind: str, value: object, body: bytes, id_: str | int | None, text: str
    ) -> Notice:
        record = Record(value) if isinstance(value, dict) else None
        return Notice(kind, record, body, id_, self.cursor, text)

    def _unreadable(self, body: bytes, error: Exception) -> Notice:
        return Notice("unreadable", None, body, None, self.cursor, str(error))


def find_sign(signs: Iterable[Sign], facts: object, event: ServerEvent | None) -> Sign | None:
    """Return the first sign that fits a message, or None."""
    for sign in signs:
        if sign.path == EVENT:
            found: object = None if event is None else event.event
        else:
            found = dig(facts, sign.path)
        if found is not None and (not sign.equals or found in sign.equals):
            return sign
    return None


def _identity(facts: object, paths: tuple[str, ...]) -> str | int | None:
    if not paths:
        return None
    if len(paths) == 1:
        found = dig(facts, paths[0])
        return found if isinstance(found, str | int) else None
    parts = [dig(facts, path) for path in paths]
    return None if None in parts else ":".join(map(str, parts))


def _wanted(preset: Preset, signs: Iterable[Sign]) -> set[str]:
    """Return the paths that have to be known of every message."""
    paths = {*preset.id, *(sign.path for sign in signs if sign.path != EVENT)}
    paths |= {path for path in (preset.kind, preset.resume.path) if path is not None}
    return paths


def last_word(preset: Preset, frames: Iterable[Frame]) -> Verdict | None:
    """Return what the last frames of a connection, the newest first, say about its end."""
    if not preset.signs:
        return None
    load = loader()
    for frame in itertools.islice(frames, _LAST_WORDS):
        event = frame if isinstance(frame, ServerEvent) else None
        try:
            facts = load(frame.data if isinstance(frame, ServerEvent) else frame)
        except BAD_JSON:
            facts = None
        sign = find_sign(preset.signs, facts, event)
        if sign is not None and sign.then in (Then.AGAIN, Then.TOO_OLD, Then.STOP):
            text = str(dig(facts, sign.text) or "") if sign.text is not None else ""
            return Verdict(sign.then, text or sign.kind)
    return None


def last_cursor(preset: Preset, frames: Iterable[Frame]) -> str | None:
    """Return the newest cursor in ``frames``, the newest first, or None."""
    path = preset.resume.path
    if path is None:
        return None
    load = loader()
    for frame in frames:
        try:
            found = dig(load(frame.data if isinstance(frame, ServerEvent) else frame), path)
        except BAD_JSON:
            continue
        if found is not None:
            return position(found)
    return None


def position(found: object) -> str:
    """Return a member that is a cursor as text."""
    if isinstance(found, str | int):
        return str(found)
    return msgspec.json.encode(found).decode()  # CouchDB's clusters have had lists
