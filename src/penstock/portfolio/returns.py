"""From prices to simple returns, and what is done about those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.matrix import shown

__all__ = [
    "ReturnSeries",
    "RowsAYear",
    "annual_periods",
    "check_missing",
    "doubts",
    "simple_returns",
    "without_gaps",
]

KINDS = ("prices", "returns", "log")
MISSING = ("raise", "common", "pairwise", "renormalise")


@final
@dataclass(frozen=True, slots=True)
class ReturnSeries:
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
        when = f" ({shown(dates[row])})" if dates is not None else ""
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
) -> ReturnSeries:
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
        return ReturnSeries(returns, dates, gaps=False, words=("no return is missing",))
    if missing == "raise":
        row, column = np.argwhere(absent)[0]
        when = f" ({shown(dates[row])})" if dates is not None else ""
        raise InputError(
            f"{count} returns are missing, the first of {names[column]} in row {row}{when}:"
            " choose what to do about it with missing= (--missing) common, pairwise or renormalise"
        )
    if missing != "common":
        told = f"{count} returns are missing: {missing}"
        return ReturnSeries(returns, dates, gaps=True, words=(told,))
    whole = ~absent.any(axis=1)
    told = (
        f"{len(returns) - int(whole.sum())} of {len(returns)} rows of returns dropped because one"
        " asset or more was missing (common); no return spans the hole"
    )
    return ReturnSeries(
        returns[whole], None if dates is None else dates[whole], gaps=False, words=(told,)
    )


def annual_periods(periods: float | None, dates: Dates | None) -> tuple[float, str]:
    """Return how many rows make a year, and how that is known.

    Given, it is obeyed. Else it is read off the dates by their typical distance, in days of trade
    where the dates leave out weekends (252 a year), so that a few odd days change nothing; 252
    where there are no dates.

    >>> annual_periods(None, None)
    (252.0, '252 rows make a year (assumed: there are no dates)')
    """
    if periods is not None:
        if not periods > 0 or not np.isfinite(periods):
            raise InputError(f"periods={periods:g}: how many rows make a year, such as 252")
        return float(periods), f"{periods:g} rows make a year (given)"
    if dates is None or len(dates) < 3:
        return 252.0, "252 rows make a year (assumed: there are no dates)"
    typical = float(np.median(np.diff(dates) / np.timedelta64(1, "D")))
    found = next((rows for low, high, rows in _STEPS if low <= typical <= high), None)
    if found is None:
        found = _by_days_of_trade(dates, typical)
    return found, f"{found:.4g} rows make a year (typical distance of the dates: {typical:g} days)"


@final
class RowsAYear:
    """How many rows make a year, while they arrive: :func:`annual_periods` of the first dates.

    Args:
        periods: Given, or None.
        seen: The dates of an earlier :attr:`seen`, to go on from.

    >>> year = RowsAYear()
    >>> [year.take(np.datetime64(day)) for day in ("2024-01-05", "2024-01-12", "2024-01-19")]
    [252.0, 252.0, 52.0]
    """

    def __init__(self, periods: float | None = None, seen: Sequence[str] = ()) -> None:
        self._periods = periods
        self._seen: list[np.datetime64] = [np.datetime64(date, "us") for date in seen]
        self.value, self.words = annual_periods(periods, np.array(self._seen, "datetime64[us]"))

    @property
    def seen(self) -> list[str]:
        """The dates it goes by, as texts."""
        return [str(date) for date in self._seen]

    def take(self, moment: np.datetime64 | datetime | None) -> float:
        """Take the next row's date, None where it has none; return the rows a year so far."""
        if self._periods is None and moment is not None and len(self._seen) < _ENOUGH:
            told = moment if isinstance(moment, datetime) else moment.astype("datetime64[us]")
            self._seen.append(np.datetime64(told))
            self.value, self.words = annual_periods(None, np.array(self._seen))
        return self.value


_ENOUGH = 300
"""Dates by which the rows a year are decided; more change nothing."""

