"""A stream as one value to iterate over."""

from __future__ import annotations

import _thread
import dataclasses
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, final
from urllib.parse import urlsplit

import msgspec

from penstock.clock import Clock
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import (
    Api,
    Auth,
    Get,
    Profile,
    Request,
    StreamProfile,
    check_websockets,
    shown,
)
from penstock.pipeline import asynchronous, source_of
from penstock.streaming import framing as framings
from penstock.streaming import presets
from penstock.streaming.backlog import (
    Backlog,
    Block,
    Dropped,
    Entry,
    FrameBatch,
    Overflow,
    StreamEnd,
)
from penstock.streaming.connection import ConnectionPlan
from penstock.streaming.driver import Driver, as_http
from penstock.streaming.frames import MAX_MESSAGE_BYTES, Framer, check_bound
from penstock.streaming.messages import Decode, Sorter, active_signs, newest
from penstock.streaming.presets import Preset
from penstock.streaming.reconnect_policy import ReconnectPolicy
from penstock.streaming.resume import moment
from penstock.streaming.server_sent_events import ServerEvents
from penstock.streaming.values import Counters, Cursor, Gap, Item, Message, StreamStatus, T
from penstock.streaming.websocket import OutgoingFrame

__all__ = ["Stream"]

_WEBSOCKETS = ("ws://", "wss://")
_PATIENCE = 2.0  # seconds that closing waits: a thread of ours may be fetching a token
_LIST_BYTES = 1024 * 1024  # bodies that are in a list of a batch, about


