"""What a user hands over (arrays, frames, mappings) as one matrix with names and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from penstock.errors import InputError
from penstock.portfolio.frames import from_frame, from_mapping
from penstock.portfolio.matrix import ReturnTable, floats

__all__ = ["ReturnTable", "as_table", "floats", "in_currency"]


def as_table(data: object, names: Sequence[str] | None = None) -> ReturnTable:
    """Return ``data`` as a :class:`ReturnTable`, without copying where its memory fits already.

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
    if isinstance(data, ReturnTable):
        return data
    library = type(data).__module__.partition(".")[0]
    if library in {"pandas", "polars", "pyarrow"}:
        return from_frame(data, library)
    if isinstance(data, Mapping):
        return from_mapping(data)
    values = floats(data, "data")
    if names is not None:
        return ReturnTable(values, tuple(names))
    width = values.shape[1] if values.ndim == 2 else 0
    return ReturnTable(values, _positions(width), named=False)


def in_currency(
    data: object, rates: Mapping[str, str], names: Sequence[str] | None = None
) -> ReturnTable:
    """Return prices in one currency: assets multiplied by the columns of their exchange rates.

    Args:
        data: Prices, the exchange rates among them.
        rates: For each asset in another currency the column that says what one unit of it is worth.
        names: Names for the columns of a plain array.

    Raises:
        InputError: No such column, or a rate that is not above zero.

    >>> prices = {"A": [10.0, 11.0], "EURUSD": [1.1, 1.2]}
    >>> in_currency(prices, {"A": "EURUSD"}).values.round(2).tolist()
    [[11.0], [13.2]]
    """
    table = as_table(data, names)
    for name in (*rates, *rates.values()):
        if name not in table.names:
            raise InputError(f"no column is named {name}: {', '.join(table.names[:8])}")
    values = table.values.copy()
    for asset, rate in rates.items():
        column = table.values[:, table.names.index(rate)]
        if (column <= 0).any():
            raise InputError(f"{rate}: an exchange rate is a number above zero")
        values[:, table.names.index(asset)] *= column
    kept = tuple(name for name in table.names if name not in rates.values())
    said = ", ".join(f"{asset} by {rate}" for asset, rate in rates.items())
    whole = ReturnTable(
        values, table.names, table.dates, words=(*table.words, f"multiplied: {said}")
    )
    return whole.only(kept)


@lru_cache(maxsize=8)
def _positions(width: int) -> tuple[str, ...]:
    return tuple(str(column) for column in range(width))
