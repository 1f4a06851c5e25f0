"""How a process learns from MongoDB that it holds a lock: one change stream for all its waiters.

The stream is open while anybody waits, and a little longer. It carries the grants to this process
and nothing else: the server leaves out all other changes.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, final

from penstock.locks.backend import Granted, Reply
from penstock.locks.mongo_pipeline import WAKE
from penstock.locks.process_identity import elapsed
from penstock.locks.state import QueuePlace

__all__ = ["ChangeStream", "Ears", "Listener", "Poller", "grants_of"]

_LINGER = 10.0  # seconds that the stream stays open after the last waiter
_TURN = 0.5  # seconds that the server holds an empty answer back
_OPENING = 5.0  # seconds that it may take to open
_BLIND = 0.5  # seconds between two looks while it cannot be opened
_SHORTEST, _LONGEST = 0.001, 0.25  # seconds between two looks without a stream


class ChangeStream(Protocol):
    """What is used of a change stream."""

    def try_next(self) -> Mapping[str, object] | None:
        """Return the next change, or None when there was none for a while."""
        ...


Open: TypeAlias = Callable[[list[dict[str, object]], int], AbstractContextManager[ChangeStream]]
"""Opens a change stream: a pipeline, and the milliseconds it may wait for a change."""


def grants_of(words: str) -> Iterator[tuple[str, str, int, float, float]]:
    r"""Yield address, place, token, since and until (seconds since 1970) of each grant told.

    >>> list(grants_of("a1 p1 7 1000 2500\n"))
    [('a1', 'p1', 7, 1.0, 2.5)]
    """
    for line in words.splitlines():
        address, place, token, since, until = line.split(" ")
        yield address, place, int(token), int(since) / 1000, int(until) / 1000


@final
class Listener:
    """One waiting thread.

    Args:
        ears: What it is told by.
        address: Where this process is told.
    """

    def __init__(self, ears: Ears, address: str) -> None:
        self.address = address
        self.queued = 0.0  # since when it surely stands in the queue, on the server's clock
        self._ears = ears
        self._place_id = ""
        self._stream = 0  # which of the process's streams has been open since we asked
        self._told = threading.Event()
        self._grant: tuple[int, float, float, float] | None = None

    def expect(self, place_id: str) -> None:
        """Be ready for the grant of a place; before it is asked for, or it could come too soon."""
        self._place_id = place_id
        self._stream = self._ears.listen(place_id, self)

    def wait(self, reply: Reply, place_id: str, timeout: float) -> Granted | frozenset[str] | None:
        """Return a grant, an empty set when it is time to ask again, or None when time is over."""
        if (stream := self._ears.have(timeout)) != self._stream:
            # No stream was open all the time since we asked: ask once more, now that one is.
            self._stream = stream
            return frozenset()
        if not stream:
            self._told.wait(min(timeout, _BLIND))
            return frozenset()
        if not self._told.wait(timeout):
            return None
        self._told.clear()
        if self._grant is None:
            return frozenset()
        token, since, until, received = self._grant
        self._grant, self.queued = None, 0.0
        place = QueuePlace(id=place_id, owner="", lease=0.0, token=token, since=since, until=until)
        return Granted(place, received)

    def tell(self, token: int, since: float, until: float) -> None:
        """Be told of a grant."""
        self._grant = (token, since, until, elapsed())
        self._told.set()

    def nudge(self) -> None:
        """Make :meth:`wait` return."""
        self._told.set()

    def forget(self) -> None:
        """Be told no more."""
        self._ears.forget(self._place_id)


@final
class Ears:
    """The stream of a process, its thread, and who waits for what.

    Args:
        open_stream: Opens a change stream on the collection of locks.
        address: What grants to this process begin with.

    Attributes:
        opened: How often a stream was opened.
        since: When it was opened last, on this machine's clock.
    """

    def __init__(self, open_stream: Open, address: str) -> None:
        self._open = open_stream
        self._address = address
        self._changed = threading.Condition()
        self._waiting: dict[str, Listener] = {}
        self._thread: threading.Thread | None = None
        self._ready = False
        self._closing = False
        self.opened = 0
        self.since = 0.0

    def listen(self, place_id: str, listener: Listener) -> int:
        """Have ``listener`` told of a place's grant; return the stream's number, 0 for none."""
        with self._changed:
            self._waiting[place_id] = listener
            return self._number()

    def have(self, timeout: float) -> int:
        """Return the number of the stream that is open, opening one where there is none.

        It is 0 where none can be had: the waiter then goes on by asking.
        """
        with self._changed:
            if not self._ready:
                if self._thread is None:
                    self._begin()
                self._changed.wait_for(self._is_settled, min(timeout, _OPENING))
            return self._number()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="penstock-locks-stream", daemon=True)
        self._thread.start()

    def _is_settled(self) -> bool:
        return self._ready or self._thread is None

    def _number(self) -> int:
        return self.opened if self._ready else 0

    def forget(self, place_id: str) -> None:
        """Nobody waits for this place any more."""
        with self._changed:
            self._waiting.pop(place_id, None)

    def queue(self, place_id: str, now: float) -> None:
        """Note that a place is in its queue since ``now`` at the latest."""
        with self._changed:
            if (listener := self._waiting.get(place_id)) is not None:
                listener.queued = listener.queued or now

    def queued(self, place_id: str) -> float:
        """Return since when a place is in its queue, 0 where that is not known."""
        with self._changed:
            listener = self._waiting.get(place_id)
            return 0.0 if listener is None else listener.queued

    def unqueue(self) -> None:
        """Note that no place is surely in its queue any more."""
        with self._changed:
            for listener in self._waiting.values():
                listener.queued = 0.0

    def granted(self, places: Iterable[QueuePlace]) -> None:
        """Tell those of this process that hold now: an answer to another one says so."""
        for place in places:
            with self._changed:
                listener = self._waiting.get(place.id)
            if listener is not None:
                listener.tell(place.token, place.since, place.until)

    def close(self) -> None:
        """End the thread at its next turn."""
        self._closing = True

    def _run(self) -> None:
        try:
            wanted = {f"updateDescription.updatedFields.{WAKE}": {"$regex": self._address}}
            changes: list[dict[str, object]] = [
                {"$match": {"operationType": "update", **wanted}},
                {"$project": {WAKE: f"$updateDescription.updatedFields.{WAKE}"}},
            ]
            with self._open(changes, int(_TURN * 1000)) as stream:
                with self._changed:
                    self.opened += 1
                    self.since = elapsed()
                    self._ready = True
                    self._changed.notify_all()
                self._follow(stream)
        except Exception:  # noqa: BLE001, S110 - waiters ask by themselves then, and hear why
            pass
        finally:
            with self._changed:
                self._ready = False
                self._thread = None
                for listener in self._waiting.values():
                    listener.nudge()
                self._changed.notify_all()

    def _follow(self, stream: ChangeStream) -> None:
        last = elapsed()
        while not self._closing:
            change = stream.try_next()
            if change is not None:
                self._deliver(str(change[WAKE]))
            with self._changed:
                if self._waiting:
                    last = elapsed()
                elif elapsed() - last > _LINGER:
                    self._ready = False  # from here on a new waiter opens another
                    return

    def _deliver(self, words: str) -> None:
        # Nothing is asked of the server here: a slow answer would keep all others waiting.
        for address, place, token, since, until in grants_of(words):
            if address == self._address:
                with self._changed:
                    listener = self._waiting.get(place)
                if listener is not None:
                    listener.tell(token, since, until)


@final
class Poller:
    """One waiting thread where nobody tells: it looks, soon at first and then less often.

    Args:
        rng: Jitter.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self.address = ""
        self._rng = rng or random.Random()
        self._pause = _SHORTEST
        self._nudged = threading.Event()

    def expect(self, place_id: str) -> None:
        """Nobody tells: there is nothing to be ready for."""

    def wait(self, reply: Reply, place_id: str, timeout: float) -> Granted | frozenset[str] | None:
        """Return an empty set after a while: ask again."""
        pause = min(timeout, self._pause * self._rng.uniform(0.5, 1.0))
        self._pause = min(_LONGEST, 2.0 * self._pause)
        self._nudged.wait(pause)
        return frozenset()

    def nudge(self) -> None:
        """Make :meth:`wait` return."""
        self._nudged.set()


@contextlib.contextmanager
def forgotten(listener: Listener) -> Iterator[Listener]:
    """Give a listener that is told nothing after the block."""
    try:
        yield listener
    finally:
        listener.forget()
