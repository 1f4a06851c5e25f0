"""Rolling volatility of a portfolio, and rolling covariance of its assets as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.holdings import Scheme, Weights
from penstock.portfolio.measure import panel
from penstock.portfolio.rank_update import RankUpdate
from penstock.portfolio.returns import annual_periods, simple_returns, without_gaps
from penstock.portfolio.rolling_windows import rolling_covariances, rolling_squares
from penstock.portfolio.routes import How, series_of
from penstock.portfolio.table import as_table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = [
    "Rolling",
    "RollingCovariance",
    "rolling_covariance",
    "rolling_risk",
    "rolling_volatility",
    "warm_up",
]

_SMALL = 64  # assets up to which a window's own sums are cheaper than exchanging two rows
_RECOMPUTE = 10  # rows between two wanted matrices from which on each is made anew


def rolling_volatility(  # noqa: PLR0913 - each is one choice that a user makes by its keyword
    data: object,
    weights: Weights,
    window: int = 252,
    *,
    kind: str = "prices",
    scheme: Scheme = "constant",
    missing: str = "raise",
    ddof: int = 1,
    cash: bool = False,
    names: Sequence[str] | None = None,
) -> Floats:
    """Return the portfolio's volatility over each full window, per row, oldest first.

    One pass over the data; what has left a window leaves no trace in it, to the last bit.

    Args:
        data: As for :func:`penstock.portfolio.risk`.
        weights: As for :func:`penstock.portfolio.risk`.
        window: Returns in a window, more than ``ddof``.
        kind: ``prices``, ``returns`` or ``log``.
        scheme: How the weights move.
        missing: ``raise``, ``common`` or ``renormalise``.
        ddof: Sums are divided by ``window - ddof``.
        cash: Whether the weights may sum to something else than one.
        names: Names for the columns of a plain array.

    Returns:
        Shape (returns - window + 1,): entry i belongs to the window ending at return
        ``i + window - 1``.

    Raises:
        InputError: Data or choices that cannot be measured, or fewer returns than the window.

    >>> returns = [[0.01, 0.02], [-0.01, 0.01], [0.02, -0.01], [0.00, 0.01]]
    >>> rolling_volatility(returns, [0.5, 0.5], window=3, kind="returns").round(6).tolist()
    [0.007638, 0.002887]
    """
    held = panel(as_table(data, names), weights, kind, cash=cash)
    series, _ = series_of(held, How(scheme, missing))
    check_window(window, len(series), ddof)
    squares = rolling_squares(series, window)
    squares /= window - ddof
    return np.sqrt(squares, out=squares)


@final
@dataclass(frozen=True, slots=True)
class Rolling:
    """A rolling measure with the moments that its windows end at.

    Attributes:
        values: One a window, oldest first.
        ends: The date that each window ends at, or the number of its last return.
        name: What is measured.
    """

    values: Floats
    ends: Dates | Floats
    name: str = "volatility"

    def to_pandas(self) -> pd.Series:
        """Return it as a pandas Series by date."""
        import pandas as pd

        return pd.Series(self.values, index=pd.Index(self.ends, name="date"), name=self.name)

    def to_polars(self) -> pl.DataFrame:
        """Return it as a polars frame of two columns."""
        import polars as pl

        return pl.DataFrame({"date": self.ends, self.name: self.values})


def rolling_risk(  # noqa: PLR0913 - each is one choice that a user makes by its keyword
    data: object,
    weights: Weights,
    window: int = 252,
    *,
    kind: str = "prices",
    scheme: Scheme = "constant",
    missing: str = "raise",
    ddof: int = 1,
    periods: float | None = 1.0,
    cash: bool = False,
) -> Rolling:
    """Return :func:`rolling_volatility` with its dates, to make a frame of.

    ``periods`` is how many rows make a year: 1 leaves it per row, None reads it off the dates.

    >>> prices = {"date": ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"],
    ...           "A": [100.0, 101.0, 99.0, 102.0]}
    >>> [str(day)[:10] for day in rolling_risk(prices, {"A": 1.0}, window=2).ends]
    ['2024-01-04', '2024-01-05']
    """
    table = as_table(data)
    series, dates = series_of(panel(table, weights, kind, cash=cash), How(scheme, missing))
    check_window(window, len(series), ddof)
    found = rolling_volatility(
        table, weights, window, kind=kind, scheme=scheme, missing=missing, ddof=ddof, cash=cash
    )
    ends = np.arange(float(len(series))) if dates is None else dates
    year, _ = annual_periods(periods, table.dates)
    return Rolling(found * np.sqrt(year), ends[window - 1 :])


def check_window(window: int, rows: int, ddof: int) -> None:
    """Raise InputError unless a window fits the data and leaves something to divide by."""
    if not 0 <= ddof < window or window < 2:
        raise InputError(f"window={window} with ddof={ddof}: at least 2 rows, and more than ddof")
    if window > rows:
        raise InputError(f"a window of {window} returns does not fit into {rows}")


@final
class RollingCovariance:
    """The covariance of each window in turn, over one matrix that is changed in place.

    Iterating yields ``(row, matrix)``: the row of returns the window ends at, and the covariance,
    shape (assets, assets), **valid until the next step**: copy what you keep. Made by
    :func:`rolling_covariance`; may be iterated again.

    Attributes:
        names: The assets, in the order of rows and columns.
        dates: The moment each return ended at, or None.
        returns: Simple returns, shape (rows, assets).
        window: Returns in a window.
        every: Rows from one yielded window to the next.
    """

    def __init__(  # noqa: PLR0913 - made in one place only, by keyword
        self,
        returns: Floats,
        *,
        names: tuple[str, ...],
        dates: Dates | None,
        window: int,
        every: int,
        ddof: int,
        lower: bool,
    ) -> None:
        self.returns = returns
        self.names = names
        self.dates = dates
        self.window = window
        self.every = every
        self._ddof = ddof
        self._lower = lower

    def __len__(self) -> int:
        return (len(self.returns) - self.window) // self.every + 1

    def __iter__(self) -> Iterator[tuple[int, Floats]]:
        divisor = self.window - self._ddof
        if self._is_small:
            groups = rolling_covariances(self.returns, self.window, 1.0 / divisor)
            return self._thinned(
                (row, x) for start, part in groups for row, x in enumerate(part, start)
            )
        update = RankUpdate(self.returns, self.window, divisor, lower=self._lower)
        if self.every >= _RECOMPUTE:
            return update.each(self.every)
        return self._thinned(iter(update))

    @property
    def _is_small(self) -> bool:
        return len(self.names) <= _SMALL and not self._lower

    def _thinned(self, stream: Iterator[tuple[int, Floats]]) -> Iterator[tuple[int, Floats]]:
        for row, matrix in stream:
            if (row + 1 - self.window) % self.every == 0:
                yield row, matrix

    def to_pandas(self) -> pd.DataFrame:
        """Return all of them as one pandas frame, by date and asset."""
        import pandas as pd

        ends = np.arange(len(self.returns)) if self.dates is None else self.dates
        rows = pd.MultiIndex.from_product(
            [ends[self.window - 1 :: self.every], self.names], names=["date", None]
        )
        return pd.DataFrame(self.stack().reshape(-1, len(self.names)), rows, list(self.names))

    def stack(self) -> Floats:
        """Return all of them at once, shape (len(self), assets, assets). Mind the memory."""
        width, rows = len(self.names), len(self.returns)
        if self.every == 1 and self._is_small:
            blocks = -(-rows // self.window)
            out = np.empty((blocks * self.window, width, width))
            scale = 1.0 / (self.window - self._ddof)
            for _ in rolling_covariances(self.returns, self.window, scale, out):
                pass
            return out[self.window - 1 : rows]
        out = np.empty((len(self), width, width))
        for place, (_, matrix) in enumerate(self):
            out[place] = matrix
        return out


def rolling_covariance(  # noqa: PLR0913 - each is one choice that a user makes by its keyword
    data: object,
    window: int = 252,
    *,
    every: int = 1,
    kind: str = "prices",
    missing: str = "raise",
    ddof: int = 1,
    lower: bool = False,
    names: Sequence[str] | None = None,
) -> RollingCovariance:
    """Return the rolling covariance of all assets in ``data``, to be iterated.

    Memory does not grow with the number of windows. Up to 64 assets, what has left a window
    leaves no trace in it; above, two rows are exchanged in the matrix and it is made anew every
    ``window`` rows and as soon as a variance has fallen ten-thousandfold.

    Args:
        data: As for :func:`penstock.portfolio.risk`.
        window: Returns in a window, more than ``ddof``.
        every: Yield each window that ends so many rows after the one before.
        kind: ``prices``, ``returns`` or ``log``.
        missing: ``raise`` or ``common``.
        ddof: Sums are divided by ``window - ddof``.
        lower: Keep only the lower triangle (half the time for very many assets); NaN above it.
        names: Names for the columns of a plain array.

    Raises:
        InputError: Data or choices that cannot be measured, or fewer returns than the window.

    >>> returns = [[0.01, 0.02], [-0.01, 0.01], [0.02, -0.01], [0.00, 0.01]]
    >>> for row, matrix in rolling_covariance(returns, window=3, kind="returns"):
    ...     print(row, (matrix * 1e4).round(4).tolist())
    2 [[2.3333, -1.1667], [-1.1667, 2.3333]]
    3 [[2.3333, -1.6667], [-1.6667, 1.3333]]
    """
    if missing not in {"raise", "common"}:
        raise InputError(f"rolling_covariance knows missing='raise' and 'common', not {missing!r}")
    if every < 1:
        raise InputError(f"every={every}: at least 1 row from one window to the next")
    table = as_table(data, names)
    returns = simple_returns(table.values, kind, table.names, table.dates)
    dates = table.dates[1:] if table.dates is not None and kind == "prices" else table.dates
    changes = without_gaps(returns, dates, table.names, missing)
    check_window(window, len(changes.values), ddof)
    return RollingCovariance(
        np.ascontiguousarray(changes.values),
        names=table.names,
        dates=changes.dates,
        window=window,
        every=every,
        ddof=ddof,
        lower=lower,
    )


def warm_up() -> None:
    """Do nothing. Earlier versions compiled their loops here; NumPy alone does without."""
