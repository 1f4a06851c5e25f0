"""The budget against model servers in virtual time: never over, never late, in every dialect."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.resilience.model import (
    FixedWindow,
    Header,
    LeakyBucket,
    World,
    WorldClock,
    draft6,
    draft7,
    draft8,
    legacy,
    retry_after,
    silent,
)

from penstock.clock import FakeClock
from penstock.errors import InputError
from penstock.resilience import Budget, Hints, Limit, Quota, Reset, Ticket, parse_hints
from penstock.simulator.limiter import SlidingWindow

DIALECTS = {"draft-8": draft8, "draft-7": draft7, "draft-6": draft6, "legacy": legacy}


def world(
    server: FixedWindow, *, reserve: float = 0, skew: float = 0.0, items: int = 1200
) -> World:
    clock = WorldClock(server.wall, skew)
    return World(server, Budget(reserve=reserve, clock=clock), clock, items=items)


def ideal(items: int, limit: int, length: float) -> float:
    """Full windows one after the other, and nothing of the last one's time."""
    return (math.ceil(items / limit) - 1) * length


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("start", [0.0, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("skew", [0.0, 3.7, -3600.0])
def test_hinted_dialects_reach_the_ideal_without_one_refusal(
    header: Header, start: float, skew: float
) -> None:
    server = FixedWindow(500, 5.0, header, wall=1_800_000_000.0 + start)
    run = world(server, skew=skew)
    took = run.run()
    assert len(server.accepted_at) == 1200
    assert server.refused_at == []
    assert took <= ideal(1200, 500, 5.0) * 1.03 + 0.1


@settings(max_examples=60, deadline=None)
@example(  # our clock is ahead, and says that the window ends just before it really does
    header=legacy, start=0.599609375, skew=0.4, limit=1, length=1.0, concurrency=1, seed=0
)
@given(
    header=st.sampled_from(list(DIALECTS.values())),
    start=st.floats(0, 1),
    skew=st.sampled_from([0.0, 0.4, -7.3, 86400.0]),
    limit=st.integers(1, 80),
    length=st.sampled_from([1.0, 5.0, 15.0, 60.0]),
    concurrency=st.sampled_from([1, 7, 64]),
    seed=st.integers(0, 9),
)
def test_no_refusal_after_the_first_window_whatever_the_server(  # noqa: PLR0917 - drawn by name
    header: Header,
    start: float,
    skew: float,
    limit: int,
    length: float,
    concurrency: int,
    seed: int,
) -> None:
    server = FixedWindow(limit, length, header, wall=1_800_000_000.0 + start)
    run = world(server, skew=skew, items=3 * limit + 1)
    run.concurrency, run.seed = concurrency, seed
    took = run.run()
    assert len(server.accepted_at) == run.items
    assert [at for at in server.refused_at if at > length] == []
    assert took <= ideal(run.items, limit, length) + 3 * 1.1


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("reserve", [1, 90, 99])
def test_the_reserve_is_never_spent(header: Header, reserve: int) -> None:
    server = FixedWindow(100, 5.0, header, wall=1_800_000_000.3)
    world(server, reserve=reserve, items=25 if reserve < 99 else 4).run()
    assert server.lowest >= reserve
    assert server.refused_at == []


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
def test_the_reserve_holds_while_others_spend_under_the_same_key(header: Header) -> None:
    """Others take one in four between our calls; we see it in what is left, and stop in time."""
    server = FixedWindow(100, 5.0, header, wall=1_800_000_000.3)
    inner, ours = server.answer, 0

    def answer(now: float) -> tuple[int, bytes]:
        nonlocal ours
        ours += 1
        if ours % 4 == 0 and server.left > 1 and now < server.end:
            server.used += 1
        return inner(now)

    server.answer = answer  # type: ignore[method-assign] # a second consumer before each fourth
    run = world(server, reserve=40, items=150)
    run.concurrency = 1
    run.run()
    assert server.lowest >= 40 - 1  # what another took between the last two answers
    assert server.refused_at == []


def test_a_reserve_above_the_limit_is_one_clear_error() -> None:
    server = FixedWindow(100, 5.0, draft8)
    with pytest.raises(
        InputError, match="reserve of 100 leaves nothing of the server's limit of 100"
    ):
        world(server, reserve=100, items=3).run()


@pytest.mark.parametrize("start", [0.0, 0.37, 0.9])
def test_a_server_that_tells_only_retry_after_is_learned_within_one_window(start: float) -> None:
    server = FixedWindow(500, 5.0, retry_after, wall=1_800_000_000.0 + start)
    run = world(server, items=3000)
    took = run.run()
    later = [at for at in server.refused_at if at > 5.0]
    assert len(server.accepted_at) == 3000
    assert len(later) <= 3
    assert took <= ideal(3000, 500, 5.0) * 1.05 + 0.3


def test_a_learned_limit_that_was_too_low_is_raised_again() -> None:
    """Half of the first window was spent by somebody else: that half is not lost for ever."""
    server = FixedWindow(100, 5.0, retry_after)
    server.end, server.used = 5.0, 60
    run = world(server, items=4000)
    took = run.run()
    assert took <= ideal(4000, 100, 5.0) * 1.35
    assert len(server.refused_at) <= 60


@pytest.mark.parametrize(("rate", "burst"), [(100.0, 20), (50.0, 5), (400.0, 40)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_leaky_bucket_without_hints_is_used_to_95_percent(
    rate: float, burst: int, seed: int
) -> None:
    server = LeakyBucket(rate, burst)
    clock = WorldClock(1_800_000_000.0)
    items = int(rate * 60)
    run = World(server, Budget(clock=clock), clock, items=items, seed=seed)
    took = run.run()
    assert len(server.accepted_at) == items
    assert items / took >= 0.95 * rate
    assert len(server.refused_at) <= 0.01 * items


def test_a_fixed_window_without_hints_settles_too() -> None:
    server = FixedWindow(500, 5.0, silent)
    run = world(server, items=6000)
    took = run.run()
    assert 6000 / took >= 0.5 * 100  # a bare 429 and a whole window to wait for: no promise here
    assert len(server.refused_at) <= 0.02 * 6000


def test_no_limit_is_found_where_there_is_none() -> None:
    server = LeakyBucket(1e9, 10**9)
    clock = WorldClock(1_800_000_000.0)
    run = World(server, Budget(clock=clock), clock, items=5000)
    assert run.run() < 5000 / 32 * 0.002 * 1.5 + 0.1
    assert server.refused_at == []


def test_after_a_renewal_one_call_goes_first() -> None:
    budget = Budget(clock=FakeClock())
    first = budget.take(0.0)
    assert isinstance(first, Ticket)
    assert budget.take(0.0) == math.inf  # the probe is out
    spent = Quota(name="all", limit=10, remaining=0, reset=Reset(5, exact=True), window=5)
    budget.settle(first, 0.1, Hints((spent,)))
    assert budget.take(1.0) == pytest.approx(4.1)
    probe = budget.take(5.2)
    assert isinstance(probe, Ticket)
    assert budget.take(5.2) == math.inf
    budget.settle(probe, 5.3, Hints((Quota(name="all", limit=10, remaining=9, reset=Reset(5)),)))
    assert isinstance(budget.take(5.3), Ticket)


def test_a_probe_without_answer_lets_another_try() -> None:
    budget = Budget(clock=FakeClock())
    first = budget.take(0.0)
    assert isinstance(first, Ticket)
    budget.abandon(first)
    assert isinstance(budget.take(0.1), Ticket)


def test_backoff_on_a_200_holds_everybody() -> None:
    budget = Budget(clock=FakeClock())
    ticket = budget.take(0.0)
    assert isinstance(ticket, Ticket)
    budget.settle(ticket, 1.0, parse_hints(b"HTTP/1.1 200 OK\r\nBackoff: 2\r\n\r\n"))
    assert budget.take(1.0) == pytest.approx(2.0)
    assert isinstance(budget.take(3.0), Ticket)


def test_a_stale_answer_does_not_raise_what_is_left() -> None:
    """Answers overtake each other: the older one says 8 left although the newer said 0."""
    budget = Budget(clock=FakeClock())
    probe = budget.take(0.0)
    assert isinstance(probe, Ticket)
    head = b'RateLimit: "a"; r=%d; t=5\r\nRateLimit-Policy: "a"; q=10; w=5\r\n'
    budget.settle(probe, 0.1, parse_hints(head % 9))
    one, two = budget.take(0.2), budget.take(0.2)
    assert isinstance(one, Ticket)
    assert isinstance(two, Ticket)
    budget.settle(two, 0.3, parse_hints(head % 0))
    budget.settle(one, 0.4, parse_hints(head % 8))
    assert not isinstance(budget.take(0.5), Ticket)


def test_a_wait_for_answers_of_others_is_not_a_wait_for_the_renewal() -> None:
    """Two threads, one left of the window beyond a call that is out: one slept until the reset."""
    budget = Budget(reserve=7, clock=FakeClock())
    first = budget.take(0.0)
    assert isinstance(first, Ticket)
    head = b'RateLimit: "a"; r=%d; t=3600\r\nRateLimit-Policy: "a"; q=10; w=3600\r\n'
    budget.settle(first, 0.1, parse_hints(head % 9))
    out, other = budget.take(0.2), budget.take(0.2)
    assert isinstance(out, Ticket)
    assert isinstance(other, Ticket)
    assert budget.take(0.2) == 0.05  # both may turn out not to be counted
    budget.settle(other, 0.3, parse_hints(head % 8))
    assert budget.take(0.3) == 0.05
    budget.settle(out, 0.4, parse_hints(head % 7))
    assert budget.take(0.4) == pytest.approx(3600, abs=2)  # nothing is out: no answer can help


# Several limits and costs


def both(requests_left: int, tokens_left: int) -> Hints:
    return Hints(
        (
            Quota(name="requests", limit=100, remaining=requests_left, reset=Reset(60), window=60),
            Quota(
                name="tokens",
                unit="tokens",
                limit=1000,
                remaining=tokens_left,
                reset=Reset(10),
                window=10,
            ),
        )
    )


def test_the_tighter_of_several_limits_holds() -> None:
    budget = Budget(clock=FakeClock())
    cost = {"requests": 1.0, "tokens": 300.0}
    first = budget.take(0.0, cost)
    assert isinstance(first, Ticket)
    budget.settle(first, 0.1, both(99, 700))
    assert isinstance(budget.take(0.2, cost), Ticket)
    assert isinstance(budget.take(0.2, cost), Ticket)
    refused = budget.take(0.2, cost)  # 100 tokens are left
    assert isinstance(refused, float)
    assert refused > 0
    assert isinstance(budget.take(0.2, {"requests": 1.0, "tokens": 100.0}), Ticket)


def test_a_call_that_costs_tokens_is_a_request_too() -> None:
    """A cost that named tokens only was not counted as a request: that limit was overspent."""
    budget = Budget(limits=[Limit(2, per=60)], clock=FakeClock())
    for _ in range(2):
        ticket = budget.take(0.0, {"tokens": 5.0})
        assert isinstance(ticket, Ticket)
        budget.settle(ticket, 0.0)
    assert not isinstance(budget.take(0.0, {"tokens": 5.0}), Ticket)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 20),
    # Eighths of a second: sums of them are exact, so no rounding blurs the edge of a window.
    per=st.integers(1, 800).map(lambda n: n / 8),
    gaps=st.lists(st.integers(0, 240).map(lambda n: n / 8), min_size=1, max_size=80),
)
def test_a_given_limit_holds_in_every_sliding_window(
    count: int, per: float, gaps: list[float]
) -> None:
    budget = Budget(limits=[Limit(count, per=per)], clock=FakeClock())
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        ticket = budget.take(now)
        if isinstance(ticket, Ticket):
            sent.append(now)
            budget.settle(ticket, now)
        else:
            assert ticket > 0
    for moment in sent:
        assert sum(moment - per < other <= moment for other in sent) <= count


def test_a_cost_that_no_window_ever_holds_is_an_error() -> None:
    budget = Budget(limits=[Limit(100, per=1, unit="tokens")], clock=FakeClock())
    with pytest.raises(InputError, match="costs 101 tokens"):
        budget.take(0.0, {"requests": 1, "tokens": 101})


@pytest.mark.parametrize("wrong", [-1, -0.5])
def test_a_negative_reserve_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="reserve"):
        Budget(reserve=wrong)


# What is left, asked by a sizer


def test_available_is_what_the_status_call_said_less_the_reserve() -> None:
    clock = FakeClock()
    budget = Budget(reserve=90, clock=clock)
    asked = []

    def refresh() -> None:
        asked.append(clock.monotonic())
        budget.status(Quota(name="status", limit=100, remaining=100, reset=Reset(60)), 0.0, 0.0)

    budget.refresh = refresh
    assert budget.available() == 10
    assert asked


def test_nothing_available_and_when_it_will_be() -> None:
    clock = FakeClock()
    budget = Budget(clock=clock)
    ticket = budget.take(0.0)
    assert isinstance(ticket, Ticket)
    quota = Quota(name="a", limit=10, remaining=0, reset=Reset(5, exact=True), window=5)
    budget.settle(ticket, 0.0, Hints((quota,)))
    assert budget.available() == 0
    assert 4.9 <= budget.renewed_in() <= 5.1
    view = budget.view(1.0)
    assert (view.limit, view.remaining) == (10, 0)
    assert view.reset == pytest.approx(4.0, abs=0.2)


def test_a_learned_limit_keeps_the_reserve_too() -> None:
    """A server that tells only Retry-After: once its limit is learned, the reserve is left."""
    server = FixedWindow(100, 5.0, retry_after)
    run = world(server, reserve=30, items=600)
    run.run()
    later = [at for at in server.accepted_at if at >= 10.0]
    assert later
    assert [at for at in server.refused_at if at > 5.1] == []
    assert all(sum(s <= at < s + 5.0 for at in server.accepted_at) <= 71 for s in later)


_AMOUNT = st.none() | st.sampled_from([0.0, 1.0, 2.0, 5.0, 1e9])
_RESET = st.none() | st.builds(
    Reset, st.sampled_from([0.0, 0.5, 5.0, 86400.0, 1e12]), st.booleans(), st.booleans()
)
_QUOTA = st.builds(
    Quota,
    name=st.sampled_from(["a", "b"]),
    unit=st.sampled_from(["requests", "weight"]),
    limit=_AMOUNT,
    remaining=_AMOUNT,
    reset=_RESET,
    window=st.none() | st.sampled_from([1.0, 60.0]),
    resource=st.sampled_from(["", "core", "search"]),
    used=_AMOUNT,
)
_ANSWER = st.tuples(
    st.sampled_from([200, 200, 403, 429, 429, 503]),
    st.none() | st.builds(Hints, st.lists(_QUOTA, max_size=2).map(tuple), _RESET),
)
_EVENT = st.one_of(
    st.just("take"),
    st.tuples(st.just("abandon"), st.integers(0, 7)),
    st.tuples(st.just("settle"), st.integers(0, 7), _ANSWER),
    st.sampled_from([0.0, 0.3, 6.0, 100.0]),
)


@settings(max_examples=int(os.environ.get("PENSTOCK_EXAMPLES", "300")), deadline=None)
@given(events=st.lists(_EVENT, max_size=40), paths=st.sampled_from([("",), ("/a", "/b")]))
def test_no_answers_whatever_stop_a_run_for_good(
    events: list[object], paths: tuple[str, ...]
) -> None:
    """A window whose every call was refused without a time, or lost, was never opened again."""
    budget, now, out = Budget(clock=FakeClock()), 0.0, list[Ticket]()
    for place, event in enumerate(events):
        now += event if isinstance(event, float) else 0.01
        if event == "take":
            got = budget.take(now, path=paths[place % len(paths)])
            out += [got] if isinstance(got, Ticket) else []
        elif isinstance(event, tuple) and out:
            ticket = out.pop(event[1] % len(out))
            if event[0] == "settle":
                status, hints = event[2]
                budget.settle(ticket, now, hints, status)
            else:
                budget.abandon(ticket)
    for ticket in out:
        budget.abandon(ticket)
    for _ in range(30):
        answer = budget.take(now, path=paths[0])
        if isinstance(answer, Ticket):
            return
        assert math.isfinite(answer)
        now += answer
    raise AssertionError("no leave after 30 questions")


def test_a_server_that_counts_the_last_seconds_and_tells_only_when_to_come_back() -> None:
    """It refused calls of each burst that was quicker than the one before."""
    server, budget, now = SlidingWindow(20, 5.0), Budget(reserve=2), 100.0
    refused: list[float] = []
    while now < 160.0:
        ticket = budget.take(now)
        if not isinstance(ticket, Ticket):
            now += min(ticket, 0.05)
            continue
        verdict = server.take(now)
        wait = Reset(math.ceil(verdict.retry_after))
        refused += [] if verdict.accepted else [now]
        status, hints = (200, Hints()) if verdict.accepted else (429, Hints(retry_after=wait))
        budget.settle(ticket, now + 0.01, hints, status)
        now += 0.01 if refused else 0.15
    assert len(refused) == 1
