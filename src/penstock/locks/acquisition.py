"""Waiting for a lock: one attempt, driven over any store."""

from __future__ import annotations

import contextlib
import math
import random
import threading
from dataclasses import dataclass
from typing import final

from msgspec.structs import replace

from penstock.errors import InputError, PenstockError
from penstock.locks.backend import Backend, Granted, Reply, Waiter
from penstock.locks.errors import LeaseTooShort
from penstock.locks.leases import Lease, believed_until
from penstock.locks.process_identity import elapsed
from penstock.locks.request_options import ALL, LockOptions
from penstock.locks.state import LockRequest, QueuePlace

__all__ = ["AcquisitionTally", "Attempt"]

_ANSWER = 5.0  # seconds that a store may take to answer, also where nobody wants to wait
_UNHEARD = 0.25  # seconds after which a grant that we found ourselves counts as never told
_SOON = 0.002  # seconds after the end of a holder's lease that the queue's head looks again
_TURN = 0.1  # seconds later, each, that those behind it do


@final
@dataclass(slots=True)
class AcquisitionTally:
    """How waiters of one room came by their locks.

    Attributes:
        told: They were told.
        unheard: They found out by asking again: a wake-up was missed.
    """

    told: int = 0
    unheard: int = 0


@final
class Attempt:
    """One attempt to get a lock, which another thread may cancel.

    Args:
        backend: Where the lock is.
        want: What is wanted.
        tally: Where to count how it was got.
        rng: Jitters the times at which a waiter looks for itself.
    """

    def __init__(
        self,
        backend: Backend,
        want: LockOptions,
        tally: AcquisitionTally,
        rng: random.Random | None = None,
    ) -> None:
        self._backend = backend
        self._want = want
        self._tally = tally
        self._rng = rng or random.Random()
        self._ear: Waiter | None = None
        self._cancelled = threading.Event()
        self._deadline = math.inf

    def cancel(self) -> None:
        """Make :meth:`run` give up soon; from any thread."""
        self._cancelled.set()
        if (ear := self._ear) is not None:
            ear.nudge()

    def run(self, deadline: float) -> Lease | None:
        """Wait for the lock and return its lease; None at ``deadline`` on this machine's clock.

        Raises:
            InputError: The lock is in use as one of another kind.
            StorageError: The store cannot be reached or written.
        """
        self._deadline = deadline
        if deadline <= elapsed():
            return self._try()
        with self._backend.waiter() as ear:
            self._ear = ear
            place = self._want.place(self._backend.process, ear.address)
            try:
                won = self._wait(ear, place, deadline)
            except BaseException:
                self._withdraw(place)
                raise
            finally:
                self._ear = None
            if won is None:
                self._withdraw(place)
            return won

    def _try(self) -> Lease | None:
        place = self._want.place(self._backend.process)
        request = LockRequest(kind="try", place=place, capacity=self._want.capacity)
        won = self._won(reply := self._apply(request), place)
        if won is None and (dead := self._backend.ended(reply.state)):
            won = self._won(self._apply(replace(request, dead=dead)), place)
        return won

    def _wait(self, ear: Waiter, place: QueuePlace, deadline: float) -> Lease | None:
        ear.expect(place.id)
        reply = self._ask(place)
        asked_by_itself = False
        while (won := self._won(reply, place)) is None:
            left = deadline - elapsed()
            if left <= 0 or self._cancelled.is_set():
                return None
            heard = ear.wait(reply, place.id, min(left, self._pause(reply, place)))
            if isinstance(heard, Granted):
                told = heard.place
                got = replace(place, token=told.token, since=told.since, until=told.until)
                if (until := believed_until(got, reply, heard)) > elapsed():
                    self._tally.told += 1
                    return self._lease(got, until)
                heard = frozenset()  # heard too late: others may have been let in
            asked_by_itself = heard is None
            if elapsed() < deadline:
                reply = self._ask(place, heard or frozenset())
        if asked_by_itself and reply.now - won.place.since > _UNHEARD:
            self._tally.unheard += 1
        return won

    def _ask(self, place: QueuePlace, dead: frozenset[str] = frozenset()) -> Reply:
        capacity = self._want.capacity
        return self._apply(LockRequest(kind="acquire", place=place, capacity=capacity, dead=dead))

    def _apply(self, request: LockRequest) -> Reply:
        left = max(_ANSWER, self._deadline - elapsed())
        limit = None if math.isinf(left) else left
        reply = self._backend.apply(self._want.name, request, limit)
        if reply.state.capacity != request.capacity:
            raise InputError(
                f"lock {self._want.name!r} is in use as {_kind(reply.state.capacity)}, not as "
                f"{_kind(request.capacity)}: one name is for one kind of lock"
            )
        return reply

    def _won(self, reply: Reply, place: QueuePlace) -> Lease | None:
        held = reply.state.holder(place.id)
        if held is None:
            return None
        until = believed_until(held, reply)
        if until <= elapsed():
            self._withdraw(held)
            raise LeaseTooShort(
                f"lease={place.lease:g}: shorter than a round trip to the lock's store "
                f"({elapsed() - reply.sent:.3f} s): give a longer one"
            )
        return self._lease(held, until)

    def _lease(self, place: QueuePlace, until: float) -> Lease:
        return Lease(self._want.name, place, until, self._want.lost)

    def _pause(self, reply: Reply, place: QueuePlace) -> float:
        """Return when to look again: after the interval, or when a holder is overdue.

        The queue's head looks first, the others after it, should it be gone as well.
        """
        pause = self._backend.interval * self._rng.uniform(0.8, 1.2)
        holders = reply.state.holders
        if holders:
            ids = [waiter.id for waiter in reply.state.waiters]
            rank = ids.index(place.id) if place.id in ids else len(ids)
            overdue = min(p.until for p in holders) - reply.now - (elapsed() - reply.sent)
            pause = min(pause, max(0.0, overdue) + _SOON + _TURN * rank)
        return pause

    def _withdraw(self, place: QueuePlace) -> None:
        # Where the store does not answer now, the place ends by itself.
        with contextlib.suppress(PenstockError):
            request = LockRequest(kind="withdraw", place=place)
            self._backend.apply(self._want.name, request, _ANSWER)


def _kind(capacity: int) -> str:
    if capacity == ALL:
        return "a read-write lock"
    return "a plain lock" if capacity == 1 else f"a semaphore of {capacity:,}"
