"""``penstock portfolio``: the risk of a portfolio of prices in a file, a stream or a store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.errors import InputError, Stopped

if TYPE_CHECKING:
    from penstock.portfolio.result import Risk
    from penstock.portfolio.table import Table

__all__ = ["portfolio"]


@click.group()
def portfolio() -> None:
    """Volatility and risk of a portfolio of several assets."""


def parse_weights(text: str) -> dict[str, float]:
    """Return ``MSFT=.3,AAPL=.5`` as a mapping.

    Raises:
        InputError: A part without a name or a number, or a name given twice.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.strip().rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            equals = ""
            weight = 0.0
        if not equals or not name.strip():
            raise InputError(
                f"weights {part.strip()!r}: write NAME=NUMBER, such as MSFT=.3,AAPL=.7"
            )
        if name.strip() in weights:
            raise InputError(f"weights: {name.strip()} is given twice")
        weights[name.strip()] = weight
    return weights


def load(source: str) -> Table:
    """Return the table in ``source``: a file, a store's folder, or ``-`` for standard input."""
    from penstock.portfolio import files  # noqa: PLC0415 - --help needs no NumPy

    if source == "-":
        return files.read_stream(sys.stdin, "standard input")
    path = Path(source)
    if not path.exists():
        raise InputError(f"{source}: there is no such file or folder")
    return files.read_table(path)


@portfolio.command()
@click.argument("source", metavar="FILE")
@click.option("--weights", required=True, help="NAME=NUMBER,… that sum to 1.")
@click.option("--kind", default="prices", show_default=True, help="prices, returns or log.")
@click.option(
    "--scheme",
    default="constant",
    show_default=True,
    help="constant, hold, weekly, monthly, quarterly, yearly or every:N.",
)
@click.option(
    "--missing", default="raise", show_default=True, help="raise, common, pairwise or renormalise."
)
@click.option(
    "--estimator",
    default="sample",
    show_default=True,
    help="sample, ewma[:DECAY], lw, oas, factor[:N] or garch.",
)
@click.option("--ddof", type=int, help="Divisor T - DDOF; 1 where the estimator has none.")
@click.option("--periods", type=float, help="Rows in a year; read off the dates by default.")
@click.option("--cash", is_flag=True, help="The weights need not sum to 1: the rest is cash.")
@click.option("--limit", type=float, help="End with exit code 3 above this annual volatility.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def risk(
    source: str, limit: float | None, *, as_json: bool, weights: str, **choices: object
) -> None:
    """Measure the risk of a portfolio whose prices are in FILE.

    FILE is a CSV (date column first, one column an asset), JSON lines, Parquet, or - for
    standard input.
    """
    from penstock.portfolio.measure import risk as measure  # noqa: PLC0415 - --help needs no NumPy

    found = measure(load(source), parse_weights(weights), **choices)  # type: ignore[arg-type] # click gave them the types of the options above
    if as_json:
        click.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        show(found)
    check_limit(found.volatility_annual, limit)


def check_limit(volatility_annual: float, limit: float | None) -> None:
    """Raise Stopped when there is a limit and the annual volatility is above it."""
    if limit is not None and volatility_annual > limit:
        raise Stopped(f"annual volatility {volatility_annual:.4g} is over the limit of {limit:g}")


def show(found: Risk) -> None:
    """Print ``found`` as a table for people."""
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.table import Table as Grid  # noqa: PLC0415 - only for people

    console = Console(highlight=False, soft_wrap=True)
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("asset")
    for heading in ("weight", "volatility", "marginal", "component", "percent"):
        grid.add_column(heading, justify="right")
    columns = (found.weights, found.individual, found.marginal, found.component, found.percent)
    for name, weight, sigma, marginal, component, percent in zip(
        found.names, *(column.tolist() for column in columns), strict=True
    ):
        grid.add_row(
            name,
            f"{weight:.2%}",
            f"{sigma:.4%}",
            f"{marginal:.4%}",
            f"{component:.4%}",
            f"{percent:.1%}",
        )
    grid.add_row(
        "portfolio",
        f"{found.weights.sum():.2%}",
        f"{found.volatility:.4%}",
        "",
        f"{found.volatility:.4%}",
        "100.0%",
        style="bold",
    )
    console.print(grid)
    console.print()
    methods = ("historical", "normal", "cornish_fisher")
    lines = [
        ("volatility, a row", f"{found.volatility:.4%}"),
        ("volatility, a year", f"{found.volatility_annual:.2%}"),
        ("diversification ratio", f"{found.diversification_ratio:.3f}"),
        ("effective bets", f"{found.effective_bets:.2f} (principal {found.principal_bets:.2f})"),
        ("VaR 95 %", ", ".join(f"{found.value_at_risk(0.95, m):.2%} {m}" for m in methods)),
        ("ES 95 %", ", ".join(f"{found.expected_shortfall(0.95, m):.2%} {m}" for m in methods)),
        ("largest drawdown", f"{found.max_drawdown:.1%}"),
    ]
    for name, text in lines:
        console.print(f"{name:<22} {text}")
    console.print()
    console.print("Assumed:")
    for sentence in found.assumptions:
        console.print(f"  - {sentence}")
