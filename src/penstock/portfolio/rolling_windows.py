"""Windows that never subtract: what has left a window leaves no trace in it.

The moments of a window are those of its parts joined (Chan, Golub and LeVeque 1979). A sum of
squares is only ever added to, so it cannot be negative, and a bad tick touches the windows that
hold it and no other, to the last bit.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType

from penstock.portfolio.arrays import Floats, np

NATIVE: ModuleType | None = None
"""The same in C, where it was built."""

with suppress(ImportError):
    NATIVE = importlib.import_module("penstock.portfolio._windows")

__all__ = ["rolling_covariances", "rolling_squares"]

_GROUP = 1 << 13  # numbers in the matrices that are worked on together: they stay in the cache


def rolling_squares(series: Floats, window: int) -> Floats:
    """Return the summed squared deviations of each full window, shape (rows - window + 1,).

    Args:
        series: Shape (rows,), at least ``window`` rows.
        window: Rows, at least 2.
    """
    out = np.empty((-(-len(series) // window) * window, 1, 1))
    for _ in rolling_covariances(series[:, np.newaxis], window, 1.0, out):
        pass
    return out[window - 1 : len(series), 0, 0]


def rolling_covariances(
    returns: Floats, window: int, scale: float, out: Floats | None = None
) -> Iterator[tuple[int, Floats]]:
    """Yield the covariances of some windows at a time, and the row that the first of them ends at.

    Time is cut into blocks as long as the window. A window is the end of one block and the
    beginning of the next, and both are grown row by row (Welford 1962), many blocks at a time.

    Args:
        returns: Shape (rows, assets).
        window: Rows in a window.
        scale: What the summed products are multiplied by.
        out: Where all of them are kept, one matrix a row of whole blocks; None keeps only what is
            yielded, until the next step.
    """
    rows, width = returns.shape
    blocks = -(-rows // window)
    scaled = np.zeros((blocks + 1, window, width))  # an empty block before the first
    np.multiply(returns, np.sqrt(scale), out=scaled.reshape(-1, width)[window : window + rows])
    together = max(1, min(blocks, _GROUP // width**2))
    some = np.empty((together * window, width, width)) if out is None else out
    for first in range(0, blocks, together):
        count = min(together, blocks - first)
        start = first * window
        place = 0 if out is None else start
        found = some[place : place + count * window]
        _group(scaled[first : first + count + 1], found.reshape(count, window, width, width))
        begin = max(start, window - 1)
        yield begin, found[begin - start : rows - start]


def _group(rows: Floats, out: Floats) -> None:
    """Write the windows that end in all blocks but the first, shape (blocks, window, n, n)."""
    count, window, width = rows.shape[0] - 1, *rows.shape[1:]
    if NATIVE is not None:
        NATIVE.group(rows, out, window, width)
        return
    means = np.zeros((window, count, width))
    squares = np.zeros((window, count, width, width))  # entry k: of the last k rows of a block
    product = np.empty((count, width, width))
    for k in range(window - 1):
        means[k + 1] = means[k]
        _grow(means[k + 1], rows[:-1, window - 1 - k], k, product)
        np.add(squares[k], product, out=squares[k + 1])
    mean, square = np.zeros((count, width)), np.zeros((count, width, width))
    for k in range(window):
        _grow(mean, rows[1:, k], k, product)
        square += product
        back = window - 1 - k
        gap = (mean - means[back]) * np.sqrt((k + 1.0) * back / window)
        np.multiply(gap[:, :, None], gap[:, None, :], out=product)
        product += square
        np.add(product, squares[back], out=out[:, k])


def _grow(mean: Floats, row: Floats, count: int, product: Floats) -> None:
    """Take ``row`` into a mean of ``count`` rows; write what it adds to the summed products."""
    away = row - mean
    mean += away * (1.0 / (count + 1))
    away *= np.sqrt(count / (count + 1.0))
    np.multiply(away[:, :, None], away[:, None, :], out=product)
