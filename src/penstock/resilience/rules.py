"""The rules of a budget: a frozen state, and what becomes of it with every event.

:data:`STEPS` names the events. Each step is pure: it takes the state and the time and returns the
next state, so a gate may keep the state in memory under a lock or anywhere else that can replace
one value by another. A state is plain numbers, texts and tuples.

>>> from penstock.resilience import Reset
>>> state = State(clock=ServerClock(ours=0.0), reserve=90.0)
>>> state, ticket = step(state, "take", 0.0)
>>> quota = Quota(name="hourly", limit=100, remaining=99, reset=Reset(3600))
>>> state, _ = step(state, "settle", ticket, 0.1, Hints((quota,)), 200)
>>> allowed(state, 0.1)
9
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, final

import msgspec
from msgspec.structs import replace

from penstock.errors import InputError
from penstock.resilience.gate import BudgetView
from penstock.resilience.hints import Hints, Quota, believable
from penstock.resilience.learned import LearnedWindow
from penstock.resilience.limits import GivenLimit, Limit
from penstock.resilience.pace import Pace
from penstock.resilience.retry import QUOTA
from penstock.resilience.routes import learn_route, resource_of
from penstock.resilience.ticket import Ticket
from penstock.resilience.window import Reported, ServerClock, Window

ONE: Final[Mapping[str, float]] = {"requests": 1.0}
"""What a call costs unless it says otherwise."""

_REQUESTS_OF = "requests of "
_FIRST_CALM = 0.25
_LOOK_AGAIN = 0.05
_LONGEST_CALM = 60.0
_MOST_WINDOWS = 64  # a server that names a new limit with each answer must not fill the memory
_MOST_ALLOWED = 2**31
HELD: Final = QUOTA | {403, 503}
"""Statuses that may hold everybody back: these two where ``Retry-After`` is with them."""


@final
class State(msgspec.Struct, frozen=True):
    """All that is known of one key's limits. Times are monotonic seconds.

    Attributes:
        clock: The server's clock.
        reserve: Requests of every limit that are never spent.
        given: Limits known beforehand.
        number: Calls allowed so far.
        sent: Requests they cost.
        done: Those of them that have ended.
        accepted: Answers that were not refusals.
        out: Units on their way, of everything but requests; requests by resource, where named.
        closed: Until when nothing goes out.
        calm: Seconds of the last pause that the server gave no time for.
        probing: Whether one call goes first to find out.
        probe: Its number; 0 for none.
        renewed: The number of the first call after the last renewal.
        windows: Limits that the server reports.
        unsure: Whether one of them was renewed and no answer has told yet what is left.
        routes: Which resource the server counts a path in, as learned.
        pace: The rate, where the server tells nothing.
        learned: The window, where the server tells only ``Retry-After``.
        told_by_status: Whether what is known comes from a status call.
    """

    clock: ServerClock
    reserve: float = 0.0
    given: tuple[GivenLimit, ...] = ()
    number: int = 0
    sent: float = 0.0
    done: float = 0.0
    accepted: float = 0.0
    out: dict[str, float] = {}
    closed: float = -math.inf
    calm: float = 0.0
    probing: bool = True
    probe: int = 0
    renewed: int = 1
    windows: tuple[Window, ...] = ()
    unsure: bool = False
    routes: dict[str, str] = {}
    pace: Pace | None = None
    learned: LearnedWindow | None = None
    told_by_status: bool = False


StepName: TypeAlias = Literal["take", "settle", "abandon", "unused", "inform"]


def take(
    state: State, now: float, cost: Mapping[str, float] = ONE, path: str = ""
) -> tuple[State, Ticket | float]:
    """Give leave for a call; or say after how many seconds to ask again.

    Raises:
        InputError: The reserve leaves less than the call costs, however long one waits.
    """
    resource = ""
    if state.routes and path:
        known = resource_of(state.routes, path)
        if known is None and _out_unnamed(state):
            return state, _LOOK_AGAIN  # one call of its kind first: its answer names the resource
        resource = known or ""
    state, wait = _wait(state, now, cost, resource)
    if wait > 0:
        return state, wait
    number = state.number + 1
    ticket = Ticket(number, now, cost, path, resource)
    if cost is ONE and not (resource or state.given or state.probing or state.unsure):
        if state.pace is not None and state.pace.rate is not None:
            return _granted(state, ticket), ticket
        return replace(state, number=number, sent=state.sent + 1.0), ticket
    return _granted(state, ticket), ticket


def _granted(state: State, ticket: Ticket) -> State:
    cost, now, number = ticket.cost, ticket.sent, ticket.number
    windows = state.windows
    if state.unsure:
        windows = tuple(
            replace(window, probe=number)
            if _unsure(window) and window.resource in ("", ticket.resource)
            else window
            for window in windows
        )
    return replace(
        state,
        number=number,
        sent=state.sent + cost["requests"],
        out=_counted(state.out, ticket, 1.0),
        given=tuple(given.granted(now, cost) for given in state.given),
        pace=state.pace and state.pace.granted(now),
        probe=number if state.probing else state.probe,
        windows=windows,
    )


def _counted(out: dict[str, float], ticket: Ticket, sign: float) -> dict[str, float]:
    """Return ``out`` with the units of ``ticket`` that are not simply requests."""
    if ticket.cost is ONE and not ticket.resource:
        return out
    out = dict(out)
    for unit, amount in ticket.cost.items():
        name = unit if unit != "requests" else _requests_of(ticket.resource)
        if name != "requests":
            out[name] = max(0.0, out.get(name, 0.0) + sign * amount)
    return out


def _requests_of(resource: str) -> str:
    return f"{_REQUESTS_OF}{resource}" if resource else "requests"


def _unsure(window: Window) -> bool:
    """Whether it was renewed, and one call is to find out what is left."""
    return window.remaining is None and window.renewed > 1


def _wait(
    state: State, now: float, cost: Mapping[str, float], resource: str
) -> tuple[State, float]:
    """Return the seconds until a call may go out, 0 for now; renewals that are due take place."""
    if now < state.closed:
        return state, state.closed - now
    for given in state.given:
        if (wait := given.wait(now, cost)) > 0:
            return state, wait
    if state.windows:
        state, wait = _windows_wait(state, now, cost, resource)
        if wait > 0:
            return state, wait
    if state.probing and state.probe:
        return state, math.inf
    if state.learned is None and state.pace is None:
        return state, 0.0
    return _unhinted_wait(state, now, cost)


def _windows_wait(
    state: State, now: float, cost: Mapping[str, float], resource: str
) -> tuple[State, float]:
    """The same by what the server says is left of each limit that may count the call."""
    perhaps: list[float] = []
    for window in state.windows:
        if window.resource and resource and window.resource != resource:
            continue
        state, wait = _window_wait(state, window, now, cost)
        if window.resource and not resource:
            perhaps.append(wait)
        elif wait > 0:
            return state, wait
    if not perhaps:
        return state, 0.0
    # Nobody knows yet in which of the server's resources it counts. A reserve is kept in all of
    # them; else one that has room will do, and where none has, a single call finds out.
    wait = max(perhaps) if state.reserve else min(perhaps)
    if wait > 0 and not state.reserve:
        wait = _LOOK_AGAIN if _out_unnamed(state) else 0.0
    return state, wait


def _unhinted_wait(state: State, now: float, cost: Mapping[str, float]) -> tuple[State, float]:
    """The same where the server tells little or nothing."""
    learned = state.learned
    if learned is not None:
        wait = learned.wait(now, state.sent)
        if math.isinf(wait) and state.done >= state.sent:
            state = _probing(replace(state, learned=learned.begun_by_another(state.sent)))
            return _wait(state, now, cost, "")
        if wait > 0:
            return state, wait
        if learned.due(now):
            learned = learned.reopened(state.sent, state.accepted)
            return _wait(_probing(replace(state, learned=learned)), now, cost, "")
    if state.pace is not None and not state.probing:
        return state, state.pace.wait(now, int(state.sent - state.done), state.accepted)
    return state, 0.0


def _probing(state: State) -> State:
    """After a renewal one call goes first: a wrong guess costs one refusal, not many."""
    return replace(state, probing=True, probe=0, renewed=state.number + 1)


def _window_wait(
    state: State, window: Window, now: float, cost: Mapping[str, float]
) -> tuple[State, float]:
    amount = cost.get(window.unit, 0.0)
    reserve = state.reserve if window.unit == "requests" else 0.0
    if window.remaining is None:
        return _unsure_wait(state, window, now, amount + reserve)
    if amount == 0.0 or amount <= window.remaining - window.blind - _out(state, window) - reserve:
        return state, 0.0
    if window.limit is not None and amount > window.limit - reserve:
        raise InputError(
            f"the reserve of {reserve:g} leaves nothing of the server's limit of "
            f"{window.limit:g} {window.unit}: lower the reserve below {window.limit:g}"
        )
    return _exhausted_wait(state, window, now, amount + reserve)


def _exhausted_wait(state: State, window: Window, now: float, needed: float) -> tuple[State, float]:
    opens = window.opens()
    if math.isinf(opens):
        # Exhausted, and the server does not say until when: only an answer can tell more.
        if _out(state, window):
            return state, math.inf
        return replace(_renewed(state, window), closed=now + 1.0), 1.0
    if opens <= now:
        return _renewed(state, window), 0.0
    # Where only calls still out stand in the way, their answers may leave something. Those
    # who asked in another thread are given no answer: they look again soon.
    enough = needed <= (window.left(0.0) or 0.0)
    return state, min(opens - now, _LOOK_AGAIN) if enough else opens - now


def _unsure_wait(state: State, window: Window, now: float, needed: float) -> tuple[State, float]:
    """The same where nothing is known of what is left: after a renewal one call finds out."""
    if window.probe:
        return state, math.inf
    if window.resource and _unsure(window) and _out_unnamed(state):
        return state, _LOOK_AGAIN  # one of those may be the first of this window
    length, lost = window.length, window.blind
    if not lost or length is None or window.limit is None or lost + needed <= window.limit:
        return state, 0.0
    # Those that went first got no answer, and may have spent all there is: not before the next.
    opens = now + length
    return _with(state, replace(window, remaining=0.0, low=opens, high=opens)), length


def _out(state: State, window: Window) -> float:
    """Units on their way that ``window`` may count."""
    if window.unit != "requests":
        return state.out.get(window.unit, 0.0)
    if not window.resource or not state.out:
        return state.sent - state.done
    return _out_unnamed(state) + state.out.get(_requests_of(window.resource), 0.0)


def _out_unnamed(state: State) -> float:
    """Requests on their way of which nobody knows in which resource they count."""
    named = (amount for name, amount in state.out.items() if name.startswith(_REQUESTS_OF))
    return state.sent - state.done - sum(named)


def _renewed(state: State, window: Window) -> State:
    return replace(_with(state, window.expired(state.number + 1)), unsure=True)


def _with(state: State, window: Window) -> State:
    """Return ``state`` with ``window`` in the place of the one of its name, the latest last."""
    windows = tuple(w for w in state.windows if w.name != window.name)
    return replace(state, windows=(*windows[-_MOST_WINDOWS + 1 :], window))


def settle(
    state: State, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
) -> tuple[State, None]:
    """Take the answer to a call into account."""
    if hints is not None and not state.reserve and any(q.limit == 0 for q in hints.quotas):
        # Servers write a limit of 0 where there is none.
        hints = replace(hints, quotas=tuple(q for q in hints.quotas if q.limit != 0))
    accepted = status not in QUOTA
    total = state.accepted + accepted
    learned, pace, calm = state.learned, state.pace, state.calm
    if accepted:
        if learned is None and not state.windows and (hints is None or not hints.quotas):
            pace = pace or Pace()
            learned = LearnedWindow(state.reserve)
        if learned is not None and learned.start is None:
            learned = learned.began(ticket.sent, now)
        learned = learned and learned.counted(total, now)
        pace = pace and pace.accepted(now, ticket.sent, total)
        if ticket.sent >= state.closed:
            calm = 0.0
    over = ticket.number == state.probe or (state.probing and ticket.number >= state.renewed)
    state = replace(
        state,
        given=state.given and tuple(given.answered(ticket.sent, now) for given in state.given),
        done=state.done + ticket.cost["requests"],
        out=_counted(state.out, ticket, -1.0),
        accepted=total,
        learned=learned,
        pace=pace,
        calm=calm,
        probing=state.probing and not over,
        probe=0 if over else state.probe,
    )
    if hints is not None:
        state = _learn(state, ticket, now, hints)
    elif state.windows:
        state = _reported(state, ticket, now, ())
    if status in HELD and (not accepted or (hints is not None and hints.retry_after)):
        state = _refused(state, ticket, now, hints, status)
    return state, None


def abandon(state: State, ticket: Ticket) -> tuple[State, None]:
    """Take into account that there was no answer; the call may have been counted all the same."""
    return _reported(_ended(state, ticket), ticket, 0.0, ()), None


def unused(state: State, ticket: Ticket) -> tuple[State, None]:
    """Take into account that the call was never sent."""
    given = tuple(limit.unused(ticket.sent, ticket.cost) for limit in state.given)
    return replace(_ended(state, ticket), given=given), None


def _ended(state: State, ticket: Ticket) -> State:
    windows = tuple(
        replace(window, probe=0) if window.probe == ticket.number else window
        for window in state.windows
    )
    return replace(
        state,
        done=state.done + ticket.cost["requests"],
        out=_counted(state.out, ticket, -1.0),
        probe=0 if ticket.number == state.probe else state.probe,
        windows=windows,
    )


def inform(
    state: State, quota: Quota, now: float, asked: float, date: float | None = None
) -> tuple[State, None]:
    """Take over what a status call says that went out at ``asked``."""
    clock = state.clock if date is None else state.clock.saw(date, asked, now)
    found = [window for window in state.windows if window.name == quota.name]
    window = found[0] if found else Window(quota.name, quota.unit)
    number = state.number + 1
    window = replace(window, renewed=number)
    window = window.report(quota, Reported(number, state.number, 0.0, asked, now))
    if quota.reset is not None:
        window = window.renews(*clock.interval(quota.reset, asked, now))
    state = replace(state, clock=clock, probing=False, told_by_status=True)
    return _with(state, window), None


def _learn(state: State, ticket: Ticket, now: float, hints: Hints) -> State:
    clock, closed = state.clock, state.closed
    if hints.date is not None:
        clock = clock.saw(hints.date, ticket.sent, now)
    if hints.backoff:
        closed = max(closed, now + believable(hints.backoff))
    told = state.told_by_status and not hints.quotas
    quotas: Sequence[Quota] = hints.quotas
    if any(quota.remaining is None and quota.window for quota in quotas):
        state, quotas = _rates(state, quotas)
    routes = state.routes
    if ticket.path and hints.quotas and (named := hints.quotas[0].resource):
        routes = learn_route(routes, ticket.path, named)
    if not (clock is state.clock and routes is state.routes and closed == state.closed):
        state = replace(state, clock=clock, closed=closed, routes=routes)
    if told is not state.told_by_status:
        state = replace(state, told_by_status=told)
    return _reported(state, ticket, now, quotas)


def _rates(state: State, quotas: Sequence[Quota]) -> tuple[State, Sequence[Quota]]:
    """Count for ourselves where a server tells a rate, or what is used, but not what is left."""
    given = {(limit.unit, limit.per): limit for limit in state.given}
    known, fresh = [], []
    for quota in quotas:
        limit = given.get((quota.unit, quota.window or 0.0))
        if quota.remaining is not None or limit is None or quota.used is None:
            known.append(quota)
        else:
            left = max(0.0, limit.count - quota.used)
            known.append(replace(quota, remaining=left, limit=limit.count))
        if quota.remaining is None and quota.limit and quota.window and limit is None:
            count = max(1.0, quota.limit - state.reserve)
            fresh.append(GivenLimit(count, quota.window, quota.unit))
    return (replace(state, given=(*state.given, *fresh)) if fresh else state), known


def _reported(state: State, ticket: Ticket, now: float, quotas: Sequence[Quota]) -> State:
    """Take over what an answer says of each limit, and note those of which it says nothing."""
    told = {quota.name: quota for quota in quotas}
    resource = (quotas[0].resource if quotas else "") or ticket.resource
    windows = tuple(
        _heard(state, window, told.pop(window.name, None), ticket, now, resource)
        for window in state.windows
    )
    if told:
        fresh = (Window(quota.name, quota.unit, quota.resource) for quota in told.values())
        heard = (_heard(state, w, told[w.name], ticket, now, resource) for w in fresh)
        windows = (*windows, *heard)[-_MOST_WINDOWS:]
    unsure = state.unsure and any(_unsure(window) for window in windows)
    return replace(state, windows=windows, unsure=unsure)


def _heard(
    state: State, window: Window, quota: Quota | None, ticket: Ticket, now: float, resource: str
) -> Window:
    """Return ``window`` after an answer that says ``quota`` of it, or nothing."""
    if quota is not None and ticket.number >= window.renewed:
        cost = ticket.cost.get(quota.unit, 0.0)
        call = Reported(ticket.number, state.number, cost, ticket.sent, now)
        window = window.report(quota, call)
        if quota.reset is not None:
            fresh = window.limit is not None and quota.remaining == window.limit - cost
            began = (ticket.sent, now) if fresh else None
            window = window.renews(*state.clock.interval(quota.reset, ticket.sent, now), began)
        if quota.remaining is not None:
            return window
    if window.resource and resource and window.resource != resource:
        return window
    window = window.unreported(ticket.cost.get(window.unit, 0.0), state.number)
    # A call that should have found out, and did not: the server tells of this limit no more.
    return replace(window, probe=0, renewed=1) if window.probe == ticket.number else window


def _refused(state: State, ticket: Ticket, now: float, hints: Hints | None, status: int) -> State:
    if hints is None or hints.retry_after is None:
        return _refused_without_time(state, ticket, now, hints)
    low, high = state.clock.interval(hints.retry_after, ticket.sent, now)
    if high <= now:
        return _calmed(state, now)  # a time that is over, perhaps by a clock that is wrong
    if any(w.remaining == 0 and low - 1.0 <= w.opens() <= high for w in state.windows):
        return state  # a window known to be empty explains it, and more exactly
    spent = {quota.name for quota in hints.quotas if quota.resource and quota.remaining == 0}
    if spent:  # the server names what is used up: nothing else waits for it
        windows = (
            replace(w, low=low, high=high, start=None) if w.name in spent else w
            for w in state.windows
        )
        return replace(state, windows=tuple(windows))
    learned = state.learned
    if learned and status in QUOTA and not state.windows and ticket.number >= state.renewed:
        return replace(state, learned=learned.refused(low, high))
    return state if high <= state.closed else _probing(replace(state, closed=high))


def _refused_without_time(state: State, ticket: Ticket, now: float, hints: Hints | None) -> State:
    if hints is None or not hints.quotas:
        pace = (state.pace or Pace()).refused(now, ticket.sent, state.accepted)
        return replace(state, pace=pace)
    spent = (w.opens() for w in state.windows if w.remaining == 0)
    if all(quota.remaining for quota in hints.quotas) or all(-math.inf < at <= now for at in spent):
        return _calmed(state, now)
    return state


def _calmed(state: State, now: float) -> State:
    """Refused with quota left: a limit we cannot see, or a server out of breath."""
    if now < state.closed:
        return state
    calm = min(_LONGEST_CALM, max(_FIRST_CALM, 2.0 * state.calm))
    return replace(state, calm=calm, closed=now + calm)


# Leave that is given ahead of the call


def held(state: State, until: float) -> tuple[State, float]:
    """Return until when leave may be kept, at most ``until``, before the call is sent.

    What counts calls on our side then takes the latest for sent as late as that.
    """
    learned = state.learned
    if state.pace is not None and (state.pace.rate is not None or state.pace.searching):
        return state, -math.inf
    if learned is not None and learned.limit is not None:
        until = min(until, learned.opens)
    given = tuple(limit.lasting(until) for limit in state.given)
    return replace(state, given=given), until


def keeps(state: State, reserve: float, limits: Sequence[Limit], now: float) -> State:
    """Return ``state`` with this reserve and these limits. What was spent of them stays spent.

    Raises:
        InputError: The reserve leaves nothing of a limit.
    """
    fresh = [GivenLimit.of(limit, reserve) for limit in limits]
    known = {(given.unit, given.per): given for given in state.given}
    given = [
        replace(known.pop((one.unit, one.per), one), count=one.count) for one in fresh
    ]  # one that nobody names any more holds until its calls have left the window
    given += [one for one in known.values() if one.spent and one.log[-1][1] > now - one.per]
    learned = state.learned and replace(state.learned, reserve=reserve)
    return replace(state, reserve=reserve, given=tuple(given), learned=learned)


# What is asked of a state


def unknown(state: State) -> bool:
    """Whether nothing is known of what is left: the moment for a status call."""
    return state.probing and not state.probe


def wait_for(state: State, now: float) -> float:
    """Return the seconds until asking for one more call makes sense; 0 for now."""
    wait = _wait(state, now, ONE, "")[1]
    return _LOOK_AGAIN if math.isinf(wait) else wait


def allowed(state: State, now: float) -> int:
    """Return how many calls may be made now: 1 for the one that finds out."""
    state, wait = _wait(state, now, ONE, "")
    if wait > 0:
        return 0
    if state.probing:
        return 1
    windows = [window for window in state.windows if window.unit == "requests"]
    named = [_left(state, window) for window in windows if window.resource]
    left = [_left(state, window) for window in windows if not window.resource]
    left += [given.left(now) for given in state.given]
    left += [max(named)] if named else []
    left += [state.learned.left(state.sent)] if state.learned is not None else []
    return int(max(0.0, min([*left, _MOST_ALLOWED])))


def _left(state: State, window: Window) -> float:
    left = window.left(_out(state, window))
    return 1.0 if left is None else left - state.reserve


def seen(state: State, now: float) -> BudgetView:
    """Return what is known, for progress and logs."""
    rate = None if state.pace is None else state.pace.rate
    requests = [window for window in state.windows if window.unit == "requests"]
    if not requests:
        learned = state.learned
        closed = state.closed if learned is None else max(state.closed, learned.opens)
        reset = closed - now if closed > now else None
        limit = None if learned is None else learned.limit
        return BudgetView(limit=limit, remaining=None, reset=reset, rate=rate)
    window = min(requests, key=lambda w: math.inf if w.remaining is None else w.remaining)
    opens = window.opens()
    left = window.left(_out(state, window))
    remaining = None if left is None else max(0.0, left)
    reset = None if math.isinf(opens) else max(0.0, opens - now)
    return BudgetView(limit=window.limit, remaining=remaining, reset=reset, rate=rate)


# The table


STEPS: dict[StepName, Callable[..., tuple[State, Ticket | float | None]]] = {
    "take": take,
    "settle": settle,
    "abandon": abandon,
    "unused": unused,
    "inform": inform,
}


def step(state: State, name: StepName, *arguments: object) -> tuple[State, Ticket | float | None]:
    """Return what becomes of ``state`` in the event ``name``, and what it is answered with."""
    return STEPS[name](state, *arguments)
