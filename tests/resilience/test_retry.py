"""Laws of the retry policy, held against any policy and any fault."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.resilience import QUOTA, Fault, RetryPolicy

statuses = st.integers(100, 599)
faults = st.builds(
    Fault,
    status=st.none() | statuses,
    sent=st.booleans(),
    in_body=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e6),
)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    never = draw(st.frozensets(statuses, max_size=6))
    always = draw(st.frozensets(statuses, max_size=6)) - never
    return RetryPolicy(
        attempts=draw(st.integers(1, 6)),
        total=draw(st.none() | st.floats(0, 1000)),
        base=draw(st.floats(0, 10)),
        cap=draw(st.floats(0, 100)),
        never=never,
        always=always,
        otherwise=draw(st.booleans()),
        fatal=draw(st.frozensets(statuses, max_size=2)),
    )


@given(
    policy=policies(),
    fault=faults,
    failures=st.integers(1, 8),
    elapsed=st.floats(0, 2000),
    idempotent=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_laws(
    policy: RetryPolicy,
    fault: Fault,
    failures: int,
    elapsed: float,
    idempotent: bool,
    seed: int,
) -> None:
    wait = policy.wait(
        fault,
        failures=failures,
        elapsed=elapsed,
        idempotent=idempotent,
        rng=random.Random(seed),
    )
    quota = fault.status in QUOTA
    if wait is None:
        return
    assert wait >= 0
    if fault.retry_after is not None:
        assert wait == fault.retry_after  # unclamped
    else:
        assert wait <= policy.ceiling(failures) <= policy.cap
    assert policy.total is None or elapsed + wait <= policy.total
    assert quota or failures < policy.attempts
    if fault.sent and not fault.in_body:
        assert fault.status not in policy.never | policy.fatal
    if fault.sent and not idempotent:
        assert not fault.in_body
        assert fault.status in QUOTA | {425, 503}


@given(fault=faults, failures=st.integers(1, 3))
def test_never_sent_may_always_be_repeated(fault: Fault, failures: int) -> None:
    unsent = Fault(status=None, sent=False)
    policy = RetryPolicy(attempts=4)
    assert policy.wait(unsent, failures=failures, elapsed=0, idempotent=False) is not None
    if fault.sent and fault.status is None:
        assert policy.wait(fault, failures=failures, elapsed=0, idempotent=False) is None


@given(st.integers(1, 10_000))
def test_waiting_for_quota_is_never_an_attempt(failures: int) -> None:
    policy = RetryPolicy(attempts=1)
    fault = Fault(status=429)
    assert policy.wait(fault, failures=failures, elapsed=0, idempotent=True) is not None
    assert policy.wait(Fault(status=500), failures=failures, elapsed=0, idempotent=True) is None


@given(st.floats(0, 100), st.floats(0, 1000), st.integers(1, 2000))
def test_ceilings_grow_up_to_the_cap(base: float, cap: float, failures: int) -> None:
    policy = RetryPolicy(base=base, cap=cap)
    assert policy.ceiling(failures) <= policy.ceiling(failures + 1) <= cap


def test_the_seed_s_tables() -> None:
    """retry(3, is_twitter_error, (404), (520, 101), True, ...)."""
    policy = RetryPolicy(attempts=3, never={404}, always={520, 101})
    again = [
        s
        for s in (101, 404, 410, 418, 500, 520)
        if policy.repeats(Fault(status=s), idempotent=True)
    ]
    assert again == [101, 410, 418, 500, 520]
    strict = RetryPolicy(never={404}, always={520, 101}, otherwise=False)
    again = [
        s for s in (101, 404, 410, 500, 520) if strict.repeats(Fault(status=s), idempotent=True)
    ]
    assert again == [101, 520]


def test_one_table_alone_overrules_the_other_s_default() -> None:
    """RetryPolicy(never={503}) was refused: 503 is in the default of always."""
    assert not RetryPolicy(never={503}).repeats(Fault(status=503), idempotent=True)
    assert RetryPolicy(always={404}).repeats(Fault(status=404), idempotent=True)
    with pytest.raises(InputError, match=r"\[404\] cannot be in never and in always"):
        RetryPolicy(never={404, 500}, always={404})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"attempts": 0}, "at least 1 call"),
        ({"base": -1}, "0 or more"),
        ({"total": -1}, "0 or more"),
        ({"never": 404}, r"write never=\{404\}"),
    ],
)
def test_wrong_values_show_the_right_call(wrong: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RetryPolicy(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_an_error_in_a_body_counts_as_an_attempt() -> None:
    policy = RetryPolicy(attempts=2)
    fault = Fault(status=200, in_body=True)
    assert policy.wait(fault, failures=1, elapsed=0, idempotent=True) is not None
    assert policy.wait(fault, failures=2, elapsed=0, idempotent=True) is None
