"""One connection, as the I/O thread fills it: bytes in, framed batches out."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast, final

from penstock.clock import Clock
from penstock.errors import InputError, PenstockError, RetryableError
from penstock.http import Headers
from penstock.pipeline import is_json
from penstock.streaming import framing
from penstock.streaming.backlog import Backlog, FrameBatch
from penstock.streaming.content_encoding import Decoder, Identity, decoder
from penstock.streaming.frames import Frame, Framer, FramingError, MessageTooLarge, ServerEvent
from penstock.streaming.messages import Newest
from penstock.streaming.presets import Preset
from penstock.streaming.reconnect_policy import Ending
from penstock.streaming.resume import LastEventId
from penstock.streaming.server_sent_events import ServerEvents
from penstock.streaming.values import Counters
from penstock.streaming.watchdog import SilenceWatch
from penstock.streaming.websocket import OutgoingFrame, WebSocket

__all__ = ["BY_CONTENT_TYPE", "CloseFrame", "Connection", "ConnectionPlan", "NotAStream"]

_EVENTS = "text/event-stream"
BY_CONTENT_TYPE = {
    "sse": (_EVENTS,),
    "json-seq": ("application/json-seq", "*+json-seq"),
    "lf": (
        *("application/json", "application/ndjson", "application/jsonl", "application/jsonlines"),
        *("application/json-lines", "application/json-stream", "*+json", "*+ndjson", "*+jsonl"),
        *("text/json", "text/ndjson", "text/plain", "application/octet-stream", ""),
    ),
}
"""The content types, with ``x-`` or without, that a framing stands for where none was named."""

_EXCERPT = 4096
_LAST = 4  # frames that may say why a connection ended
_MOST_WAITING = 64  # frames that the server has not taken yet


class NotAStream(InputError):
    """The answer is something else: a page of a proxy, it may be, that is gone in a while."""


class CloseFrame(RetryableError):
    """The server's close frame of a WebSocket, with its code."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"closed by the server: {code} {words}".rstrip())
        self.code = code


@final
@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """What is the same for all connections of a stream.

    Attributes:
        preset: What is known of the service.
        framer: The framer of all connections, or None: by the content type.
        newest: Finds the newest cursor in what came.
        backlog: Where batches go.
        clock: Source of the time of day.
        json: Whether messages have to be JSON.
        max_message: Bytes that a message may have.
        opening: What a WebSocket sends first.
    """

    preset: Preset
    framer: Framer | None
    newest: Newest
    backlog: Backlog
    clock: Clock
    json: bool
    max_message: int
    opening: tuple[OutgoingFrame, ...] = ()


