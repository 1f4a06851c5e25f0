"""The store for one machine: a directory with a SQLite database, shared by its processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import final

from msgspec.structs import replace

from penstock.errors import InputError
from penstock.files import make_inside, make_private
from penstock.locks.backend import Reply, Waiter
from penstock.locks.database import Database
from penstock.locks.fifo_notify import Ear, swept, tell
from penstock.locks.process_identity import elapsed, has_ended, myself
from penstock.locks.rules import newly_granted, step
from penstock.locks.state import NOBODY, Kind, LockRequest, LockState, QueuePlace

__all__ = ["Embedded"]

_WAKES = "wake"
_NEAR: set[Kind] = {"acquire", "try", "renew", "release"}
"""What concerns the head of the queue, and who asks."""


@final
class Embedded:
    """Locks in a directory on a local disk.

    The store's clock is the time since this machine started, which is the same for all its
    processes and cannot be set. The end of a process is learned from the kernel, so its locks go
    on at once; a lease is for processes that live and do not answer.

    Args:
        path: The directory; made where there is none.

    Attributes:
        process: This process.
        interval: Seconds between the times that a waiter looks for itself.

    Raises:
        InputError: ``path`` is something else, or written by something else.
        StorageError: The disk refuses.
    """

    interval = 5.0

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._wakes = self.path / _WAKES
        try:
            make_private(self.path)
            make_inside(self._wakes)
            swept(self._wakes)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"{path} is a file: name a directory for the locks") from error
        except OSError as error:
            raise InputError(f"{path} cannot hold locks: {error.strerror}") from error
        self._abandoned: list[object] = []
        self._database = Database(self.path)
        self._begin()
        with _REGISTERED:
            _OPENED.add(self)

    @property
    def process(self) -> str:
        """This process, as others can look it up."""
        return myself()

    def _begin(self) -> None:
        self._mutex = threading.Lock()
        self._ears: list[Ear] = []

    def apply(self, name: str, request: LockRequest, limit: float | None = None) -> Reply:
        """Perform one transition and tell those who got the lock by it."""
        now = 0.0

        def decide(before: LockState) -> LockState:
            nonlocal now
            now = elapsed()  # asked when it is our turn: time stood still for nobody meanwhile
            floor = max(time.time_ns() // 1000, self._database.floor)
            return step(before, replace(request, floor=floor), now)

        near = request.place.id if request.kind in _NEAR and not request.dead else None
        with self._mutex:
            before, after = self._database.change(name, decide, near)
        if after is not before:
            self._tell(name, before, after, request)
        return Reply(after, now, now)

    def _tell(self, name: str, before: LockState, after: LockState, request: LockRequest) -> None:
        gone = {
            place.process
            for place in newly_granted(before, after)
            if place.id != request.place.id
            and not tell(self._wakes, place, place.address)
            and has_ended(place.process)
        }
        for place in _behind_who_left(before, after):
            tell(self._wakes, None, place.address)
        if gone:
            request = LockRequest(kind="expire", place=request.place, dead=frozenset(gone))
            self.apply(name, request)

    @contextlib.contextmanager
    def waiter(self) -> Iterator[Waiter]:
        """Give an ear, made when there is none from an earlier wait."""
        ears = self._ears
        ear = ears.pop() if ears else Ear(self._wakes)
        try:
            yield ear
        finally:
            ears.append(ear)

    def read(self, name: str) -> Reply:
        """Return the lock without those whose process has ended, changing nothing."""
        with self._mutex:
            return self._seen(self._database.read(name))

    def read_all(self) -> Iterator[tuple[str, Reply]]:
        """Yield every lock that ever was."""
        with self._mutex:
            found = self._database.read_all()
        yield from ((name, self._seen(state)) for name, state in found)

    def ended(self, state: LockState) -> frozenset[str]:
        """Return which processes of its places have ended."""
        return frozenset(p.process for p in state.places() if has_ended(p.process))

    def wall(self, moment: float) -> float:
        """Return a moment since the start as seconds since 1970, by what this machine believes."""
        return moment - elapsed() + time.time()

    def _seen(self, state: LockState) -> Reply:
        """What a look tells: without those that have ended, whatever is still written of them."""
        now, dead = elapsed(), self.ended(state)
        look = LockRequest(kind="expire", place=NOBODY, dead=dead)
        return Reply(step(state, look, now) if dead else state, now, now)

    def describe(self) -> str:
        """Say what it is."""
        return f"SQLite in {self.path}, for one machine; waiters are woken by FIFOs"

    def close(self) -> None:
        """Close the files. Closing twice is allowed."""
        with self._mutex:
            while self._ears:
                self._ears.pop().close()
            self._database.close()


# A fork while a thread is within SQLite leaves a child its locks, which nobody there releases; and
# what SQLite knows of open files it knows in the child too, where it does not hold. So each store
# lets go of its file before a fork, and opens it when it is used next, in the parent and the child.
_OPENED: weakref.WeakSet[Embedded] = weakref.WeakSet()
_REGISTERED = threading.Lock()
_FORKING: list[Embedded] = []
_PATIENCE = 5.0  # seconds that a fork waits for a transaction, should that process be stopped in it


def _before_fork() -> None:
    _REGISTERED.acquire()
    for store in list(_OPENED):
        if store._mutex.acquire(timeout=_PATIENCE):  # noqa: SLF001 - of its own module
            _FORKING.append(store)
            store._database.set_aside()  # noqa: SLF001 - likewise


def _in_parent() -> None:
    while _FORKING:
        _FORKING.pop()._mutex.release()  # noqa: SLF001 - likewise
    _REGISTERED.release()


def _in_child() -> None:
    for store in list(_OPENED):
        if store not in _FORKING:
            store._database.leave_to_parent()  # noqa: SLF001 - likewise
        store._abandoned.append(store._ears)  # noqa: SLF001 - likewise; they are the parent's
        store._begin()  # noqa: SLF001 - likewise
    _FORKING.clear()
    _REGISTERED.release()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def _behind_who_left(before: LockState, after: LockState) -> list[QueuePlace]:
    """Return waiters that had somebody before them in the queue who gave up: they watch another."""
    left = {p.id for p in before.waiters} - {p.id for p in after.places()}
    if not left:
        return []
    pairs = zip(before.waiters, before.waiters[1:], strict=False)
    return [behind for ahead, behind in pairs if ahead.id in left and behind.id not in left]
