"""One connection, as the I/O thread fills it: bytes in, framed batches out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast, final

from penstock.clock import Clock
from penstock.errors import InputError, PenstockError, RetryableError
from penstock.http import Headers
from penstock.streaming import framing
from penstock.streaming.backlog import Backlog, Batch
from penstock.streaming.coding import Decoder, decoder
from penstock.streaming.frames import Frame, Framer, ServerEvent
from penstock.streaming.reconnecting import Ending
from penstock.streaming.watching import Seen, Watch

__all__ = ["BY_CONTENT_TYPE", "Plan", "Reception"]

BY_CONTENT_TYPE = {
    "text/event-stream": "sse",
    "application/json-seq": "json-seq",
    "application/x-ndjson": "lf",
    "application/jsonl": "lf",
    "application/json": "lf",
    "text/plain": "lf",
    "application/octet-stream": "lf",
    "": "lf",
}
"""The framing that a content type stands for, where none was named."""

_EXCERPT = 4096
_RECENT = 8  # batches in which the last cursor of a connection is looked for


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all connections of a stream.

    Attributes:
        framer: The framer of all connections, or None: by the content type.
        backlog: Where batches go.
        clock: Source of the time of day.
        wire_stall: Seconds; see :class:`Watch`.
        decoded_stall: Seconds; likewise.
        expects: The only content type that will do, or None.
        json: Whether messages have to be JSON.
        websocket: Whether what comes are messages already.
    """

    framer: Framer | None
    backlog: Backlog
    clock: Clock
    wire_stall: float
    decoded_stall: float
    expects: str | None
    json: bool
    websocket: bool


@final
class Reception:
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
        recent: The last batches, in which the cursor to go on from is found.
        unfinished: Bytes of a tail without an end.
        at: When it was last heard of, in seconds since 1970.
    """

    def __init__(self, number: int, plan: Plan, on_open: Callable[[], object]) -> None:
        self.number = number
        self.status = 0
        self.head = b""
        self.excerpt = b""
        self.ending: Ending | None = None
        self.framer: Framer | None = None
        self.wire = 0
        self.decoded = 0
        self.messages = 0
        self.recent: deque[list[bytes] | list[ServerEvent]] = deque(maxlen=_RECENT)
        self.unfinished = 0
        self.at = plan.clock.time()
        self._lock = threading.Lock()
        self._closed = False
        self._keepalives = 0
        self._pings = 0
        self._json = plan.json
        self._plan = plan
        self._on_open = on_open
        self._decoder: Decoder | None = None
        self._watch = Watch(plan.wire_stall, plan.decoded_stall)

    @property
    def keepalives(self) -> int:
        """Blank messages, comments and pings so far."""
        framed = 0 if self.framer is None else self.framer.keepalives - self._keepalives
        return framed + self._pings

    def opened(self, status: int, head: bytes) -> None:
        """Take the answer's status and headers; see whether it is a stream.

        Raises:
            InputError: It is none.
        """
        self.status, self.head = status, head
        if self._plan.websocket:
            if status == 101:
                self._on_open()
        elif status == 200:
            headers = Headers(head)
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

    def _check_type(self, content_type: str) -> None:
        plain = content_type.partition(";")[0].strip().lower()
        expects = self._plan.expects
        if expects is not None and plain != expects:
            raise InputError(
                f"the answer is {plain or 'of no content type'}, not {expects}: "
                "is this the URL of the stream?"
            )
        if plain in ("text/html", "application/xhtml+xml"):
            raise InputError(
                f"the answer is a web page ({plain}), not a stream: is this the URL of the stream?"
            )
        self._json = self._plan.json or plain.endswith("json")
        if self._plan.framer is not None:
            self.framer = self._plan.framer
        elif plain in BY_CONTENT_TYPE:
            self.framer = framing.by_name(BY_CONTENT_TYPE[plain])
        else:
            raise InputError(f"no framing is known for {plain}: name one with framing=")

    def _check_chunked(self, headers: Headers) -> None:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            raise InputError(
                "framing 'chunk' needs an answer in chunked coding, which this one is not"
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise InputError("framing 'chunk' needs an answer without content coding")

    def receive(self, chunks: list[bytes]) -> bool:
        """Take bytes as they came; return whether there is room for more.

        Raises:
            FramingError: They are framed otherwise.
            RetryableError: Their coding is damaged.
        """
        with self._lock:
            return not self._closed and self._receive(chunks)

    def _receive(self, chunks: list[bytes]) -> bool:
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.wire += len(data)
        self.at = self._plan.clock.time()
        if self._plan.websocket and self.status == 101:
            return self._receive_messages(chunks)
        if self._decoder is None or self.framer is None:
            self.excerpt = (self.excerpt + data)[:_EXCERPT]
            return True
        data = self._decoder.decode(data)
        if self.decoded == 0 and self._json and data[:1] == b"<":
            raise InputError("the answer is a web page, not JSON: is this the stream's URL?")
        self.decoded += len(data)
        frames = self.framer.feed(data)
        more = self.take(frames) if frames else self._plan.backlog.room
        if self.framer.error is not None:
            raise self.framer.error  # at once: there may be no next time to feed it
        return more

    def _receive_messages(self, chunks: list[bytes]) -> bool:
        messages = [chunk for chunk in chunks if chunk]
        self._pings += len(chunks) - len(messages)
        self.wire += len(chunks) - len(messages)  # a ping is a sign of life
        self.decoded = self.wire
        return self.take(messages) if messages else self._plan.backlog.room

    def take(self, frames: list[bytes] | list[ServerEvent]) -> bool:
        """Put whole messages into the backlog; return whether there is room for more."""
        self.messages += len(frames)
        self.recent.append(frames)
        batch = Batch(frames, self.number, self.at, size_of(frames))
        return self._plan.backlog.put(batch)

    def ready(self) -> bool:
        """Whether there is room again."""
        return self._plan.backlog.room

    def overdue(self, now: float) -> str | None:
        """Return what the watchdogs say."""
        self.ending = self._watch.look(Seen(self.wire, self.decoded), now)
        return None if self.ending is None else self.ending.value

    def end(self) -> PenstockError | None:
        """Take nothing more; count the tail that has no end; return the framer's last error."""
        with self._lock:
            self._closed = True
        if self.framer is None:
            return None
        error = self.framer.error
        self.unfinished = self.framer.close()
        return error


def size_of(frames: Sequence[Frame]) -> int:
    """Return the bytes of the bodies."""
    if frames and isinstance(frames[0], ServerEvent):
        return sum(len(event.data) for event in cast("Sequence[ServerEvent]", frames))
    return sum(map(len, cast("Sequence[bytes]", frames)))


def newest_first(recent: Iterable[Sequence[Frame]]) -> Iterator[Frame]:
    """Yield the last frames, the newest first."""
    for frames in reversed(list(recent)):
        yield from reversed(frames)
