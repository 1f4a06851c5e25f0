"""Laws of the circuit breaker and of the retry budget."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.resilience import Breaker, BreakerPolicy, RetryBudget

POLICY = BreakerPolicy(failures=3, pause=1.0, cap=5.0, outage=100.0)


def opened() -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(0.0)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert not breaker.is_open
    assert breaker.wait(0.0) == 0.0


def test_one_call_tries_and_the_others_wait_for_it() -> None:
    breaker = opened()
    assert breaker.wait(0.5) == 0.5
    assert breaker.wait(1.0) == 0.0
    breaker.started(1.0)
    assert breaker.wait(1.0) == math.inf
    breaker.succeeded()
    assert breaker.wait(1.0) == 0.0


def test_pauses_double_up_to_the_cap() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(5):
        pauses.append(breaker.wait(now))
        now += breaker.wait(now)
        breaker.started(now)
        breaker.failed(now)
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_trying_call_that_is_dropped_lets_the_next_one_try() -> None:
    """Closing a generator while one call tried left the breaker waiting for it for ever."""
    breaker = opened()
    breaker.started(1.0)
    breaker.dropped()
    assert breaker.wait(1.0) == 0.0


def test_it_gives_up_after_the_outage() -> None:
    breaker = opened()
    assert not breaker.gave_up(100.0)
    assert breaker.gave_up(100.1)
    assert not Breaker(POLICY).gave_up(1e9)
    patient = Breaker(BreakerPolicy(failures=1, outage=None))
    patient.failed(0.0)
    assert not patient.gave_up(1e9)


@given(st.lists(st.tuples(st.sampled_from("sfd"), st.floats(0, 10)), max_size=60))
def test_whatever_happens_a_call_goes_out_in_the_end(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for what, gap in steps:
        now += gap
        if breaker.wait(now) == 0.0:
            breaker.started(now)
        if what == "f":
            breaker.failed(now)
        else:
            (breaker.succeeded if what == "s" else breaker.dropped)()
        assert breaker.wait(now) <= POLICY.cap + 1e-6  # rounding


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"pause": 0.0}, {"pause": 5.0, "cap": 1.0}])
def test_wrong_breakers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="BreakerPolicy"):
        BreakerPolicy(**wrong)  # type: ignore[arg-type] # wrong on purpose


@given(
    ratio=st.floats(0, 1),
    floor=st.floats(0.1, 100),
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=200),
)
def test_retries_never_exceed_their_share(
    ratio: float, floor: float, steps: list[tuple[bool, float]]
) -> None:
    budget = RetryBudget(ratio=ratio, floor=floor, most=5.0)
    now, calls, retries = 0.0, 0, 0
    for first, gap in steps:
        now += gap
        if first:
            calls += 1
            budget.called()
        else:
            wait = budget.take(now)
            assert 0.0 <= wait <= 1.0 / floor
            retries += wait == 0.0
        assert retries <= 5.0 + ratio * calls + floor * now + 1e-6


@pytest.mark.parametrize("wrong", [{"ratio": -1.0}, {"floor": 0.0}, {"most": 0.5}])
def test_wrong_retry_budgets_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="RetryBudget"):
        RetryBudget(**wrong)


@pytest.fixture
def restless() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[], int]) -> list[int]:
    """Do the same work in four threads at once and return what each gave back."""
    barrier = threading.Barrier(4)

    def begin() -> int:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(4) as pool:
        return [done.result() for done in [pool.submit(begin) for _ in range(4)]]


@pytest.mark.usefixtures("restless")
def test_threads_that_share_a_retry_budget_take_no_token_twice() -> None:
    retries = RetryBudget(ratio=0.0, floor=1e-9, most=20_000.0)

    def take_all() -> int:
        taken = 0
        while retries.take(0.0) == 0.0:
            taken += 1
        return taken

    assert sum(together(take_all)) == 20_000


@pytest.mark.usefixtures("restless")
def test_threads_that_share_a_retry_budget_lose_no_token() -> None:
    retries = RetryBudget(ratio=1.0, floor=1e-9, most=40_000.0)
    while retries.take(0.0) == 0.0:
        pass

    def call() -> int:
        for _ in range(5_000):
            retries.called()
        return 5_000

    calls = sum(together(call))
    taken = 0
    while retries.take(0.0) == 0.0:
        taken += 1
    assert taken == calls


class Moment(float):
    """A time at whose use another thread gets its turn, unless a lock keeps it out."""

    def __new__(cls, seconds: float, meanwhile: threading.Thread) -> Self:
        moment = super().__new__(cls, seconds)
        moment.meanwhile = meanwhile
        return moment

    meanwhile: threading.Thread

    def __add__(self, other: float) -> float:
        self.meanwhile.start()
        self.meanwhile.join(0.05)
        return float(self) + other


def test_a_breaker_that_threads_share_doubles_its_pause_once_a_vain_try() -> None:
    breaker = opened()
    breaker.started(1.0)
    straggler = threading.Thread(target=breaker.failed, args=[1.0])
    breaker.failed(Moment(1.0, straggler))
    straggler.join()
    assert breaker.wait(1.0) == 2.0
    breaker.started(3.0)
    breaker.failed(3.0)
    assert breaker.wait(3.0) == 4.0


def test_a_clock_read_earlier_takes_no_token_away() -> None:
    """Threads read the clock before they ask, and may come in another order."""
    retries = RetryBudget(floor=1.0, most=2.0)
    assert [retries.take(now) for now in (10.0, 9.0)] == [0.0, 0.0]
    assert retries.take(10.0) == 1.0
    assert retries.take(11.0) == 0.0


def test_an_outage_begins_with_the_first_failure_in_a_row() -> None:
    breaker = Breaker(POLICY)
    for now in (10.0, 20.0, 30.0):
        breaker.failed(now)
    assert [breaker.gave_up(now) for now in (110.0, 110.5)] == [False, True]
    assert BreakerPolicy(pause=5.0, cap=5.0).cap == 5.0


def test_tokens_come_by_themselves_as_time_passes() -> None:
    retries = RetryBudget(ratio=0.0, floor=2.0, most=1.0)
    assert [retries.take(now) for now in (10.0, 10.0, 10.25, 10.5)] == [0.0, 0.5, 0.25, 0.0]
