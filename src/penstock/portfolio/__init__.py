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

from penstock.later import homes, later
from penstock.portfolio.measure import risk
from penstock.portfolio.result import Risk

if TYPE_CHECKING:
    from penstock.portfolio.allocation import (
        Allocation,
        Belief,
        Frontier,
        allocated,
        belief,
        efficient_frontier,
        minimum_volatility,
        risk_parity,
    )
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
    from penstock.portfolio.limits import Limits, limits_of, optimal_weights
    from penstock.portfolio.online import OnlineRisk
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
    from penstock.portfolio.text import printed_allocation, printed_explanation, printed_frontier

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
_HOMES = {
    "allocation": "Allocation Belief Frontier allocated"
    " belief efficient_frontier minimum_volatility risk_parity",
    "explanation": "EXAMPLE_NAMES EXAMPLE_WEIGHTS Explanation explain",
    "files": "Format Row read_covariance read_stream read_table record_rows table_of",
    "follow": "followed online_for",
    "limits": "Limits limits_of optimal_weights",
    "online": "OnlineRisk",
    "ratios": "Performance monthly_returns performance",
    "report": "Report",
    "rolling": "Rolling rolling_covariance rolling_risk rolling_volatility warm_up",
    "sample": "sample_prices",
    "stage": "Reading watch",
    "table": "Table in_currency",
    "text": "printed_allocation printed_explanation printed_frontier",
}

if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, homes(**_HOMES))
