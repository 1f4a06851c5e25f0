"""Weights for a purpose: least volatility, equal shares of the risk, the efficient frontier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np, product
from penstock.portfolio.covariance import Covariance, correlation
from penstock.portfolio.estimators import estimate
from penstock.portfolio.holdings import chosen, near
from penstock.portfolio.pairwise import pairwise
from penstock.portfolio.returns import annual_periods, doubts, simple_returns, without_gaps
from penstock.portfolio.solvers import corners, equal_risk, nonnegative, unbounded
from penstock.portfolio.table import ReturnTable, as_table, floats
from penstock.registry import did_you_mean

__all__ = [
    "Allocation",
    "Belief",
    "Frontier",
    "Source",
    "allocated",
    "belief",
    "efficient_frontier",
    "minimum_volatility",
    "risk_parity",
]


class Source(TypedDict, total=False):
    """How the covariance is found; each means what it means to :func:`penstock.portfolio.risk`.

    Attributes:
        kind: ``prices`` (default), ``returns`` or ``log``.
        missing: ``raise`` (default), ``common`` or ``pairwise``.
        estimator: ``sample`` (default), ``lw``, …
        ddof: Divisor of the sample covariance.
        periods: Rows in a year.
        names: Names for the columns of a plain array.
    """

    kind: str
    missing: str
    estimator: str
    ddof: int | None
    periods: float | None
    names: Sequence[str] | None


@final
@dataclass(frozen=True, slots=True)
class Belief:
    """What weights are chosen by; of your own with :func:`belief`.

    Attributes:
        names: The assets.
        covariance: Per row squared, shape (assets, assets), positive definite.
        mean: Mean return per row, shape (assets,).
        periods: Rows in a year.
        words: What was assumed.
    """

    names: tuple[str, ...]
    covariance: Floats
    mean: Floats
    periods: float
    words: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Allocation:
    """Weights that were chosen, and what they would have been like.

    Attributes:
        names: The assets.
        weights: Shape (assets,), sum 1.
        volatility: Per row, by the covariance they were chosen with.
        volatility_annual: Per year.
        percent: Shares of the risk, shape (assets,), sum 1.
        assumptions: What was assumed, in sentences.
    """

    names: tuple[str, ...]
    weights: Floats
    volatility: float
    volatility_annual: float
    percent: Floats
    assumptions: tuple[str, ...]

    def by_name(self) -> dict[str, float]:
        """Return the weights by name, as :func:`penstock.portfolio.risk` takes them."""
        return dict(zip(self.names, self.weights.tolist(), strict=True))


@final
@dataclass(frozen=True, slots=True)
class Frontier:
    """The portfolios of least volatility for each expected return.

    Attributes:
        names: The assets.
        weights: Shape (points, assets); each row sums to 1.
        expected: Expected return per row of data, shape (points,), ascending.
        volatilities: Per row of data, shape (points,).
        periods: Rows in a year.
        assumptions: What was assumed, in sentences.
    """

    names: tuple[str, ...]
    weights: Floats
    expected: Floats
    volatilities: Floats
    periods: float
    assumptions: tuple[str, ...]


def minimum_volatility(
    data: object, *, long_only: bool = True, **source: Unpack[Source]
) -> Allocation:
    """Return the weights of least volatility: closed form with shorts, active set without.

    Args:
        data: As for :func:`penstock.portfolio.risk`; all its assets are used.
        long_only: Whether weights below zero are forbidden.
        **source: How the covariance is found, see :class:`Source`.

    Raises:
        InputError: The covariance is singular, so that there is no one answer.

    >>> returns = [[0.01, 0.02], [-0.01, 0.01], [0.02, -0.01], [0.00, 0.01]]
    >>> minimum_volatility(returns, kind="returns").weights.round(4).tolist()
    [0.4915, 0.5085]
    """
    belief = believed(data, source)
    if not long_only:
        return allocation(belief, unbounded(belief.covariance), "least volatility, shorts allowed")
    return allocation(belief, _least(belief.covariance), "least volatility, no shorts")


def _least(covariance: Floats) -> Floats:
    sigma = np.sqrt(np.diagonal(covariance))
    raw = nonnegative(correlation(covariance), sigma.min() / sigma) / sigma
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def risk_parity(
    data: object,
    *,
    budgets: Mapping[str, float] | Sequence[float] | None = None,
    short: Sequence[str] = (),
    **source: Unpack[Source],
) -> Allocation:
    """Return the weights whose shares of the risk are equal, or as ``budgets`` say.

    Args:
        data: As for :func:`penstock.portfolio.risk`; all its assets are used.
        budgets: Share of the risk of each asset, above zero, sum 1.
        short: Names of assets to be held short: for given signs there is one answer.
        **source: How the covariance is found, see :class:`Source`.

    Raises:
        InputError: The covariance is singular, budgets that cannot be, or shorts that leave
            nothing invested.

    >>> returns = [[0.01, 0.02], [-0.01, 0.01], [0.02, -0.01], [0.00, 0.01]]
    >>> risk_parity(returns, kind="returns").percent.round(12).tolist()
    [0.5, 0.5]
    """
    belief = believed(data, source)
    shares = _budgets(belief.names, budgets)
    signs = np.ones(len(shares))
    for name in short:
        if name not in belief.names:
            raise InputError(f"short: no asset is named {name}: {near(name, belief.names)}")
        signs[belief.names.index(name)] = -1.0
    related = correlation(belief.covariance) * np.outer(signs, signs)
    sigma = np.sqrt(np.diagonal(belief.covariance))
    raw = signs * equal_risk(related, shares) / sigma
    if abs(raw.sum()) < 1e-6 * np.abs(raw).sum():
        raise InputError("long and short positions cancel out: weights cannot sum to one")
    told = "equal shares of the risk" if budgets is None else "shares of the risk as given"
    return allocation(belief, raw / raw.sum(), told)


def _budgets(
    names: tuple[str, ...], budgets: Mapping[str, float] | Sequence[float] | None
) -> Floats:
    if budgets is None:
        return np.full(len(names), 1 / len(names))
    if isinstance(budgets, Mapping):
        if set(budgets) != set(names):
            odd = sorted(set(budgets) ^ set(names))
            raise InputError(f"budgets must name every asset once: {', '.join(odd[:5])}")
        budgets = [budgets[name] for name in names]
    shares = floats(budgets, "budgets")
    if shares.shape != (len(names),) or not (shares > 0).all() or abs(math.fsum(shares) - 1) > 1e-9:
        raise InputError(f"budgets: one share above zero for each of {len(names)} assets, sum 1")
    return shares


def efficient_frontier(
    data: object,
    *,
    points: int = 50,
    expected: Mapping[str, float] | Sequence[float] | None = None,
    long_only: bool = True,
    **source: Unpack[Source],
) -> Frontier:
    """Return the least volatility for each expected return, from the least on upwards.

    Args:
        data: As for :func:`penstock.portfolio.risk`; all its assets are used.
        points: How many, evenly spaced by expected return, at least 2.
        expected: Expected return of each asset per row; the sample mean by default, which is a
            poor guess at the future.
        long_only: Whether weights below zero are forbidden; with shorts it ends at the highest
            expected return of a single asset, where it could go on.
        **source: How the covariance is found, see :class:`Source`.

    Raises:
        InputError: The covariance is singular, or expectations that do not fit.
    """
    if points < 2:
        raise InputError(f"points={points}: a frontier needs at least 2")
    belief = believed(data, source)
    means = _expected(belief, expected)
    if long_only:
        scale = float(np.diagonal(belief.covariance).mean())
        turns = corners(
            belief.covariance / scale,
            means / max(np.abs(means).max(), 1e-300),
            _least(belief.covariance),
        )
        steps = np.array([corner.weights for corner in turns])
    else:
        steps = _two_funds(belief.covariance, means)
    reached = product(steps, means)
    # Corners that add nothing to the return (means that tie) would leave no one answer between.
    kept = np.concatenate([[True], np.diff(reached) > 1e-12 * max(np.abs(means).max(), 1e-300)])
    steps, reached = steps[kept], reached[kept]
    wanted = np.linspace(reached[0], reached[-1], points if len(reached) > 1 else 1)
    weights = np.column_stack([np.interp(wanted, reached, column) for column in steps.T])
    sigmas = np.sqrt(np.maximum((product(weights, belief.covariance) * weights).sum(axis=1), 0.0))
    told = "expected returns are " + ("the sample's means" if expected is None else "as given")
    return Frontier(belief.names, weights, wanted, sigmas, belief.periods, (*belief.words, told))


def _expected(belief: Belief, expected: Mapping[str, float] | Sequence[float] | None) -> Floats:
    if expected is None:
        return belief.mean
    if isinstance(expected, Mapping):
        if set(expected) != set(belief.names):
            odd = sorted(set(expected) ^ set(belief.names))
            raise InputError(f"expected must name every asset once: {', '.join(odd[:5])}")
        expected = [expected[name] for name in belief.names]
    means = floats(expected, "expected")
    if means.shape != belief.mean.shape or not np.isfinite(means).all():
        raise InputError(f"expected: one finite number for each of {len(belief.names)} assets")
    return means


def _two_funds(covariance: Floats, means: Floats) -> Floats:
    """Return the two ends of the frontier with shorts: every portfolio on it mixes two (Merton)."""
    least = unbounded(covariance)
    tilt = np.linalg.solve(covariance, means - float(means @ least))
    gain = float(means @ tilt)
    room = float(means.max() - means @ least)
    if gain <= 0 or room <= 0:
        return least[None, :]
    return np.array([least, least + (tilt - tilt.sum() * least) * (room / gain)])


def believed(data: object, source: Source) -> Belief:
    """Return the covariance and mean that ``data`` gives, fit for choosing weights.

    Raises:
        InputError: A series that never moves, or a singular covariance: the least volatility
            would be a rounding error.
        TypeError: A keyword that does not exist.
    """
    if isinstance(data, Belief):
        if source:
            raise TypeError(f"a belief is all there is to know: leave {', '.join(source)} away")
        return data
    _check_keywords(source)
    table = as_table(data, source.get("names"))
    kind, missing = source.get("kind", "prices"), source.get("missing", "raise")
    estimator, ddof = source.get("estimator", "sample"), source.get("ddof")
    returns = simple_returns(table.values, kind, table.names, table.dates)
    dates = table.dates[1:] if table.dates is not None and kind == "prices" else table.dates
    if len(returns) < 2 or not returns.shape[1]:
        raise InputError(
            f"{len(returns)} returns of {returns.shape[1]} assets: nothing to choose by"
        )
    if missing == "renormalise":
        raise InputError("renormalise needs weights to begin with: choose common or pairwise")
    changes = without_gaps(returns, dates, table.names, missing)
    if changes.gaps and estimator != "sample":
        raise InputError(f"pairwise measures a sample covariance: estimator {estimator} does not")
    covariance: Covariance = (
        pairwise(changes.values, 1 if ddof is None else ddof)
        if changes.gaps
        else estimate(changes.values, estimator, ddof)
    )
    matrix = covariance.matrix()
    _check_definite(matrix, table.names, len(changes.values))
    periods, told = annual_periods(source.get("periods"), table.dates)
    words = (
        f"{len(changes.values)} returns",
        *table.words,
        *changes.words,
        *covariance.words,
        told,
    )
    words += tuple(doubts(changes.values, changes.dates, table.names, kind))
    return Belief(table.names, matrix, np.nanmean(changes.values, axis=0), periods, words)


def _check_keywords(source: Source) -> None:
    for name in source:
        if name not in Source.__annotations__:
            hint = did_you_mean(name, Source.__annotations__)
            raise TypeError(f"unexpected keyword {name!r}: {hint}")


def belief(
    covariance: object,
    expected: Mapping[str, float] | Sequence[float] | None = None,
    *,
    names: Sequence[str] | None = None,
    periods: float = 1.0,
) -> Belief:
    """Return a covariance and expected returns of your own, to choose weights by.

    Every function that chooses weights takes it in place of data.

    Args:
        covariance: A matrix, or a frame or mapping whose columns are named as its rows are.
        expected: Expected return of each asset, by name or in order; None takes 0.
        names: Of the assets, for a plain matrix.
        periods: How many of the covariance's periods make a year: 1 for a covariance a year.

    Raises:
        InputError: Not a covariance, or expectations of other assets.

    >>> given = belief([[0.04, 0.01], [0.01, 0.09]], names=["A", "B"])
    >>> {name: round(weight, 4) for name, weight in minimum_volatility(given).by_name().items()}
    {'A': 0.7273, 'B': 0.2727}
    """
    columns, index = (getattr(covariance, side, None) for side in ("columns", "index"))
    if columns is not None and index is not None:
        names = [str(name) for name in columns]
        if [str(name) for name in index] != names:
            raise InputError("a covariance: its rows are to be named as its columns are, in order")
        covariance = np.asarray(covariance)
    table = as_table(covariance, names)
    matrix = table.values
    if matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise InputError(f"a covariance of {len(table.names)} assets: a whole square matrix")
    if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-9 * float(np.abs(matrix).max())):
        raise InputError("a covariance is the same above its diagonal and below")
    year, told = annual_periods(periods, None)
    words = ("covariance as given", told)
    matrix = (matrix + matrix.T) / 2
    _check_definite(matrix, table.names, 0)
    bare = Belief(table.names, matrix, np.zeros(len(matrix)), year, words)
    return replace(bare, mean=_expected(bare, expected))


def allocated(given: Belief, weights: Mapping[str, float]) -> Allocation:
    """Return the volatility and the shares of the risk that weights have by a belief.

    >>> given = belief([[0.04, 0.0], [0.0, 0.09]], names=["A", "B"])
    >>> round(allocated(given, {"A": 0.6, "B": 0.4}).volatility, 4)
    0.1697
    """
    held = chosen(ReturnTable(np.zeros((1, len(given.names))), given.names), weights)
    whole = np.array(
        [dict(zip(held.names, held.weights, strict=True)).get(n, 0.0) for n in given.names]
    )
    return allocation(given, whole, "weights as given")


def _check_definite(matrix: Floats, names: tuple[str, ...], rows: int) -> None:
    variances = np.diagonal(matrix)
    if not (variances > 0).all():
        name = names[int((variances > 0).argmin())]
        raise InputError(
            f"{name} never moves: leave it out (it is cash, and the answer is all cash)"
        )
    values = np.linalg.eigvalsh(correlation(matrix))
    if values[0] <= 10 * len(matrix) * np.finfo(np.float64).eps * values[-1]:
        source = f" from {rows} returns" if rows else ""
        raise InputError(
            f"the covariance of {len(matrix)} assets{source} is singular (smallest"
            f" eigenvalue {values[0]:.2g} of {values[-1]:.2g}): there is no one answer; choose"
            " estimator='lw' (--estimator lw), or fewer assets"
        )


def allocation(belief: Belief, weights: Floats, told: str) -> Allocation:
    """Return weights with what they would have been like."""
    moved = product(belief.covariance, weights)
    variance = float(weights @ moved)
    volatility = math.sqrt(max(variance, 0.0))
    return Allocation(
        belief.names,
        weights,
        volatility,
        volatility * math.sqrt(belief.periods),
        weights * moved / variance,
        (*belief.words, told),
    )
