"""What is known of services that stream, one table each. The docs are drawn from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import final

from penstock.registry import Registry
from penstock.streaming.control_messages import EVENT, Action, ControlMessage
from penstock.streaming.reconnect_policy import (
    ConnectionWindow,
    Doubling,
    LinearWaits,
    ReconnectPolicy,
)
from penstock.streaming.resume import (
    Backfill,
    BodyRevision,
    LastEventId,
    NoResume,
    QueryCursor,
    Resume,
)
from penstock.streaming.values import OnSame

__all__ = ["PRESETS", "PRESET_KINDS", "Preset", "by_name"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """All that a stream has to know of a service. Change one with :func:`dataclasses.replace`.

    Attributes:
        service: Its name, for people.
        framing: Name of the framing; None is told by the content type.
        policy: When to connect again.
        resume: How to go on after a cursor.
        id: Dotted paths of what tells messages apart; several are joined by ``:``. Empty: the
            stream's ``id``, or nothing: then the same bytes, with the same event's id, are the same
            message.
        subject: Of a feed of changes: dotted paths of what a change is of. They are the id where
            there is no other; then each change is kept, and deletions are messages as others are.
        alike: Types of server-sent events whose ids are of one kind; the ids of others stand after
            their type. Empty: all are of one kind.
        data: First members of ordinary messages: one that begins otherwise is looked at
            closely. Empty: every message is looked at.
        signs: In-band messages, the first that fits counts.
        each: Dotted path of a list whose members are the messages; ``id``, ``kind`` and signs of
            deletions are within them. None: the message is one.
        base64: Dotted paths of texts in base64, which are decoded where they are texts in UTF-8.
        kind: Dotted path of a message's kind; None: the event's type, or ``"data"``.
        unknown: Whether a message without an id is one of an unknown kind.
        wire_stall: Seconds without a byte after which the connection is given up.
        decoded_stall: Seconds in which bytes come, and nothing can be decoded from them, after
            which we ask for no compression any more.
        gzip: Whether to ask for compression.
        headers: Headers of its requests.
        query: Parameters of its URLs.
        too_old: Statuses of an answer that say that the cursor is too old.
        websocket: Whether it is spoken over a WebSocket.
        repeats: Whether a POST only reads, and is sent again when the connection has ended.
        once: Whether the stream ends when the server ends it in good order.
        on_same: What becomes of a message whose id landed before, with other content: see
            :data:`OnSame`. Where the store cannot do it, the first one stays.
    """

    service: str
    framing: str | None = None
    policy: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    resume: Resume = field(default_factory=NoResume)
    id: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    alike: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    signs: tuple[ControlMessage, ...] = ()
    each: str | None = None
    base64: tuple[str, ...] = ()
    kind: str | None = None
    unknown: bool = False
    wire_stall: float = 90.0
    decoded_stall: float = 60.0
    gzip: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    too_old: frozenset[int] = frozenset()
    websocket: bool = False
    repeats: bool = False
    once: bool = False
    on_same: OnSame = "first"

    @property
    def key(self) -> tuple[str, ...]:
        """What a message's id is made of."""
        return self.id or self.subject

    @property
    def usual(self) -> OnSame:
        """What becomes of an id that comes again, where nobody says otherwise."""
        return "keep" if self.subject and not self.id else self.on_same

    def ending_at(self, *words: str) -> Preset:
        """Return it with messages that are the end of the stream, such as ``[DONE]``."""
        if not words:
            return self
        end = ControlMessage("end", "", Action.END, equals=words)
        return replace(self, signs=(end, *self.signs))


_PLAIN = Preset(service="any stream", resume=LastEventId()).ending_at("[DONE]")

_TWITTER = Preset(
    service="Twitter v1.1",
    repeats=True,
    framing="crlf",
    id=("id_str",),
    data=frozenset({"created_at", "id", "id_str", "text"}),
    unknown=True,
    signs=(
        ControlMessage("limit", "limit", Action.LIMIT, count="limit.track"),
        ControlMessage("disconnect", "disconnect", Action.AGAIN, text="disconnect.reason"),
        ControlMessage("warning", "warning", text="warning.message"),
        ControlMessage("delete", "delete", Action.DELETE, id="delete.status.id_str"),
        *(ControlMessage(of, of) for of in ("scrub_geo", "status_withheld", "user_withheld")),
        ControlMessage("error", "errors", Action.AGAIN, text="errors.0.message"),
    ),
)

_X = Preset(
    service="X v2",
    framing="crlf",
    id=("data.id",),
    data=frozenset({"data", "includes", "matching_rules"}),
    unknown=True,
    resume=Backfill(),
    policy=ReconnectPolicy(windows=(ConnectionWindow(4, 4.0), ConnectionWindow(50, 900.0))),
    wire_stall=30.0,
    decoded_stall=40.0,
    signs=(
        ControlMessage("delete", "data.delete", Action.DELETE, id="data.delete.tweet.id"),
        # Beside data, errors say what could not be added to a post: it is a post all the same.
        ControlMessage(
            "error",
            "errors.0.disconnect_type",
            Action.STOP,
            equals=("InvalidCredentials", "UserNotAuthorized"),
            text="errors.0.detail",
            without="data",
        ),
        ControlMessage("error", "errors", Action.AGAIN, text="errors.0.detail", without="data"),
        ControlMessage("error", "connection_issue", Action.AGAIN, text="detail", without="data"),
        ControlMessage("error", "title", Action.AGAIN, text="detail", without="data"),
    ),
)

