"""Weights within limits: each is kept, and without a binding one the closed form comes out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from penstock.cli.portfolio import portfolio
from penstock.errors import InputError
from penstock.portfolio import Limits, minimum_volatility, optimal_weights

RETURNS = pd.DataFrame(
    np.random.default_rng(5).normal([0.001, 0.0008, 0.0006, 0.0009], 0.01, (300, 4)),
    columns=list("ABCD"),
)


def test_without_binding_limits_the_exact_answers_come_out() -> None:
    least = optimal_weights(RETURNS, "least", kind="returns")
    exact = minimum_volatility(RETURNS, kind="returns")
    assert least.weights == pytest.approx(exact.weights, abs=1e-4)
    wide = Limits(bounds=(-5.0, 5.0))
    tilt = np.linalg.solve(RETURNS.cov().to_numpy(), RETURNS.mean().to_numpy())
    found = optimal_weights(RETURNS, "sharpe", wide, kind="returns")
    assert found.weights == pytest.approx(tilt / tilt.sum(), abs=1e-3)


def test_each_limit_is_kept() -> None:
    limits = Limits(bounds=(0.05, 0.4), groups={"x": ["A", "D"]}, group_bounds={"x": (0.1, 0.5)})
    for aim in ("least", "sharpe"):
        weights = optimal_weights(RETURNS, aim, limits, kind="returns").by_name()
        assert all(0.05 - 1e-6 <= weight <= 0.4 + 1e-6 for weight in weights.values())
        assert 0.1 - 1e-6 <= weights["A"] + weights["D"] <= 0.5 + 1e-6
    calm = optimal_weights(RETURNS, "return", Limits(target_volatility=0.09), kind="returns")
    assert calm.volatility_annual <= 0.09 + 1e-5
    earns = optimal_weights(RETURNS, "least", Limits(target_return=0.2), kind="returns")
    assert earns.weights @ RETURNS.mean().to_numpy() * 252 >= 0.2 - 1e-5
    held = dict.fromkeys("ABCD", 0.25)
    near = optimal_weights(RETURNS, "sharpe", Limits(held=held, turnover=0.05), kind="returns")
    assert np.abs(near.weights - 0.25).max() <= 0.05 + 1e-5


def test_hierarchical_parity_and_views() -> None:
    assert optimal_weights(RETURNS, "hrp", kind="returns").weights.sum() == pytest.approx(1)
    keen = Limits(views=["B == 0.01"])
    tilted = optimal_weights(RETURNS, "sharpe", keen, kind="returns").by_name()
    assert max(tilted, key=tilted.__getitem__) == "B"


@pytest.mark.parametrize(
    ("aim", "limits", "says"),
    [
        ("most", Limits(), "choose one of"),
        ("least", Limits(bounds=(0.0, 0.1)), "cannot sum to one"),
        ("return", Limits(), "target_volatility"),
        ("least", Limits(groups={"x": ["Z"]}), "name Z"),
        ("least", Limits(group_bounds={"y": (0, 1)}), "name y"),
        ("least", Limits(target_return=99.0), "no weights keep"),
        ("hrp", Limits(turnover=0.1), "no other limits"),
    ],
)
def test_what_cannot_be_is_refused(aim: str, limits: Limits, says: str) -> None:
    with pytest.raises(InputError, match=says):
        optimal_weights(RETURNS, aim, limits, kind="returns")


def test_bounds_at_the_command_line(tmp_path: Path) -> None:
    path = str(tmp_path / "r.csv")
    RETURNS.to_csv(path)
    asked = ["weights", path, "--kind", "returns", "--aim", "sharpe", "--bounds", "0,.3"]
    shown = CliRunner().invoke(portfolio, asked)
    assert shown.exit_code == 0, shown.exception
    assert "30.00%" in shown.output
