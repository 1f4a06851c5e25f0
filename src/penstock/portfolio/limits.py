"""Weights under bounds, groups, targets, turnover and views; skfolio solves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Unpack, final

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.allocation import Allocation, Belief, Source, allocation, believed
from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.returns import simple_returns, without_gaps
from penstock.portfolio.table import as_table
from penstock.registry import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Limits", "limits_of", "optimal_weights"]

AIMS = ("least", "sharpe", "return", "hrp")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What weights have to keep to.

    Attributes:
        bounds: Least and largest weight of each asset.
        groups: Names of assets by group.
        group_bounds: Least and largest sum of each group's weights.
        target_return: Mean return a year, at least.
        target_volatility: Volatility a year, at most.
        held: The weights of today, for turnover and costs.
        turnover: The most that one asset's weight may move from ``held``.
        cost: Of moving a weight by 1, as a fraction, over the rows of the data.
        views: Black–Litterman's, such as ``"A == 0.0005"`` or ``"A - B == 0.0002"``, per row.
    """

    bounds: tuple[float, float] = (0.0, 1.0)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    group_bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    target_return: float | None = None
    target_volatility: float | None = None
    held: Mapping[str, float] | None = None
    turnover: float | None = None
    cost: float = 0.0
    views: Sequence[str] = ()


def limits_of(table: Mapping[str, object]) -> Limits:
    """Return the limits that a mapping, such as a table of a TOML file, holds.

    Raises:
        InputError: A key that does not exist, or a value of another kind.

    >>> limits_of({"bounds": [0, 0.3], "target_return": 0.08}).target_return
    0.08
    """
    known = sorted(Limits.__slots__)
    for name in table:
        if name not in known:
            raise InputError(f"limits {name}: {did_you_mean(name, known)}")
    pairs = {name: tuple(value) for name, value in table.items() if isinstance(value, list | tuple)}
    bands = table.get("group_bounds", {})
    try:
        if isinstance(bands, Mapping):
            pairs["group_bounds"] = {key: tuple(map(float, x)) for key, x in bands.items()}  # type: ignore[assignment] # a mapping of pairs
        limits = Limits(**{**table, **pairs})  # type: ignore[arg-type] # looked at right below
        low, high = (float(bound) for bound in limits.bounds)
        for number in (limits.target_return, limits.target_volatility, limits.turnover):
            float(number or 0.0)
        return replace(limits, bounds=(low, high), cost=float(limits.cost))
    except (TypeError, ValueError) as error:
        raise InputError(f"limits: {error}") from error


def optimal_weights(
    data: object,
    aim: str = "sharpe",
    limits: Limits | None = None,
    *,
    risk_free: float = 0.0,
    **source: Unpack[Source],
) -> Allocation:
    """Return weights for ``aim`` within ``limits``.

    Args:
        data: As for :func:`penstock.portfolio.risk`; all its assets are used.
        aim: ``least`` (volatility), ``sharpe`` (the largest ratio), ``return`` (the largest mean,
            with a ``target_volatility``) or ``hrp`` (hierarchical risk parity).
        limits: None asks for weights from 0 to 1.
        risk_free: Return a year without risk, for ``sharpe``.
        **source: How returns are found; the estimator is ``sample``.

    Raises:
        InputError: An aim or limit that does not exist, or limits that no weights keep.
        MissingExtra: skfolio is not installed.
    """
    limits = limits or Limits()
    if aim not in AIMS:
        raise InputError(f"aim {aim!r}: choose one of {', '.join(AIMS)}")
    if source.get("estimator", "sample") != "sample":
        raise InputError("within limits the estimator is sample")
    if aim == "return" and limits.target_volatility is None:
        raise InputError("aim 'return' needs a target_volatility")
    belief = believed(data, source)
    _check(limits, belief.names, aim)
    weights = _solved(_frame(data, belief, source), aim, limits, risk_free / belief.periods, belief)
    told = f"aim {aim} within {limits.bounds[0]:g} to {limits.bounds[1]:g}, solved by skfolio"
    return allocation(belief, weights, told)


