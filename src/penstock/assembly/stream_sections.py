"""What may stand in a pipeline file whose source is a stream: ``[stream]`` and ``[store]``."""

from __future__ import annotations

from typing import Annotated, Literal

from penstock.assembly.kinds import RESUMES, Section
from penstock.assembly.sections import (
    AuthSection,
    ClusterSection,
    Count,
    DestinationSection,
    LockSection,
    NotifySection,
    Positive,
    Query,
    Seconds,
    StageSection,
    StoreSection,
    Strings,
    UseSection,
)
from penstock.streaming import FRAMING_KINDS, PRESET_KINDS, ControlMessage, Decode, OnSame


class ReconnectSection(Section, frozen=True, kw_only=True):
    """When to connect again, where the preset's way is not wanted.

    Attributes:
        connects: Connections at most, whatever happens.
        per: In so many seconds.
        healthy: Seconds after which the end of a connection is followed by another at once.
        attempts: Failures in a row after which the run ends (exit code 4); unset: never.
        jitter: Whether waits are drawn between half of them and all.
        fatal: Statuses that end the run (exit code 2), and codes of a WebSocket's close; unset: the
            preset's.
        ended: Statuses that end the stream in good order; unset: the preset's.
        tolerance: Seconds for which a stream that was live outlives an error page, a 403, a 404.
        longest: Seconds we wait at most, whatever the server asks for.
    """

    connects: Count = 4
    per: Positive = 4.0
    healthy: Seconds = 5.0
    attempts: Count | None = None
    jitter: bool = False
    fatal: frozenset[int] | None = None
    ended: frozenset[int] | None = None
    tolerance: Seconds = 300.0
    longest: Positive = 86_400.0


class FramingSection(Section, frozen=True, kw_only=True):
    """What tells messages apart where none of the framings does: either of ``end`` and ``size``.

    Attributes:
        end: Text that each message ends with.
        size: Bytes of the whole number before each message that is its length.
        order: Which byte of that number comes first, that of the greatest or the least value.
    """

    end: str | None = None
    size: Literal[1, 2, 4, 8] | None = None
    order: Literal["big", "little"] = "big"


class PresetSection(Section, frozen=True, kw_only=True):
    """A service that no preset knows: what it does otherwise than the one that is like it.

    Attributes:
        like: The preset that this one begins with.
        service: Its name, for people.
        framing: What tells messages apart.
        id: Dotted paths of what tells messages apart; several are joined by a colon.
        data: First members of ordinary messages; empty: every message is looked at.
        signs: Messages that are about the stream itself: see [[stream.preset.signs]] below.
        kind: Dotted path of a message's kind.
        unknown: Whether a message without an id is one of an unknown kind.
        resume: How to go on after an interruption.
        wire_stall: Seconds without a byte after which we connect again.
        decoded_stall: Seconds of bytes that cannot be decoded, after which we ask for no
            compression any more.
        gzip: Whether to ask for compression.
        headers: Headers of its requests.
        query: Parameters of its URLs.
        too_old: Statuses that say that the cursor is too old.
        websocket: Whether it is spoken over a WebSocket.
        subject: Of a feed of changes, the paths of what a change is of: the id where there is no
            other. Then each change is kept, deletions too.
        alike: Types of server-sent events whose ids are of one kind; empty: of all.
    """

    like: Annotated[str, PRESET_KINDS] = "plain"
    service: str | None = None
    framing: Annotated[str, FRAMING_KINDS] | None = None
    id: tuple[str, ...] | None = None
    data: frozenset[str] | None = None
    signs: list[Annotated[Section, ControlMessage]] | None = None
    kind: str | None = None
    unknown: bool | None = None
    resume: Annotated[Section, RESUMES] | None = None
    wire_stall: Positive | None = None
    decoded_stall: Positive | None = None
    gzip: bool | None = None
    headers: Strings | None = None
    query: Strings | None = None
    too_old: frozenset[int] | None = None
    websocket: bool | None = None
    subject: tuple[str, ...] | None = None
    alike: frozenset[str] | None = None


