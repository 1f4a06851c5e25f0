"""Rolling covariance of few assets: every window from sums that were only ever added to."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.speed import loops

__all__ = ["Stack", "stacked", "stacked_all"]

_CHUNK = 1 << 17  # numbers in a chunk of matrices: 1 MB


class Stack:
    """The sums of the block that grows, and of all ends of the block before it.

    Args:
        returns: Shape (rows, assets), contiguous.
        window: Rows in a window.
        scale: What the summed products are multiplied by.
    """

    __slots__ = ("_mean", "_means", "_returns", "_run", "_scale", "_square", "_squares")

    def __init__(self, returns: Floats, window: int, scale: float) -> None:
        rows, width = returns.shape
        kernels = loops(8.0 * rows * width * width)
        self._run = _step if kernels is None else kernels.step
        self._returns = returns
        self._scale = scale
        self._mean = np.zeros(width)
        self._square = np.zeros((width, width))
        # Entry k is of the last k rows of the block before.
        self._means = np.zeros((window + 1, width))
        self._squares = np.zeros((window + 1, width, width))

    def advance(self, row: int, out: Floats) -> None:
        """Write the windows that end in row ``row`` and the next to ``out``, one a matrix.

        Rows before the first full window are taken in, and write nothing.
        """
        self._run(
            self._returns, row, self._mean, self._square, self._means, self._squares, out,
            self._scale,
        )  # fmt: skip


def stacked(returns: Floats, window: int, scale: float) -> Iterator[tuple[int, Floats]]:
    """Yield the row each window ends at and its covariance, valid until the next step.

    Args:
        returns: Shape (rows, assets), contiguous.
        window: Rows in a window.
        scale: What the summed products are multiplied by.
    """
    rows, width = returns.shape
    stack = Stack(returns, window, scale)
    size = max(1, min(rows, _CHUNK // (width * width)))
    chunk = np.empty((size, width, width))
    for first in range(0, rows, size):
        stack.advance(first, chunk[: rows - first])
        for row in range(max(first, window - 1), min(first + size, rows)):
            yield row, chunk[row - first]


def stacked_all(returns: Floats, window: int, scale: float) -> Floats:
    """Return all of them, shape (rows - window + 1, assets, assets)."""
    rows, width = returns.shape
    stack = Stack(returns, window, scale)
    out = np.empty((rows - window + 1, width, width))
    stack.advance(0, np.empty((window - 1, width, width)))  # room that is never touched
    stack.advance(window - 1, out)
    return out


def _step(  # noqa: PLR0913, PLR0917 - the twin of a kernel, which takes arrays
    returns: Floats,
    row: int,
    mean: Floats,
    square: Floats,
    means: Floats,
    squares: Floats,
    out: Floats,
    scale: float,
) -> None:
    """Write the covariance of each window that ends in row ``row`` on."""
    window = len(means) - 1
    for place in range(len(out)):
        k = row % window
        if k == 0:
            mean[:] = 0.0
            square[:] = 0.0
            if row >= window:
                for back in range(window):
                    means[back + 1], squares[back + 1] = means[back], squares[back]
                    _grow(means[back + 1], squares[back + 1], returns[row - 1 - back], back)
        _grow(mean, square, returns[row], k)
        if k == window - 1:
            np.multiply(square, scale, out=out[place])
        elif row >= window:
            back = window - k - 1
            away = (mean - means[back]) * np.sqrt((k + 1.0) * back / window)
            np.add(squares[back], square, out=out[place])
            out[place] += np.multiply.outer(away, away)
            out[place] *= scale
        row += 1


def _grow(mean: Floats, square: Floats, row: Floats, count: int) -> None:
    """Take ``row`` in after ``count`` others (Welford), in place."""
    gap = row - mean
    share = 1.0 / (count + 1)
    mean += gap * share
    away = gap * np.sqrt(count * share)
    square += np.multiply.outer(away, away)
