"""What a server allows, learned from its own words and never overspent.

A :class:`Budget` is the one gate of one key: whoever calls under that key asks it first and tells
it every answer. The rules are in :mod:`window`, :mod:`pace` and :mod:`hints`; this module
puts them together and knows no socket and no sleep.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError
from penstock.resilience.hints import Hints, Quota
from penstock.resilience.learned import LearnedWindow
from penstock.resilience.limits import GivenLimit, Limit
from penstock.resilience.pace import Pace
from penstock.resilience.retry import QUOTA
from penstock.resilience.ticket import Tally, Ticket
from penstock.resilience.window import Reported, ServerClock, Window

__all__ = ["Budget", "BudgetView"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """What is known at a moment: amounts in requests, times in seconds; None where unknown."""

    limit: float | None
    remaining: float | None
    reset: float | None
    rate: float | None


_FIRST_CALM = 0.25
_LOOK_AGAIN = 0.05
_LONGEST_CALM = 60.0
_ONE: Mapping[str, float] = {"requests": 1.0}


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
        if reserve < 0:
            raise InputError(f"Budget(reserve={reserve}): a reserve is 0 or more")
        self.reserve = float(reserve)
        self.refresh: Callable[[], object] | None = None
        """Asks the server for its status, where an ``Api`` has a status call."""
        self._clock = clock or SystemClock()
        self._server = ServerClock(self._clock.time() - self._clock.monotonic())
        self._lock = threading.Lock()
        self._given = [GivenLimit(limit, self.reserve) for limit in limits]
        self._windows: dict[str, Window] = {}
        self._tallies: dict[str, Tally] = {"requests": Tally()}
        self._requests = self._tallies["requests"]
        self._number = 0
        self._closed = -math.inf
        self._probing = True
        self._probe: Ticket | None = None
        self._renewed = 1  # number of the first ticket of the present window
        self._pace: Pace | None = None
        self._learned: LearnedWindow | None = None
        self._told_by_status = False
        self._calm = 0.0

    def take(self, now: float, cost: Mapping[str, float] | None = None) -> Ticket | float:
        """Ask for leave to make one call.

        Args:
            now: Monotonic seconds.
            cost: Units by name; one request, unless it says otherwise.

        Returns:
            A ticket; or seconds after which to ask again (infinity: when an answer came).

        Raises:
            InputError: The reserve leaves less than the call costs, however long one waits.
        """
        cost = _ONE if cost is None else {**_ONE, **cost}
        with self._lock:
            wait = self._wait(now, cost)
            if wait > 0:
                return wait
            return self._grant(now, cost)

    def _wait(self, now: float, cost: Mapping[str, float]) -> float:
        """Return the seconds until a call of ``cost`` may go out; 0 means now."""
        if now < self._closed:
            return self._closed - now
        for given in self._given:
            if (wait := given.wait(now, cost)) > 0:
                return wait
        for window in self._windows.values():
            if (wait := self._window_wait(window, now, cost)) > 0:
                return wait
        if self._probing and self._probe is not None:
            return math.inf
        if self._learned is None and self._pace is None:
            return 0.0
        return self._wait_unhinted(now)

    def _wait_unhinted(self, now: float) -> float:
        """The same where the server tells little or nothing."""
        if self._learned is not None:
            if (wait := self._learned.wait(now, self._requests)) > 0:
                return wait
            if self._learned.due(now):
                return self._reopen(now)
        if self._pace is not None and not self._probing:
            outstanding = int(self._requests.out)
            return self._pace.wait(now, outstanding)
        return 0.0

    def _reopen(self, now: float) -> float:
        assert self._learned is not None  # noqa: S101 - the caller has looked
        self._learned.reopen(self._requests)
        self._start_probing()
        return self._wait(now, _ONE)

    def _window_wait(self, window: Window, now: float, cost: Mapping[str, float]) -> float:
        if window.remaining is None:
            return 0.0
        if window.unit == "requests":
            amount, tally, reserve = cost["requests"], self._requests, self.reserve
        else:
            amount, tally, reserve = cost.get(window.unit, 0.0), self._tally(window.unit), 0.0
        left = window.left(tally.sent - tally.done)
        if amount == 0.0 or left is None or amount <= left - reserve:
            return 0.0
        if window.limit is not None and amount > window.limit - reserve:
            raise InputError(
                f"the reserve of {reserve:g} leaves nothing of the server's limit of "
                f"{window.limit:g} {window.unit}: lower the reserve below {window.limit:g}"
            )
        opens = window.opens()
        if math.isinf(opens):
            # Exhausted, and the server does not say until when: only an answer can tell more.
            return math.inf if tally.out else self._blind(window, now)
        if opens > now:
            # Where only calls still out stand in the way, their answers may leave something. Those
            # who asked in another thread are told of no answer: they look again soon.
            enough = amount <= (window.left(0.0) or 0.0) - reserve
            return min(opens - now, _LOOK_AGAIN) if enough else opens - now
        window.expire()
        self._start_probing()
        return 0.0

    def _blind(self, window: Window, now: float) -> float:
        window.expire()
        self._start_probing()
        self._closed = now + 1.0
        return 1.0

    def _start_probing(self) -> None:
        """After a renewal one call goes first: a wrong guess costs one refusal, not many."""
        self._probing = True
        self._probe = None
        self._renewed = self._number + 1

    def _grant(self, now: float, cost: Mapping[str, float]) -> Ticket:
        self._number += 1
        ticket = Ticket(self._number, now, cost)
        if cost is _ONE:  # nearly always, and asked for each call
            self._requests.sent += 1.0
        else:
            for unit, amount in cost.items():
                self._tally(unit).sent += amount
        for given in self._given:
            given.granted(now, cost)
        if self._pace is not None:
            self._pace.granted(now)
        if self._probing:
            self._probe = ticket
        return ticket

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        """Tell the answer to the call that ``ticket`` was for.

        Args:
            ticket: What :meth:`take` gave.
            now: Monotonic seconds when the answer was in.
            hints: What the answer says of limits.
            status: Its HTTP status; 420 and 429 mean that the call was refused.
        """
        with self._lock:
            self._return(ticket)
            if hints is not None:
                self._learn(ticket, now, hints)
            if self._windows:
                self._miss(ticket, hints)
            if status in QUOTA:
                self._refused(ticket, now, hints)
            else:
                self._accepted(ticket, now, hints)
            if ticket is self._probe or (self._probing and ticket.number >= self._renewed):
                self._probe = None
                self._probing = False

    def abandon(self, ticket: Ticket) -> None:
        """Tell that there was no answer; the call may have been counted all the same."""
        with self._lock:
            self._return(ticket)
            self._miss(ticket, None)
            if ticket is self._probe:
                self._probe = None

    def _return(self, ticket: Ticket) -> None:
        if ticket.cost is _ONE:
            self._requests.done += 1.0
            return
        for unit, amount in ticket.cost.items():
            self._tallies[unit].done += amount

    def _learn(self, ticket: Ticket, now: float, hints: Hints) -> None:
        if hints.date is not None:
            self._server.saw(hints.date, ticket.sent, now)
        if hints.backoff:
            self._closed = max(self._closed, now + hints.backoff)
        if hints.quotas:
            self._told_by_status = False
        # A call sent before the last renewal tells of a window that is gone.
        if ticket.number >= self._renewed:
            for quota in hints.quotas:
                self._report(quota, ticket, now)

    def _report(self, quota: Quota, ticket: Ticket, now: float) -> None:
        window = self._windows.get(quota.name)
        if window is None:
            window = self._windows[quota.name] = Window(quota.name, quota.unit)
            self._tally(quota.unit)
        window.report(
            quota,
            Reported(
                number=ticket.number,
                latest=self._number,
                cost=ticket.cost.get(quota.unit, 0.0),
                first=ticket.number == self._renewed,
                sent=ticket.sent,
                received=now,
            ),
        )
        if quota.reset is not None:
            window.renews(*self._server.interval(quota.reset, ticket.sent, now))

    def _miss(self, ticket: Ticket, hints: Hints | None) -> None:
        """Note for each limit of which the answer, if there was one, said nothing."""
        told: set[str] = set()
        if hints is not None and ticket.number >= self._renewed:
            told = {quota.name for quota in hints.quotas if quota.remaining is not None}
        for window in self._windows.values():
            if window.name not in told:
                window.unreported(ticket.cost.get(window.unit, 0.0), self._number)

    def _tally(self, unit: str) -> Tally:
        tally = self._tallies.get(unit)
        if tally is None:
            tally = self._tallies[unit] = Tally()
        return tally

    def _accepted(self, ticket: Ticket, now: float, hints: Hints | None) -> None:
        if self._learned is not None:
            self._learned.accepted(ticket, now)
        elif not self._windows and (hints is None or not hints.quotas):
            if self._pace is None:
                self._pace = Pace()
            self._learned = LearnedWindow(self.reserve)
            self._learned.accepted(ticket, now)
        if self._pace is not None:
            self._pace.accepted(now, ticket.sent)
        if ticket.sent >= self._closed:
            self._calm = 0.0

    def _refused(self, ticket: Ticket, now: float, hints: Hints | None) -> None:
        retry_after = None if hints is None else hints.retry_after
        if retry_after is None:
            self._refused_without_time(ticket, now, hints)
            return
        low, high = self._server.interval(retry_after, ticket.sent, now)
        if self._window_says(low, high):
            return
        if self._learned is None or self._windows or ticket.number < self._renewed:
            self._closed = max(self._closed, high)
            return
        self._learned.refused(low, high)

    def _refused_without_time(self, ticket: Ticket, now: float, hints: Hints | None) -> None:
        if hints is None or not hints.quotas:
            self._pace = self._pace or Pace()
            self._pace.refused(now, ticket.sent)
        elif all(quota.remaining for quota in hints.quotas) and now >= self._closed:
            # Refused with quota left: a limit we cannot see, or a server out of breath.
            self._calm = min(_LONGEST_CALM, max(_FIRST_CALM, 2.0 * self._calm))
            self._closed = now + self._calm

    def _window_says(self, low: float, high: float) -> bool:
        """Whether a window known to be empty explains the refusal, and more exactly."""
        return any(
            window.remaining == 0 and low - 1.0 <= window.opens() <= high
            for window in self._windows.values()
        )

    def status(self, quota: Quota, now: float, asked: float, date: float | None = None) -> None:
        """Take over what a status call says (the seed's ``get_rate_status``).

        Args:
            quota: What is left.
            now: Monotonic seconds when the answer was in.
            asked: Monotonic seconds when the call went out.
            date: The server's ``Date``, seconds since 1970.
        """
        with self._lock:
            if date is not None:
                self._server.saw(date, asked, now)
            window = self._windows.setdefault(quota.name, Window(quota.name, quota.unit))
            number = self._number + 1
            window.report(quota, Reported(number, self._number, 0.0, True, asked, now))  # noqa: FBT003 - a row of facts
            if quota.reset is not None:
                window.renews(*self._server.interval(quota.reset, asked, now))
            self._probing = False
            self._told_by_status = True

    def unknown(self) -> bool:
        """Whether nothing is known of what is left: the moment for a status call."""
        return self._probing and self._probe is None

    def available(self) -> int:
        """Return how many calls may be made now without touching the reserve.

        Asks the server's status call first where there is one and nothing is known. Without
        one, 1 stands for the call that finds out; where the server sets no limit, a large number.
        """
        if self.refresh is not None and (self.unknown() or self._told_by_status):
            self.refresh()
        now = self._clock.monotonic()
        with self._lock:
            if self._wait(now, _ONE) > 0:
                return 0
            if self._probing:
                return 1
            left = [g.left(now) for g in self._given]
            left += [self._left(w) for w in self._windows.values()]
            if self._learned is not None:
                left.append(self._learned.left(self._requests))
            return int(max(0.0, min(left, default=2.0**31)))

    def _left(self, window: Window) -> float:
        left = window.left(self._requests.out)
        if left is None or window.unit != "requests":
            return math.inf if window.unit != "requests" else 1.0
        return left - self.reserve

    def renewed_in(self) -> float:
        """Return the seconds until asking again makes sense; 0 where calls may be made now."""
        now = self._clock.monotonic()
        with self._lock:
            wait = self._wait(now, _ONE)
        return 0.05 if math.isinf(wait) else wait

    def view(self, now: float) -> BudgetView:
        """Return what is known, for progress and logs."""
        with self._lock:
            window = min(
                (w for w in self._windows.values() if w.unit == "requests"),
                key=lambda w: math.inf if w.remaining is None else w.remaining,
                default=None,
            )
            rate = None if self._pace is None else self._pace.rate
            if window is None:
                closed = max(self._closed, self._learned.opens if self._learned else -math.inf)
                reset = closed - now if closed > now else None
                limit = None if self._learned is None else self._learned.limit
                return BudgetView(limit=limit, remaining=None, reset=reset, rate=rate)
            opens = window.opens()
            left = window.left(self._requests.out)
            remaining = None if left is None else max(0.0, left)
            reset = None if math.isinf(opens) else max(0.0, opens - now)
            return BudgetView(limit=window.limit, remaining=remaining, reset=reset, rate=rate)
