"""Windows and buckets as functions of the time that is given to them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.ledger import Account
from penstock.simulator.limiter import Bucket, FixedWindow, limiter_for
from penstock.simulator.settings import SimulatorSettings

steps = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=200)


def test_a_window_begins_with_the_first_request_and_not_on_a_grid() -> None:
    limiter = FixedWindow(1, 10.0)
    times = [7.0, 16.9, 17.0, 26.9, 100.0, 109.0]
    assert [limiter.take(now).accepted for now in times] == [True, False, True, False, True, False]


def test_a_window_tells_what_remains_and_when_it_ends() -> None:
    limiter = FixedWindow(3, 5.0)
    first, second = limiter.take(1.0), limiter.take(3.5)
    assert (first.remaining, first.reset) == (2, 5.0)
    assert (second.remaining, second.reset) == (1, 2.5)


def test_looking_spends_nothing() -> None:
    limiter = FixedWindow(3, 5.0)
    limiter.take(0.0)
    assert [limiter.look(1.0).remaining for _ in range(5)] == [2] * 5
    assert limiter.look(5.0).remaining == 3
    assert limiter.take(1.0).remaining == 1


@given(steps, st.integers(1, 6), st.floats(0.5, 5))
def test_no_window_ever_accepts_more_than_its_limit(
    gaps: list[float], limit: int, window: float
) -> None:
    account = Account(SimulatorSettings(limit=limit, window=window))
    for now in itertools.accumulate(gaps):
        account.charge(now, 1e9 + now)
    truth = account.truth()
    assert all(0 < one["accepted"] <= limit for one in truth["windows"])
    assert truth["accepted"] == sum(one["accepted"] for one in truth["windows"])
    assert truth["accepted"] + truth["rejected"] == len(gaps)
    starts = [one["start"] for one in truth["windows"]]
    assert all(later - earlier >= window * 0.999 for earlier, later in itertools.pairwise(starts))


@given(steps, st.integers(1, 20), st.integers(0, 5))
def test_a_bucket_never_lets_more_through_than_rate_and_burst(
    gaps: list[float], limit: int, burst: int
) -> None:
    limiter = Bucket(limit, 10.0, burst)
    times = list(itertools.accumulate(gaps))
    passed = [now for now in times if limiter.take(now).accepted]
    for first, last in itertools.combinations(range(len(passed)), 2):
        allowed = (passed[last] - passed[first]) * limit / 10.0 + burst + 1
        assert last - first + 1 <= allowed + 1e-6


def test_a_bucket_fills_up_to_its_burst_and_no_further() -> None:
    limiter = Bucket(10, 1.0, burst=2)
    assert [limiter.take(0.0).remaining for _ in range(4)] == [2, 1, 0, 0]
    assert limiter.look(1000.0).remaining == 3


def test_a_bucket_says_when_the_next_request_passes() -> None:
    limiter = Bucket(10, 1.0, burst=0)
    limiter.take(0.0)
    refused = limiter.take(0.04)
    assert not refused.accepted
    assert refused.retry_after == pytest.approx(0.06)
    assert limiter.take(0.04 + refused.retry_after).accepted


def test_limit_0_means_no_limit() -> None:
    limiter = limiter_for(SimulatorSettings(limit=0))
    assert all(limiter.take(0.0).accepted for _ in range(1000))


def test_the_lowest_remaining_is_kept_over_all_windows() -> None:
    account = Account(SimulatorSettings(limit=10, window=5.0))
    for now in [0, 0, 0, 0, 5, 5]:
        account.charge(now, now)
    truth = account.truth()
    assert truth["lowest_remaining"] == 6
    assert [one["accepted"] for one in truth["windows"]] == [4, 2]


def test_only_the_last_thousand_windows_are_kept() -> None:
    account = Account(SimulatorSettings(limit=1, window=1.0))
    for now in range(1500):
        account.charge(now, now)
    truth = account.truth()
    assert len(truth["windows"]) == 1000
    assert truth["accepted"] == 1500
