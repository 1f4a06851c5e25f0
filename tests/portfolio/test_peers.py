"""The same numbers from scikit-learn, skfolio, pandas and polars, on real prices."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from skfolio import Portfolio
from sklearn.covariance import OAS, LedoitWolf

from penstock.portfolio import OnlineRisk, risk
from penstock.portfolio.pairwise import nearest_semidefinite, pairwise_covariance
from penstock.portfolio.sample import sample_prices

PRICES = sample_prices()
RETURNS = PRICES.values[1:] / PRICES.values[:-1] - 1
THREE = {"MSFT": 0.3, "AAPL": 0.5, "PEP": 0.2}
EQUAL = np.full(20, 1 / 20)


def test_the_anchor_values_of_three_shares() -> None:
    found = risk(PRICES, THREE)
    assert found.volatility == pytest.approx(0.01800300553215595, rel=1e-13)
    assert found.volatility_annual == pytest.approx(0.2857888529388281, rel=1e-13)
    assert found.diversification_ratio == pytest.approx(1.2570884149105281, rel=1e-13)
    hold = risk(PRICES, THREE, scheme="hold")
    assert hold.volatility == pytest.approx(0.018049095639292453, rel=1e-13)
    assert hold.final_weights == pytest.approx([0.426, 0.556, 0.018], abs=5e-4)
    ewma = risk(PRICES, THREE, estimator="ewma:0.94")
    assert ewma.volatility == pytest.approx(0.017916619910116505, rel=1e-13)


@pytest.mark.parametrize("rows", [8312, 15])
def test_shrinkage_equals_scikit_learn(rows: int) -> None:
    returns = RETURNS[:rows]
    for name, peer in (("lw", LedoitWolf()), ("oas", OAS())):
        theirs = peer.fit(returns).covariance_
        found = risk(returns, EQUAL, kind="returns", estimator=name)
        assert found.volatility == pytest.approx(np.sqrt(EQUAL @ theirs @ EQUAL), rel=1e-12)
        assert np.allclose(found.covariance, theirs, rtol=1e-9, atol=1e-18)
        assert found.individual == pytest.approx(np.sqrt(np.diagonal(theirs)), rel=1e-12)


def test_contributions_and_tails_equal_skfolio() -> None:
    frame = pd.DataFrame(RETURNS, columns=list(PRICES.names))
    theirs = Portfolio(frame, EQUAL)
    found = risk(RETURNS, EQUAL, kind="returns")
    assert found.volatility == pytest.approx(theirs.standard_deviation, rel=1e-12)
    from skfolio import RiskMeasure

    shares = theirs.contribution(measure=RiskMeasure.STANDARD_DEVIATION)
    assert found.component == pytest.approx(shares, rel=1e-6)  # theirs are finite differences
    assert found.value_at_risk(0.95) == pytest.approx(theirs.value_at_risk, rel=1e-12)
    assert found.expected_shortfall(0.95) == pytest.approx(theirs.cvar, rel=1e-9)


def test_pairwise_covariance_equals_pandas() -> None:
    rng = np.random.default_rng(9)
    holed = RETURNS[:1500].copy()
    for column in range(20):
        holed[: rng.integers(0, 600), column] = np.nan
    holed[rng.random(holed.shape) < 0.01] = np.nan
    theirs = pd.DataFrame(holed).cov().to_numpy()
    ours = pairwise_covariance(holed)
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-14
    assert np.abs(pairwise_covariance(RETURNS) - np.cov(RETURNS.T)).max() < 1e-17


def test_an_impossible_pairwise_covariance_is_repaired_and_said() -> None:
    rng = np.random.default_rng(3)
    base = rng.standard_normal((90, 1))
    returns = 0.01 * np.hstack([base, base, base]) + 1e-4 * rng.standard_normal((90, 3))
    returns[:, 2] *= np.where(np.arange(90) < 30, -1, 1)
    holed = returns.copy()
    holed[:30, 1], holed[30:60, 0], holed[60:, 2] = np.nan, np.nan, np.nan
    raw = pairwise_covariance(holed)
    assert np.linalg.eigvalsh(raw)[0] < -1e-6
    repaired, before, after = nearest_semidefinite(raw)
    assert before < -1e-6 < -1e-15 <= after
    assert np.diagonal(repaired) == pytest.approx(np.diagonal(raw), rel=1e-12)
    found = risk(np.vstack([holed, returns[:2]]), [1 / 3] * 3, kind="returns", missing="pairwise")
    assert any("was repaired" in sentence for sentence in found.assumptions)


def test_a_late_listing_is_refused_and_each_choice_gives_its_own_number() -> None:
    """The anchor page's case: peers report a volatility 5.4 % too low without a word."""
    rng = np.random.default_rng(17)
    returns = rng.standard_normal((1000, 4)) * 0.01
    returns[:500, 3] = np.nan
    weights = np.full(4, 0.25)
    low = float(np.std(np.nansum(returns * weights, axis=1), ddof=1))
    common = risk(returns, weights, kind="returns", missing="common")
    assert common.volatility == pytest.approx(np.std(returns[500:] @ weights, ddof=1))
    renormalised = risk(returns, weights, kind="returns", missing="renormalise")
    live = ~np.isnan(returns)
    by_hand = np.nansum(returns * weights, axis=1) / (live @ weights)
    assert renormalised.volatility == pytest.approx(np.std(by_hand, ddof=1))
    assert renormalised.component.sum() == pytest.approx(renormalised.volatility)
    pairwise = risk(returns, weights, kind="returns", missing="pairwise")
    matrix = pd.DataFrame(returns).cov().to_numpy()
    assert pairwise.volatility == pytest.approx(np.sqrt(weights @ matrix @ weights))
    assert low < min(common.volatility, renormalised.volatility, pairwise.volatility)


def test_garch_is_a_forecast_whose_components_sum() -> None:
    found = risk(PRICES.only(("MSFT", "AAPL")), {"MSFT": 0.5, "AAPL": 0.5}, estimator="garch")
    assert found.component.sum() == pytest.approx(found.volatility, rel=1e-12)
    from arch import arch_model

    series = RETURNS[:, PRICES.names.index("MSFT")]
    scale = series.std()
    fitted = arch_model(series / scale, mean="Constant", vol="GARCH", p=1, q=1).fit(disp="off")
    ahead = fitted.forecast(horizon=1).variance.to_numpy()[-1, 0]
    assert found.individual[0] == pytest.approx(scale * np.sqrt(ahead), rel=1e-6)


def test_online_equals_batch_on_real_prices() -> None:
    online = OnlineRisk(dict(zip(PRICES.names, EQUAL.tolist(), strict=True)))
    for row in PRICES.values:
        online.update(row)
    batch = risk(PRICES, dict(zip(PRICES.names, EQUAL.tolist(), strict=True)))
    assert online.volatility == pytest.approx(batch.volatility, rel=1e-12)
    assert online.component == pytest.approx(batch.component, rel=1e-10)


LIGHT = """
import sys
import numpy
from penstock.portfolio import risk
heavy = {"pandas", "polars", "pyarrow", "skfolio", "sklearn", "matplotlib", "arch"}
risk([[1.0, 2.0], [1.1, 1.9], [1.0, 2.1]], [0.5, 0.5]).to_dict()
from penstock.portfolio.sample import sample_prices
sample_prices()
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_no_library_is_imported_before_something_of_it_arrives() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
