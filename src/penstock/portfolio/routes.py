"""The three ways to a portfolio's volatility, chosen by what its weights do and what is missing.

One identity carries them all. With ``c_t = w_t * r_t`` the contributions of the assets to the
portfolio's return in row t, the return is their sum, so its variance is the sum of their
covariances with it: ``component_i = cov(c_i, r_p) / volatility``. For weights that stay it is
``w_i (S w)_i / volatility``, Euler's rule for a function homogeneous of degree one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.arrays import product as dot
from penstock.portfolio.covariance import Covariance, Sample, Weighted
from penstock.portfolio.estimators import estimate, split_name
from penstock.portfolio.holdings import Scheme, drifting, resets
from penstock.portfolio.result import Measured, Sources
from penstock.portfolio.returns import ReturnSeries, check_missing, without_gaps

__all__ = ["Found", "How", "Panel", "measured", "series_of"]


@final
@dataclass(frozen=True, slots=True)
class How:
    """The choices that decide a volatility; see :func:`penstock.portfolio.risk`."""

    scheme: Scheme = "constant"
    missing: str = "raise"
    estimator: str = "sample"
    ddof: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Panel:
    """Data and weights, matched: the returns of what is held.

    Attributes:
        names: The assets.
        weights: Their weights, shape (assets,).
        returns: Simple returns, shape (rows, assets).
        dates: The moment each return ended at, or None.
        words: What was done to the weights, in sentences.
    """

    names: tuple[str, ...]
    weights: Floats
    returns: Floats
    dates: Dates | None
    words: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, where more can be measured, and what was assumed."""

    measured: Measured
    sources: Sources
    words: tuple[str, ...]


def measured(panel: Panel, how: How) -> Found:
    """Measure volatility and contributions.

    Raises:
        InputError: Choices that do not go together, or data they cannot be applied to.
    """
    _check(how, len(panel.returns))
    check_missing(how.missing)
    name, _ = split_name(how.estimator)
    if how.scheme == "constant" and name == "sample":
        quick = Sample(panel.returns, 1 if how.ddof is None else how.ddof)
        with np.errstate(invalid="ignore", over="ignore"):
            product = quick.times(panel.weights)
        # Anything missing or infinite in a column would have made its product so: two passes
        # over the data both measure and check it.
        if np.isfinite(product).all():
            clean = ReturnSeries(
                panel.returns, panel.dates, gaps=False, words=("no return is missing",)
            )
            return _constant(panel, clean, quick, product)
    changes = without_gaps(panel.returns, panel.dates, panel.names, how.missing)
    _check(how, len(changes.values))
    if how.missing == "renormalise" and changes.gaps:
        return _renormalised(panel, changes, how)
    if how.scheme == "constant":
        if changes.gaps:
            from penstock.portfolio.pairwise import pairwise

            if name != "sample":
                raise InputError(
                    f"pairwise measures a sample covariance: estimator {name} does not"
                )
            covariance: Covariance = pairwise(changes.values, 1 if how.ddof is None else how.ddof)
        else:
            covariance = estimate(changes.values, how.estimator, how.ddof)
        return _constant(panel, changes, covariance, covariance.times(panel.weights))
    return _drifting(panel, changes, how)


def _check(how: How, rows: int) -> None:
    ddof = 1 if how.ddof is None else how.ddof
    if not 0 <= ddof < rows:
        raise InputError(f"ddof={ddof} with {rows} returns: T - ddof must be at least 1")
    if rows < 2:
        raise InputError(f"{rows} whole rows of returns are left: a volatility needs at least 2")


def _constant(
    panel: Panel, changes: ReturnSeries, covariance: Covariance, product: Floats
) -> Found:
    """Weights that are the same at the beginning of every row."""
    weights = panel.weights
    volatility = float(np.sqrt(max(0.0, float(weights @ product))))
    marginal = product / volatility if volatility else np.zeros_like(product)
    values, dates, words = changes.values, changes.dates, changes.words
    if changes.gaps:
        whole = ~np.isnan(values).any(axis=1)
        values, dates = values[whole], None if dates is None else dates[whole]
        told = f"value at risk, shortfall and drawdown over the {len(values)} rows that all have"
        words = (*words, told)
    sources = Sources(
        lambda: dot(values, weights),
        covariance,
        weights,
        weights,
        dates,
        changes.values,
        len(changes.values),
    )
    told = "constant mix: the same weights at the beginning of every row"
    measured_now = Measured(volatility, marginal, weights * marginal)
    return Found(measured_now, sources, (*words, told, *covariance.words))


