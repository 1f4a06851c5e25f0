"""A budget that processes share: one limit and one reserve, whoever spends it."""

from __future__ import annotations

import math
import os
import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import final

from msgspec.structs import replace

from penstock.clock import Clock, SystemClock
from penstock.cluster.permits import (
    Answered,
    BudgetHolder,
    Grant,
    Shared,
    Want,
    finds_out,
    next_count,
    round_time,
    step,
)
from penstock.cluster.places import BudgetPlace, opened
from penstock.errors import InputError, StorageError
from penstock.resilience import (
    HELD,
    ONE,
    BudgetView,
    Hints,
    Limit,
    Quota,
    State,
    Ticket,
    allowed,
    seen,
    wait_for,
)

__all__ = ["SharedBudget"]

_LONGEST_WAIT = 5.0  # seconds after which to look whether another process knows more
_LONGEST_NAME = 1000  # bytes
_LONGEST_LIFE = 2.0  # seconds for which leave is kept where many ask for it
_SOON = 0.05  # seconds after which answers are told, where nobody asks for leave meanwhile


@final
class SharedBudget:
    """The gate of one key for all processes that name it, as :meth:`Budget.shared` returns it.

    Args:
        name: Whoever names it shares it.
        at: Where: a directory of this machine, or an address of MongoDB.
        reserve: Requests of every limit that are never spent; the largest of all holds.
        limits: Limits known beforehand; the smallest of all holds.
        clock: Source of time.

    Raises:
        InputError: The place cannot be used.
        StorageError: Nobody answers there.
    """

    def __init__(
        self,
        name: str,
        at: str | Path,
        *,
        reserve: float = 0,
        limits: Sequence[Limit] = (),
        clock: Clock | None = None,
    ) -> None:
        _check_name(name)
        if not reserve >= 0:
            raise InputError(f"Budget.shared(reserve={reserve}): a reserve is 0 or more")
        self.name, self.at = name, at
        self.reserve, self.limits = float(reserve), tuple(limits)
        self.refresh: Callable[[], object] | None = None
        """Asks the server for its status, where an ``Api`` has a status call."""
        self._clock = clock or SystemClock()
        self._abandoned: list[BudgetPlace] = []
        self._closed = False
        self._begin()
        self._exchange(Want(self._me, self._holder()))  # so that what cannot be is said now

    def _begin(self) -> None:
        self._place: BudgetPlace = opened(self.at, self.name, self._clock)
        self._pid, self._me = os.getpid(), uuid.uuid4().hex
        self._turn = threading.Lock()
        self._answers: list[Answered] = []
        self._dropped: deque[Answered] = deque()
        self._kept: list[Ticket] = []
        self._kept_until = -math.inf
        self._used = 0
        self._asked_cost: Mapping[str, float] = ONE
        self._denied_until = -math.inf
        self._out = 0
        self._teller: threading.Thread | None = None
        # In how many seconds something is to be told. To put it nobody waits for a lock.
        self._signals: SimpleQueue[float] = SimpleQueue()
        self._signalled = False

    @property
    def permits(self) -> int:
        """Leave that this process holds: for calls under way, and for those to come."""
        return self._out

    def _own(self) -> threading.Lock:
        """Return the turn; in a child process begin as a holder of its own."""
        if self._pid != os.getpid():
            self._abandoned.append(self._place)  # its sockets and files are the parent's
            self._begin()
        return self._turn

    def __reduce__(self) -> tuple[Callable[..., SharedBudget], tuple[object, ...]]:
        return _reopened, (self.name, self.at, self.reserve, self.limits)

    def take(
        self, now: float, cost: Mapping[str, float] | None = None, path: str = ""
    ) -> Ticket | float:
        """Ask for leave to make one call, as :meth:`Budget.take` does.

        Raises:
            InputError: The reserve leaves less than the call costs, however long one waits.
            StorageError: The place does not answer: no leave, no call.
        """
        units = ONE if cost is None else {**ONE, **cost}
        with self._own():
            if self._kept and units == self._asked_cost and now < self._kept_until:
                return self._handed()
            if now < self._denied_until and not self._kept:
                return self._denied_until - now
            return self._asked(now, units, path)

    def _asked(self, now: float, cost: Mapping[str, float], path: str) -> Ticket | float:
        batched, life, round_of_all = self._place.life > 0, self._place.life, self._round()
        count = next_count(self._used, all_used=not self._kept) if batched else 1
        self._answers += [Answered("unused", ticket, now) for ticket in self._kept]
        self._kept.clear()
        life = max(life, min(round_of_all, _LONGEST_LIFE)) if batched else 0.0
        want = Want(self._me, self._holder(), count, cost, path, life)
        granted = self._exchange(want)
        self._used, self._asked_cost = 0, cost
        if not granted.tickets:
            wait = min(granted.wait, _LONGEST_WAIT)
            # Those who wait for the same moment do not all come at once.
            wait += random.random() * max(round_of_all, min(wait, 0.1)) if batched else 0.0
            self._denied_until = now + wait if batched else -math.inf
            return wait
        self._out += len(granted.tickets)
        if self._teller is None:
            self._teller = threading.Thread(
                target=self._keep_telling, name="penstock-budget", daemon=True
            )
            self._teller.start()
        if batched and self._clock.monotonic() - now > self._lease() / 2:
            # The place stood still: by now we may be taken for dead, and others have this leave.
            self._answers += [Answered("unused", ticket, now) for ticket in granted.tickets]
            return _SOON
        self._kept = list(reversed(granted.tickets))
        # Counted from before the place was asked: it cannot have given it earlier.
        self._kept_until = min(now + life, granted.until - self._place.offset()[1])
        return self._handed()

    def _handed(self) -> Ticket:
        self._used += 1
        return self._kept.pop()

    def _round(self) -> float:
        return round_time(self._place.seen())

    def _lease(self) -> float:
        """Seconds without a sign of life: among many each of us gives one more rarely."""
        return max(self._place.lease, 4 * self._round())

    def _holder(self) -> BudgetHolder:
        return BudgetHolder(self._place.process, self._lease(), self.reserve, self.limits)

    def _exchange(self, want: Want) -> Grant:
        """Tell what there is to tell, and ask; the caller has the turn."""
        if self._dropped and self._used <= 1:  # the first, or one that everybody waits for
            self._denied_until = -math.inf
        while self._dropped:
            self._answers.append(self._dropped.popleft())
        answers, self._answers = tuple(self._answers), []
        granted = Grant()

        def decide(shared: Shared, dead: frozenset[str]) -> Shared:
            nonlocal granted
            now = self._clock.monotonic() + self._place.offset()[0]
            told = replace(want, answers=answers, dead=dead)
            shared, granted = step(shared, told, now)
            return shared

        try:
            self._place.change(decide)
        except InputError:
            raise
        except StorageError:
            self._answers = [*answers, *self._answers]
            raise
        self._out -= sum(answer.event != "inform" for answer in answers)
        return granted

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        """Tell the answer to the call that ``ticket`` was for, as :meth:`Budget.settle` does."""
        at = now + self._place.offset()[1]
        self._tell(Answered("settle", ticket, at, hints, status))

    def abandon(self, ticket: Ticket) -> None:
        """Tell that there was no answer; the call may have been counted all the same."""
        # Where the garbage collector closes a generator of calls that nobody holds any more, this
        # thread may have any lock: it waits for none, and the teller tells it.
        self._own()
        dropped = Answered("abandon", ticket, 0.0)
        self._dropped.append(dropped)
        self._signals.put(0.0 if self._is_awaited(dropped) else _SOON)

    def status(self, quota: Quota, now: float, asked: float, date: float | None = None) -> None:
        """Take over what a status call says, as :meth:`Budget.status` does."""
        low, high = self._place.offset()
        ticket = Ticket(0, asked + low, ONE)
        self._tell(Answered("inform", ticket, now + high, quota=quota, date=date))

    def _tell(self, answer: Answered) -> None:
        with self._own():
            self._answers.append(answer)
            self._told(awaited=self._is_awaited(answer))

    def _told(self, *, awaited: bool) -> None:
        """Pass on what was told, at once or soon; the caller has the turn."""
        if self._used <= 1:  # the first, or one that everybody waits for
            self._denied_until = -math.inf
        if awaited:
            self._exchange(Want(self._me, self._holder()))
            return
        if not self._signalled:
            self._signalled = True
            self._signals.put(_SOON)

    def _is_awaited(self, answer: Answered) -> bool:
        """Whether others are to know it at once: it may close the gate, or it finds out."""
        if answer.event == "inform" or answer.status in HELD:
            return True
        slower = answer.hints is not None and bool(answer.hints.backoff)
        return slower or finds_out(self._place.seen().state, answer.ticket.number)

    def _keep_telling(self) -> None:
        """Tell answers soon, and renew the lease while calls are out."""
        failed = False
        while True:
            self._await_signal(failed=failed)
            self._signalled = False
            # Whoever has the turn tells it: to wait for that would cost each of them a wake-up.
            if not self._turn.acquire(blocking=False):
                self._signalled = True
                self._signals.put(_SOON)
                continue
            try:
                if self._closed:
                    return
                if self._answers or self._dropped or self._out:
                    self._exchange(Want(self._me, self._holder()))
                failed = False
            except (StorageError, InputError):
                failed = True  # whoever asks for leave is told
            finally:
                self._turn.release()

    def _await_signal(self, *, failed: bool) -> None:
        """Wait until there is something to tell, a little longer for more, or for the lease."""
        idle, soon = self._lease() / 4, max(_SOON, min(self._round(), _LONGEST_LIFE))
        with suppress(Empty):
            wait = idle if failed else self._signals.get(timeout=idle)
            until = monotonic() + max(wait, soon)
            while wait:
                wait = self._signals.get(timeout=max(0.0, until - monotonic()))

    def unknown(self) -> bool:
        """Whether nothing is known of what is left: the moment for a status call."""
        state = self._read()
        return state.probing and not state.probe

    def available(self) -> int:
        """Return how many calls all processes together may make now, as ``Budget.available``."""
        if self.refresh is not None and (self.unknown() or self._read().told_by_status):
            self.refresh()
        return allowed(self._read(), self._now())

    def renewed_in(self) -> float:
        """Return the seconds until asking again makes sense; 0 where calls may be made now."""
        return wait_for(self._read(), self._now())

    def view(self, now: float) -> BudgetView:
        """Return what is known, for progress and logs."""
        return seen(self._place.seen().state, now + self._place.offset()[0])

    def _now(self) -> float:
        return self._clock.monotonic() + self._place.offset()[0]

    def _read(self) -> State:
        with self._own():
            if self._answers or self._dropped:
                self._exchange(Want(self._me, self._holder()))
            return self._place.read().state

    def close(self) -> None:
        """Give back leave that was not used and let go of the place. Closing twice is allowed."""
        if self._pid != os.getpid():
            return  # the parent's files are the parent's
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._answers += [Answered("unused", ticket, 0.0) for ticket in self._kept]
            self._kept.clear()
            self._signals.put(0.0)
            try:
                self._exchange(Want(self._me, self._holder(), leaves=True))
            finally:
                self._place.close()


def _check_name(name: str) -> None:
    if not name:
        raise InputError('Budget.shared(""): a shared budget has a name')
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"Budget.shared({name!r}): half a character cannot be kept") from error
    if length > _LONGEST_NAME:
        raise InputError(f"Budget.shared: a name has at most {_LONGEST_NAME} bytes, not {length:,}")


def _reopened(name: str, at: str | Path, reserve: float, limits: Sequence[Limit]) -> SharedBudget:
    return SharedBudget(name, at, reserve=reserve, limits=limits)
