"""Frames into messages, notices and gaps: what a preset knows, applied to bytes. No I/O."""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, cast, final

import msgspec

from penstock.http import Record, dig
from penstock.pipeline import BAD_JSON
from penstock.streaming.control_messages import EVENT, Action, ControlMessage
from penstock.streaming.dedup import Recent
from penstock.streaming.frames import Frame, ServerEvent
from penstock.streaming.json_decoder import (
    Load,
    exact,
    loader,
    looker,
    members_at,
    mended,
    peeker,
    reader,
    replaced_at,
    wrap,
)
from penstock.streaming.presets import Preset
from penstock.streaming.resume import Backfill, LastEventId, Resume, moment
from penstock.streaming.values import Gap, Item, Message, ServerNotice, T

__all__ = [
    "Decode",
    "Newest",
    "Sorter",
    "Verdict",
    "active_signs",
    "find_sign",
    "last_word",
    "newest",
]

Decode: TypeAlias = Literal["json", "text", "bytes"]
"""What a message is."""

Newest: TypeAlias = Callable[[Sequence[Frame], float], str | None]
"""The newest cursor in frames that came at a time, or None where they have none."""

_LAST_WORDS = 4  # frames at the end of a connection that may say why it ended
_FIRST_MEMBER = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"([^"\\]*)"')
_WHOLE = re.compile(r"-?[0-9]{1,4000}")
_WORDS = (Action.AGAIN, Action.TOO_OLD, Action.STOP, Action.END)
_KEYS = range(-(2**63), 2**63)  # whole numbers that a store has keys of


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sign asks for, beyond being handed out."""

    then: Action
    text: str


@final
class Sorter(Generic[T]):
    """Makes items of frames. Owned by the consumer's thread.

    Args:
        preset: What is known of the service.
        into: What messages are decoded into.
        cursor: Where to go on, to begin with.
        decode: What messages are: JSON, or text or bytes that are not looked into.

    Attributes:
        cursor: Where to go on after what was made last.
        verdicts: What signs ask for, by the connection they came by; the stream obeys.
        duplicates: Messages left out.
        keepalives: Messages that only say "still here".
    """

    def __init__(
        self, preset: Preset, into: type[T] | None, cursor: str | None, decode: Decode = "json"
    ) -> None:
        self.cursor = cursor
        self.verdicts: list[tuple[int, Verdict]] = []
        self.duplicates = 0
        self.keepalives = 0
        self._preset = preset
        self._decode = decode
        self._active = active_signs(preset)
        self._whole = into is None or into is Record
        # A word such as [DONE] is no object: what only says words is not asked of one.
        self._of_objects = tuple(sign for sign in self._active if sign.path or not sign.equals)
        if into is None or into is Record:
            self._facts = loader()
        else:
            self._read = reader(into)
            self._facts = looker(_wanted(preset, self._active))
        self._recent = Recent() if preset.resume.overlaps and preset.key else None
        beneath = {sign.path.partition(".")[0] for sign in self._active}
        self._data = frozenset(name.encode() for name in preset.data - beneath)
        self._by_event = isinstance(preset.resume, LastEventId)
        self._by_time = isinstance(preset.resume, Backfill)
        self._totals: tuple[int, int] = (-1, 0)  # a connection, and what it said it left out
        self._items: list[Item[T]] = []  # of the frame whose turn it is
        self._event: ServerEvent | None = None  # which that is, where it is one

    def items(self, frames: Sequence[Frame], connection: int, at: float) -> Iterator[Item[T]]:
        """Yield the items of ``frames``, in their order.

        They came by the connection of that number, at a time in seconds since 1970.

        Each is decoded when its turn comes: a list of decoded messages would fall out of the
        processor's caches and be gone through by the garbage collector.
        """
        self._connection, self._at = connection, at
        items = self._items = []
        alone = self._is_alone()
        for frame in frames:
            if alone and (message := self._alone(frame)) is not None:
                yield message
            elif isinstance(frame, ServerEvent):
                self._event = frame
                self._sort(frame.data)
            else:
                self._event = None
                self._sort(frame)
            yield from items
            items.clear()

    def _is_alone(self) -> bool:
        """Whether an object is a message, and nothing but its value has to be known of it."""
        preset = self._preset
        known = preset.key or preset.resume.path or preset.each or preset.base64 or preset.kind
        asked = known or preset.unknown or self._of_objects or self._by_time
        return self._decode == "json" and not asked

    def _alone(self, frame: Frame) -> Message[T] | None:
        """Return the message; None: it is something else, and is looked at closely."""
        if not isinstance(frame, bytes) or frame[:1] != b"{":
            return None
        try:
            facts = self._facts(frame)
            value = wrap(facts) if self._whole else self._read(frame)
        except BAD_JSON:
            return None
        return Message(cast("T", value), frame, None, self.cursor)

    def _sort(self, body: bytes) -> None:
        event = self._event
        if event is not None and self._by_event and (event.id or self.cursor is not None):
            self.cursor = event.id or None
        try:
            if self._decode == "json":
                try:
                    self._sort_json(body)
                except BAD_JSON:
                    if (better := mended(body)) == body:
                        raise
                    self._sort_json(better)
            elif not self._signs(None, body):
                value = body.decode() if self._decode == "text" else body
                id_ = None if event is None else event.id or None
                self._message(cast("T", value), None, body, id_)
        except BAD_JSON as error:
            if self._signs(None, body):
                return
            if not body or body.isspace():
                self.keepalives += 1  # an event without data, an empty message of a WebSocket
                return
            self._items.append(
                ServerNotice("unreadable", None, body, None, self.cursor, str(error))
            )

    def _sort_json(self, body: bytes) -> None:
        """Hand out a message or what a sign says, decoded and checked whole, or nothing at all."""
        try:
            facts = self._facts(body)
        except msgspec.ValidationError:
            facts = exact(body)  # a shape of its own: nothing is passed over
        if self._might_say(facts, body) and self._signs(facts, body):
            return
        path, before = self._preset.resume.path, self.cursor
        if path is not None:
            self.cursor = _position(facts, path, self._preset.resume) or self.cursor
        if self._preset.each is not None or self._preset.base64:
            self._parts(body, before)
        else:
            self._one(facts, body)

    def _parts(self, body: bytes, before: str | None) -> None:
        """Hand out the members of a list as messages; the cursor is behind the last of them."""
        parts = [body] if self._preset.each is None else members_at(body, self._preset.each)
        for path in self._preset.base64:
            parts = [replaced_at(part, path, _without_base64) for part in parts]
        facts_of = [exact(part) for part in parts]  # before the first of them is handed out
        after, self.cursor = self.cursor, before
        for number, (part, facts) in enumerate(zip(parts, facts_of, strict=True), 1):
            if number == len(parts):
                self.cursor = after
            deletes = (sign for sign in self._active if sign.then is Action.DELETE)
            if (sign := find_sign(deletes, facts, self._event)) is None:
                self._one(facts, part)
            else:
                self._act(sign, facts, part)
        self.cursor = after

    def _one(self, facts: object, body: bytes) -> None:
        id_ = self._identity(facts)
        if self._preset.unknown and id_ is None:
            self._notice("unknown", facts if self._whole else exact(body), body)
            return
        value = wrap(facts) if self._whole else self._read(body)
        self._message(cast("T", value), facts, body, id_)

    def _message(self, value: T, facts: object, body: bytes, id_: str | int | None) -> None:
        event = self._event
        if self._by_time:
            self.cursor = f"{self._at:.3f}"
        placed = id_ is not None or self._preset.resume.path is not None  # its place is in it
        if self._recent is not None and placed and self._recent.saw(id_, body):
            self.duplicates += 1
            return
        kind = "data" if event is None or event.event == "message" else event.event
        if self._preset.kind is not None:
            kind = str(dig(facts, self._preset.kind) or kind)
        self._items.append(Message(value, body, id_, self.cursor, kind))

    def _might_say(self, facts: object, body: bytes) -> bool:
        """Whether it may be about the stream itself."""
        if not (self._of_objects if isinstance(facts, dict) else self._active):
            return False
        first = _FIRST_MEMBER.match(body) if self._data else None
        return first is None or first[1] not in self._data

    def _identity(self, facts: object) -> str | int | None:
        paths, alike, event = self._preset.key, self._preset.alike, self._event
        if not paths:
            return None if event is None else event.id or None
        parts = [_key(dig(facts, path)) for path in paths]
        if None in parts:
            return None
        if event is not None and alike and event.event not in alike:
            parts.insert(0, event.event)
        if len(parts) == 1:
            return parts[0]
        # Only the first may have a colon of its own: a:b and c are another key than a and b:c.
        others = (str(part).replace("%", "%25").replace(":", "%3A") for part in parts[1:])
        return ":".join((str(parts[0]), *others))

    def _signs(self, facts: object, body: bytes) -> bool:
        """Hand out what the first sign that fits says; return whether one did.

        ``facts`` of what is not JSON, such as a bare id, are None.
        """
        whole = facts
        if facts is None:
            facts = body.decode("utf-8", "replace").strip()
        sign = find_sign(self._active, facts, self._event)
        if sign is None:
            return False
        if whole is not None and not self._whole:
            whole = facts = exact(body)
        for path in (self._preset.resume.path, sign.cursor):
            if path is not None:
                self.cursor = _position(facts, path, self._preset.resume) or self.cursor
        self._act(sign, whole, body)
        return True

    def _act(self, sign: ControlMessage, value: object, body: bytes) -> None:
        if sign.then is Action.KEEPALIVE:
            self.keepalives += 1
            return
        text = _text(sign, value)
        id_ = self._gone(sign, value, body) if sign.then is Action.DELETE else None
        before = self.cursor
        self._notice(sign.kind, value, body, id_, text)
        if sign.then is Action.LIMIT:
            self._limit(sign, value)
        elif sign.then is Action.TOO_OLD:
            self._items.append(Gap(before or moment(self._at), None, "cursor-too-old"))
            self.cursor = None
        if sign.then in _WORDS:
            self.verdicts.append((self._connection, Verdict(sign.then, text or sign.kind)))

    def _gone(self, sign: ControlMessage, value: object, body: bytes) -> str | int | None:
        """Return the id of what is to go."""
        if sign.id is None:
            return self._identity(value)
        # An id that is the whole message, as Mastodon's, is a text, like ids in its objects.
        return _key(
            dig(value, sign.id) if sign.id else str(value or body.decode("utf-8", "replace"))
        )

    def _limit(self, sign: ControlMessage, value: object) -> None:
        # Twitter: "a count of undelivered Tweets since the connection was opened"; -1 is unknown.
        total = dig(value, sign.count or "")
        known = self._totals[1] if self._totals[0] == self._connection else 0
        since = self.cursor or moment(self._at)
        if not isinstance(total, int) or total < 0:
            self._items.append(Gap(since, None, "limit"))
        elif total > known:
            self._totals = (self._connection, total)
            more = min(total - known, 2**63 - 1)
            self._items.append(Gap(since, moment(self._at), "limit", more))

    def _notice(
        self, kind: str, value: object, body: bytes, id_: str | int | None = None, text: str = ""
    ) -> None:
        record = Record(value) if isinstance(value, dict) else None
        self._items.append(ServerNotice(kind, record, body, id_, self.cursor, text))


def active_signs(preset: Preset) -> tuple[ControlMessage, ...]:
    """Return what counts by the stream's id: one with the cursor in it names a version only."""
    of_versions = preset.resume.path in preset.id
    return tuple(
        sign
        for sign in preset.signs
        if sign.by is None or (sign.by in preset.id and not of_versions)
    )


