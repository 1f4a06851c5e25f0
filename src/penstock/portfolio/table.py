"""What a user hands over (arrays, frames, mappings) as one matrix with names and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from penstock.errors import InputError
from penstock.portfolio.arrays import np
from penstock.portfolio.frames import from_frame
from penstock.portfolio.matrix import Table, floats

__all__ = ["Table", "as_table", "floats"]


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
