"""GARCH volatilities through the ``arch`` library, with constant correlations."""

from __future__ import annotations

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.covariance import Dense, correlation

__all__ = ["constant_correlation_garch"]

_FEWEST = 100


def constant_correlation_garch(returns: Floats) -> Dense:
    """Return the covariance forecast for the next row (Bollerslev 1990, constant correlations).

    Each asset gets a GARCH(1,1) with constant mean and normal errors; the correlations are those
    of the standardised residuals.

    Args:
        returns: Shape (rows, assets), at least 100 rows, no NaN.

    Raises:
        MissingExtra: ``arch`` is not installed.
        InputError: Too few rows, a series that never moves, or a fit that did not converge.
    """
    if len(returns) < _FEWEST:
        raise InputError(f"garch needs at least {_FEWEST} returns, got {len(returns)}")
    try:
        from arch import arch_model
    except ImportError as error:
        raise MissingExtra("estimator garch", "arch", "portfolio-garch") from error
    sigmas, residuals = np.empty(returns.shape[1]), np.empty_like(returns)
    for column, series in enumerate(returns.T):
        scale = series.std()
        if not scale > 0:
            raise InputError(f"column {column} never moves: garch cannot be fitted to it")
        model = arch_model(series / scale, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
        fitted = model.fit(disp="off", show_warning=False)
        if fitted.convergence_flag:
            raise InputError(
                f"garch did not converge for column {column}: choose another estimator"
            )
        ahead = fitted.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0]
        sigmas[column] = scale * np.sqrt(ahead)
        residuals[:, column] = np.asarray(fitted.std_resid)
    shared = correlation(np.atleast_2d(np.cov(residuals, rowvar=False)))
    words = "GARCH(1,1) a column, constant correlations of residuals: a forecast for the next row"
    return Dense(sigmas[:, None] * shared * sigmas, (words,))