_STEPS = (
    (6.5, 7.5, 52.0), (13.5, 14.5, 26.0), (27.5, 31.5, 12.0), (58.5, 62.5, 6.0), (88.5, 93.0, 4.0),
    (180.0, 185.0, 2.0), (364.0, 367.0, 1.0),
)  # fmt: skip
"""Days between two rows, from and to, and how many such rows make a year."""


def _by_days_of_trade(dates: Dates, typical: float) -> float:
    """Return how many rows make a year, by the days of the week on which there are rows."""
    days = np.unique(dates.astype("datetime64[D]"))
    week = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7)  # Monday first
    common = week >= 0.6 * len(days) / 7
    # Rows on Saturdays and Sundays alike: every day is one of trade. A single odd day is not.
    every_day = bool(common[5] and common[6])
    year = 365.0 if every_day else 252.0
    if typical < 0.9:
        counts = np.unique(dates.astype("datetime64[D]"), return_counts=True)[1]
        return year * float(np.median(counts))
    if every_day:
        return year / typical
    mask = "1111100" if common[4] or not common[6] else "1111001"  # some weeks begin on Sunday
    return year / max(1.0, float(np.median(np.busday_count(days[:-1], days[1:], weekmask=mask))))


def doubts(returns: Floats, dates: Dates | None, names: Sequence[str], kind: str) -> list[str]:
    """Return what looks implausible in simple returns, one sentence each.

    >>> doubts(np.array([[0.01], [-0.9], [0.0]]), None, ["A"], "prices")
    ['largest move: A -90 % in row 1: a split, or a wrong price?']
    """
    if not returns.size or not np.isfinite(returns).any():
        return []

    def when(row: int) -> str:
        return f"in row {row}" if dates is None else f"on {shown(dates[row])}"

    said = []
    sizes = np.abs(np.where(np.isfinite(returns), returns, 0.0))
    row, column = divmod(int(sizes.argmax()), returns.shape[1])
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 0.0
    largest = returns[row, column]
    if kind != "prices" and bool((np.nan_to_num(returns, nan=1.0) > 0).all()) and typical > 1:
        said.append(f"every return is above zero, typically {typical:g}: are these prices?")
    elif kind != "prices" and typical > 0.15:
        said.append(f"a typical return is {typical:.3g}, {typical:.0%}: are these in percent?")
    elif largest <= -0.45 or largest >= 0.9:
        move = f"{names[column]} {largest * 100:+.0f} % {when(row)}"
        said.append(f"largest move: {move}: a split, or a wrong price?")
    for place, name in enumerate(names):
        still = _longest_still(returns[:, place])
        if still is not None and still[1] >= _STALE and bool((returns[:, place] != 0).any()):
            first, count = still
            said.append(f"{name} does not move for {count} rows from {when(first)[3:]}: stale?")
    return said if dates is None else [*said, *_uneven(dates)]


def _uneven(dates: Dates) -> list[str]:
    """Return what is odd in the distances of dates."""
    said = []
    if len(dates) > _STALE:
        steps = np.diff(dates) / np.timedelta64(1, "D")
        hole = int(steps.argmax())
        if steps[hole] > max(10.0, 8 * float(np.median(steps))):
            said.append(
                f"no rows for {steps[hole]:.0f} days between {shown(dates[hole])} and"
                f" {shown(dates[hole + 1])}: a hole?"
            )
        rhythms = [float(np.median(part)) for part in np.array_split(steps, 4)]
        if max(rhythms) > 2.5 * min(rhythms):
            said.append(
                f"the rows are {min(rhythms):g} days apart in one part and {max(rhythms):g} in"
                " another: one number of rows a year fits only one of them"
            )
    return said


_STALE = 10  # returns of zero in a row that a traded asset does not have


def _longest_still(series: Floats) -> tuple[int, int] | None:
    """Return where the longest run of zeros begins, and its length."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], series == 0, [0]])))
    if not len(edges):
        return None
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(edges[::2][longest]), int(lengths[longest])
