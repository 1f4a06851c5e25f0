"""What a server allows, learned from its own words and never overspent.

A :class:`Budget` is the one gate of one key: whoever calls under that key asks it first and tells
it every answer. The rules are in :mod:`rules`; this module keeps their state under a lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast, final

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError
from penstock.registry import load_object
from penstock.resilience import rules
from penstock.resilience.gate import BudgetView, SharedGate
from penstock.resilience.hints import Hints, Quota
from penstock.resilience.limits import GivenLimit, Limit
from penstock.resilience.ticket import Ticket
from penstock.resilience.window import ServerClock

if TYPE_CHECKING:
    from pathlib import Path

# A room above this one keeps what is shared: it is found by its name.
_SHARED = "penstock.cluster:SharedBudget"


@final
class Budget:
    """The gate of one key. Safe to share between threads and between ``Api`` objects.

    Args:
        reserve: Requests of every limit that are never spent (the seed's ``keep_unused``).
        limits: Limits known beforehand, on top of what the server tells.
        clock: Source of time for :meth:`available` and :meth:`renewed_in`.

    >>> from penstock.resilience import Quota, Reset
    >>> from penstock.clock import FakeClock
    >>> budget = Budget(reserve=90, clock=FakeClock())
    >>> ticket = budget.take(now=0.0)
    >>> quota = Quota(name="hourly", limit=100, remaining=99, reset=Reset(3600))
    >>> budget.settle(ticket, now=0.1, hints=Hints((quota,)))
    >>> budget.available()
    9
    """

    def __init__(
        self,
        *,
        reserve: float = 0,
        limits: Sequence[Limit] = (),
        clock: Clock | None = None,
    ) -> None:
        if not reserve >= 0:
            raise InputError(f"Budget(reserve={reserve}): a reserve is 0 or more")
        self.reserve = float(reserve)
        self.limits = tuple(limits)
        self.refresh: Callable[[], object] | None = None
        """Asks the server for its status, where an ``Api`` has a status call."""
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._dropped: deque[Ticket] = deque()
        self._state = rules.State(
            clock=ServerClock(self._clock.time() - self._clock.monotonic()),
            reserve=self.reserve,
            given=tuple(GivenLimit.of(limit, self.reserve) for limit in limits),
        )

    @staticmethod
    def shared(
        name: str,
        *,
        at: str | Path,
        reserve: float = 0,
        limits: Sequence[Limit] = (),
        clock: Clock | None = None,
    ) -> SharedGate:
        """Return the gate of all processes that name it: together they spend one limit.

        Args:
            name: Whoever names it shares it.
            at: A directory of this machine, an address of MongoDB, or ``env:NAME`` of either.
            reserve: Requests of every limit that are never spent; the largest of all holds.
            limits: Limits known beforehand; the smallest of all holds.
            clock: Source of time.

        Raises:
            InputError: The place cannot be used.
            StorageError: Nobody answers there.

        >>> import tempfile
        >>> gate = Budget.shared("github-me", at=tempfile.mkdtemp(), reserve=50)
        >>> ticket = gate.take(now=0.0)
        """
        opened = cast("Callable[..., SharedGate]", load_object(_SHARED))
        return opened(name, at, reserve=reserve, limits=limits, clock=clock)

    def __reduce__(self) -> tuple[Callable[..., Budget], tuple[object, ...]]:
        # In another process time runs differently: it learns for itself.
        return _reopened, (self.reserve, self.limits, self._clock)

    def take(
        self, now: float, cost: Mapping[str, float] | None = None, path: str = ""
    ) -> Ticket | float:
        """Ask for leave to make one call.

        Args:
            now: Monotonic seconds.
            cost: Units by name; one request, unless it says otherwise.
            path: What is called, where the server counts some paths apart from others.

        Returns:
            A ticket; or seconds after which to ask again (infinity: when an answer came).

        Raises:
            InputError: The reserve leaves less than the call costs, however long one waits.
        """
        units = rules.ONE if cost is None else {**rules.ONE, **cost}
        with self._lock:
            self._state, answer = rules.take(self._state, now, units, path)
            self._drop()
        return answer

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        """Tell the answer to the call that ``ticket`` was for.

        Args:
            ticket: What :meth:`take` gave.
            now: Monotonic seconds when the answer was in.
            hints: What the answer says of limits.
            status: Its HTTP status; 420 and 429 mean that the call was refused, 403 and 503
                with ``Retry-After`` that nobody should call before.
        """
        with self._lock:
            self._state, _ = rules.settle(self._state, ticket, now, hints, status)
            self._drop()

    def abandon(self, ticket: Ticket) -> None:
        """Tell that there was no answer; the call may have been counted all the same."""
        # Without waiting for the lock: where the garbage collector closes a generator of calls that
        # nobody holds any more, this thread may have it. Then it is for whoever has the lock next.
        self._dropped.append(ticket)
        self._catch_up()

    def _catch_up(self) -> None:
        if self._dropped and self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _drop(self) -> None:
        while self._dropped:
            self._state, _ = rules.abandon(self._state, self._dropped.popleft())

    def status(self, quota: Quota, now: float, asked: float, date: float | None = None) -> None:
        """Take over what a status call says (the seed's ``get_rate_status``).

        Args:
            quota: What is left.
            now: Monotonic seconds when the answer was in.
            asked: Monotonic seconds when the call went out.
            date: The server's ``Date``, seconds since 1970.
        """
        with self._lock:
            self._state, _ = rules.inform(self._state, quota, now, asked, date)

    def unknown(self) -> bool:
        """Whether nothing is known of what is left: the moment for a status call."""
        return rules.unknown(self._state)

    def available(self) -> int:
        """Return how many calls may be made now without touching the reserve.

        Asks the server's status call first where there is one and nothing is known. Without
        one, 1 stands for the call that finds out; where the server sets no limit, a large number.
        """
        self._catch_up()
        if self.refresh is not None and (self.unknown() or self._state.told_by_status):
            self.refresh()
        return rules.allowed(self._state, self._clock.monotonic())

    def renewed_in(self) -> float:
        """Return the seconds until asking again makes sense; 0 where calls may be made now."""
        self._catch_up()
        return rules.wait_for(self._state, self._clock.monotonic())

    def view(self, now: float) -> BudgetView:
        """Return what is known, for progress and logs."""
        return rules.seen(self._state, now)


def _reopened(reserve: float, limits: Sequence[Limit], clock: Clock) -> Budget:
    return Budget(reserve=reserve, limits=limits, clock=clock)