_MASTODON = Preset(
    service="Mastodon",
    framing="sse",
    id=("id",),
    on_same="replace",  # an edit is the post as it is now
    alike=frozenset({"update", "status.update"}),  # notifications count from 1 for themselves
    wire_stall=40.0,
    decoded_stall=40.0,
    signs=(ControlMessage("delete", EVENT, Action.DELETE, equals=("delete",), id=""),),
)

_EVENTSTREAMS = Preset(
    service="Wikimedia EventStreams",
    framing="sse",
    resume=LastEventId(overlaps=True),
    id=("meta.id",),
    signs=(ControlMessage("canary", "meta.domain", Action.KEEPALIVE, equals=("canary",)),),
)

_COUCHDB = Preset(
    service="CouchDB continuous changes",
    on_same="replace",
    repeats=True,
    framing="lf",
    resume=QueryCursor("since", "seq"),
    subject=("id",),
    gzip=False,  # CouchDB compresses no feed; PouchDB Server, which does, never flushes it
    query=MappingProxyType({"feed": "continuous", "heartbeat": "30000"}),
    signs=(
        ControlMessage("delete", "deleted", Action.DELETE, equals=(True,), by="id"),
        ControlMessage("last_seq", "last_seq", Action.AGAIN),
        ControlMessage("error", "error", Action.AGAIN, text="reason"),
    ),
)

_KUBERNETES = Preset(
    service="Kubernetes watch",
    on_same="replace",
    repeats=True,
    framing="lf",
    resume=QueryCursor("resourceVersion", "object.metadata.resourceVersion"),
    subject=("object.metadata.uid",),
    kind="type",
    too_old=frozenset({410}),
    query=MappingProxyType({"watch": "true", "allowWatchBookmarks": "true"}),
    wire_stall=330.0,
    signs=(
        ControlMessage("bookmark", "type", equals=("BOOKMARK",)),
        ControlMessage(
            "delete", "type", Action.DELETE, equals=("DELETED",), by="object.metadata.uid"
        ),
        ControlMessage(
            "delete", "type", Action.DELETE, equals=("DELETED",), by="object.metadata.name"
        ),
        ControlMessage(
            "error",
            "object.code",
            Action.TOO_OLD,
            equals=(410,),
            text="object.message",
            without="object.metadata.uid",  # an object of a kind of its own may have any member
        ),
        ControlMessage("error", "type", Action.AGAIN, equals=("ERROR",), text="object.message"),
    ),
)

_ETCD = Preset(
    service="etcd v3 watch",
    on_same="replace",
    repeats=True,
    framing="lf",
    # The header's revision is the server's: while it catches up, events are still to come.
    resume=BodyRevision("result.events.-1.kv.mod_revision", "create_request.start_revision"),
    subject=("kv.key",),  # of an event, with each="result.events"; a bunch of events has none
    wire_stall=900.0,
    gzip=False,
    signs=(
        ControlMessage(
            "canceled", "result.compact_revision", Action.TOO_OLD, text="result.cancel_reason"
        ),
        ControlMessage(
            "canceled", "result.canceled", Action.STOP, equals=(True,), text="result.cancel_reason"
        ),
        ControlMessage("created", "result.created", equals=(True,)),
        ControlMessage("delete", "type", Action.DELETE, equals=("DELETE",), by="kv.key"),
        ControlMessage("error", "error", Action.AGAIN, text="error.message"),
        ControlMessage(
            "progress",
            "result.header.revision",
            without="result.events",
            cursor="result.header.revision",
        ),
        ControlMessage("unknown", "", without="result.events.0"),
    ),
)

_EVENTS = Preset(
    service="server-sent events",
    framing="sse",
    resume=LastEventId(),
    policy=ReconnectPolicy(network=LinearWaits(1.0, 16.0)),
).ending_at("[DONE]")

_JETSTREAM = Preset(
    service="Bluesky Jetstream",
    on_same="replace",
    resume=QueryCursor("cursor", "time_us", rewind=5_000_000),
    id=("did", "time_us"),
    kind="kind",
    policy=ReconnectPolicy(network=LinearWaits(0.25, 16.0), http=Doubling(5.0, 320.0)),
    signs=(
        ControlMessage("error", "error", Action.AGAIN, text="message"),
        ControlMessage(
            "delete", "commit.operation", Action.DELETE, equals=("delete",), by="commit.rkey"
        ),
    ),
    gzip=False,
    too_old=frozenset({400}),
    websocket=True,
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "plain": _PLAIN,
        "twitter": _TWITTER,
        "x": _X,
        "mastodon": _MASTODON,
        "eventstreams": _EVENTSTREAMS,
        "couchdb": _COUCHDB,
        "kubernetes": _KUBERNETES,
        "etcd": _ETCD,
        "sse": _EVENTS,
        "jetstream": _JETSTREAM,
    }
)
"""The presets by the names that a pipeline file uses."""


PRESET_KINDS: Registry[Preset] = Registry("preset", "penstock.presets", PRESETS)
"""The presets, with those of installed packages."""


def by_name(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        InputError: There is none; the nearest one is named.
    """
    return PRESET_KINDS.find(name)
