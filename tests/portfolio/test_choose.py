"""Chosen weights: the conditions of optimality, hand-made cases, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.portfolio.reference import returns_with

from penstock.errors import InputError
from penstock.portfolio import efficient_frontier, minimum_volatility, risk, risk_parity
from penstock.portfolio.arrays import Floats


def random_returns(seed: int, assets: int, common: float) -> Floats:
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((4 * assets + 60, assets)) * rng.uniform(0.005, 0.03, assets)
    market = rng.standard_normal((len(own), 1)) * common * rng.uniform(-0.3, 1.5, assets)
    return np.asarray(own + market + rng.normal(0.0005, 0.001, assets), dtype=np.float64)


markets = st.builds(
    random_returns, st.integers(0, 10_000), st.integers(2, 14), st.sampled_from([0.0, 0.01, 0.05])
)


def test_least_volatility_of_two_by_hand() -> None:
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    found = minimum_volatility(returns_with(covariance, 40), kind="returns", long_only=False)
    assert found.weights == pytest.approx([6 / 7, 1 / 7])
    covariance[0, 1] = covariance[1, 0] = 0.05
    returns = returns_with(covariance, 40)
    assert minimum_volatility(returns, kind="returns").weights == pytest.approx([1, 0])
    short = minimum_volatility(returns, kind="returns", long_only=False).weights
    assert short == pytest.approx([4 / 3, -1 / 3])


@given(returns=markets)
@settings(max_examples=60, deadline=None)
def test_least_volatility_meets_the_conditions_of_optimality(returns: Floats) -> None:
    covariance = np.cov(returns.T)
    free = minimum_volatility(returns, kind="returns", long_only=False)
    moved = covariance @ free.weights
    assert np.allclose(moved, free.volatility**2, rtol=1e-8)
    long = minimum_volatility(returns, kind="returns")
    assert long.weights.sum() == pytest.approx(1)
    assert (long.weights >= 0).all()
    moved = covariance @ long.weights
    assert np.allclose(moved[long.weights > 0], long.volatility**2, rtol=1e-8)
    assert (moved >= long.volatility**2 * (1 - 1e-8)).all()
    assert long.volatility >= free.volatility * (1 - 1e-12)
    assert long.volatility == pytest.approx(risk(returns, long.weights, kind="returns").volatility)


@given(returns=markets)
@settings(max_examples=40, deadline=None)
def test_risk_parity_shares_the_risk_equally(returns: Floats) -> None:
    found = risk_parity(returns, kind="returns")
    assert np.allclose(found.percent, 1 / returns.shape[1], rtol=1e-9)
    assert (found.weights > 0).all()
    measured = risk(returns, found.weights, kind="returns")
    assert np.allclose(measured.percent, 1 / returns.shape[1], rtol=1e-9)


def test_risk_parity_with_budgets_and_shorts() -> None:
    returns = random_returns(3, 4, 0.01)
    budgets = [0.1, 0.2, 0.3, 0.4]
    found = risk_parity(returns, kind="returns", budgets=budgets)
    assert np.allclose(found.percent, budgets)
    names = ["a", "b", "c", "d"]
    found = risk_parity(returns, kind="returns", names=names, short=["b"])
    assert np.allclose(found.percent, 0.25)
    assert (found.weights > 0).tolist() == [True, False, True, True]


@given(returns=markets)
@settings(max_examples=40, deadline=None)
def test_each_point_of_the_frontier_is_the_best_of_its_return(returns: Floats) -> None:
    covariance, means = np.cov(returns.T), returns.mean(axis=0)
    found = efficient_frontier(returns, kind="returns", points=9)
    least = minimum_volatility(returns, kind="returns")
    assert found.volatilities[0] == pytest.approx(least.volatility)
    assert found.expected[-1] == pytest.approx(max(means.max(), found.expected[0]))
    assert (np.diff(found.volatilities) >= -1e-12).all()
    for weights, wanted in zip(found.weights, found.expected, strict=True):
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
        assert weights @ means == pytest.approx(wanted)
        held = weights > 1e-9
        moved = covariance @ weights
        # Optimal means: the gradient is one line in the expected return over what is held,
        # and nothing that is not held lies below that line.
        line = np.column_stack([np.ones(held.sum()), means[held]])
        fitted = np.linalg.lstsq(line, moved[held], rcond=None)[0]
        scale = np.abs(moved).max()
        assert np.allclose(line @ fitted, moved[held], atol=1e-7 * scale)
        if held.sum() > 1:
            others = fitted[0] + fitted[1] * means[~held]
            assert (moved[~held] >= others - 1e-6 * scale).all()


def test_the_frontier_with_shorts_is_below_the_one_without() -> None:
    returns = random_returns(11, 6, 0.01)
    means = returns.mean(axis=0)
    free = efficient_frontier(returns, kind="returns", long_only=False, points=5)
    moved = free.weights @ np.cov(returns.T)
    for weights, gradient, wanted in zip(free.weights, moved, free.expected, strict=True):
        assert weights.sum() == pytest.approx(1)
        assert weights @ means == pytest.approx(wanted)
        line = np.column_stack([np.ones(6), means])
        fitted = np.linalg.lstsq(line, gradient, rcond=None)[0]
        assert np.allclose(line @ fitted, gradient, atol=1e-9 * np.abs(gradient).max())


def test_a_singular_covariance_is_refused_not_answered() -> None:
    few = random_returns(1, 30, 0.01)[:20]
    for choose in (minimum_volatility, risk_parity, efficient_frontier):
        with pytest.raises(InputError, match=r"singular .* estimator='lw'"):
            choose(few, kind="returns")
    shrunk = minimum_volatility(few, kind="returns", estimator="lw")
    assert shrunk.volatility > 1e-4
    twice = np.column_stack([few[:, :2], few[:, 0]])
    with pytest.raises(InputError, match="singular"):
        minimum_volatility(twice, kind="returns")


def test_what_never_moves_is_refused() -> None:
    still = np.column_stack([random_returns(1, 2, 0.0), np.zeros(68)])
    with pytest.raises(InputError, match="2 never moves"):
        minimum_volatility(still, kind="returns")


@pytest.mark.parametrize("budgets", [[0.5, 0.6], [1.0], [1.0, 0.0], {"0": 1.0}])
def test_budgets_that_cannot_be(budgets: list[float]) -> None:
    with pytest.raises(InputError, match="budgets"):
        risk_parity(random_returns(1, 2, 0.0), kind="returns", budgets=budgets)


def test_many_assets_at_once() -> None:
    returns = random_returns(5, 200, 0.01)
    long = minimum_volatility(returns, kind="returns")
    moved = np.cov(returns.T) @ long.weights
    assert np.allclose(moved[long.weights > 0], long.volatility**2, rtol=1e-7)
    assert np.allclose(risk_parity(returns, kind="returns").percent, 1 / 200, rtol=1e-9)
    found = efficient_frontier(returns, kind="returns", points=20)
    assert (np.diff(found.volatilities) > 0).all()
