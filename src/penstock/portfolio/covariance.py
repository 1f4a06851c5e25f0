"""What is believed about how assets move together: one class an estimator, one shape for all.

A portfolio's risk needs the covariance matrix only times a vector, so that is what an estimator
offers; the matrix itself is made when somebody asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np, product

__all__ = ["Covariance", "Dense", "Sample", "correlation", "exponential"]


class Covariance(Protocol):
    """An estimate of the covariance of returns, per row squared."""

    @property
    def words(self) -> tuple[str, ...]:
        """What was assumed, in sentences."""
        ...

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        ...

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        ...

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """The sample covariance: mean taken out, divided by ``rows - ddof``.

    ``S w = X' (Xw - mean(Xw)) / (T - ddof)`` costs two passes over the returns and needs no
    matrix (the centring of X itself drops out, because ``Xw - mean`` sums to zero).

    Attributes:
        returns: Shape (rows, assets), no NaN.
        ddof: 1 for the unbiased estimate, 0 for the maximum of the likelihood.
    """

    returns: Floats
    ddof: int

    @property
    def words(self) -> tuple[str, ...]:
        """What was assumed, in sentences."""
        return (f"sample covariance, sums divided by T - {self.ddof} (ddof={self.ddof})",)

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        series = product(self.returns, vector)
        series -= series.mean()
        series -= series.mean()  # the first mean is rounded; what it left is taken out too
        return product(self.returns.T, series) / (len(series) - self.ddof)

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        return np.asarray(self.returns.var(axis=0, ddof=self.ddof))

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        centred = self.returns - self.returns.mean(axis=0)
        return product(centred.T, centred) / (len(centred) - self.ddof)


@final
@dataclass(frozen=True, slots=True)
class Weighted:
    """Products of returns, mean not taken out, each row weighted: EWMA and its kin.

    Attributes:
        returns: Shape (rows, assets), no NaN.
        shares: Weight of each row, shape (rows,), sum 1.
        words: What was assumed, in sentences.
    """

    returns: Floats
    shares: Floats
    words: tuple[str, ...]

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        return product(self.returns.T, self.shares * product(self.returns, vector))

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        return product(np.square(self.returns).T, self.shares)

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        half = self.returns * np.sqrt(self.shares)[:, None]
        return product(half.T, half)


def exponential(returns: Floats, decay: float) -> Weighted:
    """Return the exponentially weighted covariance (RiskMetrics): zero mean, newest row heaviest.

    Row k before the last weighs ``decay**k (1 - decay) / (1 - decay**T)``: the recursion
    ``v = decay v + (1 - decay) r r'`` started from nothing and scaled so that the weights sum to
    one, which is what makes two stretches merge exactly.

    Raises:
        InputError: ``decay`` is not between 0 and 1.
    """
    if not 0 < decay < 1:
        raise InputError(f"EWMA decay {decay:g}: give a number between 0 and 1, such as 0.94")
    shares = decay ** np.arange(len(returns) - 1.0, -1.0, -1.0)
    shares /= shares.sum()
    words = (f"EWMA with decay {decay:g}: zero mean, weights scaled to sum to one",)
    return Weighted(returns, shares, words)


@final
@dataclass(frozen=True, slots=True)
class Dense:
    """A covariance given as its matrix.

    Attributes:
        given: Shape (assets, assets), symmetric, positive semidefinite.
        words: What was assumed, in sentences.
    """

    given: Floats
    words: tuple[str, ...]

    def times(self, vector: Floats) -> Floats:
        """Return the covariance times ``vector``, shape (assets,)."""
        return product(self.given, vector)

    def variances(self) -> Floats:
        """Return the diagonal, shape (assets,)."""
        return np.diagonal(self.given).copy()

    def matrix(self) -> Floats:
        """Return the whole, shape (assets, assets), symmetric."""
        return self.given.copy()


def correlation(matrix: Floats) -> Floats:
    """Return the correlation of a covariance ``matrix``, shape (assets, assets).

    An asset that never moves has no correlation: it gets 0 with the others and 1 with itself.
    """
    sigma = np.sqrt(np.diagonal(matrix))
    inverse = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 0)
    result: Floats = matrix * np.outer(inverse, inverse)
    np.clip(result, -1.0, 1.0, out=result)
    np.fill_diagonal(result, 1.0)
    return result
