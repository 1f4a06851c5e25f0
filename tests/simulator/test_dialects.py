"""Every dialect's headers, letter by letter, and over the wire."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from penstock.simulator import Simulator
from penstock.simulator.dialects import rate_headers
from penstock.simulator.limiter import FixedWindow, LimitVerdict
from penstock.simulator.settings import Dialect, ResetForm, SimulatorSettings

ACCEPTED = LimitVerdict(accepted=True, limit=500, remaining=499, reset=4.01, retry_after=4.01)
REFUSED = LimitVerdict(accepted=False, limit=500, remaining=0, reset=1.2, retry_after=1.2)
EPOCH = 1_795_284_300.25

EXPECTED: dict[Dialect, list[str]] = {
    "draft-8": [
        'RateLimit: "500-in-5sec"; r=499; t=5',
        'RateLimit-Policy: "500-in-5sec"; q=500; w=5; pk=:MmJiODBkNTM3YjFk:',
    ],
    "draft-7": ["RateLimit-Policy: 500;w=5", "RateLimit: limit=500, remaining=499, reset=5"],
    "draft-6": [
        "RateLimit-Policy: 500;w=5",
        "RateLimit-Limit: 500",
        "RateLimit-Remaining: 499",
        "RateLimit-Reset: 5",
    ],
    "legacy": [
        "X-RateLimit-Limit: 500",
        "X-RateLimit-Remaining: 499",
        "X-RateLimit-Reset: 1795284305",
    ],
    "retry-after": [],
    "none": [],
}


def lines(dialect: Dialect, verdict: LimitVerdict, reset_form: ResetForm = "epoch") -> list[str]:
    settings = SimulatorSettings(dialect=dialect, reset_form=reset_form)
    return [f"{name}: {value}" for name, value in rate_headers(settings, verdict, "secret", EPOCH)]


@pytest.mark.parametrize("dialect", EXPECTED)
def test_an_accepted_request_gets_these_headers(dialect: Dialect) -> None:
    assert lines(dialect, ACCEPTED) == EXPECTED[dialect]


@pytest.mark.parametrize("dialect", EXPECTED)
def test_a_refused_one_is_told_when_to_come_back_by_all_but_none(dialect: Dialect) -> None:
    told = lines(dialect, REFUSED)
    assert ("Retry-After: 2" in told) == (dialect != "none")
    assert len(told) == len(EXPECTED[dialect]) + (dialect != "none")


@pytest.mark.parametrize(
    ("window", "name", "seconds"),
    [
        (5.0, "2-in-5sec", 5),
        (0.5, "2-in-0.5sec", 1),
        (60.0, "2-in-1min", 60),
        (90.0, "2-in-1.5min", 90),
        (7200.0, "2-in-2hrs", 7200),
    ],
)
def test_draft_8_is_what_express_rate_limit_8_7_4_was_seen_to_send(
    window: float, name: str, seconds: int
) -> None:
    settings = SimulatorSettings(dialect="draft-8", limit=2, window=window)
    verdict = FixedWindow(2, window).take(0.0)
    assert rate_headers(settings, verdict, "127.0.0.1", EPOCH) == (
        ("RateLimit", f'"{name}"; r=1; t={seconds}'),
        ("RateLimit-Policy", f'"{name}"; q=2; w={seconds}; pk=:MTJjYTE3YjQ5YWYy:'),
    )


def test_retry_after_is_never_0() -> None:
    assert "Retry-After: 1" in lines("retry-after", REFUSED._replace(retry_after=0.0))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("delta", "5"),
        ("epoch", "1795284305"),
        ("epoch-ms", "1795284304260"),
        ("epoch-ns", "1795284304260000000"),
        ("rfc3339", "2026-11-21T18:05:05Z"),
    ],
)
def test_the_legacy_reset_in_every_form(form: ResetForm, text: str) -> None:
    assert lines("legacy", ACCEPTED, form)[-1] == f"X-RateLimit-Reset: {text}"


@pytest.mark.parametrize("dialect", EXPECTED)
def test_over_the_wire_until_refused(
    simulate: Callable[..., Simulator], ask: Callable[..., Any], dialect: Dialect
) -> None:
    simulator = simulate(users=5, limit=2, window=60.0, dialect=dialect)
    replies = [ask(simulator, f"/users/{id_}.json") for id_ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    told = [
        {name.lower() for name, _ in reply.headers.items() if "ratelimit" in name.lower()}
        for reply in replies
    ]
    wanted = {line.partition(":")[0].lower() for line in EXPECTED[dialect]}
    assert told == [wanted] * 3
    assert [reply.headers["Retry-After"] is not None for reply in replies] == [
        False,
        False,
        dialect != "none",
    ]
    assert all(parsedate_to_datetime(reply.headers["Date"]) for reply in replies)
    truth = simulator.truth()
    assert truth["per_key"]["peer 127.0.0.1"]["accepted"] == 2
    assert truth["per_key"]["peer 127.0.0.1"]["rejected"] == 1
    assert truth["per_key"]["peer 127.0.0.1"]["lowest_remaining"] == 0


def test_a_wrong_clock_shifts_date_and_epoch_resets_alike(
    simulate: Callable[..., Simulator], ask: Callable[..., Any]
) -> None:
    simulator = simulate(dialect="legacy", date_skew=-86_400.0, window=60.0)
    before = time.time()
    headers = ask(simulator, "/users/1.json").headers
    after = time.time()
    date = parsedate_to_datetime(headers["Date"]).timestamp()
    assert math.floor(before) - 86_400 <= date <= after - 86_400
    assert before + 60 - 86_400 <= int(headers["X-RateLimit-Reset"]) <= after + 61 - 86_400


def test_rfc3339_is_read_by_the_standard_library(
    simulate: Callable[..., Simulator], ask: Callable[..., Any]
) -> None:
    simulator = simulate(dialect="legacy", reset_form="rfc3339", window=60.0)
    before = time.time()
    text = ask(simulator, "/users/1.json").headers["X-RateLimit-Reset"]
    assert before + 60 <= datetime.fromisoformat(text).timestamp() <= time.time() + 61


def test_each_credential_has_a_limit_of_its_own(
    simulate: Callable[..., Simulator], ask: Callable[..., Any]
) -> None:
    simulator = simulate(limit=1, window=60.0)
    statuses = [
        ask(simulator, "/users/1.json", headers).status
        for headers in (
            {"Authorization": "Bearer a"},
            {"Authorization": "Bearer b"},
            {"Authorization": "Bearer a"},
            {"X-Api-Key": "c"},
            {},
        )
    ]
    statuses.append(ask(simulator, "/users/1.json?api_key=c").status)
    assert statuses == [200, 200, 429, 200, 200, 429]
    truth = simulator.truth()
    assert set(truth["per_key"]) == {"Bearer a", "Bearer b", "api-key c", "peer 127.0.0.1"}


def test_the_status_call_is_free_and_right(
    simulate: Callable[..., Simulator], ask: Callable[..., Any]
) -> None:
    simulator = simulate(limit=5, window=60.0, faults=1.0, mix=(("500", 1.0),))
    before = time.time()
    fresh = ask(simulator, "/rate_limit_status.json").json
    ask(simulator, "/users/1.json")
    status = ask(simulator, "/rate_limit_status.json").json
    assert (fresh["hourly_limit"], fresh["remaining_hits"]) == (5, 5)
    assert status["remaining_hits"] == 4
    assert before + 60 <= status["reset_time_in_seconds"] <= time.time() + 61
    assert simulator.truth()["accepted"] == 1


def test_a_bucket_over_the_wire(
    simulate: Callable[..., Simulator], ask: Callable[..., Any]
) -> None:
    simulator = simulate(limiter="bucket", limit=1, window=3600.0, burst=2, dialect="none")
    assert [ask(simulator, "/users/1.json").status for _ in range(4)] == [200, 200, 200, 429]
