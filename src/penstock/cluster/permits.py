"""The rules of a shared budget: what one process may do, and what of it has died.

The state of the budget itself is that of :mod:`penstock.resilience`; around it stands who holds
leave for which calls, so that leave does not outlive its holder. :func:`step` is pure; a place
(SQLite, MongoDB) replaces one :class:`Shared` by the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, final

import msgspec
from msgspec.structs import replace

from penstock.errors import InputError
from penstock.resilience import (
    ONE,
    Hints,
    Limit,
    Quota,
    ServerClock,
    State,
    Ticket,
    allowed,
    held,
    keeps,
)
from penstock.resilience import step as resilience_step

__all__ = [
    "Answered",
    "BudgetHolder",
    "Grant",
    "Granted",
    "Holder",
    "Shared",
    "Want",
    "begin",
    "finds_out",
    "next_count",
    "round_time",
    "step",
]

_LOOK_AGAIN = 0.05
_MOST = 1000  # calls that leave is asked for at once
_QUESTIONS = 100.0  # a second, from one holder after the other, that any place answers easily


@final
class BudgetHolder(msgspec.Struct, frozen=True):
    """One process that shares the budget.

    Attributes:
        process: Its name, as the machine knows it; ``""`` where nobody could look it up.
        until: When it is taken for dead, by the place's clock.
        reserve: What it wants kept.
        limits: Limits that it knows.
        out: Its leave for calls that have no answer yet, by number.
    """

    process: str
    until: float
    reserve: float = 0.0
    limits: tuple[Limit, ...] = ()
    out: dict[int, Ticket] = {}


@final
class Shared(msgspec.Struct, frozen=True):
    """A shared budget. Times are those of the place's clock.

    Attributes:
        state: What is known of the server's limits.
        holders: Who shares it.
        latest: The latest moment that anybody asked at.
        boot: Which start of the machine the clock counts from; ``""`` where it counts from 1970.
    """

    state: State
    holders: dict[str, BudgetHolder] = {}
    latest: float = -math.inf
    boot: str = ""


@final
class Answered(msgspec.Struct, frozen=True):
    """What became of one call.

    Attributes:
        event: ``settle``, ``abandon``, ``unused``; or ``inform`` for a status call.
        ticket: The leave for it.
        at: When the answer was in.
        hints: What it says of limits.
        status: Its HTTP status.
        quota: What a status call says.
        date: The server's clock at a status call.
    """

    event: Literal["settle", "abandon", "unused", "inform"]
    ticket: Ticket
    at: float
    hints: Hints | None = None
    status: int = 200
    quota: Quota | None = None
    date: float | None = None


@final
class Want(msgspec.Struct, frozen=True):
    """What a process asks for, and what it has to tell.

    Attributes:
        me: The holder's name.
        holder: The holder itself; ``until`` is the time it gives itself.
        count: Calls it wants leave for; 0 only tells.
        cost: Units a call costs.
        path: What is called.
        life: Seconds that leave is kept before a call.
        answers: What became of earlier calls.
        dead: Processes that are known to have ended.
        leaves: Whether it shares the budget no longer.
    """

    me: str
    holder: BudgetHolder
    count: int = 0
    cost: Mapping[str, float] = msgspec.field(default_factory=lambda: ONE)
    path: str = ""
    life: float = 0.0
    answers: tuple[Answered, ...] = ()
    dead: frozenset[str] = frozenset()
    leaves: bool = False


@final
class Grant(msgspec.Struct, frozen=True):
    """What a process got.

    Attributes:
        tickets: Leave for calls.
        until: Until when the leave may be kept before a call, by the place's clock.
        wait: Seconds after which to ask again, where there is no leave.
    """

    tickets: tuple[Ticket, ...] = ()
    until: float = -math.inf
    wait: float = 0.0


def begin(wall: float, boot: str = "") -> Shared:
    """Return a budget of which nothing is known; ``wall`` is 1970's time at the clock's zero."""
    return Shared(State(clock=ServerClock(ours=wall)), boot=boot)


def step(shared: Shared, want: Want, now: float) -> tuple[Shared, Grant]:
    """Return what becomes of the budget when a process asks at ``now``, and what it gets.

    Args:
        shared: As it was.
        want: What it asks for, and tells.
        now: The earliest that the moment can be, by the place's clock.

    Raises:
        InputError: The reserve leaves less than a call costs, however long one waits.
    """
    now = max(now, shared.latest)
    shared = _joined(_buried(shared, want, now), want, now)
    shared = _told(shared, want)
    if want.leaves:
        return _without(shared, [want.me]), Grant()
    return _granted(shared, want, now)


def _buried(shared: Shared, want: Want, now: float) -> Shared:
    """Whoever has ended made his calls, as far as anybody knows; he makes no more."""
    gone = [
        name
        for name, holder in shared.holders.items()
        if name != want.me and (holder.until < now or holder.process in want.dead)
    ]
    return _without(shared, gone) if gone else shared


def _without(shared: Shared, gone: list[str]) -> Shared:
    state = shared.state
    for name in gone:
        for ticket in shared.holders[name].out.values():
            state, _ = resilience_step(state, "abandon", ticket)
    holders = {name: one for name, one in shared.holders.items() if name not in gone}
    return replace(shared, state=state, holders=holders)


def _joined(shared: Shared, want: Want, now: float) -> Shared:
    me, before = want.holder, shared.holders.get(want.me)
    until = now + me.until
    if before is not None:
        # A lease is renewed by what happens, and not written for itself at every look.
        if before.until - now > me.until * 2 / 3:
            return shared
        return replace(shared, holders={**shared.holders, want.me: replace(before, until=until)})
    holders = {**shared.holders, want.me: replace(me, until=until)}
    least: dict[tuple[str, float], Limit] = {}
    for limit in (limit for one in holders.values() for limit in one.limits):
        known = least.setdefault((limit.unit, limit.per), limit)
        if limit.count < known.count:
            least[limit.unit, limit.per] = limit
    reserve = max(one.reserve for one in holders.values())
    state = keeps(shared.state, reserve, tuple(least.values()), now)
    return replace(shared, state=state, holders=holders)


def _told(shared: Shared, want: Want) -> Shared:
    if not want.answers:
        return shared
    state, me = shared.state, shared.holders[want.me]
    out = dict(me.out)
    for told in want.answers:
        if told.event == "inform":
            sent = told.ticket.sent
            state, _ = resilience_step(state, "inform", told.quota, told.at, sent, told.date)
        elif out.pop(told.ticket.number, None) is None:
            continue  # we were taken for dead, and this call for one without an answer
        elif told.event == "settle":
            state, _ = resilience_step(
                state, "settle", told.ticket, told.at, told.hints, told.status
            )
        else:
            state, _ = resilience_step(state, told.event, told.ticket)
    holders = {**shared.holders, want.me: replace(me, out=out)}
    return replace(shared, state=state, holders=holders)


def _granted(shared: Shared, want: Want, now: float) -> tuple[Shared, Grant]:
    if not want.count:
        return shared, Grant()
    state, wait = shared.state, 0.0
    tickets: list[Ticket] = []
    count = _fair(shared, want, now)
    while len(tickets) < count:
        try:
            state, answer = resilience_step(state, "take", now, want.cost, want.path)
        except InputError:
            if tickets:
                break
            raise
        if not isinstance(answer, Ticket):
            wait = float(answer or 0.0)
            break
        tickets.append(answer)
    if not tickets:
        # Answers to other processes wake nobody here: look again.
        wait = _LOOK_AGAIN if math.isinf(wait) else wait
        return replace(shared, state=state), Grant(wait=wait)
    until = -math.inf
    if want.life:
        state, until = held(state, now + want.life)
    me = shared.holders[want.me]
    out = {**me.out, **{ticket.number: ticket for ticket in tickets}}
    holders = {**shared.holders, want.me: replace(me, out=out)}
    return replace(shared, state=state, holders=holders, latest=now), Grant(tuple(tickets), until)


def _fair(shared: Shared, want: Want, now: float) -> int:
    """Return how many calls to give leave for: nobody takes the last from all others."""
    if want.count == 1 or want.cost != ONE or shared.state.routes:
        return 1
    if held(shared.state, now + want.life)[1] <= now:
        return 1
    left = allowed(shared.state, now)
    # Of many, each would ask for its next call before the last of them has had its first.
    share = max(left // (2 * len(shared.holders)), min(left, _most_rate(shared.state) / _QUESTIONS))
    return int(max(1, min(want.count, share)))


def _most_rate(state: State) -> float:
    """Return the calls a second that the limits allow, as far as they are known; 0: not at all."""
    rates = [given.count / given.per for given in state.given if given.unit == "requests"]
    rates += [w.limit / w.length for w in state.windows if w.limit and w.length]
    return min(rates, default=0.0)


def round_time(shared: Shared) -> float:
    """Return the seconds in which each holder can ask once, with time left to tell answers.

    >>> round_time(begin(0.0))
    0.0
    """
    return len(shared.holders) / _QUESTIONS


def next_count(used: int, *, all_used: bool) -> int:
    """Return for how many calls to ask leave, after so many of the last were made.

    >>> next_count(0, all_used=True), next_count(20, all_used=True), next_count(20, all_used=False)
    (1, 80, 40)
    """
    return min(_MOST, max(1, (4 if all_used else 2) * used))


def finds_out(state: State, number: int) -> bool:
    """Whether the answer to this call says what nobody knows yet, so that others wait for it."""
    return (state.probing and number >= state.renewed) or any(
        window.remaining is None and 1 < window.renewed <= number for window in state.windows
    )


Granted = Grant  # its name in earlier versions
Holder = BudgetHolder  # its name in earlier versions
