"""A stream as one value to iterate over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, final

from penstock.clock import Clock
from penstock.events import Events
from penstock.http import Auth, Profile, Request
from penstock.streaming.frames import Framer
from penstock.streaming.overflow import Overflow
from penstock.streaming.presets import Preset
from penstock.streaming.reconnecting import ReconnectPolicy
from penstock.streaming.values import Counters, Cursor, Item, Message, T

__all__ = ["Status", "Stream"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a stream is doing just now.

    Attributes:
        state: ``"new"``, ``"connecting"``, ``"live"``, ``"waiting"`` (to connect again) or ``"ended"``.
        reason: Why we wait, or why it ended; empty while all is well.
        wait: Seconds of the wait, from when it began.
        silent: Seconds since the last byte; 0 where there is no connection.
    """  # noqa: E501 - one sentence

    state: Literal["new", "connecting", "live", "waiting", "ended"] = "new"
    reason: str = ""
    wait: float = 0.0
    silent: float = 0.0


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
        id: Dotted path of what tells messages apart; else the preset's.
        policy: When to connect again; else the preset's.
        cursor: Where to go on: a :class:`Cursor`, or the position alone.
        overflow: What to do when messages come faster than they are taken: ``Block()``.
        headers: More headers.
        profile: Proxy, certificates, and how long to wait for a connection and an answer. Its
            ``stall``, where it is not the default, takes the preset's place.
        events: Where to tell of each reconnection (:class:`penstock.events.Retry`).
        clock: Source of time.

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
        id: str | None = None,  # noqa: A002 - the name it has in a pipeline file
        policy: ReconnectPolicy | None = None,
        cursor: Cursor | str | None = None,
        overflow: Overflow | None = None,
        headers: Mapping[str, str] | None = None,
        profile: Profile | None = None,
        events: Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def source(self) -> str:
        """What the cursors of this stream belong to: its URL without secrets, and its preset."""
        raise NotImplementedError

    @property
    def cursor(self) -> Cursor | None:
        """Where to go on after the last item that was handed out; None while there is none."""
        raise NotImplementedError

    @property
    def counters(self) -> Counters:
        """What it has seen so far. May be asked from any thread."""
        raise NotImplementedError

    @property
    def status(self) -> Status:
        """How it is doing. May be asked from any thread."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Item[T]]:
        """Yield messages, notices and gaps, in their order."""
        raise NotImplementedError

    def messages(self) -> Iterator[Message[T]]:
        """Yield the messages alone; notices and gaps are only counted and told as events."""
        raise NotImplementedError

    def batches(self, wait: float | None = None) -> Iterator[Sequence[Item[T]]]:
        """Yield lists of all that is there: one transaction each, one call a list.

        Args:
            wait: Seconds after which an empty list is given where nothing came, so that the
                caller can look at its own clock; None waits for ever.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End the iteration after what was received. From any thread, or a signal handler."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything now, and free it."""
        raise NotImplementedError

    def __enter__(self) -> Stream[T]:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError
