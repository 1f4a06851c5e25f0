"""From prices to simple returns, and what is done about those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np

__all__ = ["Changes", "annual_periods", "check_missing", "simple_returns", "without_gaps"]

KINDS = ("prices", "returns", "log")
MISSING = ("raise", "common", "pairwise", "renormalise")


@final
@dataclass(frozen=True, slots=True)
class Changes:
    """Simple returns, ready to be measured.

    Attributes:
        values: Shape (rows, assets); NaN only under ``pairwise`` and ``renormalise``.
        dates: The moment each return ended at, or None.
        gaps: Whether NaN are left.
        words: What was done, for the ``assumptions`` of a result.
    """

    values: Floats
    dates: Dates | None
    gaps: bool
    words: tuple[str, ...]


def simple_returns(
    values: Floats, kind: str, names: Sequence[str], dates: Dates | None = None
) -> Floats:
    """Return simple returns, shape (rows, assets) or (rows - 1, assets) from prices.

    Simple returns add up across assets (a portfolio's is the weighted sum of its assets'), log
    returns do not: they are turned back by ``exp(r) - 1``.

    Raises:
        InputError: A price that is not above zero, or a value that is infinite.
    """
    if kind not in KINDS:
        raise InputError(f"no kind is called {kind}: choose one of {', '.join(KINDS)}")
    if kind == "returns":
        return values
    if kind == "log":
        return np.expm1(values)
    low = np.fmin.reduce(values, axis=None) if values.size else 1.0
    if low <= 0 or np.isposinf(np.fmax.reduce(values, axis=None, initial=0.0)):
        row, column = np.argwhere((values <= 0) | np.isinf(values))[0]
        when = f" ({dates[row]})" if dates is not None else ""
        raise InputError(
            f"price {values[row, column]:g} of {names[column]} in row {row}{when} is not a number"
            " above zero: mend it, or say kind='returns' (--kind returns) if these are returns"
        )
    changes: Floats = values[1:] / values[:-1]
    changes -= 1
    return changes


def check_missing(missing: str) -> None:
    """Raise InputError unless ``missing`` is one of the choices there are."""
    if missing not in MISSING:
        raise InputError(f"missing={missing!r}: choose one of {', '.join(MISSING)}")


def without_gaps(
    returns: Floats, dates: Dates | None, names: tuple[str, ...], missing: str
) -> Changes:
    """Do what ``missing`` says about NaN, and say what was done.

    Raises:
        InputError: A value is missing and ``missing`` is ``raise``; or nothing is left.
    """
    check_missing(missing)
    absent = np.isnan(returns)
    count = int(absent.sum())
    if np.isinf(returns).any():
        raise InputError("a return is infinite: mend the data")
    if not count:
        return Changes(returns, dates, gaps=False, words=("no return is missing",))
    if missing == "raise":
        row, column = np.argwhere(absent)[0]
        when = f" ({dates[row]})" if dates is not None else ""
        raise InputError(
            f"{count} returns are missing, the first of {names[column]} in row {row}{when}:"
            " choose what to do about it with missing= (--missing) common, pairwise or renormalise"
        )
    if missing != "common":
        told = f"{count} returns are missing: {missing}"
        return Changes(returns, dates, gaps=True, words=(told,))
    whole = ~absent.any(axis=1)
    told = (
        f"{len(returns) - int(whole.sum())} of {len(returns)} rows of returns dropped because one"
        " asset or more was missing (common); no return spans the hole"
    )
    return Changes(
        returns[whole], None if dates is None else dates[whole], gaps=False, words=(told,)
    )


def annual_periods(periods: float | None, dates: Dates | None) -> tuple[float, str]:
    """Return how many rows make a year, and how that is known.

    Given, it is obeyed. Else it is read off the dates by their median distance, 252 for days
    that leave out weekends; 252 where there are no dates.

    >>> annual_periods(None, None)
    (252.0, '252 rows make a year (assumed: there are no dates)')
    """
    if periods is not None:
        if not periods > 0 or not np.isfinite(periods):
            raise InputError(f"periods={periods:g}: how many rows make a year, such as 252")
        return float(periods), f"{periods:g} rows make a year (given)"
    if dates is None or len(dates) < 3:
        return 252.0, "252 rows make a year (assumed: there are no dates)"
    steps = np.diff(dates) / np.timedelta64(1, "D")
    typical = float(np.median(steps))
    weekend = bool((dates.astype("datetime64[D]").astype(np.int64) % 7 == 2).any())  # a Saturday
    table = [(0.5, None), (1.5, 365.0 if weekend else 252.0), (4.0, None), (10.0, 52.0)]
    table += [(20.0, None), (45.0, 12.0), (60.0, None), (120.0, 4.0), (250.0, None), (500.0, 1.0)]
    found = next((number for bound, number in table if typical <= bound), None)
    if found is None:
        raise InputError(
            f"rows are {typical:g} days apart: say how many make a year, periods= (--periods)"
        )
    return found, f"{found:g} rows make a year (typical distance of the dates: {typical:g} days)"