@final
class Connection:
    """The sink of one connection.

    Attributes:
        number: Which connection it is, from 1.
        status: The HTTP status; 0 while there is none.
        head: The raw header lines.
        excerpt: The beginning of an answer that is no stream.
        ending: How the watchdogs took it to end, or None.
        framer: The framer, once it is known.
        wire: Bytes received.
        decoded: Bytes after content decoding.
        messages: Frames given out.
        cursor: Where to go on after what came: the newest cursor of all.
        recent: The last frames, in which the server may have said why it ended.
        outgoing: Frames that a WebSocket has to send.
        unfinished: Bytes of a tail without an end.
        protocols: Subprotocols that a WebSocket asked for.
        accept: What the server has to say to the key that it asked with.
        at: When it was last heard of, in seconds since 1970.
    """

    def __init__(
        self,
        number: int,
        plan: ConnectionPlan,
        cursor: str | None,
        on_open: Callable[[], object],
    ) -> None:
        self.number = number
        self.status = 0
        self.head = b""
        self.excerpt = b""
        self.ending: Ending | None = None
        self.framer: Framer | None = None
        self.wire = 0
        self.decoded = 0
        self.messages = 0
        self.cursor = cursor
        self.recent: deque[Frame] = deque(maxlen=_LAST)
        self.outgoing: deque[tuple[str, bytes]] = deque()
        self.unfinished = 0
        self.protocols = ""
        self.accept = ""
        self.at = plan.clock.time()
        self._lock = threading.Lock()
        self._closed = False
        self._keepalives = 0
        self._plan = plan
        self._by_event = isinstance(plan.preset.resume, LastEventId)
        self._on_open = on_open
        self._decoder: Decoder | None = None
        self._pieces: Iterator[bytes] = iter(())  # what came, and was not decoded yet
        self._watch = SilenceWatch(plan.preset.wire_stall, plan.preset.decoded_stall)
        self._pinged = -1  # bytes that had come when we asked for a sign of life

    @property
    def keepalives(self) -> int:
        """Blank messages, comments, pings and pongs so far."""
        return 0 if self.framer is None else self.framer.keepalives - self._keepalives

    @property
    def spoke(self) -> bool:
        """Whether it gave any sign of life."""
        return self.messages + self.keepalives > 0

    @property
    def counters(self) -> Counters:
        """What it has seen so far."""
        return Counters(
            connects=1,
            keepalives=self.keepalives,
            unfinished=self.unfinished > 0,
            unfinished_bytes=self.unfinished,
            wire_bytes=self.wire,
            decoded_bytes=self.decoded,
        )

    def opened(self, status: int, head: bytes) -> None:
        """Take the answer's status and headers; see whether it is a stream.

        Raises:
            NotAStream: It is none.
            RetryableError: It is in a coding that cannot be taken off.
        """
        self.status, self.head = status, head
        headers = Headers(head)
        websocket = self._plan.preset.websocket
        if status == 101 and websocket:
            self._check_protocol(headers.get("sec-websocket-protocol"))
            self.framer = self._websocket(headers)
            self._decoder = decoder("identity")
            self.outgoing.extend(self._plan.opening)
            self._on_open()
        elif status == 200 and not websocket:
            self._check_type(headers.get("content-type", ""))
            self._decoder = decoder(headers.get("content-encoding", ""))
            if self._decoder is None:
                self.ending = Ending.UNFLUSHED  # the next one asks for no coding
                raise RetryableError(f"unknown coding {headers['content-encoding']!r}")
            if self.framer is not None:
                self._keepalives = self.framer.keepalives
                if self.framer.raw:
                    self._check_chunked(headers)
            self._on_open()

    def _websocket(self, headers: Headers) -> WebSocket:
        """Return the framer, where the server agrees to what was asked (RFC 6455, section 4.1)."""
        if headers.get("sec-websocket-accept", "") != self.accept:
            raise NotAStream("the answer is not a WebSocket's: Sec-WebSocket-Accept is another")
        words = headers.get("sec-websocket-extensions", "").lower()
        extensions = [one.partition(";")[0].strip() for one in words.split(",") if one.strip()]
        if extensions not in ([], ["permessage-deflate"]):
            raise NotAStream(f"the server uses extensions that nobody asked for: {words}")
        forgets = "server_no_context_takeover" in words
        return WebSocket(self._plan.max_message, deflated=bool(extensions), forgets=forgets)

    def _check_protocol(self, chosen: str | None) -> None:
        """Refuse another subprotocol than was asked for, and none (WHATWG WebSockets, 3.1)."""
        if (chosen or "") not in [asked.strip() for asked in self.protocols.split(",")]:
            raise NotAStream(
                f"the server speaks {chosen or 'no'} subprotocol of WebSockets, not "
                f"{self.protocols or 'none'}: see Sec-WebSocket-Protocol in the headers"
            )

    def _check_type(self, content_type: str) -> None:
        plain = content_type.partition(";")[0].strip().lower().replace("/x-", "/")
        if isinstance(self._plan.framer, ServerEvents) and plain != _EVENTS:
            raise NotAStream(
                f"the answer is {plain or 'of no content type'}, not {_EVENTS}: "
                "is this the URL of the stream?"
            )
        if plain in ("text/html", "application/xhtml+xml"):
            raise NotAStream(
                f"the answer is a web page ({plain}), not a stream: is this the URL of the stream?"
            )
        self.framer = self._plan.framer or self._framer(plain)
        if isinstance(self.framer, ServerEvents) and self._by_event and self.cursor:
            self.framer.resume(self.cursor)

    def _framer(self, plain: str) -> Framer:
        for name, types in BY_CONTENT_TYPE.items():
            if any(fnmatchcase(plain, known) for known in types):
                return framing.by_name(name, self._plan.max_message)
        raise InputError(f"no framing is known for {plain}: name one with framing=")

    def _check_chunked(self, headers: Headers) -> None:
        transfer, content = headers.get("transfer-encoding"), headers.get("content-encoding")
        if (transfer or "").lower() != "chunked" or (content or "identity").lower() != "identity":
            raise InputError(
                "framing 'chunk' needs an answer in chunked coding and without content coding"
            )

    def receive(self, chunks: list[bytes]) -> bool:
        """Take bytes as they came; return whether there is room for more.

        Raises:
            FramingError: They are framed otherwise.
            RetryableError: Their coding is damaged; or the server closes its WebSocket.
        """
        with self._lock:
            return not self._closed and self._receive(chunks)

    def _receive(self, chunks: list[bytes]) -> bool:
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.wire += len(data)
        self.at = self._plan.clock.time()
        if self._decoder is None or self.framer is None:
            self.excerpt = (self.excerpt + data)[:_EXCERPT]
            return True
        self._pieces = itertools.chain(self._pieces, self._decoder.decode(data))
        return self._read(self.framer)

    def _read(self, framer: Framer) -> bool:
        """Decode and frame what came while there is room: a little may stand for gigabytes."""
        room = self._plan.backlog.room
        json = self._plan.json and not isinstance(framer, ServerEvents)
        for data in self._pieces if room else ():
            if self.decoded == 0 and json and data[:1] == b"<":
                raise NotAStream("the answer is a web page, not JSON: is this the stream's URL?")
            self.decoded += len(data)
            try:
                frames = framer.feed(data)
                if frames:
                    room = self.take(frames)
                if framer.error is not None:
                    raise framer.error  # at once: there may be no next time to feed it
            except FramingError as error:
                if self._plan.preset.websocket:  # RFC 6455, section 7.4.1
                    code = 1009 if isinstance(error, MessageTooLarge) else 1002
                    self.outgoing.append(OutgoingFrame("close", code.to_bytes(2)))
                raise
            if isinstance(framer, WebSocket):
                self._answer(framer)
            if not room:
                return False
        return room

    def _answer(self, socket: WebSocket) -> None:
        # A server that does not read cannot make us hold answers without end: RFC 6455, section
        # 5.5.3, wants one to the last ping only.
        replies = socket.replies[-_MOST_WAITING:]
        if len(self.outgoing) >= _MOST_WAITING:
            replies = [reply for reply in replies if reply.kind != "pong"]
        self.outgoing.extend(replies)
        socket.replies.clear()
        if socket.closed is not None:
            raise CloseFrame(*socket.closed)

    def take(self, frames: list[bytes] | list[ServerEvent]) -> bool:
        """Put whole messages into the backlog; return whether there is room for more."""
        self.messages += len(frames)
        self.recent.extend(frames[-_LAST:])
        self.cursor = self._plan.newest(frames, self.at) or self.cursor
        batch = FrameBatch[Frame](frames, self.number, self.at, size_of(frames))
        return self._plan.backlog.put(batch)

    def ready(self) -> bool:
        """Whether there is room again, after what had come already."""
        with self._lock:
            if self._closed or self.framer is None:
                return self._plan.backlog.room
            return self._read(self.framer)

    def overdue(self, now: float) -> str | None:
        """Return what the watchdogs say; ask a silent WebSocket for a sign of life before."""
        self.ending = self._watch.look(self.wire, self.decoded, now)
        if self.ending is Ending.STALLED and not self.decoded and self._is_coded():
            self.ending = Ending.UNFLUSHED  # its server may hold all back, the coding's head, too
        silent = self._watch.quiet(now) * 2 > self._watch.wire_stall
        if silent and self._pinged != self.wire and isinstance(self.framer, WebSocket):
            self._pinged = self.wire
            self.outgoing.append(OutgoingFrame("ping", b""))
        return None if self.ending is None else self.ending.value

    def _is_coded(self) -> bool:
        return self._decoder is not None and not isinstance(self._decoder, Identity)

    def end(self, *, whole: bool) -> PenstockError | None:
        """Take nothing more; count the tail that has no end; return the framer's last error.

        Args:
            whole: Whether the server had ended its answer in good order: then a last line without
                a line break is a message. Where nobody knows, it is one if it is whole JSON.
        """
        with self._lock:
            self._closed = True
        framer = self.framer
        if framer is None:
            return None
        if whole and framer.error is None:
            tail = framer.rest()
            if tail and (self._measured() or (tail[:1] in b"{[" and is_json(tail))):
                self.take([tail])
                framer.close()
                return None
        error = framer.error
        self.unfinished = framer.close()
        return error

    def _measured(self) -> bool:
        """Whether its end can be told from a cut: by its length, chunks, and content coding."""
        headers = Headers(self.head)
        measured = "content-length" in headers or "transfer-encoding" in headers
        return measured and self._decoder is not None and self._decoder.whole is True

    @property
    def cut(self) -> bool:
        """Whether it ended within a message, or within its content coding."""
        coding = self._decoder
        within = self.unfinished > 0 and not self._measured()
        return within or (coding is not None and coding.whole is False)

    def position(self) -> str | None:
        """Where the next connection goes on."""
        if isinstance(self.framer, ServerEvents) and self._by_event:
            return self.framer.last_id or None
        return self.cursor


def size_of(frames: Sequence[Frame]) -> int:
    """Return the bytes of the bodies."""
    if frames and isinstance(frames[0], ServerEvent):
        return sum(len(event.data) for event in cast("Sequence[ServerEvent]", frames))
    return sum(map(len, cast("Sequence[bytes]", frames)))
