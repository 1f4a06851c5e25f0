"""The risk of one portfolio: a value that measures the rest when it is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.covariance import Covariance, correlation
from penstock.portfolio.holdings import turnovers
from penstock.portfolio.returns import doubts

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.portfolio.tail import FourMoments

__all__ = ["Measured", "Risk", "Sources"]


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """What every risk number of this room rests on.

    Attributes:
        volatility: Standard deviation per row.
        marginal: Covariance of each asset with the portfolio, divided by ``volatility``.
        component: What each asset adds to ``volatility``; sums to it.
    """

    volatility: float
    marginal: Floats
    component: Floats


@final
@dataclass(frozen=True, slots=True)
class Sources:
    """Where a :class:`Risk` looks when it is asked for more.

    Attributes:
        series: Returns of the portfolio, shape (rows,), or how to make them.
        covariance: The estimate for single assets.
        mean_weights: Weights, on average over the rows, shape (assets,).
        final_weights: Weights after the last row, shape (assets,).
        dates: The moment each of ``series`` ended at, or None.
        returns: Of the assets, shape (rows, assets), NaN where missing.
        rows: Rows of ``series``.
        kind: What the data were: ``prices``, ``returns`` or ``log``.
        path: Weights at the beginning of each row, shape (rows, assets) or (assets,) where they
            stay.
    """

    series: Floats | Callable[[], Floats]
    covariance: Covariance
    mean_weights: Floats
    final_weights: Floats
    dates: Dates | None
    returns: Floats
    rows: int
    kind: str = "prices"
    path: Floats | None = None


@final
class Risk:
    """The risk of one portfolio. Made by :func:`penstock.portfolio.risk`.

    Volatility and contributions are there at once; the rest is measured when first asked for,
    from the array that was given, which is not copied: do not change it in between.

    Attributes:
        names: The assets, in the order of every array here.
        weights: Weights at the beginning, shape (assets,).
        rows: Returns that were measured.
        periods: Rows in a year.
        volatility: Standard deviation of the portfolio's return per row (a day, for daily data).
    """

    def __init__(
        self,
        names: tuple[str, ...],
        weights: Floats,
        measured: Measured,
        sources: Sources,
        periods: float,
        words: tuple[str, ...],
    ) -> None:
        self.names = names
        self.weights = weights
        self.rows = sources.rows
        self.periods = periods
        self.volatility = measured.volatility
        self._measured = measured
        self._sources = sources
        self._words = words

    def __repr__(self) -> str:
        return (
            f"Risk(volatility={self.volatility:.6g},"
            f" volatility_annual={self.volatility_annual:.6g},"
            f" assets={len(self.names)}, rows={self.rows})"
        )

    @property
    def volatility_annual(self) -> float:
        """Volatility times the square root of the rows in a year: right if rows are unrelated."""
        return self.volatility * math.sqrt(self.periods)

    @cached_property
    def _moves(self) -> Measured:
        """What was measured, unless the portfolio stands still: then no share of nothing exists."""
        if self.volatility <= self._noise:
            raise InputError(
                f"the volatility is {self.volatility:.3g}, nothing but rounding: contributions and"
                " ratios to it do not exist"
            )
        return self._measured

    @cached_property
    def _noise(self) -> float:
        """The volatility below which there is only rounding."""
        some = self._sources.returns[:: max(1, self.rows // 8)]
        typical = float(np.mean(np.abs(some) @ np.abs(self.weights)))
        if self.volatility > 1e-6 * typical:
            return 0.0  # far from it, as almost always: a few rows are enough to see that
        return 1e-14 * max(typical, float(np.abs(self.weights) @ self.individual))

    @property
    def marginal(self) -> Floats:
        """Change of the volatility with each weight, ``(S w)_i / volatility``, shape (assets,).

        For weights that move it is the covariance of the asset with the portfolio over the
        volatility: what a little more of it, bought with cash on every row, would add.

        Raises:
            InputError: The portfolio does not move at all.
        """
        return self._moves.marginal

    @property
    def component(self) -> Floats:
        """What each asset adds to the volatility, shape (assets,); the sum is the volatility.

        Raises:
            InputError: The portfolio does not move at all.
        """
        return self._moves.component

    @property
    def percent(self) -> Floats:
        """``component / volatility``: shares of the risk, shape (assets,); the sum is 1."""
        return self.component / self.volatility

    @cached_property
    def individual(self) -> Floats:
        """Volatility of each asset alone, per row, shape (assets,)."""
        return np.sqrt(np.maximum(self._sources.covariance.variances(), 0.0))

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the assets per row squared, shape (assets, assets)."""
        return self._sources.covariance.matrix()

    @cached_property
    def correlation(self) -> Floats:
        """Correlation of the assets, shape (assets, assets); 0 for one that never moves."""
        return correlation(self.covariance)

    @cached_property
    def diversification_ratio(self) -> float:
        """Weighted average of the assets' volatilities over the portfolio's; at least 1.

        Choueifaty and Coignard 2008. Short positions count by their size; weights that move by
        their mean.
        """
        return float(np.abs(self._sources.mean_weights) @ self.individual) / self._moves.volatility

    @cached_property
    def effective_bets(self) -> float:
        """``1 / sum(percent^2)``: how many equal shares of the risk would be as spread as these."""
        return 1.0 / float(self.percent @ self.percent)

    @cached_property
    def principal_bets(self) -> float:
        """Effective number of uncorrelated bets, 1 to the number of assets (Meucci 2009).

        The exponential of the entropy of the shares ``(e_k' w)^2 l_k / w'Sw`` of the principal
        components (eigenvectors e, eigenvalues l).
        """
        values, vectors = np.linalg.eigh(self.covariance)
        shares = (vectors.T @ self._sources.mean_weights) ** 2 * np.maximum(values, 0.0)
        shares = shares[shares > 0] / shares.sum()
        return float(np.exp(-(shares @ np.log(shares))))

    @cached_property
    def series(self) -> Floats:
        """Returns of the portfolio, shape (rows,)."""
        made = self._sources.series
        return made() if callable(made) else made

    @property
    def dates(self) -> Dates | None:
        """The moment each return of :attr:`series` ended at, or None where there are no dates."""
        return self._sources.dates

    @cached_property
    def turnover(self) -> Floats:
        """Share of the value traded at the beginning of each row of :attr:`series`, shape (rows,).

        Keeping weights the same, or going back to them, is trading: what grew is sold.
        """
        held = self._sources
        path = held.mean_weights if held.path is None else held.path
        returns = held.returns
        if len(returns) > len(self.series):
            returns = returns[~np.isnan(returns).any(axis=1)]
        return turnovers(np.broadcast_to(path, returns.shape), returns)

    @cached_property
    def asset_means(self) -> Floats:
        """Mean return of each asset per row, over the rows it has, shape (assets,)."""
        return np.asarray(np.nanmean(self._sources.returns, axis=0), dtype=np.float64)

    @property
    def final_weights(self) -> Floats:
        """Weights after the last row, shape (assets,): what drift has made of them."""
        return self._sources.final_weights

    @cached_property
    def _shape(self) -> FourMoments:
        from penstock.portfolio.tail import FourMoments

        if len(self.series) < 2:
            raise InputError("no two rows have all assets: there is no series to lose by")
        return FourMoments(float(self.series.mean()), self.volatility, self.series)

    def value_at_risk(self, level: float = 0.95, method: str = "historical") -> float:
        """Return the loss per row not exceeded with probability ``level``, as a fraction.

        Args:
            level: Probability, 0.5 to below 1.
            method: ``historical``, ``normal`` or ``cornish_fisher``.

        Raises:
            InputError: A level or method that does not exist.
        """
        from penstock.portfolio import tail

        return tail.value_at_risk(self.series, self._shape, level, method)

    def expected_shortfall(self, level: float = 0.95, method: str = "historical") -> float:
        """Return the mean loss per row in the worst ``1 - level`` of cases, as a fraction.

        Args:
            level: Probability, 0.5 to below 1.
            method: ``historical``, ``normal`` or ``cornish_fisher``.

        Raises:
            InputError: A level or method that does not exist.
        """
        from penstock.portfolio import tail

        return tail.expected_shortfall(self.series, self._shape, level, method)

    @cached_property
    def max_drawdown(self) -> float:
        """Largest loss from a peak over the whole time, as a fraction."""
        from penstock.portfolio import tail

        if not len(self.series):
            raise InputError("no row has all assets: there is no series to fall")
        if (self.series <= -1).any():
            raise InputError("a row loses all there is or more: are the returns in percent?")
        return tail.max_drawdown(self.series)

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed on the way to these numbers, in sentences."""
        extra: list[str] = []
        still = [name for name, sigma in zip(self.names, self.individual, strict=True) if not sigma]
        if still:
            extra.append(f"never moves, correlation set to 0: {', '.join(still)}")
        if self.rows <= len(self.names):
            extra.append(
                f"{self.rows} returns of {len(self.names)} assets: the sample covariance is"
                " singular; good for the volatility of given weights, not for choosing weights"
            )
        if len(self.series) < 2:
            extra.append("no two rows have all assets: no value at risk, shortfall or drawdown")
        elif not self._shape.cornish_fisher_holds:
            extra.append(
                f"Cornish-Fisher is outside its domain here (skewness {self._shape.skewness:.3g},"
                f" excess kurtosis {self._shape.excess:.3g}): do not trust it far out"
            )
        held = self._sources
        seen = doubts(held.returns, held.dates, self.names, held.kind)
        return (*self._words, *seen, *extra)

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain numbers, by asset name where there is one an asset."""
        return {
            "volatility": self.volatility,
            "volatility_annual": self.volatility_annual,
            "weights": self._by_name(self.weights),
            "final_weights": self._by_name(self.final_weights),
            "marginal": self._by_name(self.marginal),
            "component": self._by_name(self.component),
            "percent": self._by_name(self.percent),
            "individual": self._by_name(self.individual),
            "diversification_ratio": self.diversification_ratio,
            "effective_bets": self.effective_bets,
            "principal_bets": self.principal_bets,
            **self._losses(),
            "correlation": {
                name: self._by_name(row)
                for name, row in zip(self.names, self.correlation, strict=True)
            },
            "rows": self.rows,
            "periods": self.periods,
            "assumptions": list(self.assumptions),
        }

    def _losses(self) -> dict[str, object]:
        if len(self.series) < 2:  # pairwise, and no rows that all have
            return {"value_at_risk": None, "expected_shortfall": None, "max_drawdown": None}
        return {
            "value_at_risk": self._by_method(self.value_at_risk),
            "expected_shortfall": self._by_method(self.expected_shortfall),
            "max_drawdown": self.max_drawdown,
        }

    def _by_name(self, values: Floats) -> dict[str, float]:
        return dict(zip(self.names, values.tolist(), strict=True))

    @staticmethod
    def _by_method(measure: Callable[[float, str], float]) -> dict[str, float]:
        from penstock.portfolio.tail import METHODS

        return {"level": 0.95, **{method: measure(0.95, method) for method in METHODS}}
