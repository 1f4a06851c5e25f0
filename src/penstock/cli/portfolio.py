"""``penstock portfolio``: the risk of a portfolio of prices in a file, a stream or a store."""

from __future__ import annotations

import json
import math
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from penstock.cli.output import JSON
from penstock.errors import InputError, Stopped
from penstock.tables import Numbers, read_sheet

if TYPE_CHECKING:
    from penstock.portfolio import Belief, Format, Limits, ReturnTable, Row

__all__ = ["portfolio"]

FORMAT = ("dates", "decimal", "field", "sheet")
Command = TypeVar("Command", bound=Callable[..., object])

# Nothing of penstock.portfolio is imported above: --help needs no NumPy.


@click.group()
def portfolio() -> None:
    """Volatility and risk of a portfolio of several assets."""


def parse_weights(text: str) -> dict[str, float]:
    """Return ``MSFT=.3,AAPL=50%,PEP=1/5``, or the weights in the file of that name, as a mapping.

    The file is what ``weights --json`` prints, or a CSV with a name and a weight a line.

    Raises:
        InputError: A part without a name or a number, or a name given twice.
    """
    if "=" not in text and Path(text).is_file():
        return _weights_file(Path(text))
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.rpartition("="))
        weight = _weight(number)
        if not equals or not name or weight is None:
            raise InputError(
                f"weights {part.strip()!r}: write NAME=NUMBER, such as MSFT=.3,AAPL=.7"
            )
        if name in weights:
            raise InputError(f"weights: {name} is given twice")
        weights[name] = weight
    return weights


def _weight(text: str) -> float | None:
    """Return a weight: a number, a percentage or a fraction."""
    above, slash, below = text.partition("/")
    number, divisor = Numbers().read(above), Numbers().read(below) if slash else 1.0
    if number is None or math.isnan(number) or not divisor or math.isnan(divisor):
        return None
    return number / divisor


def _weights_file(path: Path) -> dict[str, float]:
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("{"):
        try:
            whole = json.loads(text)
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {error}") from error
        pairs = list(whole.get("weights", whole).items())
    else:
        sheet = read_sheet(text.splitlines(), str(path))
        pairs = [(cells[0].strip(), cells[1]) for _, cells in sheet.rows]
    weights = {str(name): _weight(str(value)) for name, value in pairs}
    wrong = next((name for name, weight in weights.items() if weight is None), None)
    if wrong is not None or len(weights) < len(pairs):
        raise InputError(f"{path}: {wrong or 'a name'}: one name and one weight each")
    return {name: weight for name, weight in weights.items() if weight is not None}


def load(source: str, options: dict[str, Any]) -> ReturnTable:
    """Return the table in ``source``: a file, a store's folder, or ``-`` for standard input.

    Takes what describes the file out of ``options``.
    """
    from penstock.portfolio import read_stream, read_table, table_of

    how = form(options)
    if source == "-":
        return read_stream(_text(sys.stdin, "standard input"), "standard input", how)
    path = Path(source)
    if path.is_dir():
        rows = sorted(store_rows(path), key=lambda row: row[0])
        return table_of(rows, source, how)
    if not path.exists():
        raise InputError(f"{source}: there is no such file or folder")
    return read_table(path, how)


def form(options: dict[str, Any]) -> Format:
    """Take what describes the file out of ``options``."""
    from penstock.portfolio import Format

    return Format(*(options.pop(name) or "" for name in FORMAT))


def _text(stream: IO[str], source: str) -> Iterator[str]:
    """Yield lines; what is not text is one clear error."""
    try:
        yield from stream
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is not UTF-8 text: {error.reason}") from error


def store_rows(path: Path) -> Iterator[Row]:
    """Yield the records of a store as rows: a date (or the key) and one number an asset."""
    from penstock.portfolio import record_rows
    from penstock.store import open_readonly

    with open_readonly(path) as store:
        yield from record_rows(((item.key, item.body) for item in store.records()), str(path))


