"""Rolling covariance of few assets: every window from sums that were only ever added to."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.speed import loops

__all__ = ["Stack", "stacked"]

_CHUNK = 1 << 17  # numbers in a chunk of matrices: 1 MB


class Stack:
    """The sums of the block that grows and of all ends of the block before it.

    Attributes:
        mean: Shape (assets,), of the rows of this block.
        square: Shape (assets, assets), its summed products of deviations.
        means: Shape (window + 1, assets): entry k is of the last k rows of the block before.
        squares: Shape (window + 1, assets, assets), likewise.
    """

    __slots__ = ("mean", "means", "square", "squares")

    def __init__(self, window: int, width: int) -> None:
        self.mean = np.zeros(width)
        self.square = np.zeros((width, width))
        self.means = np.zeros((window + 1, width))
        self.squares = np.zeros((window + 1, width, width))


def stacked(
    returns: Floats, window: int, scale: float, out: Floats | None = None
) -> Iterator[tuple[int, Floats]]:
    """Yield the row each window ends at and its covariance, valid until the next step.

    Args:
        returns: Shape (rows, assets), contiguous.
        window: Rows in a window.
        scale: What the summed products are multiplied by.
        out: Where to keep them all, shape (rows - window + 1, assets, assets); else a chunk is
            used again and again.
    """
    rows, width = returns.shape
    stack = Stack(window, width)
    kernels = loops(8.0 * rows * width * width)
    run = _step if kernels is None else kernels.step
    size = max(1, min(rows, _CHUNK // (width * width)))
    chunk = np.empty((size, width, width))
    for first in range(0, rows, size):
        last = min(first + size, rows)
        place = first - window + 1
        # Rows before the first full window write nothing, wherever they are told to write.
        target = chunk if out is None or place < 0 else out[place : place + last - first]
        run(
            returns, first, stack.mean, stack.square, stack.means, stack.squares,
            target[: last - first], scale,
        )  # fmt: skip
        if out is not None and place < 0 < place + last - first:
            out[: place + last - first] = chunk[-place : last - first]
        for row in range(max(first, window - 1), last):
            yield row, target[row - first]


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
