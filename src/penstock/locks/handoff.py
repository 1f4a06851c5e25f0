"""Handing a lock over inside one process, without asking the store: so many times, then it goes on.

The first thread takes a number of tokens at once. While others of its process wait, it gives them
the lock with the next token; when the tokens are used up, the lock goes to the store's queue like
any other, so that nobody elsewhere waits for more than that many turns.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import final

from penstock.locks.errors import LockTimeout
from penstock.locks.leases import Lease, Lost
from penstock.locks.process_identity import elapsed

__all__ = ["Cohort", "Seat"]

_SPARE = 0.1  # share of a lease that must be left for handing it on


@final
class Seat:
    """One waiting thread: locked until it is told.

    Attributes:
        token: What it got, or 0 where it is to ask the store for all of them.
        lost: Who wants to be told when the lock is lost.
    """

    __slots__ = ("_door", "lost", "token")

    def __init__(self, lost: Lost | None) -> None:
        self._door = threading.Lock()
        self._door.acquire()
        self.token = -1
        self.lost = lost

    def wait(self, seconds: float) -> bool:
        """Return whether it was told in time."""
        return self._door.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def tell(self, token: int) -> None:
        """Let it go on."""
        self.token = token
        self._open()

    def nudge(self) -> None:
        """Make it look, with nothing for it."""
        if self.token < 0:
            self._open()

    def _open(self) -> None:
        try:  # noqa: SIM105 - suppress() costs as much as all the rest of a turn's telling
            self._door.release()
        except RuntimeError:  # open already: told and nudged at once
            pass


@final
class Cohort:
    """The threads of one process that want one lock.

    Args:
        most: How often in a row they may hold it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._mutex = threading.Lock()
        self._busy = False  # one of ours holds, or asks the store
        self._seats: deque[Seat] = deque()
        self._lease: Lease | None = None
        self._token = 0
        self._left = 0

    def enter(
        self,
        seat: Seat,
        deadline: float,
        fetch: Callable[[], Lease | None],
    ) -> tuple[Lease, int] | None:
        """Return the lease and the token of ``seat``'s turn, or None at the deadline.

        Args:
            seat: The caller's.
            deadline: On this machine's clock.
            fetch: Gets the lock from the store, with as many tokens as there are turns.
        """
        with self._mutex:
            waits = self._busy
            self._busy = True
            if waits:
                self._seats.append(seat)
        if waits and not seat.wait(max(0.0, deadline - elapsed())) and not self._told(seat):
            return None
        if seat.token < 0 and waits and not self._told(seat):
            return None  # nudged: somebody cancelled it
        if seat.token > 0 and self._lease is not None:
            return self._lease, seat.token
        return self._fetched(fetch)

    def _told(self, seat: Seat) -> bool:
        """Whether a seat whose time is over was told at the last moment; else it is given up."""
        with self._mutex:
            if seat.token >= 0:
                return True
            self._seats.remove(seat)
            return False

    def _fetched(self, fetch: Callable[[], Lease | None]) -> tuple[Lease, int] | None:
        try:
            lease = fetch()
        except BaseException:
            self._next_asks()
            raise
        if lease is None:
            self._next_asks()
            return None
        with self._mutex:
            self._lease, self._token, self._left = lease, lease.place.token, self._most - 1
        return lease, self._token

    def _next_asks(self) -> None:
        with self._mutex:
            if self._seats:
                self._seats.popleft().tell(0)
            else:
                self._busy = False

    def leave(self, give_back: Callable[[Lease], None]) -> None:
        """End a turn: hand the lock on inside, or give it back to the store."""
        with self._mutex:
            lease = self._lease
            if lease is None:
                raise LockTimeout("nobody here holds it")
            if self._seats and self._left and lease.left() > _SPARE * lease.place.lease:
                seat = self._seats.popleft()
                self._left -= 1
                self._token += 1
                lease.lost = seat.lost
                seat.tell(self._token)
                return
            self._lease = None
        try:
            give_back(lease)
        finally:
            self._next_asks()
