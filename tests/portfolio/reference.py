"""Numbers computed by others, with where they come from."""

import numpy as np

from penstock.portfolio.arrays import Floats

# R 4.2 with fBasics (Debian r-cran-fbasics): DowJones30, columns MSFT, MO, KO, simple returns
# P[t]/P[t-1]-1 of 1990-12-31 to 2001-01-02; cov(), sqrt(t(w) %*% S %*% w), w*(S%*%w)/vol.
R_ROWS = 2528
R_WEIGHTS = {"MSFT": 0.3, "MO": 0.5, "KO": 0.2}
R_VOLATILITY = 0.0144639944020851
R_VOLATILITY_ANNUAL = 0.229608792915286
R_COMPONENT = [0.00439260053251943, 0.00843652446008004, 0.00163486940948567]
R_PERCENT = [0.303692079131764, 0.583277635869647, 0.113030284998589]
R_VARIANCES = [5.35826545884832e-04, 4.11493779784393e-04, 2.86566624954980e-04]
R_COVARIANCE_MSFT_MO = 7.42616033737809e-05
R_WEIGHTED_AVERAGE = 0.0204726887387414


def r_covariance() -> Floats:
    """R's covariance of the three: four entries printed by R, two solved from its components."""
    (v1, v2, v3), c12 = R_VARIANCES, R_COVARIANCE_MSFT_MO
    w1, w2, w3 = R_WEIGHTS.values()
    products = [c * R_VOLATILITY / w for c, w in zip(R_COMPONENT, (w1, w2, w3), strict=True)]
    c13 = (products[0] - w1 * v1 - w2 * c12) / w3
    c23 = (products[1] - w1 * c12 - w2 * v2) / w3
    return np.array([[v1, c12, c13], [c12, v2, c23], [c13, c23, v3]])


def returns_with(covariance: Floats, rows: int, seed: int = 20260121) -> Floats:
    """Returns of ``rows`` rows whose sample covariance (ddof 1) is ``covariance``."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((rows, len(covariance)))
    noise -= noise.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(noise.T @ noise / (rows - 1)), noise.T).T
    return np.asarray(white @ np.linalg.cholesky(covariance).T + 0.0005)