def data_options(command: Command) -> Command:
    """Add the options that say what the data is."""
    options = [
        click.argument("source", metavar="FILE"),
        click.option("--kind", default="prices", help="prices, returns or log."),
        click.option(
            "--missing", default="raise",
            help="raise, common, pairwise or renormalise."
        ),
        click.option(
            "--estimator", default="sample",
            help="sample, ewma[:DECAY], lw, oas, factor[:N] or garch."
        ),
        click.option("--ddof", type=int, help="Divisor T - DDOF; 1 by default."),
        click.option("--periods", type=float, help="Rows in a year; from the dates by default."),
        JSON,
        click.option(
            "--dates", type=click.Choice(["dmy", "mdy", "ymd", "excel", "none"]),
            help="What comes first where it is not clear; excel: days as numbers; none: no dates."
        ),
        click.option("--decimal", type=click.Choice([".", ","]), help="FILE's decimal mark."),
        click.option("--field", help="Of several fields an asset, the one to measure: Close, …"),
        click.option("--sheet", help="The sheet of a workbook."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@portfolio.command()
@data_options
@click.option(
    "--weights",
    required=True,
    help="NAME=NUMBER,… that sum to 1 (50% and 1/3 too), or a file of them.",
)
@click.option(
    "--scheme", default="constant",
    help="constant, hold, weekly, monthly, quarterly, yearly or every:N."
)  # fmt: skip
@click.option("--cash", is_flag=True, help="The weights need not sum to 1: the rest is cash.")
@click.option("--risk-free", type=float, help="Return a year without risk, such as 0.03.")
@click.option("--cost", type=float, help="Of trading, as a share of what is traded: 0.001.")
@click.option(
    "--rates",
    metavar="NAME=RATE,…",
    help="Assets in another currency, and the columns of their exchange rates.",
)
@click.option("--benchmark", metavar="NAME", help="The asset in FILE to compare with.")
@click.option("--rolling", type=int, metavar="N", help="Volatility over N rows, too.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw to .svg, .png or .pdf.")
@click.option("--follow", is_flag=True, help="A line for each row as it arrives.")
@click.option("--limit", type=float, help="Exit code 3 above this volatility a year.")
def risk(source: str, *, weights: str, limit: float | None, follow: bool, **options: Any) -> None:
    """Measure the risk of a portfolio whose prices are in FILE.

    FILE is a CSV of any separator (a date column, one column an asset; or date, ticker, close), an
    Excel workbook, JSON lines, Parquet, the folder of a store, or - for standard input.
    """
    held = parse_weights(weights)
    if limit is not None and not limit >= 0:
        raise InputError(f"--limit {limit:g}: a volatility a year, such as 0.25")
    if follow:
        following(source, held, limit, options)
        return
    as_json, rolling, plot = (options.pop(name) for name in ("as_json", "rolling", "plot"))
    from penstock.portfolio import RiskReport, in_currency

    rates = options.pop("rates")
    table = load(source, options)
    if rates:
        pairs = dict(part.strip().partition("=")[::2] for part in rates.split(","))
        table = in_currency(table, pairs)
    report = RiskReport(table, held, options)
    if plot:
        report.draw(plot, rolling)
    click.echo(report.text(rolling, as_json=as_json))
    check_limit(report.risk.volatility_annual, limit)


def check_limit(volatility_annual: float, limit: float | None) -> None:
    """Raise Stopped when there is a limit and the annual volatility is above it."""
    if limit is not None and volatility_annual > limit:
        raise Stopped(f"volatility {volatility_annual:.4g} a year is over the limit of {limit:g}")


def following(
    source: str, weights: dict[str, float], limit: float | None, options: dict[str, Any]
) -> None:
    """Print a line for each row as it arrives; stop at the first one over the limit."""
    from penstock.portfolio import followed, online_for

    for name in ("plot", "rates", "cost", "benchmark", "risk_free"):
        if options[name] is not None:
            raise InputError(f"--{name.replace('_', '-')} needs all rows: leave --follow away")
    how = form(options)
    online = online_for(weights, options)
    try:
        opened = click.open_file(source, encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from error
    with opened as stream:
        missing, periods = options["missing"], options["periods"]
        text = _text(stream, source)
        rows = followed(text, source, online, how, missing=missing, periods=periods)
        for reading in rows:
            line = json.dumps(reading) if options["as_json"] else "  ".join(
                f"{value:.4%}" if isinstance(value, float) else str(value)
                for value in reading.values()
            )  # fmt: skip
            print(line, flush=True)
            annual = reading["volatility_annual"]
            check_limit(annual if isinstance(annual, float) else 0.0, limit)


@portfolio.command()
@data_options
@click.option(
    "--aim", default="least",
    help="least (volatility), parity (of risk), sharpe (the largest ratio), return or hrp."
)  # fmt: skip
@click.option("--bounds", metavar="LOW,HIGH", help="Of each weight, such as 0,.3 (not parity).")
@click.option(
    "--limits",
    type=click.Path(path_type=Path),
    help="A TOML file of limits: bounds,"
    " groups, group_bounds, target_return, target_volatility, held, turnover, cost, views.",
)
@click.option("--expected", help="With --kind covariance: NAME=RETURN,… or a file of them.")
@click.option("--shorts", is_flag=True, help="Allow weights below zero (least).")
@click.option("--short", default="", show_default=False, help="NAME,… to hold short (parity).")
def weights(
    source: str, *, aim: str, shorts: bool, short: str, as_json: bool, **options: Any
) -> None:
    """Choose weights for the assets in FILE: least volatility, equal shares of the risk, and more.

    With --kind covariance FILE is a covariance a year, names across and down. Limits, sharpe,
    return and hrp are solved by skfolio (extra portfolio-prices).
    """
    from penstock.portfolio import (
        minimum_volatility,
        optimal_weights,
        printed_allocation,
        risk_parity,
    )

    bounds, limits, expected = (options.pop(name) for name in ("bounds", "limits", "expected"))
    table: ReturnTable | Belief
    if options["kind"] == "covariance":
        table = _believed(source, expected, options)
    elif expected:
        raise InputError("--expected goes with --kind covariance")
    else:
        table = load(source, options)
    if aim in {"sharpe", "return", "hrp"} or ((bounds or limits) and aim == "least"):
        found = optimal_weights(table, aim, _limits(bounds, limits), **options)
    elif bounds or limits:
        raise InputError(f"--bounds and --limits go with another --aim than {aim}")
    elif aim == "least":
        found = minimum_volatility(table, long_only=not shorts, **options)
    elif aim == "parity":
        names = [name for name in short.split(",") if name]
        found = risk_parity(table, short=names, **options)
    else:
        raise InputError(f"--aim {aim}: choose least, parity, sharpe, return or hrp")
    whole = {
        "weights": found.by_name(),
        "volatility": found.volatility,
        "volatility_annual": found.volatility_annual,
        "percent": dict(zip(found.names, found.percent.tolist(), strict=True)),
        "assumptions": list(found.assumptions),
    }
    click.echo(json.dumps(whole, allow_nan=False) if as_json else printed_allocation(found))


def _believed(source: str, expected: str | None, options: dict[str, Any]) -> Belief:
    """Return the covariance in a file; what describes data of other kinds goes out of options."""
    from penstock.portfolio import belief, read_covariance

    names, matrix = read_covariance(Path(source), options["decimal"] or "")
    means = parse_weights(expected) if expected else None
    periods = options["periods"] or 1.0
    options.clear()
    return belief(matrix, means, names=names, periods=periods)


def _limits(bounds: str | None, path: Path | None) -> Limits:
    from penstock.portfolio import limits_of

    table: dict[str, object] = {}
    if path:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a file of limits (TOML): {error}") from error
    if bounds:
        pair = [_weight(part) for part in bounds.split(",")]
        if len(pair) != 2 or None in pair:
            raise InputError(f"--bounds {bounds}: write two numbers, such as 0,.3")
        table["bounds"] = pair
    return limits_of(table)


@portfolio.command()
@data_options
@click.option("--points", default=20, help="How many portfolios.")
@click.option("--shorts", is_flag=True, help="Allow weights below zero.")
def frontier(source: str, *, points: int, shorts: bool, as_json: bool, **options: Any) -> None:
    """Show the least volatility for each expected return of the assets in FILE."""
    from penstock.portfolio import efficient_frontier, printed_frontier

    table = load(source, options)
    found = efficient_frontier(table, points=points, long_only=not shorts, **options)
    whole = {
        "names": list(found.names),
        "expected": found.expected.tolist(),
        "volatility": found.volatilities.tolist(),
        "weights": found.weights.tolist(),
        "periods": found.periods,
        "assumptions": list(found.assumptions),
    }
    click.echo(json.dumps(whole, allow_nan=False) if as_json else printed_frontier(found))


@portfolio.command()
@click.argument("source", metavar="[FILE]", required=False)
@click.option("--weights", help="NAME=NUMBER,… for the prices in FILE.")
def explain(source: str | None, weights: str | None) -> None:
    """Show the old post's example: its value, the right one, and why they differ."""
    from penstock.portfolio import EXAMPLE_NAMES, EXAMPLE_WEIGHTS, printed_explanation
    from penstock.portfolio import explain as explained
    from penstock.portfolio import risk as measure

    if source is None:
        if weights is not None:
            raise InputError("--weights needs a FILE of prices")
        click.echo(printed_explanation(explained(), EXAMPLE_NAMES, EXAMPLE_WEIGHTS))
        return
    held = parse_weights(weights or "MSFT=.3,AAPL=.5,PEP=.2")
    found = measure(load(source, dict.fromkeys(FORMAT)), held)
    told = explained(found.covariance, found.weights)
    click.echo(printed_explanation(told, found.names, found.weights.tolist()))


@portfolio.command()
def sample() -> None:
    """Print real prices to try things on: 20 shares, daily, 1990 to 2022, as CSV."""
    from penstock.portfolio import sample_prices

    for line in csv_lines(sample_prices()):
        click.echo(line)


def csv_lines(table: ReturnTable) -> Iterable[str]:
    """Yield a table of dated prices as lines of CSV."""
    yield ",".join(["date", *table.names])
    dates = [] if table.dates is None else table.dates.tolist()
    for moment, row in zip(dates, table.values.tolist(), strict=True):
        yield ",".join([f"{moment:%Y-%m-%d}", *(repr(value) for value in row)])