def _check(limits: Limits, names: tuple[str, ...], aim: str) -> None:
    low, high = limits.bounds
    if not low <= high or low * len(names) > 1 or high * len(names) < 1:
        raise InputError(f"bounds {low:g} to {high:g}: {len(names)} such weights cannot sum to one")
    named = [*(name for members in limits.groups.values() for name in members)]
    named += list(limits.held or ())
    for name in named:
        if name not in names:
            raise InputError(f"limits name {name}, which the data does not hold")
    for group in limits.group_bounds:
        if group not in limits.groups:
            raise InputError(f"group_bounds name {group}, which is not among the groups")
    more = (limits.group_bounds, limits.views, limits.target_return, limits.target_volatility)
    if aim == "hrp" and (any(more) or limits.turnover is not None):
        raise InputError("hrp takes bounds, held and cost, and no other limits")


def _frame(data: object, belief: Belief, source: Source) -> pd.DataFrame:
    """Return the returns, or for a belief some whose mean and covariance are exactly its own."""
    import pandas as pd

    if isinstance(data, Belief):
        count = len(belief.names)
        random = np.random.default_rng(0).standard_normal((4 * count + 8, count))
        basis, _ = np.linalg.qr(random - random.mean(axis=0))
        spread = basis @ np.linalg.cholesky(belief.covariance).T * np.sqrt(len(basis) - 1)
        return pd.DataFrame(spread + belief.mean, columns=list(belief.names))
    table = as_table(data, source.get("names"))
    kind = source.get("kind", "prices")
    returns = simple_returns(table.values, kind, table.names, table.dates)
    found = without_gaps(returns, None, table.names, source.get("missing", "raise"))
    if found.gaps:
        raise InputError("within limits, missing is raise or common")
    return pd.DataFrame(found.values, columns=list(table.names))


def _solved(
    frame: pd.DataFrame, aim: str, limits: Limits, risk_free: float, belief: Belief
) -> Floats:
    try:
        from skfolio import optimization
        from skfolio.prior import BlackLitterman, EmpiricalPrior
    except ImportError as error:
        raise MissingExtra("weights within limits", "skfolio", "portfolio-prices") from error
    chosen = _of_weights(limits, belief, len(frame))
    if aim == "hrp":
        model = optimization.HierarchicalRiskParity(**chosen)
    else:
        kinds = optimization.ObjectiveFunction
        goals = {
            "least": kinds.MINIMIZE_RISK,
            "sharpe": kinds.MAXIMIZE_RATIO,
            "return": kinds.MAXIMIZE_RETURN,
        }
        chosen |= _of_portfolio(limits, belief)
        prior = BlackLitterman(views=list(limits.views)) if limits.views else EmpiricalPrior()
        model = optimization.MeanRisk(
            goals[aim], prior_estimator=prior, risk_free_rate=risk_free, **chosen
        )
    try:
        model.fit(frame)
    except Exception as error:
        raise InputError(f"no weights keep these limits: {str(error).splitlines()[0]}") from error
    return np.asarray(model.weights_, dtype=np.float64)


def _of_weights(limits: Limits, belief: Belief, rows: int) -> dict[str, object]:
    """Return the solver's keywords for the limits of single weights."""
    chosen: dict[str, object] = {
        "min_weights": limits.bounds[0],
        "max_weights": limits.bounds[1],
        "transaction_costs": limits.cost / rows,
    }
    if limits.held is not None:
        chosen["previous_weights"] = np.array([limits.held.get(x, 0.0) for x in belief.names])
    return chosen


def _of_portfolio(limits: Limits, belief: Belief) -> dict[str, object]:
    """Return the solver's keywords for the limits of groups and of the whole."""
    chosen: dict[str, object] = {}
    left, right = _inequalities(limits, belief.names)
    if left is not None:
        chosen |= {"left_inequality": left, "right_inequality": right}
    if limits.target_return is not None:
        chosen["min_return"] = limits.target_return / belief.periods
    if limits.target_volatility is not None:
        chosen["max_standard_deviation"] = limits.target_volatility / math.sqrt(belief.periods)
    if limits.turnover is not None:
        chosen["max_turnover"] = limits.turnover
    return chosen


def _inequalities(limits: Limits, names: tuple[str, ...]) -> tuple[Floats | None, Floats | None]:
    """Return the groups' bounds as ``left @ w <= right``."""
    rows, bounds = [], []
    for group, (low, high) in limits.group_bounds.items():
        held = np.array([float(name in limits.groups[group]) for name in names])
        rows += [held, -held]
        bounds += [high, -low]
    return (np.array(rows), np.array(bounds)) if rows else (None, None)
