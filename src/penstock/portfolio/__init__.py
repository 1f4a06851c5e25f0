"""Volatility and risk of a portfolio of several assets.

>>> from penstock.portfolio import risk
>>> prices = {"A": [100.0, 101.0, 99.0, 102.0], "B": [50.0, 50.2, 50.1, 49.9]}
>>> found = risk(prices, weights={"A": 0.6, "B": 0.4})
>>> f"{found.volatility:.4f} a day, {found.percent[0]:.0%} of it from A"
'0.0150 a day, 100% of it from A'

NumPy is all that is imported; frames, plots and GARCH come when they are used.
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