def find_sign(
    signs: Iterable[ControlMessage], facts: object, event: ServerEvent | None
) -> ControlMessage | None:
    """Return the first sign that fits a message, or None."""
    for sign in signs:
        if sign.path == EVENT:
            found: object = None if event is None else event.event
        else:
            found = dig(facts, sign.path)
        if found is None or (sign.equals and found not in sign.equals):
            continue
        if sign.without is None or dig(facts, sign.without) is None:
            return sign
    return None


def _text(sign: ControlMessage, value: object) -> str:
    return "" if sign.text is None else str(dig(value, sign.text) or "")


def _key(found: object) -> str | int | None:
    """Return a member that tells messages apart: a text, or a whole number of 64 bits."""
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        return None
    return found if isinstance(found, str) or found in _KEYS else str(found)


def _without_base64(body: bytes) -> bytes:
    """Return the text that a text in base64 stands for, where it stands for one."""
    with contextlib.suppress(ValueError, *BAD_JSON):
        if isinstance(text := exact(body), str):
            return msgspec.json.encode(base64.b64decode(text, validate=True).decode())
    return body


def _wanted(preset: Preset, signs: Iterable[ControlMessage]) -> set[str]:
    """Return the paths that have to be known of every message."""
    paths = {preset.kind, preset.resume.path, *preset.key}
    for sign in signs:
        paths |= {sign.path, sign.without} - {EVENT, ""}
    return {path for path in paths if path is not None}


