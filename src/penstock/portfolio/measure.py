"""``risk``: from data and weights to the risk of a portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.errors import InputError
from penstock.portfolio.holdings import Scheme, Weights, chosen
from penstock.portfolio.result import Risk
from penstock.portfolio.returns import annual_periods, simple_returns
from penstock.portfolio.routes import How, Panel, measured
from penstock.portfolio.table import ReturnTable, as_table

__all__ = ["panel", "risk"]

_SOURCE = {
    "prices": "simple returns between consecutive prices",
    "returns": "simple returns as given",
    "log": "log returns as given, turned into simple ones (only those add up across assets)",
}


def panel(table: ReturnTable, weights: Weights, kind: str, *, cash: bool = False) -> Panel:
    """Return the simple returns of the assets that are held, in the order of the weights.

    Raises:
        InputError: Weights that do not fit, prices that cannot be, or fewer than two returns.
    """
    holdings = chosen(table, weights, cash=cash)
    values = table.values if holdings.columns is None else table.values[:, holdings.columns]
    returns = simple_returns(values, kind, holdings.names, table.dates)
    if len(returns) < 2:
        unit = "prices" if kind == "prices" else "returns"
        raise InputError(
            f"{len(table.values)} rows of {unit} give {max(len(returns), 0)} returns:"
            " a volatility needs at least 2"
        )
    dates = table.dates
    if dates is not None and kind == "prices":
        dates = dates[1:]
    return Panel(holdings.names, holdings.weights, returns, dates, holdings.words)


def risk(  # noqa: PLR0913 - each is one choice that a user makes by its keyword
    data: object,
    weights: Weights,
    *,
    kind: str = "prices",
    scheme: Scheme = "constant",
    missing: str = "raise",
    estimator: str = "sample",
    ddof: int | None = None,
    periods: float | None = None,
    cash: bool = False,
    names: Sequence[str] | None = None,
) -> Risk:
    """Measure the risk of a portfolio.

    Args:
        data: Prices or returns, one row a moment, one column an asset: NumPy, a mapping, pandas,
            polars or Arrow.
        weights: By name for data with names (what is not named is left out), by position for
            plain arrays. They sum to one unless ``cash`` is true.
        kind: ``prices`` (above zero), ``returns`` (simple) or ``log`` (log returns).
        scheme: ``constant`` (the same weights on every row), ``hold`` (bought once,
            then left alone), ``weekly``, ``monthly``, ``quarterly``, ``yearly``, ``every:21``, or
            the dates of rebalancing.
        missing: What to do about NaN: ``raise``, ``common`` (rows that all have), ``pairwise``
            (each pair over its common rows, repaired) or ``renormalise`` (weights shared each row
            among the assets that are there).
        estimator: ``sample``, ``ewma[:decay]``, ``ledoit_wolf`` (or ``lw``), ``oas``,
            ``factor[:count]`` or ``garch``.
        ddof: Divisor ``T - ddof`` of ``sample`` and ``factor``; None means 1.
        periods: Rows in a year; None reads it off the dates, and is 252 without dates.
        cash: Whether the weights may sum to something else, the rest being cash without risk.
        names: Names for the columns of a plain array.

    Raises:
        InputError: Anything about the data or the choices that cannot be measured as asked.
        MissingExtra: ``garch`` without ``arch``.

    >>> r = risk([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01]], [0.6, 0.4], kind="returns")
    >>> round(r.volatility, 6), round(float(sum(r.component)), 6)
    (0.012702, 0.012702)
    """
    table = as_table(data, names)
    held = panel(table, weights, kind, cash=cash)
    how = How(scheme, missing, estimator, ddof)
    found = measured(held, how)
    year, year_words = annual_periods(periods, table.dates)
    words = [f"{found.sources.rows} {_SOURCE[kind]}", *table.words, *held.words, *found.words]
    words.append(year_words)
    if cash:
        words.append(f"{1 - held.weights.sum():.4g} of the value is cash without risk")
    sources = replace(found.sources, kind=kind)
    return Risk(held.names, held.weights, found.measured, sources, year, tuple(words))