class StreamSection(Section, frozen=True, kw_only=True):
    """A stream that does not end: where it is, how it is framed, and what tells messages apart.

    Attributes:
        url: The whole URL, ``https://`` or ``wss://``.
        name: What it is called where a file has several (``[[stream]]``): its store stands under
            this name below the file's.
        preset: What is known of the service: see [streaming](streaming.md).
        framing: What tells messages apart, by name or in [stream.framing]; unset: the preset's,
            else by the content type.
        id: Dotted path of a message's id, its key in the store, or several, joined by a colon;
            unset: the preset's, or a hash of the message with its event's id. With one, a feed of
            changes is the newest of each thing; without, all changes are kept.
        on_same: What happens to a message whose id landed before, with other content: left out and
            counted, or in its place, or a version beside it, as far as the store can, or kept
            under the id and a hash; unset: the preset's. Where messages have no id, ``keep`` lands
            the same bytes as often as they come.
        decode: What a message is: JSON, checked whole; a text; or bytes, which land in base64.
        open: What a WebSocket sends first, at each connection: texts, or tables sent as JSON.
        each: Dotted path of a list in a message whose members land one by one; ``id`` is within
            them then.
        base64: Dotted paths of texts in base64, to land as the texts they stand for.
        ends: Messages that end the stream, such as ``[DONE]``; unset: the preset's.
        once: Whether the stream ends when the server ends it in good order.
        repeat: Whether a POST is sent again when the connection has ended; unset: as the
            preset says.
        time: Dotted path of a message's time, for the lag that ``penstock stream`` shows.
        method: The method.
        query: Parameters of the URL; a list repeats its parameter.
        headers: Headers of the request.
        form: Fields of a form body, with ``POST``.
        json: A JSON body, with ``POST``.
        auth: Who we are: as [api.auth] above, in [stream.auth].
        deletes: Whether what the service wants deleted is taken out of the store.
        gaps: Whether messages that are missing for good make the run end with exit code 1, or are
            accepted: where a source cannot go back, and that is as it should be.
        overflow: When messages come faster than they land: hold the server back, write to a
            temporary file, or drop with a counted gap.
        buffer: Bytes of messages kept in memory.
        max_message: Bytes a message may have.
        reconnect: See [stream.reconnect] below; unset: the preset's way.
        connect: Seconds until a connection stands, TLS included.
        stall: Seconds of silence after which we connect again; unset: the preset's.
        proxy: URL of a proxy; ``""`` for none; unset: the usual environment variables.
        verify: Whether to check the server's certificate; leave it on.
        ca_file: Trusted certificates in PEM form; unset: the system's.
        cert: Our own certificate in PEM form, where the server asks for one.
        key: Its key; unset: it stands in the same file.
        unix_socket: Path of the socket that the server listens at, such as Docker's.
    """

    url: str
    name: str | None = None
    preset: PresetSection | Annotated[str, PRESET_KINDS] = "plain"
    framing: FramingSection | Annotated[str, FRAMING_KINDS] | None = None
    id: str | tuple[str, ...] | None = None
    on_same: OnSame | None = None
    decode: Decode = "json"
    open: list[str | dict[str, object]] = []
    each: str | None = None
    base64: list[str] = []
    ends: list[str] | None = None
    once: bool = False
    repeat: bool | None = None
    time: str | None = None
    method: Literal["GET", "POST"] = "GET"
    query: Query = {}
    headers: Strings = {}
    form: Query | None = None
    json: dict[str, object] | None = None
    auth: AuthSection | None = None
    deletes: bool = False
    gaps: Literal["fail", "accept"] = "fail"
    overflow: Literal["block", "spill", "drop-oldest"] = "block"
    buffer: Count = 16 * 1024 * 1024
    max_message: Count = 64 * 1024 * 1024
    reconnect: ReconnectSection | None = None
    connect: Positive = 10.0
    stall: Positive | None = None
    proxy: str | None = None
    verify: bool = True
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    unix_socket: str | None = None


class StreamFile(Section, frozen=True, kw_only=True):
    """A pipeline file whose source is a stream."""

    stream: StreamSection
    store: StoreSection | str | None = None
    stage: list[StageSection] = []
    use: list[UseSection] = []
    destination: list[DestinationSection] = []
    lock: LockSection = LockSection()
    cluster: ClusterSection = ClusterSection()
    notify: NotifySection | None = None


class StreamsFile(Section, frozen=True, kw_only=True):
    """A pipeline file with several streams, ``[[stream]]``: each lands by itself."""

    stream: list[StreamSection]
    store: StoreSection | str
    stage: list[StageSection] = []
    use: list[UseSection] = []
    destination: list[DestinationSection] = []
    lock: LockSection = LockSection()
    notify: NotifySection | None = None