def last_word(preset: Preset, frames: Iterable[Frame]) -> Verdict | None:
    """Return what the last frames of a connection, the newest first, say about its end."""
    if not preset.signs:
        return None
    for frame in itertools.islice(frames, _LAST_WORDS):
        facts = _facts_of(frame, exact)
        sign = find_sign(preset.signs, facts, frame if isinstance(frame, ServerEvent) else None)
        if sign is not None and sign.then in _WORDS:
            return Verdict(sign.then, _text(sign, facts) or sign.kind)
    return None


def newest(preset: Preset) -> Newest:
    """Return the function that finds the newest cursor in frames, whatever a consumer does."""
    path = preset.resume.path
    if isinstance(preset.resume, Backfill):
        return lambda _, at: f"{at:.3f}"
    if path is None:
        return lambda _, __: None
    elsewhere = {sign.cursor for sign in preset.signs if sign.cursor is not None}
    peek = peeker({path, *elsewhere, *(_wanted(preset, preset.signs) if elsewhere else ())})

    def found(frames: Sequence[Frame], _at: float) -> str | None:
        for frame in reversed(frames):
            facts = _facts_of(frame, peek)
            cursor = _position(facts, path, preset.resume)
            sign = find_sign(preset.signs, facts, None) if cursor is None and elsewhere else None
            if sign is not None and sign.cursor is not None:
                cursor = _position(facts, sign.cursor, preset.resume)
            if cursor is not None:
                return cursor
        return None

    return found


def _facts_of(frame: Frame, peek: Load) -> object:
    """Return the decoded frame; the text of what is not JSON."""
    body = frame.data if isinstance(frame, ServerEvent) else frame
    with contextlib.suppress(*BAD_JSON):
        return peek(body)
    with contextlib.suppress(*BAD_JSON):  # a shape of its own, or half a character
        return exact(mended(body))
    return body.decode("utf-8", "replace")


def _position(facts: object, path: str, resume: Resume) -> str | None:
    """Return a member that is a cursor as text; None where there is none to go on from."""
    found = dig(facts, path)
    if found in (None, "") or isinstance(found, bool):
        return None
    # CouchDB's clusters have had lists.
    text = str(found) if isinstance(found, str | int) else msgspec.json.encode(found).decode()
    # A word where a number is reckoned with would end the stream: the one before holds.
    return text if not getattr(resume, "numeric", False) or _WHOLE.fullmatch(text) else None
