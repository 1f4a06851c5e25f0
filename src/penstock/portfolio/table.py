"""What a user hands over (arrays, frames, mappings) as one matrix with names and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np

__all__ = ["Table", "as_table"]


@final
@dataclass(frozen=True, slots=True)
class Table:
    """A matrix of prices or returns: one row a moment, one column an asset.

    Attributes:
        values: Shape (rows, assets), float64, NaN where nothing is known.
        names: One name a column, each once.
        dates: One moment a row, strictly ascending, or None where none were given.
        named: False when the names are only the positions of a plain array.
    """

    values: Floats
    names: tuple[str, ...]
    dates: Dates | None = None
    named: bool = True

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

    def only(self, names: tuple[str, ...]) -> Table:
        """Return the columns called ``names``, in that order."""
        columns = [self.names.index(name) for name in names]
        return Table(self.values[:, columns], names, self.dates)


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
            raise InputError(f"date {dates[row]} comes twice (row {row}): keep one row a date")
        raise InputError(
            f"dates are not ascending: {dates[row]} follows {dates[row - 1]} (row {row}): sort them"
        )


def as_table(data: object, names: Sequence[str] | None = None) -> Table:
    """Return ``data`` as a :class:`Table`, without copying where its memory fits already.

    Args:
        data: A NumPy matrix, a list of rows, a mapping of names to columns, a pandas or polars
            frame, or an Arrow table. The library of a frame is imported only when one arrives.
        names: Names for the columns of a plain array.

    Raises:
        InputError: Not a matrix of numbers, or dates that repeat or go back.

    >>> as_table({"A": [1, 2], "B": [3, 4]}).values
    array([[1., 3.],
           [2., 4.]])
    """
    if isinstance(data, Table):
        return data
    library = type(data).__module__.partition(".")[0]
    if library in {"pandas", "polars", "pyarrow"}:
        from penstock.portfolio.frames import from_frame  # noqa: PLC0415 - only when one arrives

        return from_frame(data, library)
    if isinstance(data, Mapping):
        columns = [floats(column, f"column {name}") for name, column in data.items()]
        if len({len(column) for column in columns}) > 1:
            raise InputError("the columns have different lengths")
        return Table(np.stack(columns, axis=1), tuple(str(name) for name in data))
    values = floats(data, "data")
    if names is not None:
        return Table(values, tuple(names))
    width = values.shape[1] if values.ndim == 2 else 0
    return Table(values, _positions(width), named=False)


@lru_cache(maxsize=8)
def _positions(width: int) -> tuple[str, ...]:
    return tuple(str(column) for column in range(width))


def floats(data: object, what: str) -> Floats:
    """Return ``data`` as an array of float64, or say that ``what`` does not hold numbers."""
    try:
        return np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} does not hold numbers alone: {error}") from error
