"""Rolling covariance of many assets: one row comes into the matrix, one goes.

Taking away what was added leaves rounding behind: relative to the largest the matrix has been,
which matters once it has become much smaller. So the matrix is made anew from its window every
``window`` rows, and at once when a variance has fallen to a ten-thousandth of its peak since then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, final

from penstock.portfolio.arrays import Floats, np

__all__ = ["RankUpdate"]

Stream: TypeAlias = Iterator[tuple[int, Floats]]
"""Rows that windows end at, each with the one matrix."""

_FALL = 1e4
_TILE = 64


@final
class RankUpdate:
    """A stream of covariance matrices over one matrix.

    Args:
        returns: Shape (rows, assets), contiguous.
        window: Rows in a window, at least 2.
        divisor: What the summed products are divided by.
        lower: Whether only the lower triangle is kept, with NaN above it.
    """

    __slots__ = ("_divisor", "_lower", "_matrix", "_mean", "_parts", "_returns", "_window")

    def __init__(self, returns: Floats, window: int, divisor: int, *, lower: bool) -> None:
        self._returns = returns
        self._window = window
        self._divisor = divisor
        self._lower = lower
        self._mean = np.empty(returns.shape[1])
        self._matrix = np.empty((returns.shape[1], returns.shape[1]))
        self._parts = np.empty((2, min(_TILE, returns.shape[1]), returns.shape[1]))

    def each(self, every: int) -> Stream:
        """Yield each ``every``-th window, made from its rows alone."""
        for row in range(self._window - 1, len(self._returns), every):
            self._anchor(row)
            yield row, self._matrix

    def __iter__(self) -> Stream:
        rows, width = self._returns.shape
        diagonal = np.diagonal(self._matrix)
        peak = np.zeros(width)
        for row in range(self._window - 1, rows):
            if (row + 1) % self._window == 0:
                fallen = True
            else:
                self._exchange(*self._vectors(row))
                fallen = bool((diagonal * _FALL < peak).any())
            if fallen:
                self._anchor(row)
                peak[:] = diagonal
            np.maximum(peak, diagonal, out=peak)
            yield row, self._matrix

    def _anchor(self, row: int) -> None:
        """Make mean and matrix from the window that ends in ``row``."""
        rows = self._returns[row + 1 - self._window : row + 1]
        rows.mean(axis=0, out=self._mean)
        centred = rows - self._mean
        centred *= 1.0 / np.sqrt(self._divisor)
        np.matmul(centred.T, centred, out=self._matrix)
        if self._lower:
            for asset, line in enumerate(self._matrix):
                line[asset + 1 :] = np.nan

    def _vectors(self, row: int) -> tuple[Floats, Floats]:
        """Move the mean on to ``row``; return what comes into the matrix and what goes."""
        window = self._window
        going = self._returns[row - window] - self._mean
        self._mean -= going / (window - 1)
        coming = self._returns[row] - self._mean
        self._mean += coming / window
        going *= np.sqrt(window / (window - 1) / self._divisor)
        coming *= np.sqrt((window - 1) / window / self._divisor)
        return coming, going

    def _exchange(self, coming: Floats, going: Floats) -> None:
        """Add ``coming coming'`` to the matrix and take ``going going'`` away, a tile at a time."""
        for start in range(0, len(self._matrix), _TILE):
            rows = slice(start, start + _TILE)
            width = min(start + _TILE, len(coming)) if self._lower else len(coming)
            tile = self._matrix[rows, :width]
            first, second = self._parts[:, : len(tile), :width]
            np.multiply(coming[rows, None], coming[:width], out=first)
            np.multiply(going[rows, None], going[:width], out=second)
            first -= second
            tile += first
