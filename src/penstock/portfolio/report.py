"""One portfolio's risk as JSON, as text and as plots: what the command line prints."""

from __future__ import annotations

import json
from pathlib import Path

from penstock.errors import InputError
from penstock.portfolio.allocation import efficient_frontier
from penstock.portfolio.arrays import np
from penstock.portfolio.measure import risk as measure
from penstock.portfolio.plots import overview, save
from penstock.portfolio.ratios import Performance, monthly_returns, performance
from penstock.portfolio.result import Risk
from penstock.portfolio.rolling import rolling_volatility
from penstock.portfolio.table import ReturnTable
from penstock.portfolio.text import printed_performance, printed_risk, printed_rolling

__all__ = ["RiskReport"]


class RiskReport:
    """One portfolio's risk, as the options ask for it."""

    def __init__(
        self, table: ReturnTable, weights: dict[str, float], options: dict[str, object]
    ) -> None:
        self._risk_free = float(str(options.pop("risk_free", None) or 0.0))
        self._benchmark = options.pop("benchmark", None)
        self._cost = float(str(options.pop("cost", None) or 0.0))
        self.table = table
        self.weights = weights
        self.options = options
        self.risk: Risk = measure(table, weights, **options)  # type: ignore[arg-type] # click gave them these types

    def rolled(self, window: object) -> list[float] | None:
        """Return the rolling volatility per row, or None where no window was asked for."""
        if not isinstance(window, int):
            return None
        names = ("kind", "scheme", "missing", "cash")
        chosen = {name: self.options[name] for name in names}
        found = rolling_volatility(self.table, self.weights, window, **chosen)  # type: ignore[arg-type] # click gave them these types
        return [float(value) for value in found]

    def earned(self) -> Performance | None:
        """Return what it earned, beside the benchmark; None where no two rows have all assets."""
        if len(self.risk.series) < 2:
            return None
        beside: Risk | None = None
        if self._benchmark is not None:
            beside = measure(self.table, {str(self._benchmark): 1.0}, **self.options)  # type: ignore[arg-type] # click gave them these types
        return performance(self.risk, risk_free=self._risk_free, benchmark=beside, cost=self._cost)

    def text(self, window: object, *, as_json: bool) -> str:
        """Return the report as JSON or for people."""
        rolled, dates = self.rolled(window), self.risk.dates
        earned = self.earned()
        if as_json:
            whole = self.risk.to_dict()
            whole["performance"] = None if earned is None else earned.to_dict()
            if earned is not None and dates is not None:
                whole["monthly"] = monthly_returns(self.risk)
            if rolled is not None and isinstance(window, int):
                ends = None if dates is None else [str(day)[:10] for day in dates[window - 1 :]]
                whole["rolling"] = {"window": window, "volatility": rolled, "dates": ends}
            return json.dumps(whole, allow_nan=False)
        parts = [printed_risk(self.risk)]
        if earned is not None:
            parts.insert(0, printed_performance(earned))
        if rolled is not None and isinstance(window, int):
            periods = self.risk.periods
            parts.append(printed_rolling(np.array(rolled), window, periods, dates))
        return "\n\n".join(parts)

    def draw(self, path: Path, window: object) -> None:
        """Draw contributions, correlations, rolling volatility and frontier to ``path``."""
        rows = window if isinstance(window, int) else min(252, max(2, self.risk.rows // 4))
        try:
            series = np.array(self.rolled(rows))
        except InputError:  # too few rows, or pairwise: there is no series
            series = None
        names = ("kind", "missing", "estimator", "ddof", "periods")
        chosen = {name: self.options[name] for name in names}
        try:
            frontier = efficient_frontier(self.table.only(tuple(self.weights)), **chosen)  # type: ignore[arg-type] # click gave them these types
        except InputError as error:
            frontier = f"none: {error}"  # type: ignore[assignment] # overview draws a reason as well
        save(overview(self.risk, series, rows, frontier), path)


Report = RiskReport  # its name in earlier versions
