"""What may be lost: value at risk, expected shortfall and drawdown of one series of returns.

Losses are positive numbers, as fractions of the value at the beginning of the row.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np

__all__ = ["METHODS", "FourMoments", "expected_shortfall", "max_drawdown", "value_at_risk"]

METHODS = ("historical", "normal", "cornish_fisher")


class FourMoments:
    """The four numbers that the parametric methods need of a series.

    Args:
        mean: Mean return per row.
        volatility: Standard deviation per row.
        series: Returns whose skewness and kurtosis are taken (both with divisor T).
    """

    __slots__ = ("excess", "mean", "skewness", "volatility")

    def __init__(self, mean: float, volatility: float, series: Floats) -> None:
        self.mean = mean
        self.volatility = volatility
        centred = series - series.mean()
        second = float(np.mean(centred**2))
        self.skewness = float(np.mean(centred**3)) / second**1.5 if second > 0 else 0.0
        self.excess = float(np.mean(centred**4)) / second**2 - 3 if second > 0 else 0.0

    @property
    def cornish_fisher_holds(self) -> bool:
        """Whether the expansion gives growing quantiles (Maillard 2012)."""
        skew, excess = self.skewness, self.excess
        return (
            skew**2 / 9 - 4 * (excess / 8 - skew**2 / 6) * (1 - excess / 8 + 5 * skew**2 / 36) <= 0
        )


def _check(series: Floats, level: float, method: str) -> None:
    if not 0.5 <= level < 1:
        raise InputError(f"level {level:g}: give a probability from 0.5 to below 1, such as 0.95")
    if method not in METHODS:
        raise InputError(f"no method is called {method}: choose one of {', '.join(METHODS)}")
    if len(series) < 2:
        raise InputError(f"the tail of {len(series)} returns cannot be measured")


def value_at_risk(series: Floats, shape: FourMoments, level: float, method: str) -> float:
    """Return the loss that is not exceeded with probability ``level``, as a fraction.

    ``historical`` is the loss in place ``ceil(T (1 - level))`` from the worst; ``normal`` is
    ``-(m + z s)`` with ``z`` the normal quantile of ``1 - level``; ``cornish_fisher`` corrects
    ``z`` for skewness S and excess kurtosis K (Cornish and Fisher 1938; Maillard 2012):
    ``z + (z^2-1) S/6 + (z^3-3z) K/24 - (2z^3-5z) S^2/36``.

    Args:
        series: Returns, shape (rows,).
        shape: Mean, volatility, skewness and kurtosis for the parametric methods.
        level: Probability, 0.5 to below 1.
        method: One of METHODS.

    Raises:
        InputError: A level or method that does not exist, or fewer than two returns.
    """
    _check(series, level, method)
    if method == "historical":
        place = max(0, math.ceil(_tail(series, level)) - 1)
        return -float(np.partition(series, place)[place])
    z = NormalDist().inv_cdf(1 - level)
    if method == "cornish_fisher":
        skew, excess = shape.skewness, shape.excess
        z += (
            (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
        )
    return -(shape.mean + z * shape.volatility)


def expected_shortfall(series: Floats, shape: FourMoments, level: float, method: str) -> float:
    """Return the mean loss in the worst ``1 - level`` of cases, as a fraction.

    ``historical`` counts the row at the edge by the part of it that lies in the tail (Acerbi and
    Tasche 2002). ``cornish_fisher`` is the mean of the corrected quantile over the tail, which the
    Hermite polynomials integrate in closed form: with ``f`` the normal density at ``z``,
    ``s f / (1 - level) (1 + z S/6 + (z^2-1) K/24 - (2z^2-1) S^2/36) - m``.

    Args:
        series: Returns, shape (rows,).
        shape: Mean, volatility, skewness and kurtosis for the parametric methods.
        level: Probability, 0.5 to below 1.
        method: One of METHODS.

    Raises:
        InputError: A level or method that does not exist, or fewer than two returns.
    """
    _check(series, level, method)
    if method == "historical":
        count = _tail(series, level)
        place = max(0, math.ceil(count) - 1)
        ordered = np.partition(series, place)
        inside = float(np.sum(ordered[:place]))
        return -(inside + (count - place) * float(ordered[place])) / count
    z = NormalDist().inv_cdf(1 - level)
    factor = 1.0
    if method == "cornish_fisher":
        skew, excess = shape.skewness, shape.excess
        factor += z * skew / 6 + (z**2 - 1) * excess / 24 - (2 * z**2 - 1) * skew**2 / 36
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return shape.volatility * density / (1 - level) * factor - shape.mean


def _tail(series: Floats, level: float) -> float:
    """Return how many rows lie in the tail; 0.05 * 100 is 5, not 5.000000000000004."""
    return round((1 - level) * len(series), 9)


def max_drawdown(series: Floats) -> float:
    """Return the largest loss from a peak, the start included, as a fraction of that peak.

    >>> round(max_drawdown(np.array([0.10, -0.20, 0.05, -0.10, 0.30])), 6)
    0.244
    """
    value = np.cumprod(1 + series)
    peak = np.maximum(np.maximum.accumulate(value), 1.0)
    return max(0.0, float(np.max(1 - value / peak)))
