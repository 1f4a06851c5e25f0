"""A factor model of the covariance: a few common movements, and what each asset has alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np, product

__all__ = ["Factors", "principal_factors"]


@final
@dataclass(frozen=True, slots=True)
class Factors:
    """``B B' + D``: loadings on uncorrelated factors of variance one, and what is left.

    Attributes:
        loadings: B, shape (assets, factors), in units of return.
        rest: The diagonal of D, shape (assets,).
        share: Which part of the total variance the factors hold, 0 to 1.
    """

    loadings: Floats
    rest: Floats
    share: float

    @property
    def words(self) -> tuple[str, ...]:
        """What was assumed, in sentences."""
        count = self.loadings.shape[1]
        text = (
            f"{count} principal factors holding {self.share:.1%} of all variance; what is left of"
            " each asset is taken as uncorrelated with the others"
        )
        return (text,)

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        return product(self.loadings, product(self.loadings.T, vector)) + self.rest * vector

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        own: Floats = self.rest + np.square(self.loadings).sum(axis=1)
        return np.asarray(own, dtype=np.float64)

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        whole = product(self.loadings, self.loadings.T)
        whole[np.diag_indices_from(whole)] += self.rest
        return whole


def principal_factors(returns: Floats, count: int, ddof: int) -> Factors:
    """Return the factor model of the ``count`` largest principal components.

    The variances of the assets stay those of the sample; only covariances are modelled.

    Args:
        returns: Shape (rows, assets), no NaN.
        count: Factors, at least 1 and at most the smaller side of ``returns``.
        ddof: Sums are divided by ``rows - ddof``.

    Raises:
        InputError: ``count`` does not fit the data.
    """
    rows, assets = returns.shape
    if not 1 <= count <= min(rows - 1, assets):
        raise InputError(
            f"{count} factors of {rows} returns of {assets} assets: choose 1 to"
            f" {min(rows - 1, assets)}, such as factor:1"
        )
    centred = (returns - returns.mean(axis=0)) / np.sqrt(rows - ddof)
    if rows < assets:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        loadings = centred.T @ vectors[:, -count:]
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        loadings = vectors[:, -count:] * np.sqrt(np.maximum(values[-count:], 0.0))
    variances = np.einsum("ti,ti->i", centred, centred)
    rest = np.maximum(variances - np.einsum("ik,ik->i", loadings, loadings), 0.0)
    total = float(variances.sum())
    share = float(values[-count:].sum()) / total if total else 1.0
    return Factors(loadings, rest, share)
