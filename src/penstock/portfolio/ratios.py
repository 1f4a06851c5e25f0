"""What a portfolio earned, and what that cost in risk: alone and beside a benchmark."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.matrix import shown

if TYPE_CHECKING:
    from penstock.portfolio.result import Risk

__all__ = ["Performance", "drawdowns", "monthly_returns", "performance"]


@final
@dataclass(frozen=True, slots=True)
class Performance:
    """Returns and ratios to the risk; dates are None without dates, ratios where there is no risk.

    Attributes:
        total_return: Growth over all rows, less 1.
        annual_return: The constant yearly growth that gives it (compounded), less 1.
        sharpe: Mean return above ``risk_free`` over the volatility, both a year.
        sortino: The same over the root mean square of what is below ``risk_free``.
        max_drawdown: Largest loss from a peak.
        peak: When it began.
        trough: When it was deepest.
        recovered: When the peak was reached again; None while it was not.
        beta: Change with the benchmark's: covariance over the benchmark's variance.
        tracking_error: Volatility a year of the difference from the benchmark.
        information_ratio: Mean difference a year over ``tracking_error``.
        turnover: Share of the value traded in a year to keep to the scheme.
    """

    total_return: float
    annual_return: float
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    peak: str | None = None
    trough: str | None = None
    recovered: str | None = None
    beta: float | None = None
    tracking_error: float | None = None
    information_ratio: float | None = None
    turnover: float | None = None

    def to_dict(self) -> dict[str, float | str | None]:
        """Return it as plain values."""
        return asdict(self)


def performance(
    found: Risk, *, risk_free: float = 0.0, benchmark: Risk | None = None, cost: float = 0.0
) -> Performance:
    """Return what the portfolio earned beside what it risked.

    Args:
        found: Of :func:`penstock.portfolio.risk`.
        risk_free: Return a year without risk, such as 0.03.
        benchmark: The risk of what to compare with, of the same data.
        cost: Of trading, as a share of what is traded, such as 0.001; taken off the returns.

    Raises:
        InputError: Rows that lose all there is, or a benchmark of other rows.

    >>> from penstock.portfolio import risk
    >>> prices = {"A": [100.0, 110.0, 99.0, 120.0]}
    >>> found = performance(risk(prices, {"A": 1.0}, periods=3))
    >>> f"{found.annual_return:.0%} a year, drawdown {found.max_drawdown:.0%}"
    '20% a year, drawdown 10%'
    """
    series, year = found.series, found.periods
    if len(series) < 2:
        raise InputError("no two rows have all assets: there is no series to earn by")
    if not 0 <= cost < 1:
        raise InputError(f"cost={cost:g}: a share of what is traded, such as 0.001")
    if cost:
        series = series - cost * found.turnover
    if not risk_free > -1:
        raise InputError(f"risk_free={risk_free:g}: a return a year, such as 0.03")
    curve, peak, trough = drawdowns(series)
    growth = float(np.prod(1 + series))
    above = series - math.expm1(math.log1p(risk_free) / year)
    below = math.sqrt(float(np.mean(np.minimum(above, 0.0) ** 2)))
    back = np.flatnonzero(curve[trough:] >= 0)
    beside = (None, None, None) if benchmark is None else _beside(found, series, benchmark)
    return Performance(
        growth - 1,
        growth ** (year / len(series)) - 1,
        _ratio(float(above.mean()), float(series.std(ddof=1)), year),
        _ratio(float(above.mean()), below, year),
        -float(curve[trough]),
        _day(found.dates, peak),
        _day(found.dates, trough) if curve[trough] < 0 else None,
        _day(found.dates, trough + int(back[0])) if len(back) and curve[trough] < 0 else None,
        *beside,
        float(found.turnover.mean()) * year,
    )


def drawdowns(series: Floats) -> tuple[Floats, int, int]:
    """Return the loss from the last peak after each row, and the rows of the largest one.

    The row of its peak is -1 where the first row of all begins it.

    >>> drawdowns(np.array([0.1, -0.5, 0.2]))[1:]
    (0, 1)
    """
    if (series <= -1).any():
        raise InputError("a row loses all there is or more: are the returns in percent?")
    value = np.cumprod(1 + series)
    peaks = np.maximum(np.maximum.accumulate(value), 1.0)
    curve = value / peaks - 1
    trough = int(curve.argmin())
    at_peak = np.flatnonzero(value[: trough + 1] >= peaks[trough])
    return curve, int(at_peak[-1]) if len(at_peak) else -1, trough


def monthly_returns(found: Risk) -> dict[str, float]:
    """Return the return of each calendar month, by names such as ``2024-01``.

    Raises:
        InputError: There are no dates.
    """
    if found.dates is None or len(found.dates) != len(found.series):
        raise InputError("months need dates: give a table that has them")
    months, starts = np.unique(found.dates.astype("datetime64[M]"), return_index=True)
    grown = np.multiply.reduceat(1 + found.series, starts) - 1
    return dict(zip(map(str, months), grown.tolist(), strict=True))


def _day(dates: Dates | None, row: int) -> str | None:
    return None if dates is None or row < 0 else shown(dates[row])


def _ratio(mean: float, deviation: float, year: float) -> float | None:
    return None if deviation < 1e-15 else mean / deviation * math.sqrt(year)


def _beside(
    found: Risk, mine: Floats, benchmark: Risk
) -> tuple[float | None, float | None, float | None]:
    other = benchmark.series
    if found.dates is not None and benchmark.dates is not None:
        _, rows, others = np.intersect1d(found.dates, benchmark.dates, return_indices=True)
        mine, other = mine[rows], other[others]
    if len(mine) != len(other) or len(mine) < 2:
        raise InputError(f"the benchmark has {len(other)} returns for {len(mine)} of the portfolio")
    moved = np.cov(mine, other)
    beta = float(moved[0, 1] / moved[1, 1]) if moved[1, 1] > 0 else None
    apart = mine - other
    error = float(apart.std(ddof=1))
    ratio = _ratio(float(apart.mean()), error, found.periods)
    return beta, error * math.sqrt(found.periods), ratio
