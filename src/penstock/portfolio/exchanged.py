"""Rolling covariance of many assets: one row comes into the matrix, one goes.

Taking away what was added leaves rounding behind: relative to the largest the matrix has been,
which matters once it has become much smaller. So the matrix is made anew from its window every
``window`` rows, and at once when a variance has fallen to a ten-thousandth of its peak since then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.speed import loops

__all__ = ["Exchanged"]

if TYPE_CHECKING:
    from penstock.portfolio.kernels import Exchange

Stream: TypeAlias = Iterator[tuple[int, Floats]]
"""Rows that windows end at, each with the one matrix."""

_FALL = 1e4
_TILE = 64
_WIDE = 1500  # assets from which on sharing the work among threads repays starting it
_THREADS = 8


class Exchanged:
    """A stream of covariance matrices over one matrix.

    Args:
        returns: Shape (rows, assets), contiguous.
        window: Rows in a window, at least 2.
        divisor: What the summed products are divided by.
        lower: Whether only the lower triangle is kept, with NaN above it.
    """

    __slots__ = ("_divisor", "_lower", "_matrix", "_mean", "_returns", "_window")

    def __init__(self, returns: Floats, window: int, divisor: int, *, lower: bool) -> None:
        self._returns = returns
        self._window = window
        self._divisor = divisor
        self._lower = lower
        self._mean = np.empty(returns.shape[1])
        self._matrix = np.empty((returns.shape[1], returns.shape[1]))

    def anew(self, every: int) -> Stream:
        """Yield each ``every``-th window, made from its rows alone."""
        for row in range(self._window - 1, len(self._returns), every):
            self._anchor(row)
            yield row, self._matrix

    def __iter__(self) -> Stream:
        with self._exchanger() as exchange:
            yield from self._stream(exchange)

    def _stream(self, exchange: Callable[[Floats, Floats, Floats], None]) -> Stream:
        rows, width = self._returns.shape
        diagonal = np.diagonal(self._matrix)
        peak = np.zeros(width)
        for row in range(self._window - 1, rows):
            if (row + 1) % self._window == 0:
                fallen = True
            else:
                exchange(self._matrix, *self._vectors(row))
                fallen = bool((diagonal * _FALL < peak).any())
            if fallen:
                self._anchor(row)
                peak[:] = diagonal
            np.maximum(peak, diagonal, out=peak)
            yield row, self._matrix

    @contextmanager
    def _exchanger(self) -> Iterator[Callable[[Floats, Floats, Floats], None]]:
        """Give the fastest way there is to exchange two rows; all give the same bits."""
        rows, width = self._returns.shape
        kernels = loops(4.0 * rows * width * width)
        if kernels is None:
            yield _Twin(width).exchange
        elif width < _WIDE:
            lower = int(self._lower)
            yield lambda matrix, coming, going: kernels.exchange(
                matrix, coming, going, 0, width, lower
            )
        else:
            with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as threads:
                yield _Shared(kernels.exchange, threads, width, lower=self._lower).exchange

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


class _Shared:
    """The compiled exchange in as many parts as there are threads, of equal work."""

    __slots__ = ("_edges", "_exchange", "_lower", "_threads")

    def __init__(
        self, exchange: Exchange, threads: ThreadPoolExecutor, width: int, *, lower: bool
    ) -> None:
        parts = np.linspace(0.0, 1.0, 2 * min(os.cpu_count() or 1, _THREADS) + 1)
        edges = width * (np.sqrt(parts) if lower else parts)
        self._edges = [int(edge) for edge in edges.round()]
        self._exchange = exchange
        self._threads = threads
        self._lower = int(lower)

    def exchange(self, matrix: Floats, coming: Floats, going: Floats) -> None:
        """Add ``coming coming'`` to ``matrix`` and take ``going going'`` away, in place."""
        parts = [
            self._threads.submit(self._exchange, matrix, coming, going, first, last, self._lower)
            for first, last in pairwise(self._edges)
        ]
        for part in parts:
            part.result()


class _Twin:
    """The exchange in NumPy, in tiles of rows that stay in the processor's cache."""

    __slots__ = ("_first", "_second")

    def __init__(self, width: int) -> None:
        self._first = np.empty((min(_TILE, width), width))
        self._second = np.empty_like(self._first)

    def exchange(self, matrix: Floats, coming: Floats, going: Floats) -> None:
        """Add ``coming coming'`` to ``matrix`` and take ``going going'`` away, in place."""
        for start in range(0, len(matrix), _TILE):
            part = slice(start, min(start + _TILE, len(matrix)))
            first, second = self._first[: part.stop - start], self._second[: part.stop - start]
            np.multiply(coming[part, None], coming, out=first)
            np.multiply(going[part, None], going, out=second)
            first -= second
            matrix[part] += first
