"""Returns, ratios and drawdowns beside plain recomputation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from penstock.cli.portfolio import portfolio
from penstock.errors import InputError
from penstock.portfolio import monthly_returns, performance, risk

DAYS = pd.bdate_range("2024-01-02", periods=120)
RETURNS = pd.DataFrame(np.random.default_rng(3).normal(0.0004, 0.01, (120, 2)), DAYS, ["A", "B"])
WEIGHTS = {"A": 0.7, "B": 0.3}


def test_ratios_are_what_pandas_gives() -> None:
    mine, other = RETURNS @ pd.Series(WEIGHTS), RETURNS["B"]
    found = performance(
        risk(RETURNS, WEIGHTS, kind="returns"),
        risk_free=0.02,
        benchmark=risk(RETURNS, {"B": 1.0}, kind="returns"),
    )
    above = mine - (1.02 ** (1 / 252) - 1)
    assert found.total_return == pytest.approx((1 + mine).prod() - 1)
    assert found.annual_return == pytest.approx((1 + mine).prod() ** (252 / 120) - 1)
    assert found.sharpe == pytest.approx(above.mean() / mine.std() * 252**0.5)
    below = (above.clip(upper=0) ** 2).mean() ** 0.5
    assert found.sortino == pytest.approx(above.mean() / below * 252**0.5)
    assert found.beta == pytest.approx(mine.cov(other) / other.var())
    assert found.tracking_error == pytest.approx((mine - other).std() * 252**0.5)
    apart = (mine - other).mean() / (mine - other).std() * 252**0.5
    assert found.information_ratio == pytest.approx(apart)
    months = (1 + mine).groupby(mine.index.strftime("%Y-%m")).prod() - 1
    assert monthly_returns(risk(RETURNS, WEIGHTS, kind="returns")) == pytest.approx(
        months.to_dict()
    )


def test_the_largest_drawdown_has_its_dates() -> None:
    prices = pd.DataFrame({"A": [100.0, 120, 90, 60, 119, 121, 80]}, DAYS[:7])
    found = performance(risk(prices, {"A": 1.0}))
    assert found.max_drawdown == pytest.approx(0.5)
    days = [str(day)[:10] for day in DAYS[[1, 3, 5]]]
    assert [found.peak, found.trough, found.recovered] == days
    risen = performance(risk({"A": [1.0, 1.1, 1.3]}, {"A": 1.0}))
    assert (risen.max_drawdown, risen.trough, risen.recovered) == (0.0, None, None)
    with pytest.raises(InputError, match="months need dates"):
        monthly_returns(risk({"A": [1.0, 1.1, 1.3]}, {"A": 1.0}))


def test_the_report_says_what_a_colleague_asks_first(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    (100 * (1 + RETURNS).cumprod()).rename_axis("date").to_csv(path)
    asked = ["risk", str(path), "--weights", "A=70%,B=3/10", "--benchmark", "B"]
    shown = CliRunner().invoke(portfolio, asked)
    assert shown.exit_code == 0, shown.exception
    for word in ("return a year", "sharpe", "sortino", "drawdown from", "beta", "tracking error"):
        assert word in shown.output
    whole = json.loads(CliRunner().invoke(portfolio, [*asked, "--json"]).output)
    assert whole["performance"]["beta"] > 0
    assert next(iter(whole["monthly"])) == "2024-01"
