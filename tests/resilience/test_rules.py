"""The pure steps of a budget at their exact boundaries: one state in, the next one out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from penstock.clock import FakeClock
from penstock.errors import InputError
from penstock.resilience import (
    ONE,
    Budget,
    BudgetView,
    Hints,
    Limit,
    Quota,
    Reset,
    ServerClock,
    State,
    Ticket,
    allowed,
    held,
    keeps,
    seen,
    step,
    wait_for,
)
from penstock.resilience.learned import LearnedWindow
from penstock.resilience.limits import GivenLimit
from penstock.resilience.pace import Pace
from penstock.resilience.routes import learn_route
from penstock.resilience.window import Window

INF = math.inf
TOKENS = {"requests": 1.0, "tokens": 5.0}
FREE = State(ServerClock(0.0), probing=False)
EMPTY = Window("w", limit=9.0, remaining=0.0, low=10.0, high=10.0)
ROOM = Window("w", limit=9.0, remaining=5.0, low=10.0, high=10.0)
RENEWED = Window("w", renewed=3)
PER_10 = GivenLimit(2.0, 10.0, "requests")


def after(state: State, **changes: object) -> State:
    return replace(state, **changes)


def free(**changes: object) -> State:
    return replace(FREE, **changes)


def take(
    state: State, now: float = 0.0, cost: Mapping[str, float] = ONE, path: str = ""
) -> tuple[State, float]:
    """Ask for leave; return the state after it and the seconds to wait, 0 where it is given."""
    state, answer = step(state, "take", now, cost, path)
    assert answer is not None
    return state, 0.0 if isinstance(answer, Ticket) else answer


def settle(
    state: State, ticket: Ticket, hints: Hints | None = None, status: int = 200, now: float = 2.0
) -> State:
    return step(state, "settle", ticket, now, hints, status)[0]


def call(
    number: int = 1,
    sent: float = 1.0,
    cost: Mapping[str, float] = ONE,
    path: str = "",
    resource: str = "",
) -> Ticket:
    return Ticket(number, sent, cost, path, resource)


# Leave


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        (free(), 0.0),
        (free(closed=4.0), 3.0),
        (free(closed=1.0), 0.0),
        (free(closed=1.0, windows=(EMPTY,)), 9.0),
        (free(given=(PER_10.granted(0.0, {"requests": 2.0}),)), 9.0),
        (free(given=(PER_10,), windows=(EMPTY,)), 9.0),  # each limit has to have room
        (free(windows=(ROOM,), probing=True, probe=1), INF),
        (free(probing=True), 0.0),
        (free(probe=1), 0.0),
        (free(pace=Pace(rate=4.0, following=5.0)), 4.0),
        (free(pace=Pace(rate=4.0, following=5.0), probing=True), 0.0),
        (free(pace=Pace(), sent=4.0, done=4.0), 0.0),
        (free(pace=Pace(), sent=4.0, done=3.0), INF),
        (free(learned=LearnedWindow(interval=(4.0, 5.0), opens=5.0)), 4.0),
        (free(learned=LearnedWindow(limit=10.0), sent=5.0, done=5.0), 0.0),
        (free(learned=LearnedWindow(limit=1.0, sent_before=5.0), sent=6.0, done=5.0), INF),
        (free(learned=LearnedWindow(limit=1.0, sent_before=5.0), sent=6.0, done=6.0), 0.0),
    ],
)
def test_leave_is_given_once_nothing_is_in_the_way(state: State, wait: float) -> None:
    assert take(state, 1.0)[1] == wait
    assert wait_for(state, 1.0) == (0.05 if wait == INF else wait)


def test_a_call_is_counted_wherever_it_counts() -> None:
    state = free(number=6, sent=8.0, given=(PER_10,), pace=Pace(rate=4.0, since=1.0))
    granted, _ = take(state, 1.0)
    assert (granted.number, granted.sent, granted.probe) == (7, 9.0, 0)
    assert granted.given[0].spent == 1.0
    paced, _ = take(free(pace=Pace(rate=4.0, since=1.0, following=1.0)), 1.0)
    assert paced.pace is not None
    assert paced.pace.following > 1.0
    assert take(free(pace=Pace(), number=6))[0] == free(pace=Pace(), number=7, sent=1.0)
    assert take(free(probing=True, number=6))[0].probe == 7
    assert take(free(probe=3, given=(PER_10,)))[0].probe == 3
    assert take(free(), cost={"requests": 2.0})[0] == free(number=1, sent=2.0)


def test_units_are_out_until_their_call_has_ended() -> None:
    state, _ = take(free(routes={"a": "x"}), cost=TOKENS, path="/a")
    assert state.out == {"requests of x": 1.0, "tokens": 5.0}
    state, _ = take(state, path="/a")
    assert state.out == {"requests of x": 2.0, "tokens": 5.0}
    state = settle(state, call(cost=TOKENS, resource="x"))
    assert state.out == {"requests of x": 1.0, "tokens": 0.0}
    state = settle(state, call(cost={"requests": 1.0, "tokens": 7.0}, resource="x"))
    assert state.out == {"requests of x": 0.0, "tokens": 0.0}
    assert (state.sent, state.done, state.accepted) == (2.0, 2.0, 2.0)


def test_a_new_window_is_opened_by_one_call() -> None:
    """At the very moment it opens, the call that goes out is the one that finds out."""
    spent = LearnedWindow(interval=(9.0, 10.0), opens=10.0)
    state, wait = take(free(learned=spent, number=4, accepted=3.0), 10.0)
    assert wait == 0.0
    assert state.learned == replace(spent, limit=3.0, interval=None, accepted_before=3.0)
    assert (state.probing, state.probe, state.renewed) == (True, 5, 5)
    going = free(learned=LearnedWindow(limit=10.0))
    assert take(going)[0] == after(going, number=1, sent=1.0)


@pytest.mark.parametrize(
    ("state", "path", "wait"),
    [
        (free(routes={"a": "x"}, sent=1.0), "/b", 0.05),
        (free(routes={"a": "x"}), "/b", 0.0),
        (free(routes={"a": "x"}, sent=1.0), "/a", 0.0),
        (free(routes={"a": "x"}, sent=1.0), "", 0.0),
        (free(sent=1.0), "/b", 0.0),
        (free(routes={"a": "x"}, sent=1.0, out={"requests of x": 1.0}), "/b", 0.0),
    ],
)
def test_one_call_of_an_unknown_kind_goes_first(state: State, path: str, wait: float) -> None:
    assert take(state, path=path)[1] == wait


X_EMPTY = replace(EMPTY, name="x", resource="x")
Y_ROOM = replace(ROOM, name="y", resource="y")
Y_EMPTY = replace(EMPTY, name="y", resource="y", low=20.0, high=20.0)
ROUTES = {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    ("windows", "changes", "path", "wait"),
    [
        ((X_EMPTY,), {}, "/b", 0.0),
        ((X_EMPTY,), {}, "/a", 10.0),
        ((EMPTY,), {}, "/a", 10.0),
        ((Y_ROOM, X_EMPTY, EMPTY), {}, "/b", 10.0),
        ((ROOM, replace(EMPTY, name="v")), {}, "", 10.0),
        # Nobody knows where it counts: one that has room will do, unless a reserve is kept.
        ((X_EMPTY, Y_ROOM), {}, "", 0.0),
        ((X_EMPTY, Y_ROOM), {"sent": 1.0}, "", 0.0),
        ((X_EMPTY, Y_ROOM), {"reserve": 1.0}, "", 10.0),
        ((X_EMPTY, Y_EMPTY), {}, "", 0.0),
        ((X_EMPTY, Y_EMPTY), {"sent": 1.0}, "", 0.05),
        ((X_EMPTY, Y_EMPTY), {"reserve": 1.0}, "", 20.0),
    ],
)
def test_a_limit_holds_for_the_calls_it_counts(
    windows: tuple[Window, ...], changes: dict[str, object], path: str, wait: float
) -> None:
    assert take(free(windows=windows, routes=ROUTES, **changes), path=path)[1] == wait


@pytest.mark.parametrize(
    ("remaining", "limit", "sent", "reserve", "wait"),
    [
        (10.0, 99.0, 3.0, 4.0, 0.0),  # 10 less 2 unreported, 3 out and 4 kept: one is left
        (9.0, 99.0, 3.0, 4.0, 0.05),  # those that are out may leave one
        (6.0, 99.0, 3.0, 4.0, 10.0),
        (7.0, 99.0, 3.0, 4.0, 0.05),
        (6.0, 5.0, 3.0, 4.0, 10.0),  # the limit just holds the reserve and one more
        (6.0, None, 3.0, 99.0, 10.0),
    ],
)
def test_what_is_unreported_out_or_kept_is_not_spent(
    remaining: float, limit: float | None, sent: float, reserve: float, wait: float
) -> None:
    window = replace(EMPTY, limit=limit, remaining=remaining, blind=2.0)
    assert take(free(windows=(window,), sent=sent, reserve=reserve))[1] == wait


def test_a_reserve_that_leaves_less_than_a_call_is_refused() -> None:
    with pytest.raises(InputError, match=r"reserve of 8\.5 leaves nothing"):
        take(free(windows=(EMPTY,), reserve=8.5))


@pytest.mark.parametrize(
    ("cost", "out", "wait"),
    [(ONE, 5.0, 0.0), (TOKENS, 0.0, 0.0), (TOKENS, 0.5, 0.05), (TOKENS, 5.0, 0.05)],
)
def test_another_unit_is_counted_apart(cost: Mapping[str, float], out: float, wait: float) -> None:
    window = replace(ROOM, unit="tokens")
    state = free(windows=(window,), reserve=4.0, sent=9.0, out={"tokens": out})
    assert take(state, cost=cost)[1] == wait


@pytest.mark.parametrize(
    ("now", "wait"), [(9.0, 1.0), (9.984375, 0.015625), (10.0, 0.0), (11.0, 0.0)]
)
def test_at_its_reset_a_window_is_renewed(now: float, wait: float) -> None:
    state, waited = take(free(windows=(EMPTY,), number=4), now)
    assert waited == wait
    renewed = replace(EMPTY.expired(5), probe=5)
    assert state.windows == ((EMPTY,) if wait else (renewed,))
    assert state.unsure is (wait == 0.0)
    several = free(windows=(replace(ROOM, remaining=1.0),), sent=1.0)
    assert take(several, now)[1] == min(wait, 0.05)


def test_a_window_without_a_reset_is_tried_again_after_a_second() -> None:
    window = replace(EMPTY, low=-INF, high=INF)
    assert take(free(windows=(window,), sent=1.0), 5.0)[1] == INF
    state, wait = take(free(windows=(window,), number=4), 5.0)
    assert (wait, state.closed, state.windows) == (1.0, 6.0, (window.expired(5),))


@pytest.mark.parametrize(
    ("window", "changes", "wait"),
    [
        (replace(RENEWED, probe=2), {}, INF),
        (RENEWED, {"sent": 1.0}, 0.0),
        (replace(RENEWED, resource="x"), {"sent": 1.0, "reserve": 1.0}, 0.05),
        (replace(RENEWED, resource="x"), {"reserve": 1.0}, 0.0),
        (replace(RENEWED, resource="x", renewed=1), {"sent": 1.0, "reserve": 1.0}, 0.0),
        (replace(RENEWED, blind=3.0, limit=5.0, told_length=7.0), {"reserve": 1.0}, 0.0),
        (replace(RENEWED, blind=4.0, limit=5.0, told_length=7.0), {"reserve": 1.0}, 7.0),
        (replace(RENEWED, blind=4.0, told_length=7.0), {"reserve": 1.0}, 0.0),
        (replace(RENEWED, blind=4.0, limit=5.0), {"reserve": 1.0}, 0.0),
        (replace(RENEWED, limit=5.0, told_length=7.0), {"reserve": 9.0}, 0.0),
    ],
)
def test_after_a_renewal_one_call_finds_out(
    window: Window, changes: dict[str, object], wait: float
) -> None:
    state, waited = take(free(windows=(window,), **changes), 1.0)
    assert waited == wait
    if wait == 7.0:
        assert state.windows == (replace(window, remaining=0.0, low=8.0, high=8.0),)


def test_the_call_that_finds_out_is_noted_where_nothing_is_known() -> None:
    windows = (
        RENEWED,
        replace(RENEWED, name="x", resource="x"),
        replace(RENEWED, name="y", resource="y"),
        replace(ROOM, name="known", renewed=3),
        Window("never told"),
    )
    state, _ = take(free(windows=windows, unsure=True, number=4, routes=ROUTES), path="/a")
    assert [window.probe for window in state.windows] == [5, 5, 0, 0, 0]


def test_calls_of_other_resources_are_not_out_of_this_one() -> None:
    out = {"requests of x": 2.0, "requests of y": 4.0, "tokens": 9.0}
    state = free(sent=10.0, done=3.0, out=out)
    left = {
        resource: seen(after(state, windows=(replace(ROOM, remaining=20.0, resource=resource),)), 0)
        for resource in ("", "x", "y")
    }
    assert {name: view.remaining for name, view in left.items()} == {"": 13.0, "x": 17.0, "y": 15.0}


# Answers


@pytest.mark.parametrize(
    ("limits", "reserve", "known"), [((0, 9), 0.0, ["b"]), ((0, 9), 1.0, ["a", "b"])]
)
def test_a_limit_of_0_is_none_unless_something_is_kept(
    limits: tuple[float, float], reserve: float, known: list[str]
) -> None:
    quotas = tuple(Quota(name, limit=n, remaining=n) for name, n in zip("ab", limits, strict=True))
    state = settle(free(reserve=reserve), call(), Hints(quotas))
    assert [window.name for window in state.windows] == known


def test_where_nothing_is_told_the_answer_begins_to_learn() -> None:
    begun = LearnedWindow(2.0, start=(1.0, 2.0), marks=((1.0, 2.0),))
    for hints in (None, Hints(date=5.0)):
        state = settle(free(reserve=2.0), call(), hints)
        assert (state.learned, state.pace) == (begun, Pace())
    quiet = [
        settle(free(windows=(ROOM,)), call()),
        settle(free(), call(), Hints((Quota("a", remaining=3),))),
        settle(free(), call(), status=404, hints=Hints((Quota("a", remaining=3),))),
    ]
    assert [(state.learned, state.pace) for state in quiet] == [(None, None)] * 3
    known = settle(free(learned=begun, accepted=1.0), call(sent=1.5))
    assert known.learned == replace(begun, marks=((1.0, 2.0), (2.0, 2.0)))
    assert known.pace is None
    assert settle(free(), call(), status=429).learned is None


def test_an_answer_tells_the_pace_and_the_given_limits() -> None:
    state = free(
        pace=Pace(full=5.0, searching=True), given=(PER_10.granted(1.0, ONE),), accepted=7.0
    )
    answered = settle(state, call())
    assert answered.pace == Pace(full=5.0, counted_from=1.0, since=2.0, opened=2.0, opened_from=8.0)
    assert answered.given[0].log == ((1.0, 2.0, 1.0),)


@pytest.mark.parametrize(("sent", "calm"), [(0.5, 4.0), (1.0, 0.0), (1.5, 0.0)])
def test_an_answer_sent_since_the_pause_ends_it(sent: float, calm: float) -> None:
    assert settle(free(closed=1.0, calm=4.0), call(sent=sent)).calm == calm


@pytest.mark.parametrize(
    ("state", "number", "probing", "probe"),
    [
        (free(probing=True, probe=5, renewed=3), 5, False, 0),
        (free(probing=True, probe=5, renewed=3), 3, False, 0),
        (free(probing=True, probe=5, renewed=3), 2, True, 5),
        (free(probe=5, renewed=3), 4, False, 5),
        (free(probe=5, renewed=9), 5, False, 0),
    ],
)
def test_an_answer_of_the_new_window_ends_the_probing(
    state: State, number: int, probing: bool, probe: int
) -> None:
    answered = settle(state, call(number))
    assert (answered.probing, answered.probe) == (probing, probe)


def test_a_call_without_a_report_may_have_been_counted() -> None:
    state = free(windows=(ROOM,), number=6, sent=3.0)
    for ended in (settle(state, call()), step(state, "abandon", call())[0]):
        assert (ended.done, ended.windows[0].blind, ended.windows[0].blind_until) == (1.0, 1.0, 6)
    unsent = step(state, "unused", call())[0]
    assert (unsent.done, unsent.windows[0].blind) == (1.0, 0.0)


def test_a_call_that_was_not_sent_is_given_back() -> None:
    given = (PER_10.granted(1.0, TOKENS),)
    windows = (replace(RENEWED, probe=4), replace(RENEWED, name="v", probe=5))
    state = free(given=given, windows=windows, sent=1.0, probe=4, out={"tokens": 5.0})
    unsent = step(state, "unused", call(4, cost=TOKENS))[0]
    assert unsent.given[0].spent == 0.0
    assert [window.probe for window in unsent.windows] == [0, 5]
    assert (unsent.probe, unsent.done, unsent.out) == (0, 1.0, {"tokens": 0.0})
    assert step(state, "unused", call(3))[0].probe == 4


def test_a_status_call_tells_what_is_left() -> None:
    state = free(windows=(replace(ROOM, name="v"), ROOM), number=6, probing=True)
    quota = Quota("w", remaining=7.0, reset=Reset(60.0, exact=True))
    told, _ = step(state, "inform", quota, 2.0, 1.0)
    window = told.windows[-1]
    assert [one.name for one in told.windows] == ["v", "w"]
    assert (window.limit, window.remaining, window.renewed, window.reported) == (9.0, 7.0, 7, 6)
    assert (window.low, window.high) == (61.0, 62.0)
    assert (told.probing, told.told_by_status, told.clock) == (False, True, state.clock)
    dated, _ = step(state, "inform", replace(quota, name="u", reset=None), 2.0, 1.0, 100.0)
    assert (dated.clock.low, dated.clock.high) == (98.0, 100.0)
    assert (len(dated.windows), dated.windows[-1].high) == (3, -INF)


def test_the_limits_that_were_told_last_are_kept() -> None:
    state = free(windows=tuple(Window(str(number)) for number in range(64)))
    informed, _ = step(state, "inform", Quota("new", remaining=1), 2.0, 1.0)
    settled = settle(state, call(), Hints((Quota("new", remaining=1),)))
    for one in (informed, settled):
        assert [window.name for window in one.windows] == [*map(str, range(1, 64)), "new"]


def test_each_thing_an_answer_says_is_noted_by_itself() -> None:
    told = settle(free(), call(), Hints(date=100.0))
    assert (told.clock.low, told.clock.high) == (98.0, 100.0)
    told = settle(free(closed=3.0), call(), Hints(backoff=4.0))
    assert (told.closed, told.clock) == (6.0, FREE.clock)
    assert settle(free(closed=9.0), call(), Hints(backoff=4.0)).closed == 9.0
    quota = Quota("w", remaining=3.0, resource="x")
    assert settle(free(), call(path="/a"), Hints((quota,))).routes == {"a": "x"}
    assert settle(free(), call(), Hints((quota,))).routes == {}
    assert settle(free(), call(path="/a"), Hints((Quota("w", remaining=3.0),))).routes == {}


@pytest.mark.parametrize(
    ("quotas", "by_status"), [((), True), ((Quota("w", remaining=3.0),), False)]
)
def test_what_an_answer_says_is_newer_than_a_status_call(
    quotas: tuple[Quota, ...], by_status: bool
) -> None:
    state = settle(free(told_by_status=True), call(), Hints(quotas, date=1.0))
    assert state.told_by_status is by_status
    assert not settle(free(), call(), Hints(date=1.0)).told_by_status


@pytest.mark.parametrize(
    ("quota", "given", "count"),
    [
        (Quota("w", limit=10, window=60), (), 8.0),
        (Quota("w", limit=1, window=60), (), 1.0),
        (Quota("w", limit=10), (), None),
        (Quota("w", window=60), (), None),
        (Quota("w", limit=10, remaining=3, window=60), (), None),
        (Quota("w", limit=10, window=60), (GivenLimit(5.0, 60.0, "requests"),), None),
    ],
)
def test_a_rate_that_is_told_is_counted_on_our_side(
    quota: Quota, given: tuple[GivenLimit, ...], count: float | None
) -> None:
    state = settle(free(reserve=2.0, given=given), call(), Hints((quota,)))
    fresh = () if count is None else (GivenLimit(count, 60.0, "requests"),)
    assert state.given == (*given, *fresh)


@pytest.mark.parametrize(
    ("quota", "count", "left"),
    [
        (Quota("w", used=7, window=60), 20.0, 13.0),
        (Quota("w", used=25, window=60), 20.0, 0.0),
        (Quota("w", window=60), 20.0, None),
        (Quota("w", used=7, window=30), 20.0, None),
        (Quota("w", used=7, window=60, unit="tokens"), 20.0, None),
    ],
)
def test_what_is_used_leaves_the_rest_of_a_given_limit(
    quota: Quota, count: float, left: float | None
) -> None:
    state = settle(free(given=(GivenLimit(count, 60.0, "requests"),)), call(), Hints((quota,)))
    (window,) = state.windows
    assert window.remaining == left
    both = Hints((quota, Quota("v", remaining=3, used=9, window=60)))
    state = settle(free(given=(GivenLimit(count, 60.0, "requests"),)), call(), both)
    assert state.windows[-1].remaining == 3


def test_once_an_answer_has_told_nothing_is_unsure() -> None:
    window = replace(RENEWED, probe=4)
    state = free(windows=(window,), unsure=True, number=4)
    told = settle(state, call(4), Hints((Quota("w", remaining=3),)))
    assert (told.unsure, told.windows[0].remaining, told.windows[0].probe) == (False, 3, 0)
    assert settle(state, call(2), Hints((Quota("w", remaining=3),))).unsure  # an old answer
    untold = settle(state, call(4))  # it should have told: this limit is told of no more
    assert (untold.windows[0].probe, untold.windows[0].renewed, untold.unsure) == (0, 1, False)
    other = settle(state, call(5))
    assert (other.windows[0].probe, other.windows[0].renewed, other.unsure) == (4, 3, True)


def test_an_answer_of_another_resource_says_nothing_of_this_one() -> None:
    windows = (replace(ROOM, resource="x"), replace(ROOM, name="v"))
    told = Hints((Quota("y", remaining=3, resource="y"),))
    blind = {
        "told": settle(free(windows=windows), call(), told),
        "known": settle(free(windows=windows), call(resource="y")),
        "same": settle(free(windows=windows), call(resource="x")),
        "unknown": settle(free(windows=windows), call()),
    }
    assert {name: [w.blind for w in state.windows[:2]] for name, state in blind.items()} == {
        "told": [0.0, 1.0],
        "known": [0.0, 1.0],
        "same": [1.0, 1.0],
        "unknown": [1.0, 1.0],
    }


@pytest.mark.parametrize(
    ("left", "cost", "start"), [(8.0, ONE, (1.0, 2.0)), (7.0, ONE, None), (4.0, TOKENS, (1.0, 2.0))]
)
def test_another_window_began_with_the_call_that_left_all_but_itself(
    left: float, cost: Mapping[str, float], start: tuple[float, float] | None
) -> None:
    unit = "requests" if cost is ONE else "tokens"
    window = replace(ROOM, unit=unit, start=(-9.0, -8.0), renewed=1, reported=1)
    quota = Quota("w", unit=unit, remaining=left, reset=Reset(90.0, exact=True))
    (heard,) = settle(free(windows=(window,)), call(2, cost=cost), Hints((quota,))).windows
    assert (heard.low, heard.high, heard.start) == (91.0, 92.0, start)


def test_a_limit_without_what_is_left_does_not_count_the_call() -> None:
    told = Hints((Quota("w", limit=12, reset=Reset(90.0, exact=True)),))
    (window,) = settle(free(windows=(ROOM,), number=3), call(), told).windows
    assert (window.limit, window.remaining, window.blind, window.high) == (12, 5.0, 1.0, 92.0)


# Refusals


AT_10 = Hints(retry_after=Reset(10.0))  # to a call sent at 1 and answered at 2: from 10 to 12


@pytest.mark.parametrize(
    ("status", "hints", "closed"),
    [
        (200, AT_10, -INF),
        (404, AT_10, -INF),
        (503, None, -INF),
        (503, Hints(backoff=0.0), -INF),
        (503, AT_10, 12.0),
        (403, AT_10, 12.0),
        (429, AT_10, 12.0),
        (420, AT_10, 12.0),
        (429, Hints(retry_after=Reset(0.0)), 2.25),  # a time that is over
        (429, Hints(retry_after=Reset(0.125, exact=True)), 2.125),
    ],
)
def test_a_refusal_with_a_time_holds_everybody(
    status: int, hints: Hints | None, closed: float
) -> None:
    assert settle(free(), call(), hints, status).closed == closed


@pytest.mark.parametrize(
    ("remaining", "opens", "explained"),
    [
        (0.0, 8.75, False),
        (0.0, 9.0, True),
        (0.0, 12.0, True),
        (0.0, 12.25, False),
        (1.0, 10.0, False),
    ],
)
def test_a_window_known_to_be_empty_explains_a_refusal(
    remaining: float, opens: float, explained: bool
) -> None:
    window = replace(EMPTY, remaining=remaining, low=opens, high=opens)
    state = settle(free(windows=(window,)), call(), AT_10, 429)
    assert state.closed == (-INF if explained else 12.0)


@pytest.mark.parametrize(
    ("resource", "remaining", "named"), [("x", 0, True), ("x", 5, False), ("", 0, False)]
)
def test_only_what_is_used_up_waits_where_the_server_names_it(
    resource: str, remaining: float, named: bool
) -> None:
    quotas = (Quota("w", remaining=remaining, resource=resource),)
    windows = (replace(ROOM, name="v"),)
    state = settle(free(windows=windows), call(), replace(AT_10, quotas=quotas), 429)
    assert state.closed == (-INF if named else 12.0)
    assert [w.high for w in state.windows] == [10.0, 12.0 if named else -INF]


LEARNED = LearnedWindow(start=(0.0, 1.0))


@pytest.mark.parametrize(
    ("changes", "status", "closed"),
    [
        ({}, 429, -INF),
        ({}, 503, 12.0),
        ({"renewed": 2}, 429, -INF),
        ({"renewed": 3}, 429, 12.0),
        ({"windows": (ROOM,)}, 429, 12.0),
        ({"learned": None}, 429, 12.0),
    ],
)
def test_a_refusal_is_learned_from_where_nothing_else_is_known(
    changes: dict[str, object], status: int, closed: float
) -> None:
    state = settle(free(**{"learned": LEARNED, **changes}), call(2), AT_10, status)
    assert state.closed == closed
    learned = state.learned is not None and state.learned.interval == (10.0, 12.0)
    assert learned is (closed == -INF)


@pytest.mark.parametrize(("closed", "probing"), [(11.0, True), (12.0, False), (13.0, False)])
def test_after_a_longer_pause_one_call_goes_first(closed: float, probing: bool) -> None:
    state = settle(free(closed=closed, number=5, probe=4), call(), AT_10, 429)
    assert (state.closed, state.probing) == (max(closed, 12.0), probing)
    assert (state.renewed, state.probe) == ((6, 0) if probing else (1, 4))


@pytest.mark.parametrize("hints", [None, Hints(), Hints(date=5.0)])
def test_a_bare_refusal_sets_the_pace(hints: Hints | None) -> None:
    state = settle(free(accepted=8.0), call(), hints, 429)
    assert state.pace == Pace().refused(2.0, 1.0, 8.0)
    assert state.closed == -INF


def left(name: str, remaining: float | None, at: float | None = None) -> Quota:
    reset = None if at is None else Reset(at - 2.0, exact=True)
    return Quota(name, remaining=remaining, reset=reset)


@pytest.mark.parametrize(
    ("quotas", "windows", "calmed"),
    [
        ((left("a", 5),), (), True),
        ((left("a", 5), left("b", 0, 9.0)), (), False),
        ((left("a", 0, 9.0),), (), False),
        ((left("a", 0, 2.0),), (), True),  # empty, and its time is over
        ((left("a", 0),), (), False),  # empty, and nobody knows until when
        ((left("a", 0, 2.0), left("b", 0, 9.0)), (), False),
        ((left("a", 0, 2.0),), (ROOM,), True),
    ],
)
def test_refused_with_something_left_everybody_pauses(
    quotas: tuple[Quota, ...], windows: tuple[Window, ...], calmed: bool
) -> None:
    state = settle(free(windows=windows), call(), Hints(quotas), 429)
    assert (state.calm, state.closed) == ((0.25, 2.25) if calmed else (0.0, -INF))
    assert state.pace is None


@pytest.mark.parametrize(
    ("calm", "closed", "pause"), [(0.0, -INF, 0.25), (1.0, 2.0, 2.0), (40.0, 1.0, 60.0)]
)
def test_pauses_double_up_to_a_minute(calm: float, closed: float, pause: float) -> None:
    hints = Hints((left("a", 5),))
    state = settle(free(calm=calm, closed=closed), call(), hints, 429)
    assert (state.calm, state.closed) == (pause, 2.0 + pause)
    holds = settle(free(calm=calm, closed=2.5), call(), hints, 429)
    assert (holds.calm, holds.closed) == (calm, 2.5)


# Leave given ahead


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, 9.0),
        ({"pace": Pace()}, 9.0),
        ({"pace": Pace(rate=4.0)}, -INF),
        ({"pace": Pace(searching=True)}, -INF),
        ({"learned": LearnedWindow(opens=5.0)}, 9.0),
        ({"learned": LearnedWindow(opens=5.0, limit=3.0)}, 5.0),
        ({"learned": LearnedWindow(opens=50.0, limit=3.0)}, 9.0),
    ],
)
def test_leave_is_kept_no_longer_than_it_holds(changes: dict[str, object], until: float) -> None:
    state, kept = held(free(given=(PER_10.granted(1.0, ONE),), **changes), 9.0)
    assert kept == until
    assert state.given[0].log == ((1.0, max(until, 1.0), 1.0),)


@pytest.mark.parametrize(("last", "kept"), [(2.0, False), (2.5, True)])
def test_a_limit_that_nobody_names_holds_until_its_calls_have_left(last: float, kept: bool) -> None:
    old = PER_10.granted(last, ONE)
    unspent = GivenLimit(2.0, 30.0, "requests")
    state = free(given=(old, unspent), learned=LEARNED)
    kept_state = keeps(state, 3.0, [Limit(9, per=60)], 12.0)
    assert kept_state.given == (GivenLimit(6.0, 60.0, "requests"), *([old] if kept else []))
    assert (kept_state.reserve, kept_state.learned) == (3.0, replace(LEARNED, reserve=3.0))
    assert keeps(state, 0.0, [Limit(7, per=10)], 12.0).given == (replace(old, count=7.0),)
    assert keeps(free(), 3.0, [], 12.0).learned is None


# What is asked


def requests(remaining: float | None, **changes: object) -> Window:
    return replace(replace(ROOM, remaining=remaining), **changes)


@pytest.mark.parametrize(
    ("state", "count"),
    [
        (free(), 2**31),
        (free(closed=1.0), 0),
        (free(probing=True), 1),
        (free(windows=(ROOM,), probing=True), 1),
        (free(windows=(ROOM,), reserve=2.0, sent=1.0), 2),
        (free(windows=(ROOM, requests(3.5, name="v"))), 3),
        (free(windows=(ROOM, requests(1.0, name="v", unit="tokens"))), 5),
        (free(windows=(requests(None),)), 1),
        (free(windows=(requests(2.0, resource="x"), requests(4.0, name="v", resource="y"))), 4),
        (free(windows=(requests(3.0), requests(4.0, name="v", resource="y"))), 3),
        (free(windows=(ROOM,), given=(PER_10,)), 2),
        (free(windows=(ROOM,), learned=LearnedWindow(limit=3.0)), 3),
        (free(given=(replace(PER_10, unit="tokens"),)), 2**31),
    ],
)
def test_so_many_calls_may_be_made_now(state: State, count: int) -> None:
    assert allowed(state, 0.0) == count


@pytest.mark.parametrize(
    ("state", "view"),
    [
        (free(), (None, None, None, None)),
        (free(closed=5.0), (None, None, 3.0, None)),
        (free(closed=5.0, learned=LearnedWindow()), (None, None, 3.0, None)),
        (free(closed=2.0, pace=Pace(rate=4.0)), (None, None, None, 4.0)),
        (free(closed=3.0, learned=LearnedWindow(limit=7.0, opens=9.0)), (7.0, None, 7.0, None)),
        (free(closed=9.0, learned=LearnedWindow(limit=7.0, opens=3.0)), (7.0, None, 7.0, None)),
        (free(windows=(ROOM,), sent=1.0), (9.0, 4.0, 8.0, None)),
        (free(windows=(ROOM,), sent=7.0), (9.0, 0.0, 8.0, None)),
        (free(windows=(requests(5.0, high=1.0),)), (9.0, 5.0, 0.0, None)),
        (free(windows=(requests(5.0, high=INF),)), (9.0, 5.0, None, None)),
        (free(windows=(requests(None, name="v", limit=3.0), ROOM)), (9.0, 5.0, 8.0, None)),
        (free(windows=(requests(None),)), (9.0, None, 8.0, None)),
        (free(windows=(replace(ROOM, unit="tokens"),)), (None, None, None, None)),
    ],
)
def test_the_tightest_limit_is_shown(
    state: State, view: tuple[float | None, float | None, float | None, float | None]
) -> None:
    limit, remaining, reset, rate = view
    told = BudgetView(limit=limit, remaining=remaining, reset=reset, rate=rate)
    assert seen(state, 2.0) == told


def test_a_route_is_the_shortest_beginning_that_tells_resources_apart() -> None:
    routes = learn_route({}, "/search/code", "search")
    assert routes == {"search": "search"}
    assert learn_route(routes, "/search/code", "search") is routes
    deeper = learn_route(routes, "/search/code", "code")
    assert deeper == {"search": "search", "search/code": "code"}
    both = learn_route(deeper, "/search/code", "other")
    assert both == {"search": "search", "search/code": ""}  # told apart by something else
    assert learn_route(both, "/search/code", "code") is both
    full = {str(number): "x" for number in range(512)}
    assert learn_route(full, "/new", "x") is full
    del full["0"]
    assert len(learn_route(full, "/new", "x")) == 512


def test_a_reset_by_the_wall_clock_is_read_by_ours() -> None:
    clock = FakeClock()
    clock.sleep(1000.0)
    now = clock.monotonic()
    budget = Budget(clock=clock)
    ticket = budget.take(now)
    assert isinstance(ticket, Ticket)
    at = Reset(clock.time() + 60.0, epoch=True, exact=True)
    budget.settle(ticket, now, Hints((Quota("w", limit=9.0, remaining=3.0, reset=at),)))
    assert budget.view(now).reset == 60.0


@pytest.mark.parametrize("known", [False, True])
def test_a_status_call_is_made_while_nothing_else_tells(known: bool) -> None:
    asked = []
    budget = Budget(clock=FakeClock())
    budget.refresh = lambda: asked.append(1)
    assert budget.unknown()
    if known:
        ticket = budget.take(0.0)
        assert isinstance(ticket, Ticket)
        assert not budget.unknown()  # that call finds out
        budget.settle(ticket, 0.0)
        assert not budget.unknown()
    budget.available()
    assert asked == ([] if known else [1])
