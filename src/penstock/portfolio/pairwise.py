"""Covariance where data is missing: each pair from the rows both have, then made possible.

Pairs measured over different rows need not fit together: the matrix may promise a portfolio
with negative variance. It is repaired, and what the repair did is said.
"""

from __future__ import annotations

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.covariance import Dense

__all__ = ["nearest_semidefinite", "pairwise", "pairwise_covariance"]


def pairwise_covariance(returns: Floats, ddof: int = 1) -> Floats:
    """Return the covariance of each pair over the rows that both have, shape (assets, assets).

    With ``X`` centred by column and zero where missing, and ``M`` one where present:
    ``(X'X - (X'M) * (M'X) / N) / (N - ddof)``, ``N = M'M`` the rows in common. Assets that are
    missing in the same rows share a column of M, so a panel with few patterns of missing data
    costs little more than a full one.

    Args:
        returns: Shape (rows, assets), NaN where missing.
        ddof: Sums are divided by the rows in common minus this.

    Raises:
        InputError: Two assets have too few rows in common.
    """
    absent = np.isnan(returns)
    patterns, which = _patterns(absent)
    present = (~patterns).astype(np.float64)
    counts = (~absent).sum(axis=0)
    if (counts <= ddof).any():
        column = int((counts <= ddof).argmax())
        raise InputError(f"column {column} has {counts[column]} returns: too few to compare")
    filled = np.where(absent, 0.0, returns)
    filled -= filled.sum(axis=0) / counts
    np.copyto(filled, 0.0, where=absent)
    common = (present.T @ present)[np.ix_(which, which)]
    sums = (filled.T @ present)[:, which]
    if (common <= ddof).any():
        first, second = np.argwhere(common <= ddof)[0]
        raise InputError(
            f"columns {first} and {second} have {common[first, second]:g} rows in common:"
            " too few to compare; leave one out"
        )
    products = filled.T @ filled
    products -= sums * sums.T / common
    products /= common - ddof
    return products


def _patterns(
    absent: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.bool_]], np.ndarray[tuple[int, ...], np.dtype[np.intp]]
]:
    """Return the distinct columns of ``absent`` and, for each column, which of them it is."""
    packed = np.packbits(absent, axis=0)
    seen: dict[bytes, int] = {}
    first: list[int] = []
    which = np.empty(absent.shape[1], dtype=np.intp)
    for column, bits in enumerate(np.ascontiguousarray(packed.T)):
        key = bits.tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(column)
        which[column] = seen[key]
    return absent[:, first], which


def nearest_semidefinite(matrix: Floats) -> tuple[Floats, float, float]:
    """Return a possible covariance near ``matrix``, and its smallest eigenvalue before and after.

    Negative eigenvalues are set to zero and the diagonal is scaled back to what it was, so the
    variances stay as measured (Rebonato and Jaeckel 1999). A matrix that is possible already is
    returned as it is.
    """
    values, vectors = np.linalg.eigh(matrix)
    lowest = float(values[0])
    if lowest >= -1e-12 * max(float(values[-1]), 0.0):
        return matrix, lowest, lowest
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    clipped = np.einsum("ik,ik->i", half, half)
    wanted = np.diagonal(matrix)
    half *= np.sqrt(np.divide(wanted, clipped, out=np.ones_like(clipped), where=clipped > 0))[
        :, None
    ]
    repaired = half @ half.T
    return repaired, lowest, float(np.linalg.eigvalsh(repaired)[0])


def pairwise(returns: Floats, ddof: int) -> Dense:
    """Return the pairwise covariance, repaired to positive semidefinite, as an estimator."""
    matrix, before, after = nearest_semidefinite(pairwise_covariance(returns, ddof))
    words = f"pairwise covariance, each pair over its common rows (ddof={ddof})"
    if before == after:
        told = f"it is positive semidefinite as it is (smallest eigenvalue {before:.3g})"
    else:
        told = (
            "it was not positive semidefinite and was repaired: smallest eigenvalue"
            f" {before:.3g} before, {after:.3g} after; variances kept"
        )
    return Dense(matrix, (words, told))
