"""The arithmetic of choosing weights: small convex problems, solved exactly or not at all.

Everything here works on a covariance that was checked to be positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np, product

__all__ = ["Corner", "corners", "equal_risk", "nonnegative", "unbounded"]

Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def unbounded(covariance: Floats) -> Floats:
    """Return the weights of least variance, shorts allowed: ``S^-1 1 / (1' S^-1 1)``."""
    raw = np.linalg.solve(covariance, np.ones(len(covariance)))
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def nonnegative(matrix: Floats, target: Floats) -> Floats:
    """Return the y >= 0 that makes ``y' M y / 2 - target' y`` least (Lawson and Hanson 1974).

    An active set: all assets are free at first, those that come out negative are bound, and one
    is freed again as long as the gradient wants it. Each step lowers the aim, and there are
    finitely many sets, so it ends; the answer satisfies the conditions of optimality exactly, up
    to rounding.

    Args:
        matrix: M, shape (n, n), positive definite, diagonal near 1.
        target: Shape (n,), positive.

    Raises:
        InputError: It did not settle, which a matrix near singular can cause.
    """
    free = np.ones(len(target), dtype=bool)
    best = _solved(matrix, target, free)
    while (best[free] <= 0).any():
        free &= best > 0
        best = _solved(matrix, target, free)
    tolerance = 1e-11 * float(target.max())
    for _ in range(20 * len(target) + 20):
        wants = np.where(free, -np.inf, target - product(matrix, best))
        if wants.max(initial=-np.inf) <= tolerance:
            return best
        free[int(wants.argmax())] = True
        best = _feasible(matrix, target, free, best)
    raise InputError("the weights did not settle: the covariance is too close to singular")


def _solved(matrix: Floats, target: Floats, free: Mask) -> Floats:
    """Return the solution over the free entries, zero elsewhere."""
    found = np.zeros(len(target))
    found[free] = np.linalg.solve(matrix[np.ix_(free, free)], target[free])
    return found


def _feasible(matrix: Floats, target: Floats, free: Mask, best: Floats) -> Floats:
    """Go from ``best`` towards the solution over ``free``, binding what would turn negative."""
    while True:
        aim = _solved(matrix, target, free)
        falling = free & (aim <= 0)
        if not falling.any():
            return aim
        steps = best[falling] / (best[falling] - aim[falling])
        best = best + float(steps.min()) * (aim - best)
        free &= ~falling | (best > 1e-15 * best.max())
        best[~free] = 0.0


@final
@dataclass(frozen=True, slots=True)
class Corner:
    """A point where the frontier turns.

    Attributes:
        tolerance: For risk: how much return weighs against variance here.
        weights: Shape (assets,).
    """

    tolerance: float
    weights: Floats


def corners(covariance: Floats, expected: Floats, start: Floats) -> list[Corner]:
    """Return the corner portfolios without shorts, from least variance to highest return.

    The critical line (Markowitz 1956): for risk tolerance t the weights that make
    ``w'Sw/2 - t mu'w`` least, summing to one, are linear in t as long as the same assets are
    held; the next corner is where one of them reaches zero or the gradient of one that is not
    held does.

    Args:
        covariance: S, shape (assets, assets), positive definite.
        expected: mu, shape (assets,).
        start: The weights of least variance.

    Raises:
        InputError: It did not settle, which a matrix near singular can cause.
    """
    found = [Corner(0.0, start)]
    free = start > 0
    for _ in range(20 * len(start) + 20):
        base, slope, gap, gain = _line(covariance, expected, free)
        now = found[-1].tolerance
        after = now + 1e-12 * max(now, 1e-3)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.where(free & (slope < -1e-15), -base / slope, np.inf)
            begins = np.where(~free & (gain < -1e-15), -gap / gain, np.inf)
        events = np.where(free, ends, begins)
        events[events <= after] = np.inf
        asset = int(events.argmin())
        if not np.isfinite(events[asset]):
            return found
        weights = np.maximum(base + events[asset] * slope, 0.0)
        found.append(Corner(float(events[asset]), weights / weights.sum()))
        free = free.copy()
        free[asset] = not free[asset]
    raise InputError("the frontier did not settle: the covariance is too close to singular")


def _line(
    covariance: Floats, expected: Floats, free: Mask
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the weights as ``base + t slope`` and the gradients of the others likewise."""
    held = np.column_stack([np.ones(int(free.sum())), expected[free]])
    ones, means = np.linalg.solve(covariance[np.ix_(free, free)], held).T
    total, mean = float(ones.sum()), float(means.sum())
    base, slope = np.zeros(len(free)), np.zeros(len(free))
    base[free] = ones / total
    slope[free] = means - ones * (mean / total)
    gap = product(covariance, base) - 1 / total
    gain = product(covariance, slope) + mean / total - expected
    return base, slope, gap, gain


def equal_risk(matrix: Floats, budgets: Floats) -> Floats:
    """Return the y > 0 with ``y_i (M y)_i = budgets_i`` for every i (Spinu 2013).

    It makes ``y' M y / 2 - sum(budgets log y)`` least, which is convex and has one answer; by
    Newton's method with steps short enough to stay positive and go down.

    Args:
        matrix: M, shape (n, n), positive definite, diagonal 1.
        budgets: Shape (n,), positive, sum 1.

    Raises:
        InputError: It did not settle, which a matrix near singular can cause.
    """
    found = np.full(len(budgets), 1 / np.sqrt(max(float(matrix.sum()), 1e-12)))
    for _ in range(200):
        gradient = product(matrix, found) - budgets / found
        if np.abs(gradient * found).max() <= 1e-15 * len(budgets):
            return found
        move = -np.linalg.solve(matrix + np.diag(budgets / found**2), gradient)
        decrement = float(-gradient @ move)
        longest = float(np.min(np.where(move < 0, -found / move, np.inf)))
        step = min(1.0, 0.99 * longest)
        while (
            decrement > 1e-20
            and _aim(matrix, budgets, found + step * move)
            > _aim(matrix, budgets, found) - 1e-4 * step * decrement + 1e-15
        ):
            step /= 2
        found = found + step * move
        if decrement < 1e-30:
            return found
    raise InputError("risk parity did not settle: the covariance is too close to singular")


def _aim(matrix: Floats, budgets: Floats, y: Floats) -> float:
    return float(y @ product(matrix, y)) / 2 - float(budgets @ np.log(y))
