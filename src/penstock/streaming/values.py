"""What comes out of a stream: messages, notices, gaps, and a count of all that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, final

import msgspec

from penstock.http import Record

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # mypy's own; at run time typing's will do

    T = TypeVar("T", default=Record)
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = [
    "Counters",
    "Cursor",
    "Gap",
    "Item",
    "Message",
    "Notice",
    "OnSame",
    "ServerNotice",
    "Status",
    "StreamStatus",
]


@final
class Message(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One message of the stream.

    Attributes:
        value: The decoded body: a :class:`~penstock.http.Record`, or what ``into`` asked for.
        body: The bytes of the message as framed; a store that keeps JSON keeps these.
        id: What tells messages apart, found at the stream's ``id`` path: the key to land under.
            Without such a path, the id of a server-sent event, which is a position: a server that
            begins again may give it to another event. Else None.
        cursor: Where to go on after this message, or None where the source has no such thing.
            Commit it in the same transaction as the message.
        kind: ``"data"`` or, where the source names its messages, that name: an event's
            type, a watch's ``ADDED``.
    """

    value: T
    body: bytes
    id: str | int | None = None
    cursor: str | None = None
    kind: str = "data"


@final
class ServerNotice(msgspec.Struct, frozen=True, gc=False):
    """What the server says about the stream, within the stream.

    Attributes:
        kind: ``"limit"``, ``"warning"``, ``"disconnect"``, ``"delete"``, ``"error"``,
            ``"bookmark"``, ``"unreadable"`` (not the JSON it should be) or ``"unknown"``.
        value: The decoded message; None where it is unreadable.
        body: Its bytes.
        id: Of a ``"delete"``: the id of the message to delete; it may come before that message.
        cursor: Where to go on after it, or None.
        text: What it says, in one line.
    """

    kind: str
    value: Record | None
    body: bytes
    id: str | int | None = None
    cursor: str | None = None
    text: str = ""


@final
class Gap(msgspec.Struct, frozen=True, gc=False):
    """Messages that were sent, or may have been, and did not reach us. Never left unsaid.

    As JSON its members are ``from``, ``to``, ``reason``, ``count`` and ``kind``.

    Attributes:
        since: Where it begins: a cursor where the source has them, else an ISO 8601 time.
        until: Where it ends, likewise; None while that is not known.
        reason: ``"no-resume"`` (the source cannot go back), ``"cursor-too-old"``,
            ``"limit"`` (the server left messages out), ``"overflow"`` (we dropped them, as
            told), ``"backfill"`` (away for longer than can be filled in).
        count: How many messages, or None where nobody knows.

    >>> msgspec.json.encode(Gap("17", "40", "cursor-too-old"))
    b'{"from":"17","to":"40","reason":"cursor-too-old","count":null,"kind":"gap"}'
    """

    since: str = msgspec.field(name="from")
    until: str | None = msgspec.field(name="to")
    reason: str
    count: int | None = None
    kind: str = "gap"


OnSame: TypeAlias = Literal["first", "replace", "history", "keep"]
"""What becomes of a message whose id landed before, with other content: it is left out and counted;
the store replaces the record, or keeps both as versions; or it lands under the id and a hash."""

Item: TypeAlias = Message[T] | ServerNotice | Gap


@final
class Cursor(msgspec.Struct, frozen=True):
    """A position together with whose position it is: what to commit with the data.

    Attributes:
        source: :attr:`Stream.source` of the stream that gave it.
        position: A message's ``cursor``.
    """

    source: str
    position: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """How a stream is doing just now.

    Attributes:
        state: ``"new"``, ``"connecting"``, ``"live"``, ``"waiting"`` (to connect again) or
            ``"ended"``.
        reason: Why we wait, or why it ended; empty while all is well.
        last_reason: Why a connection ended last; it stays while all is well again.
        lives: Connections that began to stream.
        wait: Seconds of the wait, from when it began.
        silent: Seconds since the last byte; 0 where there is no connection.
    """

    state: Literal["new", "connecting", "live", "waiting", "ended"] = "new"
    reason: str = ""
    last_reason: str = ""
    lives: int = 0
    wait: float = 0.0
    silent: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a stream has seen so far.

    Attributes:
        messages: Messages handed out.
        notices: Notices handed out.
        gaps: Gaps handed out.
        connects: Connections tried.
        reconnects: Connections tried after the first.
        keepalives: Blank lines, comments and pings that only say "still here".
        duplicates: Messages left out because their id was handed out before.
        dropped: Messages dropped because the consumer was too slow, where told to.
        unfinished: Unterminated tails, never handed out.
        unfinished_bytes: Their bytes.
        wire_bytes: Bytes received, as they came.
        decoded_bytes: Bytes after content decoding.
    """

    messages: int = 0
    notices: int = 0
    gaps: int = 0
    connects: int = 0
    reconnects: int = 0
    keepalives: int = 0
    duplicates: int = 0
    dropped: int = 0
    unfinished: int = 0
    unfinished_bytes: int = 0
    wire_bytes: int = 0
    decoded_bytes: int = 0

    def __add__(self, other: Counters) -> Counters:
        """Return what both have seen."""
        mine, others = self.fields(), other.fields()
        return Counters(**{name: mine[name] + others[name] for name in mine})

    def fields(self) -> Mapping[str, int]:
        """Return them by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


Notice = ServerNotice  # its name in earlier versions
Status = StreamStatus  # its name in earlier versions
