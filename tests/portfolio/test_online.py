"""Tick by tick: equal to the batch, resumable at any row, mergeable at any row."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.portfolio import OnlineRisk, risk, rolling_volatility, watch
from penstock.portfolio.arrays import Floats

RNG = np.random.default_rng(34)
RETURNS: Floats = RNG.standard_normal((400, 4)) * [0.01, 0.02, 0.015, 0.005]
PRICES: Floats = np.asarray(100 * np.cumprod(1 + RETURNS, axis=0), dtype=np.float64)
WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1])
MEMORIES = [{}, {"decay": 0.94}, {"window": 60}]


def fed(rows: Floats, **choices: object) -> OnlineRisk:
    online = OnlineRisk(WEIGHTS, **choices)  # type: ignore[arg-type] # as each test says
    for row in rows:
        online.update(row)
    return online


def test_all_rows_equal_the_batch() -> None:
    online, batch = fed(PRICES), risk(PRICES, WEIGHTS)
    assert online.volatility == pytest.approx(batch.volatility, rel=1e-13)
    assert online.component == pytest.approx(batch.component, rel=1e-11)
    assert online.marginal == pytest.approx(batch.marginal, rel=1e-11)
    assert online.percent.sum() == pytest.approx(1, rel=1e-13)


def test_decay_equals_the_batch() -> None:
    online, batch = fed(PRICES, decay=0.9), risk(PRICES, WEIGHTS, estimator="ewma:0.9")
    assert online.volatility == pytest.approx(batch.volatility, rel=1e-13)
    assert online.component == pytest.approx(batch.component, rel=1e-11)


def test_window_equals_the_rolling_batch_and_its_contributions_each_window_alone() -> None:
    online = OnlineRisk(WEIGHTS, kind="returns", window=60)
    found = [online.update(row) for row in RETURNS]
    assert found[:59] == [None] * 59
    rolling = rolling_volatility(RETURNS, WEIGHTS, 60, kind="returns")
    assert np.array(found[59:], dtype=float) == pytest.approx(rolling, rel=1e-13)
    alone = risk(RETURNS[-60:], WEIGHTS, kind="returns")
    assert online.component == pytest.approx(alone.component, rel=1e-11)


@pytest.mark.parametrize("choices", [{}, {"decay": 0.9}])
def test_held_weights_drift_as_in_the_batch(choices: dict[str, float]) -> None:
    online = fed(PRICES, scheme="hold", **choices)
    estimator = "ewma:0.9" if choices else "sample"
    batch = risk(PRICES, WEIGHTS, scheme="hold", estimator=estimator)
    assert online.volatility == pytest.approx(batch.volatility, rel=1e-12)
    assert online.component == pytest.approx(batch.component, rel=1e-10)


@pytest.mark.parametrize("choices", MEMORIES)
@given(cut=st.integers(0, 399))
@settings(max_examples=15, deadline=None)
def test_resumes_to_the_same_bits_at_any_row(choices: dict[str, float], cut: int) -> None:
    straight = fed(PRICES, **choices)
    state = json.loads(json.dumps(fed(PRICES[:cut], **choices).state()))
    resumed = OnlineRisk.load(state)
    for row in PRICES[cut:]:
        resumed.update(row)
    assert resumed.volatility == straight.volatility
    assert (resumed.component == straight.component).all()


@pytest.mark.parametrize("kind", ["prices", "returns"])
@pytest.mark.parametrize("choices", MEMORIES)
@given(cuts=st.lists(st.integers(0, 400), min_size=2, max_size=2).map(sorted))
@settings(max_examples=15, deadline=None)
def test_merges_to_the_whole_at_any_row(
    kind: str, choices: dict[str, float], cuts: list[int]
) -> None:
    rows = PRICES if kind == "prices" else RETURNS
    parts = [fed(part, kind=kind, **choices) for part in np.split(rows, cuts)]
    whole = fed(rows, kind=kind, **choices)
    left = parts[0].merge(parts[1]).merge(parts[2])
    right = parts[0].merge(parts[1].merge(parts[2]))
    for merged in (left, right):
        assert merged.seen == whole.seen
        assert merged.volatility == pytest.approx(whole.volatility, rel=1e-12)
        assert merged.component == pytest.approx(whole.component, rel=1e-10)


def test_a_bad_row_changes_nothing() -> None:
    online = fed(PRICES[:50])
    before = online.state()
    for bad in ([1, 2, 3], [1, 2, 0, 4], [1, math.nan, 2, 3], [1, math.inf, 2, 3], ["a", 1, 2, 3]):
        with pytest.raises(InputError):
            online.update(bad)  # type: ignore[arg-type] # wrong on purpose
    assert online.state() == before


def test_rows_by_name_in_any_order_with_more_fields() -> None:
    named = OnlineRisk({"A": 0.6, "B": 0.4}, kind="returns", decay=0.5)
    plain = OnlineRisk([0.6, 0.4], kind="returns", decay=0.5)
    by_name = named.update({"volume": 9, "B": 0.02, "A": -0.01})
    assert by_name == plain.update([-0.01, 0.02])
    with pytest.raises(InputError, match="no value for B"):
        named.update({"A": 0.01})


def test_too_few_rows_have_no_volatility() -> None:
    online = fed(PRICES[:2])
    with pytest.raises(InputError, match="1 returns so far"):
        _ = online.volatility


def test_different_measures_do_not_merge() -> None:
    with pytest.raises(InputError, match="different"):
        fed(PRICES[:9], decay=0.9).merge(fed(PRICES[9:], decay=0.8))
    with pytest.raises(InputError, match="drift"):
        fed(PRICES[:9], scheme="hold").merge(fed(PRICES[9:], scheme="hold"))


@pytest.mark.parametrize(
    "damage",
    [{"format": 2}, {"weights": None}, {"memory": {}}, {"choices": {"decay": 7}}, {"held": [1]}],
)
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(InputError):
        OnlineRisk.load({**fed(PRICES[:9]).state(), **damage})


@pytest.mark.parametrize(
    "choices",
    [{"decay": 1.0}, {"window": 1}, {"decay": 0.9, "window": 9}, {"kind": "x"}, {"scheme": "x"}],
)
def test_choices_that_cannot_be(choices: dict[str, object]) -> None:
    with pytest.raises(InputError):
        OnlineRisk(WEIGHTS, **choices)  # type: ignore[arg-type] # wrong on purpose


def test_the_stage_names_the_record_that_is_wrong() -> None:
    records: list[tuple[str | int, bytes]] = [(1, b'{"A": 1}'), (2, b'{"A": 0}')]
    with pytest.raises(InputError, match="record 2: row 0: a price"):
        list(watch(records, OnlineRisk({"A": 1.0}, decay=0.9)))
    with pytest.raises(InputError, match="record 7: not JSON"):
        list(watch([(7, b"{")], OnlineRisk({"A": 1.0}, decay=0.9)))


@pytest.mark.slow
@pytest.mark.parametrize("choices", [{}, {"decay": 0.97}])
def test_thirty_thousand_ticks_stay_with_the_batch(choices: dict[str, float]) -> None:
    rows = np.random.default_rng(6).standard_normal((30_000, 4)) * 0.01
    online = fed(rows, kind="returns", **choices)
    batch = risk(rows, WEIGHTS, kind="returns", estimator="ewma:0.97" if choices else "sample")
    assert online.volatility == pytest.approx(batch.volatility, rel=1e-12)
