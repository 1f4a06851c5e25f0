"""Inner loops compiled by numba. Imported only by :mod:`penstock.portfolio.speed`.

Each has a twin in NumPy (``windows.py``, ``stacked.py``, ``exchanged.py``) that does the same
additions and products in the same order, so both give the same bits: numba fuses and reorders
nothing unless told to. Written as plain loops because that is what numba wants.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import njit

from penstock.portfolio.arrays import Floats, np

__all__ = [
    "Exchange",
    "Scan",
    "Step",
    "exchange",
    "scan",
    "step",
]

Scan = Callable[[Floats, int, Floats, Floats], None]
Step = Callable[[Floats, int, Floats, Floats, Floats, Floats, Floats, float], None]
Exchange = Callable[[Floats, Floats, Floats, int, int, int], None]
Grow = Callable[[Floats, Floats, Floats, Floats, Floats, int, Floats], None]
Join = Callable[[Floats, Floats, Floats, Floats, Floats, float], None]


def _scan(series: Floats, window: int, inverse: Floats, out: Floats) -> None:
    """Write the summed squared deviations of each window; the twin is ``windows.scan``."""
    means = np.empty(window + 1)
    squares = np.empty(window + 1)
    rows = len(series)
    for start in range(0, rows, window):
        stop = min(start + window, rows)
        mean = 0.0
        square = 0.0
        for k in range(stop - start):
            away = series[start + k] - mean
            mean += away * inverse[k + 1]
            square += away * (series[start + k] - mean)
            row = start + k
            if k == window - 1:
                out[row - window + 1] = square
            elif row >= window:
                gap = mean - means[window - k - 1]
                share = (k + 1.0) * (window - k - 1.0) * inverse[window]
                out[row - window + 1] = squares[window - k - 1] + square + gap * gap * share
        if stop - start < window:
            break
        mean = 0.0
        square = 0.0
        for k in range(window):
            away = series[stop - 1 - k] - mean
            mean += away * inverse[k + 1]
            square += away * (series[stop - 1 - k] - mean)
            means[k + 1] = mean
            squares[k + 1] = square


def _grow(  # noqa: PLR0913, PLR0917 - numba takes arrays, not objects
    mean: Floats,
    square: Floats,
    old_mean: Floats,
    old_square: Floats,
    row: Floats,
    count: int,
    away: Floats,
) -> None:
    """Write what the old sums are after one more row; the twin is ``stacked._grow``."""
    width = mean.shape[0]
    share = 1.0 / (count + 1)
    weight = np.sqrt(count * share)
    for i in range(width):
        gap = row[i] - old_mean[i]
        mean[i] = old_mean[i] + gap * share
        away[i] = gap * weight
    for i in range(width):
        new, old, own = square[i], old_square[i], away[i]
        for j in range(width):
            new[j] = old[j] + own * away[j]


def _join(
    out: Floats, square: Floats, own: Floats, tail: Floats, away: Floats, scale: float
) -> None:
    """Grow ``square`` by ``own`` and write the covariance of it and a part ``away`` from it."""
    width = own.shape[0]
    for i in range(width):
        # Row by row, one array written at a time: this is what gets vectorised.
        head, back, line = square[i], tail[i], out[i]
        mine, apart = own[i], away[i]
        for j in range(width):
            head[j] += mine * own[j]
        for j in range(width):
            line[j] = (back[j] + head[j] + apart * away[j]) * scale


def _step(  # noqa: PLR0913, PLR0917 - numba takes arrays, not objects
    returns: Floats,
    row: int,
    mean: Floats,
    square: Floats,
    means: Floats,
    squares: Floats,
    out: Floats,
    scale: float,
) -> None:
    """Write the covariance of each window that ends in rows ``row`` on; twin ``stacked._step``."""
    window = means.shape[0] - 1
    away = np.empty(mean.shape[0])
    apart = np.empty(mean.shape[0])
    for place in range(len(out)):
        k = row % window
        if k == 0:
            mean[:] = 0.0
            square[:] = 0.0
            if row >= window:
                for back in range(window):
                    grow(
                        means[back + 1],
                        squares[back + 1],
                        means[back],
                        squares[back],
                        returns[row - 1 - back],
                        back,
                        away,
                    )
        if k == window - 1 or row < window:
            grow(mean, square, mean, square, returns[row], k, away)
            if k == window - 1:
                out[place] = square * scale
        else:
            back = window - k - 1
            share = 1.0 / (k + 1)
            own = np.sqrt(k * share)
            weight = np.sqrt((k + 1.0) * back / window)
            for i in range(mean.shape[0]):
                gap = returns[row, i] - mean[i]
                mean[i] += gap * share
                away[i] = gap * own
                apart[i] = (mean[i] - means[back, i]) * weight
            join(out[place], square, away, squares[back], apart, scale)
        row += 1


def _exchange(
    matrix: Floats, coming: Floats, going: Floats, first: int, last: int, lower: int
) -> None:
    """Add ``coming coming'`` and take ``going going'`` away, in rows ``first`` to ``last``."""
    width = len(coming)
    for i in range(first, last):
        line, a, b = matrix[i], coming[i], going[i]
        for j in range(i + 1 if lower else width):
            line[j] += a * coming[j] - b * going[j]


def _keep(function: Scan | Step | Exchange | Grow | Join) -> object:
    """Compile ``function``, keeping the result on disk where there is a place to keep it."""
    try:
        return njit(function, cache=True, nogil=True)
    except RuntimeError:  # no folder can be written to: compile anew in each process
        return njit(function, nogil=True)


# numba does not type what it compiles: it takes what the function takes.
scan: Scan = _keep(_scan)  # type: ignore[assignment]
grow: Grow = _keep(_grow)  # type: ignore[assignment]
join: Join = _keep(_join)  # type: ignore[assignment]
step: Step = _keep(_step)  # type: ignore[assignment]
exchange: Exchange = _keep(_exchange)  # type: ignore[assignment]
