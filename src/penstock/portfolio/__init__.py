"""Volatility and risk of a portfolio of several assets.

>>> from penstock.portfolio import risk
>>> prices = {"A": [100.0, 101.0, 99.0, 102.0], "B": [50.0, 50.2, 50.1, 49.9]}
>>> found = risk(prices, weights={"A": 0.6, "B": 0.4})
>>> f"{found.volatility:.4f} a day, {found.percent[0]:.0%} of it from A"
'0.0150 a day, 100% of it from A'

NumPy is all that is imported; frames, plots, GARCH and compiled kernels come when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.portfolio.measure import risk
from penstock.portfolio.result import Risk

if TYPE_CHECKING:
    from penstock.portfolio.choose import (
        Allocation,
        Frontier,
        efficient_frontier,
        minimum_volatility,
        risk_parity,
    )
    from penstock.portfolio.online import OnlineRisk
    from penstock.portfolio.rolling import rolling_covariance, rolling_volatility
    from penstock.portfolio.speed import warm_up
    from penstock.portfolio.stage import Reading, watch

__all__ = [
    "Allocation",
    "Frontier",
    "OnlineRisk",
    "Reading",
    "Risk",
    "efficient_frontier",
    "minimum_volatility",
    "risk",
    "risk_parity",
    "rolling_covariance",
    "rolling_volatility",
    "warm_up",
    "watch",
]

# What a name needs is imported when it is used: importing the room stays as quick as NumPy.
_LATER = {
    "Allocation": "choose",
    "Frontier": "choose",
    "OnlineRisk": "online",
    "Reading": "stage",
    "efficient_frontier": "choose",
    "minimum_volatility": "choose",
    "risk_parity": "choose",
    "rolling_covariance": "rolling",
    "rolling_volatility": "rolling",
    "warm_up": "speed",
    "watch": "stage",
}

__getattr__ = later(__name__, _LATER)
