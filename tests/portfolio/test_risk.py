"""Volatility and contributions: against R, against hand calculation, against identities."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.portfolio import reference

from penstock.errors import InputError
from penstock.portfolio import risk
from penstock.portfolio.arrays import Floats

RNG = np.random.default_rng(8)
RETURNS = RNG.standard_normal((300, 5)) * [0.01, 0.02, 0.005, 0.03, 0.015] + 0.0003
RETURNS[:, 1] += 0.5 * RETURNS[:, 0]
WEIGHTS = np.array([0.1, 0.3, 0.2, 0.15, 0.25])


def r_data() -> dict[str, Floats]:
    returns = reference.returns_with(reference.r_covariance(), reference.R_ROWS)
    return dict(zip(reference.R_WEIGHTS, returns.T, strict=True))


def test_equals_r_on_dow_jones_to_twelve_digits() -> None:
    found = risk(r_data(), reference.R_WEIGHTS, kind="returns")
    assert found.volatility == pytest.approx(reference.R_VOLATILITY, rel=1e-12)
    assert found.volatility_annual == pytest.approx(reference.R_VOLATILITY_ANNUAL, rel=1e-12)
    assert found.component == pytest.approx(reference.R_COMPONENT, rel=1e-12)
    assert found.percent == pytest.approx(reference.R_PERCENT, rel=1e-12)
    average = reference.R_WEIGHTED_AVERAGE / reference.R_VOLATILITY
    assert found.diversification_ratio == pytest.approx(average, rel=1e-12)


def test_the_textbook_pair() -> None:
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    found = risk(reference.returns_with(covariance, 50), [0.6, 0.4], kind="returns")
    assert found.volatility == pytest.approx(math.sqrt(0.0432), rel=1e-12)


def test_exact_on_fractions() -> None:
    prices = [[100, 50], [110, 49], [99, 51], [105, 48], [111, 47]]
    weights = (Fraction(3, 5), Fraction(2, 5))
    series = [
        sum(w * (Fraction(b, a) - 1) for w, a, b in zip(weights, before, after, strict=True))
        for before, after in itertools.pairwise(prices)
    ]
    mean = sum(series, Fraction(0)) / len(series)
    variance = sum(((r - mean) ** 2 for r in series), Fraction(0)) / (len(series) - 1)
    assert risk(prices, [0.6, 0.4]).volatility == pytest.approx(math.sqrt(variance), rel=1e-14)


@pytest.mark.parametrize("estimator", ["sample", "ewma", "ewma:0.97", "lw", "oas", "factor:2"])
def test_components_sum_to_the_volatility(estimator: str) -> None:
    found = risk(RETURNS, WEIGHTS, kind="returns", estimator=estimator)
    assert found.component.sum() == pytest.approx(found.volatility, rel=1e-13)
    assert found.percent.sum() == pytest.approx(1, rel=1e-13)
    direct = math.sqrt(WEIGHTS @ found.covariance @ WEIGHTS)
    assert found.volatility == pytest.approx(direct, rel=1e-12)
    assert found.individual**2 == pytest.approx(np.diagonal(found.covariance), rel=1e-12)


@pytest.mark.parametrize("scheme", ["hold", "every:21", "every:1"])
def test_components_sum_to_the_volatility_when_weights_move(scheme: str) -> None:
    found = risk(RETURNS, WEIGHTS, kind="returns", scheme=scheme)
    assert found.component.sum() == pytest.approx(found.volatility, rel=1e-13)
    assert found.volatility == pytest.approx(found.series.std(ddof=1), rel=1e-13)


def test_rebalancing_every_row_is_the_constant_mix() -> None:
    constant = risk(RETURNS, WEIGHTS, kind="returns")
    every = risk(RETURNS, WEIGHTS, kind="returns", scheme="every:1")
    assert every.volatility == pytest.approx(constant.volatility, rel=1e-14)
    assert every.component == pytest.approx(constant.component, rel=1e-12)
    assert every.marginal == pytest.approx(constant.marginal, rel=1e-12)


def test_hold_follows_the_value_of_what_was_bought() -> None:
    prices = 100 * np.cumprod(1 + RETURNS, axis=0)
    found = risk(prices, WEIGHTS, scheme="hold")
    value = (prices / prices[0]) @ WEIGHTS
    assert found.series == pytest.approx(value[1:] / value[:-1] - 1, abs=1e-15)
    held = WEIGHTS * prices[-1] / prices[0]
    assert found.final_weights == pytest.approx(held / held.sum(), rel=1e-12)


def test_hold_is_the_constant_mix_when_all_move_alike() -> None:
    alike = np.repeat(RETURNS[:, :1], 3, axis=1)
    hold = risk(alike, [0.2, 0.3, 0.5], kind="returns", scheme="hold").volatility
    assert hold == pytest.approx(risk(alike, [0.2, 0.3, 0.5], kind="returns").volatility, rel=1e-12)


weights_of_five = st.lists(st.floats(0.01, 1), min_size=5, max_size=5).map(
    lambda parts: np.array(parts) / math.fsum(parts)
)


@given(weights=weights_of_five, order=st.permutations(range(5)))
@settings(max_examples=50, deadline=None)
def test_identities_of_long_portfolios(weights: Floats, order: list[int]) -> None:
    found = risk(RETURNS, weights, kind="returns")
    assert found.diversification_ratio >= 1
    assert found.volatility <= weights @ found.individual
    shuffled = risk(RETURNS[:, order], weights[order], kind="returns")
    assert shuffled.volatility == pytest.approx(found.volatility, rel=1e-12)
    scaled = weights * found.individual
    by_correlation = math.sqrt(scaled @ found.correlation @ scaled)
    assert found.volatility == pytest.approx(by_correlation, rel=1e-12)
    double = risk(RETURNS, weights * 2, kind="returns", cash=True)
    assert double.volatility == pytest.approx(2 * found.volatility, rel=1e-12)
    split = np.column_stack([RETURNS, RETURNS[:, 0]])
    halved = np.append(weights, weights[0] / 2)
    halved[0] /= 2
    assert risk(split, halved, kind="returns").volatility == pytest.approx(
        found.volatility, rel=1e-12
    )


def test_one_asset_has_its_own_volatility_and_one_bet() -> None:
    found = risk(RETURNS, [0, 1, 0, 0, 0], kind="returns")
    assert found.volatility == pytest.approx(found.individual[1], rel=1e-14)
    assert found.effective_bets == pytest.approx(1)
    assert found.diversification_ratio == pytest.approx(1)


def test_a_perfect_hedge_has_no_volatility_and_no_contributions() -> None:
    series = RETURNS[:, 0]
    found = risk({"A": series, "B": -series}, {"A": 0.5, "B": 0.5}, kind="returns")
    assert found.volatility < 1e-17
    with pytest.raises(InputError, match="contributions and ratios to it do not exist"):
        _ = found.component


def test_marginal_is_the_derivative() -> None:
    found, step = risk(RETURNS, WEIGHTS, kind="returns"), 1e-6
    for asset in range(5):
        moved = [WEIGHTS.copy(), WEIGHTS.copy()]
        moved[0][asset] += step
        moved[1][asset] -= step
        up, down = (risk(RETURNS, w, kind="returns", cash=True).volatility for w in moved)
        assert found.marginal[asset] == pytest.approx((up - down) / (2 * step), rel=1e-8)


def test_log_returns_are_turned_into_simple_ones() -> None:
    simple = risk(RETURNS, WEIGHTS, kind="returns").volatility
    assert risk(np.log1p(RETURNS), WEIGHTS, kind="log").volatility == pytest.approx(simple)


def test_says_what_it_assumed() -> None:
    found = risk(RETURNS, WEIGHTS, kind="returns", ddof=0, periods=365)
    text = "\n".join(found.assumptions)
    for words in ("300 simple returns as given", "constant mix", "ddof=0", "365 rows make a year"):
        assert words in text


def test_equal_shares_of_uncorrelated_assets_are_as_many_bets() -> None:
    sigmas = np.array([0.01, 0.02, 0.03, 0.04])
    weights = 1 / sigmas / (1 / sigmas).sum()
    found = risk(reference.returns_with(np.diag(sigmas**2), 100), weights, kind="returns")
    assert found.effective_bets == pytest.approx(4)
    assert found.principal_bets == pytest.approx(4)
    assert found.diversification_ratio == pytest.approx(2)
