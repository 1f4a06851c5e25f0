"""The example of an old post: what it computed, what is right, and why they differ.

The post ("Calculating volatility of multi-asset portfolio") takes ``w' C w`` with the *correlation*
matrix C for the variance. The variance is ``w' S w`` with the *covariance* ``S_ij = s_i s_j C_ij``:
correlations have no unit, so what the post gets is not per day, nor per anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.covariance import correlation

__all__ = ["COVARIANCE", "EXAMPLE_NAMES", "EXAMPLE_WEIGHTS", "Explanation", "explain"]

EXAMPLE_NAMES = ("MSFT", "AAPL", "PEP")
"""The post's third share was Kraft, whose prices of that time are in no free sample: PepsiCo
stands in for it."""

EXAMPLE_WEIGHTS = (0.3, 0.5, 0.2)
"""The post's weights."""

COVARIANCE = (
    (0.00040440945685043394, 0.00022403671833461336, 8.855802231271556e-05),
    (0.00022403671833461336, 0.0007479707832434824, 7.165856629174518e-05),
    (8.855802231271556e-05, 7.165856629174518e-05, 0.00021372424567922844),
)
"""Sample covariance of their daily returns, 1990-01-02 to 2022-12-28, from ``sample_prices()``."""


_WHY = """\
A variance needs the covariance, S_ij = s_i s_j C_ij. The post put the correlation C in its place, \
which has no unit: it took the volatility of every share to be 1, that is 100 % a day.
With S the same line of code gives {right:.4%} a day. Or keep C, and put w_i s_i in place of w_i.
The naive answer divides a weighted average by {count} although the weights sum to one already. \
Without that it is {average:.4%}: right only if all moved as one, and never less than the truth.
A correlation of 1 does not mean that both gain 2 %: they move in the same direction in a fixed \
proportion, and not necessarily one to one (that is beta).
The post begins its returns with a day of 0.0 that did not happen, and divides by T where T - 1 \
is unbiased.""".splitlines()


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """Four answers to one question, of which one is right.

    Attributes:
        post: ``sqrt(w' C w)``, the post's.
        naive: The weighted average divided by the number of assets, which the post warns of.
        average: The weighted average of the volatilities: right if all moved as one.
        right: ``sqrt(w' S w)`` per row.
        ratio: ``post / right``.
        sentences: Why, for people.
    """

    post: float
    naive: float
    average: float
    right: float
    ratio: float
    sentences: tuple[str, ...]


def explain(covariance: Floats | None = None, weights: Floats | None = None) -> Explanation:
    """Return the post's answer beside the right one.

    Args:
        covariance: Shape (assets, assets), per row squared; that of the post's example by default.
        weights: Shape (assets,); the post's by default.

    >>> found = explain()
    >>> f"{found.post:.4f} is not {found.right:.4f}: {found.ratio:.1f} times too much"
    '0.7578 is not 0.0180: 42.1 times too much'
    """
    matrix = np.array(COVARIANCE) if covariance is None else covariance
    held = np.array(EXAMPLE_WEIGHTS) if weights is None else weights
    sigma = np.sqrt(np.diagonal(matrix))
    post = math.sqrt(float(held @ correlation(matrix) @ held))
    right = math.sqrt(float(held @ matrix @ held))
    average = float(held @ sigma)
    told = tuple(
        sentence.format(right=right, average=average, count=len(held)) for sentence in _WHY
    )
    return Explanation(post, average / len(held), average, right, post / right, told)
