"""What the first document shows, run: its retries, its error in a 200, its closing example."""

from __future__ import annotations

import pytest

from penstock import Api, Budget, Get, RetryPolicy, batches
from penstock.errors import GaveUp, InputError, PermanentError
from penstock.http import StatusCall
from penstock.pipeline import fetch
from penstock.simulator import Simulator, SimulatorSettings


def carries_an_error(body: object) -> bool:
    return isinstance(body, dict) and "error" in body


# The document: three tries, its test for errors, never 404, always 520 and 101, otherwise True.
POLICY = RetryPolicy(
    attempts=3, base=0.01, failed=carries_an_error, never={404}, always={520, 101}, otherwise=True
)


def user(user_id: str | int) -> Get:
    return Get(f"/users/{user_id}.json")


def test_retry_with_the_tables_of_the_document() -> None:
    always_520 = SimulatorSettings(faults=1, mix=(("520", 1),), users=10)
    with Simulator(always_520) as server:
        with pytest.raises(GaveUp, match=r"520 \(after 3 calls\)"):
            Api(server.url, retry=POLICY).call(user(7))
        with pytest.raises(PermanentError, match="404 Not Found"):
            Api(server.url, retry=POLICY).call(Get("/nowhere"))
        assert server.truth()["by_status"] == {"520": 3, "404": 1}


def test_a_number_for_a_set_is_refused_with_the_right_call() -> None:
    with pytest.raises(InputError, match=r"write never=\{404\}, a set"):
        RetryPolicy(never=404)  # type: ignore[arg-type] # the document's own slip


def test_an_error_in_a_good_answer_is_tried_again() -> None:
    with Simulator(SimulatorSettings(faults=1, mix=(("error", 1),), users=10)) as server:
        with pytest.raises(GaveUp, match="error in the body"):
            Api(server.url, retry=POLICY).call(user(7))
        assert server.truth()["faults"] == {"error": 3}


def test_the_closing_example() -> None:
    """Limit 100, 90 of them kept, batches of 6 preferred, a pool of 3, ten ids: 6 and 4."""
    with Simulator(SimulatorSettings(limit=100, window=3600, auth="none")) as server:
        budget = Budget(reserve=90)
        status = StatusCall(path="/rate_limit_status.json")
        api = Api(server.url, retry=POLICY, budget=budget, status=status)
        done = []
        for batch in batches(range(10), 6, sizer=budget):
            results = {result.key: result for result in fetch(batch, api, user, concurrency=3)}
            assert all(result.ok for result in results.values())
            done.append(sorted(results))
        truth = server.truth(ids=True)
    assert done == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]]
    assert truth["ids"] == {str(n): 1 for n in range(10)}
    assert truth["peak_connections"] <= 3 + 1  # the pool, and the status call's own
    assert [key["lowest_remaining"] for key in truth["per_key"].values()] == [90]


def test_the_budget_is_spent_and_says_so() -> None:
    with Simulator(SimulatorSettings(limit=100, window=3600)) as server:
        budget = Budget(reserve=90)
        api = Api(server.url, budget=budget, status=StatusCall(path="/rate_limit_status.json"))
        kept = list(batches(range(20), 6, sizer=budget, empty="stop"))
        assert [len(batch) for batch in kept] == [6, 6, 6, 2]  # nothing was called in between
        for batch in batches(range(20), 6, sizer=budget, empty="stop"):
            assert all(result.ok for result in fetch(batch, api, user, concurrency=3))
        assert server.truth()["served"] == 10
