"""Real prices to try things on: 20 shares of the S&P 500, every trading day of 1990 to 2022.

They come inside skfolio's package, which the extra ``portfolio-prices`` installs. Only its file is
read: skfolio itself is not imported, and nothing is downloaded.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.files import read_stream
from penstock.portfolio.table import ReturnTable

__all__ = ["sample_prices"]


def sample_prices() -> ReturnTable:
    """Return 8,313 rows of daily prices of 20 assets, with names and dates.

    Raises:
        MissingExtra: skfolio is not installed.
        InputError: It is, but holds no such file.

    >>> table = sample_prices()
    >>> table.values.shape, table.names[:3], str(table.dates[0].astype("datetime64[D]"))
    ((8313, 20), ('AAPL', 'AMD', 'BAC'), '1990-01-02')
    """
    spec = importlib.util.find_spec("skfolio")
    if spec is None or spec.origin is None:
        raise MissingExtra("the sample of real prices", "skfolio", "portfolio-prices")
    path = Path(spec.origin).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            return read_stream(lines, path.name)
    except OSError as error:
        raise InputError(f"{path}: this skfolio holds no sample prices: {error}") from error
