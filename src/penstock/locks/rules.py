"""The rules of a lock: a table of what happens, made of steps that both stores perform.

:data:`TRANSITIONS` says which steps each event takes, in order. :data:`STEPS` performs them on a
:class:`~penstock.locks.state.LockState`; the MongoDB store has the same steps as stages of an
update pipeline and reads the same table. A transition is one atomic change of one lock, its time
is the store's, and doing it twice is doing it once.

>>> from penstock.locks.state import QueuePlace
>>> ada, bob = (QueuePlace(id=name, owner=name, lease=30) for name in ("ada", "bob"))
>>> state = step(LockState(), LockRequest(kind="acquire", place=ada), 100.0)
>>> state = step(state, LockRequest(kind="acquire", place=bob), 101.0)
>>> [(place.id, place.token) for place in state.places()]
[('ada', 1), ('bob', 0)]
>>> state = step(state, LockRequest(kind="release", place=ada), 102.0)
>>> [(place.id, place.token) for place in state.places()]
[('bob', 2)]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec.structs import replace

from penstock.locks.state import CLAIM, PATIENCE, Kind, LockRequest, LockState, QueuePlace

__all__ = ["EVENTS", "STEPS", "TRANSITIONS", "Step", "StepName", "newly_granted", "step"]

StepName: TypeAlias = Literal["expire", "join", "extend", "leave", "clear", "grant", "turn away"]
Step: TypeAlias = Callable[[LockState, LockRequest, float], LockState]

EVENTS: dict[Kind, str] = {
    "acquire": "somebody wants the lock, or is still waiting for it",
    "try": "somebody wants the lock now or not at all",
    "renew": "a holder is alive and asks for another lease",
    "release": "a holder is done",
    "withdraw": "a waiter gives up (time is over, cancelled, interrupted)",
    "expire": "time has passed, or processes are known to have ended",
    "force": "a person takes the lock away from whoever holds it",
}

TRANSITIONS: dict[Kind, tuple[StepName, ...]] = {
    "acquire": ("expire", "join", "grant"),
    "try": ("expire", "join", "grant", "turn away"),
    "renew": ("expire", "extend", "grant"),
    "release": ("leave", "expire", "grant"),
    "withdraw": ("leave", "expire", "grant"),
    "expire": ("expire", "grant"),
    "force": ("clear", "expire", "grant"),
}


def step(state: LockState, request: LockRequest, now: float) -> LockState:
    """Return what becomes of ``state`` when ``request`` happens at ``now`` (the store's clock)."""
    for name in TRANSITIONS[request.kind]:
        state = STEPS[name](state, request, now)
    return state


def newly_granted(before: LockState, after: LockState) -> tuple[QueuePlace, ...]:
    """Return who got the lock between the two: tokens only grow, so the new ones are theirs."""
    return tuple(place for place in after.holders if place.token > before.token)


def _expire(state: LockState, request: LockRequest, now: float) -> LockState:
    """Whoever's lease is over, or whose process has ended, is out: holders and waiters alike."""
    dead = request.dead
    holders = tuple(p for p in state.holders if p.until > now and p.process not in dead)
    waiters = tuple(p for p in state.waiters if p.until > now and p.process not in dead)
    if len(holders) == len(state.holders) and len(waiters) == len(state.waiters):
        return state
    return replace(state, holders=holders, waiters=waiters)


def _join(state: LockState, request: LockRequest, now: float) -> LockState:
    """Who is new goes to the end of the queue; who waits or holds already is heard of again."""
    mine = request.place
    if state.holder(mine.id) is not None:
        return _extend(state, request, now)
    if state.waits(mine.id):
        until = now + PATIENCE
        heard = tuple(
            # Who is told at the same address lives in the same process.
            replace(p, until=until) if p.id == mine.id or p.address == mine.address != "" else p
            for p in state.waiters
        )
        return replace(state, waiters=heard)
    if not state.holders and not state.waiters:
        state = replace(state, capacity=request.capacity)
    if state.capacity != request.capacity:
        return state  # another kind of lock of this name is in use: the caller is told
    joined = replace(mine, since=now, until=now + PATIENCE, token=0)
    return replace(state, waiters=(*state.waiters, joined))


def _extend(state: LockState, request: LockRequest, now: float) -> LockState:
    """A holder's lease begins anew."""
    mine = request.place
    holders = tuple(
        replace(p, until=now + p.lease) if p.id == mine.id else p for p in state.holders
    )
    return replace(state, holders=holders)


def _leave(state: LockState, request: LockRequest, now: float) -> LockState:
    """Who is done, or gives up, is out; who was out already changes nothing."""
    mine = request.place.id
    return replace(
        state,
        holders=tuple(p for p in state.holders if p.id != mine),
        waiters=tuple(p for p in state.waiters if p.id != mine),
    )


def _clear(state: LockState, request: LockRequest, now: float) -> LockState:
    """All holders are out."""
    return replace(state, holders=())


def _grant(state: LockState, request: LockRequest, now: float) -> LockState:
    """The queue's head holds, as long as it fits: a new token, and a lease.

    Strictly in order: one that does not fit keeps those behind it waiting, so none starves. One
    that asks for itself gets its whole lease; one that is told has ``CLAIM`` seconds to show up.
    """
    used = sum(p.weight for p in state.holders)
    token = max(state.token, request.floor)
    granted: list[QueuePlace] = []
    for place in state.waiters:
        used += place.weight
        if used > state.capacity:
            break
        own = place.id == request.place.id
        lease = place.lease if own else min(place.lease, CLAIM)
        first = max(token, place.floor) + 1
        granted.append(replace(place, token=first, since=now, until=now + lease))
        token = first + place.reserve - 1
    if not granted:
        return state
    return replace(
        state,
        token=token,
        holders=(*state.holders, *granted),
        waiters=state.waiters[len(granted) :],
    )


def _turn_away(state: LockState, request: LockRequest, now: float) -> LockState:
    """Who does not want to wait is not in the queue."""
    mine = request.place.id
    return replace(state, waiters=tuple(p for p in state.waiters if p.id != mine))


STEPS: dict[StepName, Step] = {
    "expire": _expire,
    "join": _join,
    "extend": _extend,
    "leave": _leave,
    "clear": _clear,
    "grant": _grant,
    "turn away": _turn_away,
}
