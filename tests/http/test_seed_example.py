"""The example the project began with: limit 100, keep 90, batches of 6, a pool of 3, ten ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.http import Api, Get, Response, StatusCall
from penstock.pipeline import Key, Pipeline, Result, batches, fetch, in_threads
from penstock.resilience import Budget, RetryPolicy
from penstock.simulator import Simulator

Simulate = Callable[..., Simulator]
DIALECTS = ["draft-8", "draft-7", "draft-6", "legacy"]


def seed_api(simulator: Simulator, *, status: bool) -> Api:
    return Api(
        simulator.url,
        retry=RetryPolicy(
            attempts=3,
            base=0.001,
            never={404},
            always={520, 101},
            failed=lambda body: isinstance(body, dict) and "error" in body,
        ),
        budget=Budget(reserve=90),
        status=StatusCall(path="/rate_limit_status.json") if status else None,
    )


def user(key: int | str) -> Get:
    return Get(f"/users/{key}.json")


@pytest.mark.parametrize("dialect", [*DIALECTS, "none"])
def test_by_the_status_call(simulate: Simulate, dialect: str) -> None:
    simulator = simulate(users=10, limit=100, window=3600.0, dialect=dialect)
    api = seed_api(simulator, status=True)
    sizes: list[int] = []
    results: list[Result[Key, Response]] = []
    for batch in batches(range(10), 6, sizer=api.budget):
        sizes.append(len(batch))
        results += fetch(batch, api, user, concurrency=3)
    assert sizes == [6, 4]
    assert sorted(result.key for result in results if result.ok) == list(range(10))
    (spent,) = simulator.truth()["per_key"].values()
    assert (spent["spent_total"], spent["lowest_remaining"]) == (10, 90)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_by_the_headers(simulate: Simulate, dialect: str) -> None:
    """Nothing is known before the first call, so it goes alone; then 6, then what is left of 10."""
    simulator = simulate(users=10, limit=100, window=3600.0, dialect=dialect)
    api = seed_api(simulator, status=False)
    sizes: list[int] = []
    results: list[Result[Key, Response]] = []
    for batch in batches(range(10), 6, sizer=api.budget):
        sizes.append(len(batch))
        results += fetch(batch, api, user, concurrency=3)
    assert sizes == [1, 6, 3]
    assert all(result.ok for result in results)
    (spent,) = simulator.truth()["per_key"].values()
    assert (spent["spent_total"], spent["lowest_remaining"]) == (10, 90)


def test_by_the_headers_once_they_were_seen(simulate: Simulate) -> None:
    """With one call made before (the budget is known), it is batches of 6 and 4 again."""
    simulator = simulate(users=10, limit=101, window=3600.0)
    api = seed_api(simulator, status=False)
    api.get("/users/0.json")
    sizes: list[int] = []
    results: list[Result[Key, object]] = []
    for batch in batches(range(10), 6, sizer=api.budget):
        sizes.append(len(batch))
        results += in_threads(batch, lambda key: api.get(f"/users/{key}.json"), threads=3)
    assert sizes == [6, 4]
    assert all(result.ok for result in results)
    (spent,) = simulator.truth()["per_key"].values()
    assert spent["lowest_remaining"] == 90


@pytest.mark.parametrize("status", [True, False])
def test_an_eleventh_id_is_left_where_zero_means_stop(simulate: Simulate, *, status: bool) -> None:
    simulator = simulate(users=20, limit=100, window=3600.0)
    api = seed_api(simulator, status=status)
    source = iter(range(20))
    stage = Pipeline(source).batches(6, sizer=api.budget, empty="stop")
    results = list(stage.fetch(api, user, concurrency=3))
    assert sorted(result.key for result in results) == list(range(10))
    assert next(source) == 10
    (spent,) = simulator.truth()["per_key"].values()
    assert spent["lowest_remaining"] == 90


def test_zero_may_mean_wait_for_the_renewal(simulate: Simulate) -> None:
    simulator = simulate(users=15, limit=100, window=1.0)
    api = seed_api(simulator, status=False)
    stage = Pipeline(range(15)).batches(6, sizer=api.budget).fetch(api, user, concurrency=3)
    assert sum(result.ok for result in stage) == 15
    (spent,) = simulator.truth()["per_key"].values()
    assert spent["lowest_remaining"] is not None
    assert spent["lowest_remaining"] >= 90
    assert spent["rejected"] == 0


def test_the_reserve_is_told_to_nobody_but_kept_from_everybody(simulate: Simulate) -> None:
    """Two sessions under one key share one budget: together they leave the reserve."""
    simulator = simulate(users=40, limit=100, window=3600.0)
    api = seed_api(simulator, status=True)
    other = Api(simulator.url, budget=api.budget)
    first = fetch(range(5), api, user, concurrency=2)
    second = fetch(range(5, 10), other, user, concurrency=2)
    assert sum(result.ok for pair in zip(first, second, strict=True) for result in pair) == 10
    assert api.budget.available() == 0
    (spent,) = simulator.truth()["per_key"].values()
    assert spent["lowest_remaining"] == 90