def _drifting(panel: Panel, changes: ReturnSeries, how: How) -> Found:
    """Weights that drift between rebalancings."""
    starts = resets(how.scheme, changes.dates, len(changes.values))
    path = drifting(changes.values, panel.weights, starts)
    if how.scheme == "hold":
        told = "buy and hold: bought once, then the weights drift with the prices"
    else:
        word = how.scheme if isinstance(how.scheme, str) else "given dates"
        told = f"rebalanced ({word}): {len(starts)} times, the first included"
    own = estimate(changes.values, how.estimator, how.ddof)
    return _moving(changes, path, own, how, (told,))


def _renormalised(panel: Panel, changes: ReturnSeries, how: How) -> Found:
    """Weights shared among the assets that are there, row by row."""
    from penstock.portfolio.pairwise import pairwise

    path, told = _live_weights(panel, changes, how)
    own = pairwise(changes.values, 1 if how.ddof is None else how.ddof)
    return _moving(changes, path, own, how, (told,))


def _live_weights(panel: Panel, changes: ReturnSeries, how: How) -> tuple[Floats, str]:
    """Return the weights of each row, shape (rows, assets), and what was done in words."""
    if how.scheme != "constant":
        raise InputError(
            "missing='renormalise' needs scheme='constant': both would move the weights"
        )
    if (panel.weights < 0).any():
        raise InputError("missing='renormalise' needs weights of zero or more")
    live = ~np.isnan(changes.values)
    held = live @ panel.weights
    empty = held <= 0
    if empty.any():
        raise InputError(
            f"row {int(empty.argmax())}: none of the assets that are held has a return"
        )
    path = live * panel.weights / held[:, None] * panel.weights.sum()
    return path, "weights renormalised in each row among the assets that have a return"


def series_of(panel: Panel, how: How) -> tuple[Floats, Dates | None]:
    """Return the portfolio's returns, shape (rows,), and their dates.

    Raises:
        InputError: Something is missing, or choices that do not go together.
    """
    check_missing(how.missing)
    if how.missing == "pairwise":
        raise InputError("pairwise gives a covariance, not a series: choose common or renormalise")
    if how.scheme == "constant":
        with np.errstate(invalid="ignore", over="ignore"):
            series = dot(panel.returns, panel.weights)
        if np.isfinite(series).all():  # anything missing in a row would have made it so
            return series, panel.dates
    changes = without_gaps(panel.returns, panel.dates, panel.names, how.missing)
    if how.missing == "renormalise" and changes.gaps:
        path, _ = _live_weights(panel, changes, how)
    elif how.scheme == "constant":
        return dot(changes.values, panel.weights), changes.dates
    else:
        starts = resets(how.scheme, changes.dates, len(changes.values))
        path = drifting(changes.values, panel.weights, starts)
    parts: Floats = path * np.nan_to_num(changes.values)
    return np.asarray(parts.sum(axis=1), dtype=np.float64), changes.dates


def _moving(
    changes: ReturnSeries, path: Floats, own: Covariance, how: How, words: tuple[str, ...]
) -> Found:
    """Weights given row by row as ``path``, shape (rows, assets)."""
    name, _ = split_name(how.estimator)
    if name not in {"sample", "ewma"}:
        raise InputError(f"estimator {name} needs weights that stay: use scheme='constant'")
    parts = path * np.nan_to_num(changes.values)
    joint = estimate(parts, how.estimator, how.ddof)
    shares = joint.times(np.ones(parts.shape[1]))
    volatility = float(np.sqrt(max(0.0, float(shares.sum()))))
    series = parts.sum(axis=1)
    scale = 1 / volatility if volatility else 0.0
    ends = path[-1] * (1 + np.nan_to_num(changes.values[-1])) / (1 + series[-1])
    sources = Sources(
        series, own, path.mean(axis=0), ends, changes.dates, changes.values, len(series), path=path
    )
    found = Measured(volatility, _with(changes.values, series, joint) * scale, shares * scale)
    return Found(found, sources, (*changes.words, *words, *joint.words))


def _with(values: Floats, series: Floats, joint: Covariance) -> Floats:
    """Return the covariance of each asset with the portfolio, over the rows it has."""
    if isinstance(joint, Weighted):
        return dot(np.nan_to_num(values).T, joint.shares * series)
    live = (~np.isnan(values)).astype(np.float64)
    counts = live.sum(axis=0)
    means = dot(live.T, series) / counts
    products = dot(np.nan_to_num(values).T, series) - np.nansum(values, axis=0) * means
    ddof = joint.ddof if isinstance(joint, Sample) else 1
    products /= counts - ddof
    return np.asarray(products, dtype=np.float64)
