"""The rules by themselves, over any history: what must never be, never is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.locks.rules import EVENTS, STEPS, TRANSITIONS, newly_granted, step
from penstock.locks.state import CLAIM, PATIENCE, Kind, LockRequest, LockState, QueuePlace

KINDS = get_args(Kind)
Event = tuple[Kind, int, float]

events = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 4),  # who
        st.sampled_from([0.0, 0.1, 1.0, 6.0, 20.0, 100.0]),  # seconds that pass before
    ),
    max_size=40,
)
weights = st.lists(st.integers(1, 3), min_size=5, max_size=5)
capacities = st.integers(1, 3)


def history(
    happened: Sequence[Event], weight: Sequence[int], capacity: int
) -> list[tuple[LockState, LockState, LockRequest, float]]:
    """Return (before, after, request, now) of each event; who comes back is a new place."""
    state, now = LockState(), 0.0
    generation = [0] * 5
    seen = []
    for kind, who, passed in happened:
        now += passed
        alive = any(p.owner == str(who) for p in state.places())
        if kind in ("acquire", "try") and not alive:
            generation[who] += 1
        place = QueuePlace(
            id=f"{who}.{generation[who]}",
            owner=str(who),
            process=f"p{who}",
            lease=10.0 + who,
            weight=min(weight[who], capacity),
            reserve=1 + 3 * (who == 4),
        )
        dead = frozenset({f"p{who}"} if kind == "expire" else ())
        request = LockRequest(kind=kind, place=place, capacity=capacity, dead=dead)
        after = step(state, request, now)
        seen.append((state, after, request, now))
        state = after
    return seen


@settings(max_examples=300)
@given(events, weights, capacities)
def test_never_more_than_fit_and_tokens_only_grow(
    happened: list[Event], weight: list[int], capacity: int
) -> None:
    for before, after, request, now in history(happened, weight, capacity):
        assert sum(p.weight for p in after.holders) <= after.capacity
        tokens = [p.token for p in after.holders]
        assert tokens == sorted(set(tokens))
        assert all(0 < token <= after.token for token in tokens)
        assert after.token >= before.token
        granted = newly_granted(before, after)
        assert all(p.token > before.token and p.since == now for p in granted)
        assert all(p.token == 0 for p in after.waiters)
        ids = [p.id for p in after.places()]
        assert len(ids) == len(set(ids))
        if request.kind in ("expire", "force"):
            assert request.place.id not in [p.id for p in after.holders if p in before.holders]


@settings(max_examples=300)
@given(events, weights, capacities)
def test_first_come_first_served(happened: list[Event], weight: list[int], capacity: int) -> None:
    """Those who wait keep their order, and nobody is granted past one who still waits."""
    for before, after, _, _ in history(happened, weight, capacity):
        waited = [p.id for p in before.waiters]
        still = [p.id for p in after.waiters]
        assert [i for i in waited if i in still] == [i for i in still if i in waited]
        granted = {p.id for p in newly_granted(before, after)}
        ahead = waited[: waited.index(still[0])] if still and still[0] in waited else waited
        assert not still or granted <= set(ahead) | (granted - set(waited))
        if still and still[0] in waited:
            assert granted <= set(ahead)


@settings(max_examples=300)
@given(events, weights, capacities)
def test_whatever_is_repeated_at_once_changes_nothing_more(
    happened: list[Event], weight: list[int], capacity: int
) -> None:
    """A lost answer is asked for again: the same answer comes."""
    for _, after, request, now in history(happened, weight, capacity):
        if request.kind == "force":
            continue  # a second one takes it from the next holder: it is for people
        again = step(after, request, now)
        assert [(p.id, p.token) for p in again.places()] == [
            (p.id, p.token) for p in after.places()
        ]
        assert again.token == after.token


@settings(max_examples=300)
@given(events, weights, capacities)
def test_nobody_waits_while_there_is_room(
    happened: list[Event], weight: list[int], capacity: int
) -> None:
    for _, after, _, _ in history(happened, weight, capacity):
        if after.waiters:
            used = sum(p.weight for p in after.holders)
            assert used + after.waiters[0].weight > after.capacity


def test_one_that_is_told_has_less_time_than_one_that_asks() -> None:
    places = [QueuePlace(id=i, owner=i, lease=30.0) for i in "ab"]
    state = LockState()
    for place in places:
        state = step(state, LockRequest(kind="acquire", place=place), 0.0)
    assert state.holders[0].until == 30.0
    assert state.waiters[0].until == PATIENCE
    state = step(state, LockRequest(kind="release", place=places[0]), 1.0)
    assert state.holders[0].until == 1.0 + CLAIM
    state = step(state, LockRequest(kind="acquire", place=places[1]), 2.0)
    assert state.holders[0].until == 32.0


def test_a_token_is_above_what_the_target_has_seen() -> None:
    place = QueuePlace(id="a", owner="a", lease=30.0, floor=41)
    state = step(LockState(token=3), LockRequest(kind="acquire", place=place), 0.0)
    assert (state.token, state.holders[0].token) == (42, 42)


def test_the_table_is_whole() -> None:
    assert set(EVENTS) == set(TRANSITIONS) == set(KINDS)
    assert {name for steps in TRANSITIONS.values() for name in steps} == set(STEPS)
    assert all(function.__doc__ for function in STEPS.values())
