"""Results as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.portfolio.allocation import Allocation, Frontier
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.explanation import Explanation
from penstock.portfolio.ratios import Performance
from penstock.portfolio.result import Risk
from penstock.portfolio.tail import METHODS

__all__ = [
    "printed_allocation",
    "printed_explanation",
    "printed_frontier",
    "printed_risk",
    "printed_rolling",
]


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns: the first to the left, the others to the right.

    >>> print(grid([["a", "b"], ["long", "1"]]))
    a     b
    long  1
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def assumed(words: Sequence[str]) -> str:
    """Return assumptions as a list."""
    return "\n".join(["Assumed:", *(f"  - {sentence}" for sentence in words)])


def printed_risk(found: Risk) -> str:
    """Return the risk of a portfolio: a line an asset, the figures, and what was assumed."""
    rows = [["asset", "weight", "volatility", "marginal", "component", "share of risk"]]
    columns = (found.weights, found.individual, found.marginal, found.component, found.percent)
    for name, weight, *sigmas, share in zip(
        found.names, *(column.tolist() for column in columns), strict=True
    ):
        rows.append([name, f"{weight:.2%}", *(f"{sigma:.4%}" for sigma in sigmas), f"{share:.1%}"])
    whole = f"{found.volatility:.4%}"
    rows.append(["portfolio", f"{found.weights.sum():.2%}", whole, "", whole, "100.0%"])
    figures = [
        ["volatility a row", whole],
        ["volatility a year", f"{found.volatility_annual:.2%}"],
        ["diversification ratio", f"{found.diversification_ratio:.3f}"],
        ["effective bets", f"{found.effective_bets:.2f}"],
        ["principal bets", f"{found.principal_bets:.2f}"],
    ]
    parts = [grid(rows), grid(figures)]
    if len(found.series) > 1:
        parts.append(_losses(found))
    return "\n\n".join([*parts, assumed(found.assumptions)])


def printed_performance(found: Performance) -> str:
    """Return what was earned: a line a figure, those that exist."""
    whole = found.to_dict()
    shares = {"total_return", "annual_return", "max_drawdown", "tracking_error", "turnover"}
    rows = []
    for name, value in whole.items():
        if value is not None:
            text = f"{value:.2%}" if name in shares else value
            said = f"{text:.3f}" if isinstance(text, float) else str(text)
            rows.append([_WORDS.get(name, name.replace("_", " ")), said])
    return grid(rows)


_WORDS = {
    "annual_return": "return a year",
    "peak": "drawdown from",
    "trough": "deepest",
    "turnover": "turnover a year",
}


def _losses(found: Risk) -> str:
    tails = [["loss a row, 95 %", *METHODS]]
    tails.append(["value at risk", *(f"{found.value_at_risk(0.95, m):.2%}" for m in METHODS)])
    shortfall = (f"{found.expected_shortfall(0.95, m):.2%}" for m in METHODS)
    tails.append(["expected shortfall", *shortfall])
    return f"{grid(tails)}\nlargest drawdown {found.max_drawdown:.1%}"


def printed_rolling(volatility: Floats, window: int, periods: float, dates: Dates | None) -> str:
    """Return where the rolling volatility was lowest, highest, in the middle and is now."""
    annual = volatility * np.sqrt(periods)
    rows = [[f"over {window} rows, a year", "volatility", "window ends"]]
    places = {"lowest": int(annual.argmin()), "highest": int(annual.argmax()), "last": -1}
    for word, place in places.items():
        row = place % len(annual) + window - 1
        when = f"row {row}" if dates is None else str(dates[row])[:10]
        rows.append([word, f"{annual[place]:.2%}", when])
    rows.append(["median", f"{float(np.median(annual)):.2%}", ""])
    return grid(rows)


def printed_allocation(found: Allocation) -> str:
    """Return chosen weights, a line an asset."""
    rows = [["asset", "weight", "share of risk"]]
    for name, weight, share in zip(
        found.names, found.weights.tolist(), found.percent.tolist(), strict=True
    ):
        rows.append([name, f"{weight:.2%}", f"{share:.1%}"])
    told = f"volatility {found.volatility:.4%} a row, {found.volatility_annual:.2%} a year"
    return "\n\n".join([grid(rows), told, assumed(found.assumptions)])


def printed_frontier(found: Frontier) -> str:
    """Return the frontier, a line a point with its largest weights."""
    rows = [["return a year", "volatility a year", "largest weights"]]
    year = found.periods
    for weights, mean, sigma in zip(found.weights, found.expected, found.volatilities, strict=True):
        largest = [i for i in np.argsort(-weights)[:4] if weights[i] > 0.005]
        names = ", ".join(f"{found.names[i]} {weights[i]:.0%}" for i in largest)
        rows.append([f"{mean * year:.2%}", f"{sigma * year**0.5:.2%}", names])
    return "\n\n".join([grid(rows), assumed(found.assumptions)])


def printed_explanation(found: Explanation, names: Sequence[str], weights: Sequence[float]) -> str:
    """Return the post's answer beside the right one, and why."""
    held = ", ".join(f"{weight:g} {name}" for name, weight in zip(names, weights, strict=True))
    rows = [
        ["volatility a day", "", ""],
        ["the post: sqrt(w' C w)", f"{found.post:.6f}", f"{found.ratio:.1f} times too much"],
        ["naive: weighted average / n", f"{found.naive:.6f}", "wrong, as the post says"],
        ["weighted average", f"{found.average:.6f}", "if all moved as one"],
        ["right: sqrt(w' S w)", f"{found.right:.6f}", "S the covariance"],
    ]
    return "\n\n".join([held, grid(rows), *found.sentences])
