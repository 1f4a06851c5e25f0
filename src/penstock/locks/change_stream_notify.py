"""How a process learns from MongoDB that it holds a lock: one change stream for all its waiters.

The stream is open while anybody waits, and a little longer. It carries the grants to this process
and nothing else: the server leaves out all other changes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

import msgspec

from penstock.locks.backend import Granted, Reply
from penstock.locks.mongo_pipeline import WAKE
from penstock.locks.process_identity import elapsed
from penstock.locks.state import QueuePlace

if TYPE_CHECKING:
    from penstock.mongo import DictCollection as Collection

__all__ = ["Ears", "Listener", "LockPoller", "grants_of"]

_LINGER = 10.0  # seconds that the stream stays open after the last waiter
_TURN = 0.5  # seconds that the server holds an empty answer back
_OPENING = 5.0  # seconds that it may take to open
_BLIND = 0.5  # seconds between two looks while it cannot be opened
_SHORTEST, _LONGEST = 0.001, 0.25  # seconds between two looks without a stream


def grants_of(words: str) -> Iterator[QueuePlace]:
    r"""Yield the place of each grant told: its address, token, since and until.

    >>> [(place.address, place.token, place.until) for place in grants_of("a1 p1 7 1000 2500\n")]
    [('a1', 7, 2.5)]
    """
    for line in words.splitlines():
        address, name, token, *moments = line.split(" ")
        since, until = (int(moment) / 1000 for moment in moments)
        told = QueuePlace(id=name, owner="", lease=0.0, address=address, since=since, until=until)
        yield msgspec.structs.replace(told, token=int(token))


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
        self._grant: Granted | None = None

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
        granted, self._grant = self._grant, None
        if granted is None:
            return frozenset()
        self.queued = 0.0
        return granted

    def tell(self, place: QueuePlace) -> None:
        """Be told of a grant."""
        self._grant = Granted(place, elapsed())
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
        locks: The collection of locks.
        address: What grants to this process begin with.

    Attributes:
        opened: How often a stream was opened.
        since: When it was opened last, on this machine's clock.
    """

    def __init__(self, locks: Collection, address: str) -> None:
        self._locks = locks
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
                    self._thread = threading.Thread(
                        target=self._run, name="penstock-locks-stream", daemon=True
                    )
                    self._thread.start()
                self._changed.wait_for(
                    lambda: self._ready or self._thread is None, min(timeout, _OPENING)
                )
            return self._number()

    def _number(self) -> int:
        return self.opened if self._ready else 0

    def forget(self, place_id: str) -> None:
        """Nobody waits for this place any more."""
        with self._changed:
            self._waiting.pop(place_id, None)

    def listener(self, place_id: str) -> Listener | None:
        """Return who waits for a place."""
        with self._changed:
            return self._waiting.get(place_id)

    def unqueue(self) -> None:
        """Note that no place is surely in its queue any more."""
        with self._changed:
            for listener in self._waiting.values():
                listener.queued = 0.0

    def granted(self, place: QueuePlace) -> None:
        """Tell who waits for a place, if that is one of this process, that it holds now."""
        if (listener := self.listener(place.id)) is not None:
            listener.tell(place)

    def close(self) -> None:
        """End the thread at its next turn."""
        self._closing = True

    def _run(self) -> None:
        try:
            wanted = {f"updateDescription.updatedFields.{WAKE}": {"$regex": self._address}}
            changes: list[dict[str, Any]] = [
                {"$match": {"operationType": "update", **wanted}},
                {"$project": {WAKE: f"$updateDescription.updatedFields.{WAKE}"}},
            ]
            with self._locks.watch(changes, max_await_time_ms=int(_TURN * 1000)) as stream:
                with self._changed:
                    self.opened += 1
                    self.since = elapsed()
                    self._ready = True
                    self._changed.notify_all()
                self._follow(stream.try_next)
        except Exception:  # noqa: BLE001, S110 - waiters ask by themselves then, and hear why
            pass
        finally:
            with self._changed:
                self._ready = False
                self._thread = None
                for listener in self._waiting.values():
                    listener.nudge()
                self._changed.notify_all()

    def _follow(self, try_next: Callable[[], Mapping[str, object] | None]) -> None:
        last = elapsed()
        while not self._closing:
            change = try_next()
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
        for place in grants_of(words):
            if place.address == self._address:
                self.granted(place)


@final
class LockPoller:
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
