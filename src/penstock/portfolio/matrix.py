"""A matrix with a name for each column and a date for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np

__all__ = ["ReturnTable", "floats", "in_order", "shown"]


@final
@dataclass(frozen=True, slots=True)
class ReturnTable:
    """A matrix of prices or returns: one row a moment, one column an asset.

    Attributes:
        values: Shape (rows, assets), float64, NaN where nothing is known.
        names: One name a column, each once.
        dates: One moment a row, strictly ascending, or None where none were given.
        named: False when the names are only the positions of a plain array.
        words: How it was read, where that is not plain, for the ``assumptions`` of a result.
    """

    values: Floats
    names: tuple[str, ...]
    dates: Dates | None = None
    named: bool = True
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            shape = self.values.shape
            raise InputError(f"data has shape {shape}: give a matrix of (rows, assets)")
        if len(self.names) != self.values.shape[1]:
            raise InputError(f"{len(self.names)} names for {self.values.shape[1]} columns")
        if self.named and len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise InputError(f"two columns are named {twice}: give each asset its own name")
        if self.dates is not None:
            check_dates(self.dates, len(self.values))

    def only(self, names: tuple[str, ...]) -> ReturnTable:
        """Return the columns called ``names``, in that order."""
        columns = [self.names.index(name) for name in names]
        return ReturnTable(self.values[:, columns], names, self.dates, words=self.words)


def check_dates(dates: Dates, rows: int) -> None:
    """Raise InputError unless there is one known date a row, each later than the one before."""
    if len(dates) != rows:
        raise InputError(f"{len(dates)} dates for {rows} rows")
    if np.isnat(dates).any():
        raise InputError(f"row {int(np.isnat(dates).argmax())} has no date")
    ahead = dates[1:] > dates[:-1]
    if not ahead.all():
        row = int(ahead.argmin()) + 1
        if dates[row] == dates[row - 1]:
            raise InputError(
                f"date {shown(dates[row])} comes twice (row {row}): keep one row a date"
            )
        raise InputError(
            f"dates are not ascending: {shown(dates[row])} follows {shown(dates[row - 1])}"
            f" (row {row}): sort them"
        )


def shown(date: np.datetime64) -> str:
    """Return a moment as text: the day alone where it is midnight."""
    return str(date).removesuffix(".000000").removesuffix("T00:00:00")


def in_order(
    values: Floats, names: tuple[str, ...], dates: Dates | None, words: tuple[str, ...] = ()
) -> ReturnTable:
    """Return a table with the newest row last, without a first row that is all empty.

    What is newest first is turned round, and pandas' ``pct_change`` leaves such a first row; either
    is said.

    Raises:
        InputError: Dates that neither ascend nor descend, or repeat.
    """
    if dates is not None and len(dates) > 1 and bool((dates[1:] < dates[:-1]).all()):
        values, dates = values[::-1], dates[::-1]
        words = (*words, "rows came newest first and are turned round")
    if len(values) > 1 and values.ndim == 2 and bool(np.isnan(values[0]).all()):
        values, dates = values[1:], None if dates is None else dates[1:]
        words = (*words, "an empty first row is left away")
    return ReturnTable(values, names, dates, words=words)


def floats(data: object, what: str) -> Floats:
    """Return ``data`` as an array of float64, or say that ``what`` does not hold numbers."""
    try:
        plain = np.asarray(data)
        found = np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} does not hold numbers alone: {error}") from error
    if plain.dtype.kind in "bc":
        raise InputError(f"{what} does not hold numbers alone: they are {plain.dtype}")
    return found
