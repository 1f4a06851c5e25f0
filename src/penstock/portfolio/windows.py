"""Windows that never subtract: what has left a window leaves no trace in it.

Time is cut into blocks as long as the window. A window is then the end of one block and the
beginning of the next, and both are grown row by row, never shrunk: the moments of a window are
those of its two parts joined (van Herk 1992 for maxima; Welford 1962 for growing, Chan, Golub and
LeVeque 1979 for joining). A sum of squares is only ever added to, so it cannot be negative, and a
bad tick touches the windows that hold it and no other, to the last bit.
"""

from __future__ import annotations

from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.speed import loops

__all__ = ["Moments", "rolling_squares"]


def rolling_squares(series: Floats, window: int) -> Floats:
    """Return the summed squared deviations of each full window, shape (rows - window + 1,).

    Args:
        series: Shape (rows,), at least ``window`` rows.
        window: Rows, at least 2.
    """
    inverse = 1.0 / np.maximum(np.arange(window + 1.0), 1.0)
    series = np.ascontiguousarray(series)
    out = np.empty(len(series) - window + 1)
    kernels = loops(0.0)
    if kernels is None:
        scan(series, window, inverse, out)
    else:
        kernels.scan(series, window, inverse, out)
    return out


def scan(series: Floats, window: int, inverse: Floats, out: Floats) -> None:
    """Write the windows' summed squared deviations, all blocks at a time; twin of the kernel."""
    rows = len(series)
    blocks = -(-rows // window)
    padded = np.zeros(blocks * window)
    padded[:rows] = series
    columns = padded.reshape(blocks, window).T  # column = block
    heads_mean, heads = _grown(columns, inverse)
    tails_mean, tails = _grown(columns[::-1], inverse)
    result = np.empty((window, blocks))  # [k, b]: the window ending in row k of block b
    result[window - 1] = heads[window - 1]
    k = np.arange(window - 1)
    gap = heads_mean[: window - 1, 1:] - tails_mean[window - 2 - k, :-1]
    share = ((k + 1.0) * (window - k - 1.0) * inverse[window])[:, None]
    result[: window - 1, 1:] = (
        tails[window - 2 - k, :-1] + heads[: window - 1, 1:] + gap * gap * share
    )
    out[:] = result.T.ravel()[window - 1 : rows]


def _grown(columns: Floats, inverse: Floats) -> tuple[Floats, Floats]:
    """Return mean and summed squared deviations of the first 1, 2, … rows of each column."""
    means, squares = np.empty(columns.shape), np.empty(columns.shape)
    mean, square = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    for k, row in enumerate(columns):
        away = row - mean
        mean = mean + away * inverse[k + 1]
        square = square + away * (row - mean)
        means[k], squares[k] = mean, square
    return means, squares


class Moments:
    """The same window fed row by row: sums of products of each row with weights of one column.

    Holds what a portfolio needs: summed squared deviations of its return and summed products
    of each asset's return with it. Rows are kept, so that a window can be sent and resumed.

    Args:
        window: Rows, at least 2.
        width: Assets.
    """

    __slots__ = ("_back", "_head", "_rows", "_tails", "count", "window")

    def __init__(self, window: int, width: int) -> None:
        self.window = window
        self.count = 0
        self._rows = np.zeros((2, window, width + 1))  # this block and the one before it
        self._head = np.zeros((2, width + 1))  # mean, products
        self._tails = np.zeros((window + 1, 2, width + 1))
        self._back = 0

    def add(self, row: Floats) -> None:
        """Take a row in: the returns of the assets, then that of the portfolio."""
        k = self.count % self.window
        if k == 0 and self.count:
            self._turn()
        self._rows[0, k] = row
        _grow(self._head, row, k + 1)
        self.count += 1

    def _turn(self) -> None:
        """A block is full: keep the sums of all its ends and begin another."""
        self._rows[1] = self._rows[0]
        for back in range(self.window):
            self._tails[back + 1] = self._tails[back]
            _grow(self._tails[back + 1], self._rows[1, self.window - 1 - back], back + 1)
        self._head[:] = 0.0

    @property
    def filled(self) -> int:
        """Rows in the window now."""
        return min(self.count, self.window)

    def products(self) -> Floats:
        """Return the summed products of deviations with the portfolio's, shape (width + 1,)."""
        k = (self.count - 1) % self.window + 1
        if self.count <= self.window or k == self.window:
            return np.array(self._head[1], dtype=np.float64)
        back = self.window - k
        mean, products = self._tails[back]
        gap = self._head[0] - mean
        share = float(k) * float(back) * (1.0 / self.window)
        total = products + self._head[1] + gap * gap[-1] * share
        return np.asarray(total, dtype=np.float64)

    def square(self) -> float:
        """Return the last of the products alone: the portfolio's summed squared deviations."""
        k = (self.count - 1) % self.window + 1
        square = float(self._head[1, -1])
        if self.count <= self.window or k == self.window:
            return square
        back = self.window - k
        gap = float(self._head[0, -1]) - float(self._tails[back, 0, -1])
        share = float(k) * float(back) * (1.0 / self.window)
        return float(self._tails[back, 1, -1]) + square + gap * gap * share

    def rows(self) -> Floats:
        """Return the rows since the block before this one, oldest first, in a copy."""
        k = (self.count - 1) % self.window + 1 if self.count else 0
        before = self._rows[1] if self.count > self.window else self._rows[1, :0]
        return np.concatenate([before, self._rows[0, :k]])


def _grow(sums: Floats, row: Floats, count: int) -> None:
    """Take ``row`` as the ``count``-th into a mean and products with the last column (Welford)."""
    away = row - sums[0]
    sums[0] += away * (1.0 / count)
    sums[1] += away[-1] * (row - sums[0])
