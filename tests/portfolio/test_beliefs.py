"""Own covariances, limits in files, turnover and costs, currencies, rolling measures as frames."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from tests.portfolio.test_cli import run as penstock

from penstock.cli.portfolio import portfolio
from penstock.errors import InputError
from penstock.portfolio import (
    Limits,
    allocated,
    belief,
    efficient_frontier,
    in_currency,
    limits_of,
    minimum_volatility,
    optimal_weights,
    performance,
    risk,
    risk_parity,
    rolling_covariance,
    rolling_risk,
)

RNG = np.random.default_rng(8)
DAYS = pd.bdate_range("2023-01-02", periods=300, name="date")
RETURNS = pd.DataFrame(
    RNG.standard_normal((300, 4)) @ np.diag([0.01, 0.012, 0.02, 0.008]) + 0.0004,
    DAYS,
    list("ABCD"),
)
PRICES = 100 * (1 + RETURNS).cumprod()
HELD = dict.fromkeys("ABCD", 0.25)


def test_a_covariance_of_ones_own_gives_what_its_returns_give() -> None:
    given = belief(RETURNS.cov(), RETURNS.mean().to_dict(), periods=252)
    for choose in (minimum_volatility, risk_parity):
        own, data = choose(given), choose(RETURNS, kind="returns")
        assert own.weights == pytest.approx(data.weights, abs=1e-12)
        assert own.volatility_annual == pytest.approx(data.volatility_annual)
    ours = efficient_frontier(given, points=5).weights
    assert ours == pytest.approx(efficient_frontier(RETURNS, points=5, kind="returns").weights)
    for aim in ("least", "sharpe", "hrp"):
        own = optimal_weights(given, aim)
        data = optimal_weights(RETURNS, aim, kind="returns")
        assert own.weights == pytest.approx(data.weights, abs=2e-4)
    by_hand = np.sqrt(np.full(4, 0.25) @ RETURNS.cov() @ np.full(4, 0.25))
    assert allocated(given, HELD).volatility == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("covariance", "says"),
    [
        ([[1.0, 0.2]], "whole square matrix"),
        ([[1.0, 0.2], [0.1, 1.0]], "above its diagonal and below"),
        ([[1.0, 2.0], [2.0, 1.0]], "singular"),
        (RETURNS.cov().iloc[::-1], "rows are to be named"),
        ([[1.0, np.nan], [np.nan, 1.0]], "whole square matrix"),
    ],
)
def test_what_is_not_a_covariance_is_refused(covariance: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        belief(covariance, names=None if isinstance(covariance, pd.DataFrame) else ["A", "B"])


def test_a_belief_takes_no_words_about_data() -> None:
    with pytest.raises(TypeError, match="leave kind away"):
        minimum_volatility(belief(RETURNS.cov()), kind="returns")


def test_limits_of_a_file(tmp_path: Path) -> None:
    PRICES.to_csv(tmp_path / "p.csv")
    RETURNS.cov().mul(252).to_csv(tmp_path / "cov.csv")
    (tmp_path / "limits.toml").write_text(
        'bounds = [0, 0.5]\nturnover = 0.3\n[groups]\nfirst = ["A", "B"]\n'
        "[group_bounds]\nfirst = [0.3, 0.4]\n[held]\nA = 0.25\nB = 0.25\nC = 0.25\nD = 0.25\n"
    )
    for source, more in (("p.csv", []), ("cov.csv", ["--kind", "covariance"])):
        words = ["weights", tmp_path / source, "--json", "--limits", tmp_path / "limits.toml"]
        done = CliRunner().invoke(portfolio, [*map(str, words), *more])
        found = json.loads(done.stdout)["weights"]
        assert 0.3 - 1e-6 <= found["A"] + found["B"] <= 0.4 + 1e-6
        assert max(found.values()) <= 0.5 + 1e-6
    (tmp_path / "limits.toml").write_text("turnovr = 1\n")
    words = ["weights", tmp_path / "p.csv", "--limits", tmp_path / "limits.toml"]
    done = CliRunner().invoke(portfolio, [*map(str, words)])
    assert isinstance(done.exception, InputError)
    assert "did you mean 'turnover'" in str(done.exception)


@pytest.mark.parametrize(
    "table", [{"bounds": [0]}, {"bounds": "x"}, {"target_return": "high"}, {"bound": [0, 1]}]
)
def test_limits_that_cannot_be(table: dict[str, object]) -> None:
    with pytest.raises(InputError, match="limits"):
        limits_of(table)


def test_views_of_black_and_litterman_move_the_weights() -> None:
    plain = optimal_weights(RETURNS, "sharpe", kind="returns")
    viewed = optimal_weights(RETURNS, "sharpe", Limits(views=["C == 0.004"]), kind="returns")
    assert viewed.by_name()["C"] > plain.by_name()["C"]


def test_turnover_is_what_is_traded_and_costs_are_taken_off() -> None:
    held = risk(PRICES, HELD, scheme="hold")
    assert (held.turnover == 0).all()
    found = risk(PRICES, HELD, scheme="every:100")
    weights, traded = np.full(4, 0.25), []
    for row, moved in enumerate(RETURNS.to_numpy()[1:]):
        if row % 100 == 0 and row:
            traded.append(np.abs(np.full(4, 0.25) - weights).sum())
        if row % 100 == 0:
            weights = np.full(4, 0.25)
        weights = weights * (1 + moved) / (1 + weights @ moved)
    assert found.turnover[[100, 200]] == pytest.approx(traded)
    assert np.count_nonzero(found.turnover) == 2
    constant = risk(PRICES, HELD)
    assert (constant.turnover[1:] > 0).all()
    free, paid = performance(found), performance(found, cost=0.01)
    assert free.turnover == pytest.approx(sum(traded) / 299 * found.periods)
    assert paid.total_return < free.total_return
    by_hand = np.prod(1 + found.series - 0.01 * found.turnover) - 1
    assert paid.total_return == pytest.approx(by_hand)


def test_prices_in_one_currency(tmp_path: Path) -> None:
    dollars = PRICES.assign(EURUSD=1.1 + 0.01 * np.sin(np.arange(300.0)))
    found = in_currency(dollars, {"B": "EURUSD"})
    assert found.names == ("A", "B", "C", "D")
    assert found.values[:, 1] == pytest.approx((dollars.B * dollars.EURUSD).to_numpy())
    with pytest.raises(InputError, match="no column is named GBPUSD"):
        in_currency(dollars, {"B": "GBPUSD"})
    dollars.to_csv(tmp_path / "p.csv")
    words = ["risk", str(tmp_path / "p.csv"), "--weights", "A=.5,B=.5", "--json"]
    done = json.loads(penstock(*words, "--rates", "B=EURUSD", "--cost", "0.001").stdout)
    assert done["volatility"] == pytest.approx(risk(found, {"A": 0.5, "B": 0.5}).volatility)
    assert "multiplied: B by EURUSD" in done["assumptions"]
    assert done["performance"]["turnover"] > 0
    follow = penstock(*words, "--follow", "--cost", "0.001")
    assert (follow.returncode, "--cost needs all rows" in follow.stderr) == (2, True)


def test_rolling_measures_have_their_dates() -> None:
    found = rolling_risk(PRICES, HELD, window=60)
    wanted = (PRICES.pct_change() * 0.25).sum(axis=1).iloc[1:].rolling(60).std().dropna()
    pd.testing.assert_series_equal(
        found.to_pandas(), wanted.rename("volatility"), check_index_type=False, check_freq=False
    )
    assert found.to_polars().columns == ["date", "volatility"]
    annual = rolling_risk(PRICES, HELD, window=60, periods=None)
    assert annual.values == pytest.approx(found.values * 252**0.5)
    frame = rolling_covariance(PRICES, 60, every=30).to_pandas()
    theirs = PRICES.pct_change().iloc[1:].rolling(60).cov().dropna()
    last = frame.index.get_level_values(0)[-1]
    assert frame.loc[last].to_numpy() == pytest.approx(theirs.loc[last].to_numpy())


@pytest.mark.parametrize("weights", [{"A": 60.0, "B": 40}, {"A": 33.3, "B": 33.3, "C": 33.4}])
def test_weights_in_percent_are_read_and_said(weights: dict[str, float]) -> None:
    found = risk(PRICES, weights)
    assert found.weights.sum() == pytest.approx(1)
    assert any("in percent" in word for word in found.assumptions)
