"""Volatility and risk of a portfolio of several assets.

>>> from penstock.portfolio import risk
>>> prices = {"A": [100.0, 101.0, 99.0, 102.0], "B": [50.0, 50.2, 50.1, 49.9]}
>>> found = risk(prices, weights={"A": 0.6, "B": 0.4})
>>> f"{found.volatility:.4f} a day, {found.percent[0]:.0%} of it from A"
'0.0150 a day, 100% of it from A'

NumPy is all that is imported; frames, plots and GARCH come when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.portfolio.measure import risk
from penstock.portfolio.result import Risk

if TYPE_CHECKING:
    from penstock.portfolio.choose import (
        Allocation,
        Belief,
        Frontier,
        allocated,
        belief,
        efficient_frontier,
        minimum_volatility,
        risk_parity,
    )
    from penstock.portfolio.constrained import Limits, limits_of, optimal_weights
    from penstock.portfolio.explanation import EXAMPLE_NAMES, EXAMPLE_WEIGHTS, Explanation, explain
    from penstock.portfolio.files import (
        Format,
        Row,
        read_covariance,
        read_stream,
        read_table,
        record_rows,
        table_of,
    )
    from penstock.portfolio.follow import followed, online_for
    from penstock.portfolio.online import OnlineRisk
    from penstock.portfolio.printed import printed_allocation, printed_explanation, printed_frontier
    from penstock.portfolio.ratios import Performance, monthly_returns, performance
    from penstock.portfolio.report import Report
    from penstock.portfolio.rolling import (
        Rolling,
        rolling_covariance,
        rolling_risk,
        rolling_volatility,
        warm_up,
    )
    from penstock.portfolio.sample import sample_prices
    from penstock.portfolio.stage import Reading, watch
    from penstock.portfolio.table import Table, in_currency

__all__ = [
    "EXAMPLE_NAMES",
    "EXAMPLE_WEIGHTS",
    "Allocation",
    "Belief",
    "Explanation",
    "Format",
    "Frontier",
    "Limits",
    "OnlineRisk",
    "Performance",
    "Reading",
    "Report",
    "Risk",
    "Rolling",
    "Row",
    "Table",
    "allocated",
    "belief",
    "efficient_frontier",
    "explain",
    "followed",
    "in_currency",
    "limits_of",
    "minimum_volatility",
    "monthly_returns",
    "online_for",
    "optimal_weights",
    "performance",
    "printed_allocation",
    "printed_explanation",
    "printed_frontier",
    "read_covariance",
    "read_stream",
    "read_table",
    "record_rows",
    "risk",
    "risk_parity",
    "rolling_covariance",
    "rolling_risk",
    "rolling_volatility",
    "sample_prices",
    "table_of",
    "warm_up",
    "watch",
]

# What a name needs is imported when it is used: importing the room stays as quick as NumPy.
_LATER = {
    "read_covariance": "files",
    "limits_of": "constrained",
    "in_currency": "table",
    "rolling_risk": "rolling",
    "Rolling": "rolling",
    "belief": "choose",
    "allocated": "choose",
    "Belief": "choose",
    "Allocation": "choose",
    "EXAMPLE_NAMES": "explanation",
    "EXAMPLE_WEIGHTS": "explanation",
    "Explanation": "explanation",
    "Format": "files",
    "Frontier": "choose",
    "Limits": "constrained",
    "OnlineRisk": "online",
    "Performance": "ratios",
    "Reading": "stage",
    "Report": "report",
    "Row": "files",
    "Table": "table",
    "efficient_frontier": "choose",
    "explain": "explanation",
    "followed": "follow",
    "minimum_volatility": "choose",
    "monthly_returns": "ratios",
    "online_for": "follow",
    "optimal_weights": "constrained",
    "performance": "ratios",
    "printed_allocation": "printed",
    "printed_explanation": "printed",
    "printed_frontier": "printed",
    "read_stream": "files",
    "read_table": "files",
    "record_rows": "files",
    "risk_parity": "choose",
    "rolling_covariance": "rolling",
    "rolling_volatility": "rolling",
    "sample_prices": "sample",
    "table_of": "files",
    "warm_up": "rolling",
    "watch": "stage",
}

__getattr__ = later(__name__, _LATER)