@final
class Stream(Generic[T]):
    """A long-lived stream: iterate, and get messages, notices and gaps in their order.

    It connects when iteration begins, and again whenever the connection ends, as the policy
    says; it goes on after the last message where the source can, leaves out what comes
    twice, and says what is missing. Iteration ends when :meth:`stop` was called, or when the
    server ends the stream for good; it raises when going on makes no sense.

    What a place to land in needs: land each :class:`Message` under its ``id``; commit
    ``Cursor(stream.source, message.cursor)`` of the last one in the same transaction; commit
    each :class:`Gap`, too. Give the committed cursor to the next ``Stream``. There is nothing else
    to acknowledge: within one process the stream goes on after the last message it has
    received, since what is received is still handed out.

    Args:
        request: URL, or a ``Post(url, form=...)`` and the like.
        preset: Name of a preset, or a :class:`Preset`; ``"plain"`` where none is given.
        auth: Who we are; signed anew at each connection.
        framing: A framer or the name of one; else the preset's, else by the content type.
        into: What messages are decoded into: ``Record``, a msgspec Struct or dataclass of your own
            (only its members are decoded), or ``bytes`` for none.
        decode: What messages are: ``"json"``, which is checked whole, or ``"text"`` or ``"bytes"``,
            which are handed out as such and not looked into.
        max_message: Bytes that a message may have, where no framer of your own says so.
        open: What a WebSocket sends first, at each connection: texts, or bytes.
        id: Dotted path of what tells messages apart, or several, joined by ``:``; else the
            preset's. With one of its own a feed of changes is the newest of each thing, and
            deletions are notices; without, all changes are messages.
        policy: When to connect again; else the preset's.
        cursor: Where to go on: a :class:`Cursor`, or the position alone.
        overflow: What to do when messages come faster than they are taken: ``Block()``.
        headers: More headers.
        profile: Proxy, certificates, and how long to wait for a connection and an answer. Its
            ``stall``, where it is not the default, takes the preset's place.
        events: Where to tell of each reconnection (:class:`penstock.events.Retry`).
        clock: Source of time.

    Attributes:
        source: What the cursors of this stream belong to: its preset, and its URL without secrets.
        identity: That with a hash of method, query and body: what a checkpoint belongs to.
        keyed: Whether a message's ``id`` is in it; else it is its event's, which is a position.
        placed: Whether a message says its place in the stream: its bytes do not come twice.
        on_same: What becomes of an id that comes again, as far as the store can.
        reuses_ids: Whether an id that was deleted may be given again, such as a document's name.
        decode: What its messages are.

    Raises:
        InputError: What was given makes no stream; or, while iterating, the server refuses our
            credentials, or answers with something that is no stream.
        MissingExtra: A library is needed that is not installed.

    Example::

        with Stream("https://stream.example/events", preset="sse") as stream:
            for item in stream:
                match item:
                    case Message(): land(item.id, item.body, item.cursor)
                    case Notice(kind="delete"): delete(item.id)
                    case Gap(): note(item)
    """

    def __init__(  # noqa: PLR0913 - one place to say all that a stream is
        self,
        request: str | Request,
        *,
        preset: str | Preset = "plain",
        auth: Auth | None = None,
        framing: str | Framer | None = None,
        into: type[T] | None = None,
        decode: Decode = "json",
        max_message: int = MAX_MESSAGE_BYTES,
        open: Sequence[str | bytes] = (),  # noqa: A002 - the name it has in a pipeline file
        id: str | Sequence[str] | None = None,  # noqa: A002 - the name it has in a pipeline file
        policy: ReconnectPolicy | None = None,
        cursor: Cursor | str | None = None,
        overflow: Overflow | None = None,
        headers: Mapping[str, str] | None = None,
        profile: Profile | None = None,
        events: Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        asked = Get(request) if isinstance(request, str) else request
        known = presets.by_name(preset) if isinstance(preset, str) else preset
        known = _made(known, asked, id, profile or Profile(), policy or known.policy)
        name = preset if isinstance(preset, str) else known.service
        self.source = f"{name} {shown(asked.path)}"
        self.identity = source_of(self.source, asked.method, asked)
        self.decode = decode
        self.keyed = bool(known.key)
        self.placed = known.resume.path is not None
        self.on_same = known.usual
        self.reuses_ids = any(sign.by is not None for sign in active_signs(known))
        asked = _callable(asked, known, open)
        position = self._position(cursor)
        self._framer = framer = _framer(known.framing if framing is None else framing, max_message)
        accepted = "text/event-stream" if isinstance(framer, ServerEvents) else "*/*"
        api = Api(
            _base(asked.path),
            auth=auth,
            headers={"Accept": accepted, **known.headers, **(headers or {})},
            profile=profile,
            decode="bytes",
            events=events,
            clock=clock,
        )
        self._backlog = Backlog(overflow or Block(), api.clock, lambda: self._driver.more())  # noqa: PLW0108 - it is made below
        plan = ConnectionPlan(
            preset=known,
            framer=framer,
            newest=newest(known) if decode == "json" else lambda _, __: None,
            backlog=self._backlog,
            clock=api.clock,
            json=decode == "json",
            max_message=check_bound(max_message),
            opening=tuple(map(_opening, open)),
        )
        self._sorter: Sorter[T] = Sorter(known, into, None, decode)
        self._driver = Driver(asked, api, _profile(api.profile, framer, known), plan)
        self._clock = api.clock
        self._counts = [0, 0, 0]  # messages, notices, gaps
        self._cursor: str | None = None
        self._started = self._closed = self._entered = False
        if position is not None:
            self.resume(position)

    def resume(self, position: str) -> None:
        """Go on after ``position``, a message's ``cursor``; before the first iteration.

        Raises:
            InputError: The stream has begun already.
        """
        if self._started:
            raise InputError("the stream has begun: make another, with cursor=...")
        if isinstance(self._framer, ServerEvents):
            self._framer.resume(position)
        self._driver.resume(position)
        self._sorter.cursor = self._cursor = position

    def _position(self, cursor: Cursor | str | None) -> str | None:
        if not isinstance(cursor, Cursor):
            return cursor
        if cursor.source != self.source:
            raise InputError(
                f"the cursor is of another stream, {cursor.source!r}, not of {self.source!r}: "
                "begin without a cursor, or land in a place of its own"
            )
        return cursor.position

    @property
    def cursor(self) -> Cursor | None:
        """Where to go on after the last item that was handed out; None while there is none."""
        return None if self._cursor is None else Cursor(self.source, self._cursor)

    @property
    def missing(self) -> Gap | None:
        """What is missing so far of a source that cannot go back, while no connection is live."""
        return self._driver.missing()

    @property
    def counters(self) -> Counters:
        """What it has seen so far. May be asked from any thread."""
        messages, notices, gaps = self._counts
        wire = self._driver.counters
        return wire + Counters(
            messages=messages,
            notices=notices,
            gaps=gaps,
            reconnects=max(0, wire.connects - 1),
            keepalives=self._sorter.keepalives,
            duplicates=self._sorter.duplicates,
            dropped=self._backlog.dropped,
        )

    @property
    def status(self) -> StreamStatus:
        """How it is doing. May be asked from any thread."""
        present = self._driver.present
        silent = 0.0 if present is None else max(0.0, self._clock.time() - present.at)
        return dataclasses.replace(self._driver.status, silent=silent)

    def __iter__(self) -> Iterator[Item[T]]:
        """Yield messages, notices and gaps, in their order."""
        counts = self._counts
        for entries in self._taken(None):
            for entry in entries:
                for item in self._items(entry):
                    if type(item) is Message:
                        counts[0] += 1
                        if item.cursor is not None:
                            self._cursor = item.cursor
                    else:
                        self._other(item)
                    yield item
                if isinstance(entry, FrameBatch):
                    self._backlog.release(entry.size)

    def __aiter__(self) -> AsyncIterator[Item[T]]:
        """Yield the same in asyncio: ``async for item in stream``."""
        return asynchronous(self)

    def messages(self) -> Iterator[Message[T]]:
        """Yield the messages alone; notices and gaps are only counted."""
        for item in self:
            if isinstance(item, Message):
                yield item

    def batches(self, wait: float | None = None) -> Iterator[Sequence[Item[T]]]:
        """Yield lists of all that is there: one transaction each, one call a list.

        Args:
            wait: Seconds after which an empty list is given where nothing came, so that the
                caller can look at its own clock; None waits for ever.
        """
        for entries in self._taken(wait):
            items: list[Item[T]] = []
            size = 0
            for entry in entries:
                items += self._items(entry)
                size += entry.size if isinstance(entry, FrameBatch) else 0
                if size >= _LIST_BYTES:
                    yield self._listed(items)
                    self._backlog.release(size)
                    items, size = [], 0
            if items or (wait is not None and not entries):
                yield self._listed(items)
                self._backlog.release(size)

    def _listed(self, items: list[Item[T]]) -> list[Item[T]]:
        others = [item for item in items if type(item) is not Message]
        self._counts[0] += len(items) - len(others)
        for item in others:
            self._other(item)
        self._cursor = self._sorter.cursor or self._cursor
        return items

    def _other(self, item: Item[T]) -> None:
        """Count what is no message, and do what it asks for."""
        if isinstance(item, Gap):
            self._counts[2] += 1
            return
        self._counts[1] += 1
        self._cursor = item.cursor or self._cursor
        for connection, verdict in self._sorter.verdicts:
            self._driver.obey(connection, verdict)
        self._sorter.verdicts.clear()

    def _items(self, entry: Entry) -> Iterable[Item[T]]:
        if isinstance(entry, FrameBatch):
            return self._sorter.items(entry.frames, entry.connection, entry.at)
        if isinstance(entry, Gap):
            return [entry]
        if isinstance(entry, Dropped):
            since = self._sorter.cursor or moment(entry.since)
            return [Gap(since, moment(entry.until), "overflow", entry.count)]
        return ()

    def _taken(self, wait: float | None) -> Iterator[Sequence[Entry]]:
        """Yield what is there until the end, then raise what ended it."""
        self._begin()
        close: Callable[[], object] = self.close
        try:
            while True:
                entries = self._backlog.take(wait)
                yield entries
                if entries and isinstance(last := entries[-1], StreamEnd):
                    if last.error is not None:
                        raise last.error
                    return
        except GeneratorExit:
            close = self._let_go
            raise
        finally:
            if not self._entered:
                close()

    def _begin(self) -> None:
        if self._closed:
            raise InputError("the stream is closed: make another, with cursor=stream.cursor")
        if not self._started:
            self._started = True
            self._driver.start()

    def stop(self) -> None:
        """End the iteration after what was received. From any thread, or a signal handler."""
        self._driver.stop()

    def close(self) -> None:
        """End everything now, and free it."""
        self._let_go().wait(_PATIENCE)

    def _let_go(self) -> threading.Event:
        """Have everything ended and freed, and wait for nothing; the event says when it is done.

        The garbage collector closes a generator that nobody holds any more on whichever thread it
        runs, within a lock of ours, too: only a thread that has none may wait for one.
        """
        self._closed = True
        freed = threading.Event()
        try:
            _thread.start_new_thread(self._free, (freed,))
        except RuntimeError:  # no thread can be had, or the interpreter ends
            self._free(freed)
        return freed

    def _free(self, freed: threading.Event) -> None:
        self._driver.stop()
        if self._started:
            self._driver.join()
        self._backlog.close()
        freed.set()

    def __enter__(self) -> Stream[T]:
        self._entered = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is GeneratorExit:  # of a generator that was dropped within the block
            self._let_go()
        else:
            self.close()

    def __repr__(self) -> str:
        return f"<Stream {self.source} {self.status.state}>"


def _opening(message: str | bytes) -> OutgoingFrame:
    return (
        OutgoingFrame("text", message.encode())
        if isinstance(message, str)
        else OutgoingFrame("binary", message)
    )


def _made(
    preset: Preset,
    asked: Request,
    id_: str | Sequence[str] | None,
    profile: Profile,
    policy: ReconnectPolicy,
) -> Preset:
    """Return the preset with what the stream itself says."""
    stall = preset.wire_stall if profile.stall == Profile().stall else profile.stall
    return dataclasses.replace(
        preset,
        policy=policy,
        id=preset.id if id_ is None else (id_,) if isinstance(id_, str) else tuple(id_),
        websocket=preset.websocket or asked.path.startswith(_WEBSOCKETS),
        wire_stall=stall or math.inf,
    )


def _callable(asked: Request, preset: Preset, opening: Sequence[str | bytes]) -> Request:
    """Return the request as one over HTTP: a WebSocket begins with it."""
    if not preset.websocket:
        if opening:
            raise InputError("open=[...] is what a WebSocket sends: its URL begins with wss://")
        return asked
    check_websockets()
    return msgspec.structs.replace(asked, path=as_http(asked.path))


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{shown(url)!r} is not the URL of a stream: write it like https://stream.example.com/1"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _framer(framing: str | Framer | None, max_message: int) -> Framer | None:
    return framings.by_name(framing, max_message) if isinstance(framing, str) else framing


def _profile(profile: Profile, framer: Framer | None, preset: Preset) -> StreamProfile:
    # A stream has a connection of its own, so HTTP/2 would gain it nothing.
    others = {"stall": None, "http2": False, "websocket": preset.websocket}
    others["raw"] = framer is not None and framer.raw
    return StreamProfile(**{**dataclasses.asdict(profile), **others})
