"""Ledoit-Wolf and oracle approximating shrinkage, without the matrix where rows are few.

Both pull the sample covariance ``S`` (divided by T) towards ``mu I``, with ``mu`` the mean
variance: ``(1 - d) S + d mu I``. They differ in ``d``. All that ``d`` needs of ``S`` is its trace
and its squared Frobenius norm, and the norm of ``X'X`` is that of ``XX'``: the smaller is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from penstock.portfolio.arrays import Floats, np, product
from penstock.portfolio.covariance import Sample

__all__ = ["Shrunk", "ledoit_wolf", "oracle"]

_BLOCK = 2048  # columns (or a quarter of the rows) that are centred at a time


@final
@dataclass(frozen=True, slots=True)
class Shrunk:
    """A sample covariance pulled towards a multiple of the identity.

    Attributes:
        sample: The sample covariance with ddof 0.
        shrinkage: How far it is pulled, 0 to 1.
        target: ``mu``, the mean variance.
        name: Who proposed that distance.
    """

    sample: Sample
    shrinkage: float
    target: float
    name: str

    @property
    def words(self) -> tuple[str, ...]:
        """What was assumed, in sentences."""
        text = (
            f"{self.name} shrinkage {self.shrinkage:.6g} towards equal variances without"
            " correlation, sums divided by T (ddof=0)"
        )
        return (text,)

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        pulled = self.shrinkage * self.target
        return (1 - self.shrinkage) * self.sample.times(vector) + pulled * vector

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        return (1 - self.shrinkage) * self.sample.variances() + self.shrinkage * self.target

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        whole = (1 - self.shrinkage) * self.sample.matrix()
        whole[np.diag_indices_from(whole)] += self.shrinkage * self.target
        return whole


@final
@dataclass(frozen=True, slots=True)
class _Sums:
    """What shrinkage needs: sum over i of S_ii; over i, j of (X'X)_ij^2; over t of |x_t|^4."""

    trace: float
    frobenius: float
    fourth: float


def _centred(returns: Floats) -> Iterator[Floats]:
    """Yield X without its column means, in blocks of columns (rows few) or of rows."""
    mean = returns.mean(axis=0)
    rows, assets = returns.shape
    if rows <= assets:
        for start in range(0, assets, _BLOCK):
            part = slice(start, start + _BLOCK)
            yield returns[:, part] - mean[part]
    else:
        for start in range(0, rows, 4 * _BLOCK):
            yield returns[start : start + 4 * _BLOCK] - mean


def _sums(returns: Floats) -> _Sums:
    rows, assets = returns.shape
    gram: Floats | None = None
    lengths: list[Floats] = []
    for block in _centred(returns):
        part = product(block, block.T) if rows <= assets else product(block.T, block)
        if gram is None:
            gram = part
        else:
            gram += part
        del part
        lengths.append(np.einsum("ti,ti->t", block, block))
    squares = np.sum(lengths, axis=0) if rows <= assets else np.concatenate(lengths)
    return _Sums(
        float(squares.sum()) / rows,
        0.0 if gram is None else float(np.vdot(gram, gram)),
        float(squares @ squares),
    )


def ledoit_wolf(returns: Floats) -> Shrunk:
    """Return the covariance shrunk by Ledoit and Wolf (2004), J. Multivariate Analysis 88:365.

    ``d = min(b2, d2) / d2`` with, in their notation (their norm divides by n),
    ``d2 = |S - mu I|^2`` and ``b2 = sum_t |x_t x_t' - S|^2 / T^2``.

    Args:
        returns: Shape (rows, assets), no NaN.
    """
    rows, assets = returns.shape
    sums = _sums(returns)
    mean_variance = sums.trace / assets
    norm = sums.frobenius / rows**2
    distance = norm - assets * mean_variance**2
    spread = (sums.fourth / rows - norm) / rows
    shrinkage = 0.0 if distance <= 0 else min(max(spread, 0.0), distance) / distance
    return Shrunk(Sample(returns, 0), shrinkage, mean_variance, "Ledoit-Wolf")


def oracle(returns: Floats) -> Shrunk:
    """Return the covariance shrunk by OAS, Chen, Wiesel, Eldar and Hero (2010), equation 23.

    As scikit-learn has it: without the terms in ``1 - 2/n`` of the paper, whose simulations
    left them out too.

    Args:
        returns: Shape (rows, assets), no NaN.
    """
    rows, assets = returns.shape
    sums = _sums(returns)
    mean_variance = sums.trace / assets
    norm = sums.frobenius / rows**2 / assets**2
    top = norm + mean_variance**2
    bottom = (rows + 1) * (norm - mean_variance**2 / assets)
    shrinkage = 1.0 if bottom <= 0 else min(top / bottom, 1.0)
    return Shrunk(Sample(returns, 0), shrinkage, mean_variance, "OAS")
