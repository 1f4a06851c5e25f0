"""Losses by hand and by integration."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from penstock.portfolio import risk
from penstock.portfolio.tail import FourMoments, expected_shortfall, value_at_risk

SERIES = np.random.default_rng(77).standard_t(5, 4000) * 0.01 - 0.0002


def test_historical_by_hand() -> None:
    series = np.arange(-50, 50) / 1000.0
    shape = FourMoments(0.0, 1.0, series)
    assert value_at_risk(series, shape, 0.95, "historical") == pytest.approx(0.046)
    assert expected_shortfall(series, shape, 0.95, "historical") == pytest.approx(0.048)
    assert expected_shortfall(series, shape, 0.975, "historical") == pytest.approx(
        (0.050 + 0.049 + 0.048 / 2) / 2.5
    )


@pytest.mark.parametrize("method", ["normal", "cornish_fisher"])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_shortfall_is_the_mean_of_value_at_risk_over_the_tail(method: str, level: float) -> None:
    shape = FourMoments(0.0003, 0.012, np.random.default_rng(1).gamma(9.0, 0.01, 5000))
    assert shape.cornish_fisher_holds
    levels = level + (1 - level) * (np.arange(20_000) + 0.5) / 20_000
    mean = np.mean([value_at_risk(SERIES, shape, u, method) for u in levels])
    assert expected_shortfall(SERIES, shape, level, method) == pytest.approx(mean, rel=1e-3)


def test_normal_values() -> None:
    shape = FourMoments(0.001, 0.02, SERIES)
    z = NormalDist().inv_cdf(0.99)
    assert value_at_risk(SERIES, shape, 0.99, "normal") == pytest.approx(0.02 * z - 0.001)
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    found = expected_shortfall(SERIES, shape, 0.99, "normal")
    assert found == pytest.approx(0.02 * density / 0.01 - 0.001)


def test_drawdown_counts_the_start_as_a_peak() -> None:
    found = risk([[-0.5], [0.2], [0.1]], [1.0], kind="returns")
    assert found.max_drawdown == pytest.approx(0.5)
    assert risk([[0.5], [0.2], [0.1]], [1.0], kind="returns").max_drawdown == 0.0
