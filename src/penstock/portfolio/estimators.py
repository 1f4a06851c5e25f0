"""The estimators by name."""

from __future__ import annotations

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats
from penstock.portfolio.covariance import Covariance, Sample, exponential

__all__ = ["ESTIMATORS", "estimate", "split_name"]

ESTIMATORS = ("sample", "ewma", "ledoit_wolf", "oas", "factor", "garch")
_SHORT = {"lw": "ledoit_wolf", "ledoit-wolf": "ledoit_wolf"}
_DEFAULTS = {"ewma": 0.94, "factor": 1.0}


def split_name(estimator: str) -> tuple[str, float]:
    """Return the estimator's name and its number.

    >>> split_name("ewma:0.97"), split_name("lw")
    (('ewma', 0.97), ('ledoit_wolf', nan))

    Raises:
        InputError: No such estimator, or a number that it does not take.
    """
    word, colon, text = estimator.partition(":")
    name = _SHORT.get(word, word)
    if name not in ESTIMATORS:
        raise InputError(
            f"no estimator is called {word}: choose one of {', '.join(ESTIMATORS)}, lw"
        )
    if not colon:
        return name, _DEFAULTS.get(name, float("nan"))
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if name not in _DEFAULTS or number != number:
        raise InputError(f"estimator {estimator}: write ewma:0.94 or factor:3")
    return name, number


def estimate(returns: Floats, estimator: str, ddof: int | None) -> Covariance:
    """Return the estimate called ``estimator`` of the covariance of ``returns``.

    Args:
        returns: Simple returns, shape (rows, assets), no NaN.
        estimator: ``sample``, ``ewma[:decay]``, ``ledoit_wolf``, ``oas``, ``factor[:count]`` or
            ``garch``.
        ddof: Sums are divided by ``rows - ddof``; None for what belongs to the estimator.

    Raises:
        InputError: No such estimator, or it cannot be made of this data.
    """
    name, number = split_name(estimator)
    if ddof is not None and name not in {"sample", "factor"}:
        raise InputError(f"estimator {name} has a divisor of its own: leave ddof away")
    divisor = 1 if ddof is None else ddof
    if name == "sample":
        return Sample(returns, divisor)
    if name == "ewma":
        return exponential(returns, number)
    if name == "factor":
        from penstock.portfolio.factors import principal_factors

        if number != int(number):
            raise InputError(f"estimator {estimator}: the number of factors is whole")
        return principal_factors(returns, int(number), divisor)
    if name == "garch":
        from penstock.portfolio.garch import constant_correlation_garch

        return constant_correlation_garch(returns)
    from penstock.portfolio import shrinkage

    return shrinkage.ledoit_wolf(returns) if name == "ledoit_wolf" else shrinkage.oracle(returns)
