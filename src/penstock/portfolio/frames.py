"""Frames of other libraries as a :class:`~penstock.portfolio.matrix.Table`.

A library is imported only when a frame of it has arrived, so it is loaded already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, np
from penstock.portfolio.matrix import Table, floats

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["from_frame", "parse_dates"]


def from_frame(data: object, library: str) -> Table:
    """Return a frame of ``library`` (pandas, polars or pyarrow) as a table.

    Dates are taken from a pandas index that holds dates, else from the first column when it
    holds dates, times or text.

    Raises:
        InputError: Not a whole frame, or a column that does not hold numbers.
    """
    kind = type(data).__name__
    if library == "pandas" and kind == "DataFrame":
        return _from_pandas(data)
    if library == "polars" and kind in {"DataFrame", "LazyFrame"}:
        return _from_polars(data)  # type: ignore[arg-type] # its name was just checked
    if library == "pyarrow" and kind in {"Table", "RecordBatch"}:
        return _from_arrow(data)
    raise InputError(f"a {library} {kind} is not a table of several assets: give a whole frame")


def _from_pandas(frame: pd.DataFrame) -> Table:
    import pandas as pd

    dates: Dates | None = None
    if isinstance(frame.index, pd.PeriodIndex):
        dates = _naive(frame.index.to_timestamp())
    elif isinstance(frame.index, pd.DatetimeIndex):
        dates = _naive(frame.index)
    elif not pd.api.types.is_numeric_dtype(frame.index.dtype):
        dates = parse_dates([str(label) for label in frame.index])
    elif frame.shape[1] and not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0]):
        column = frame.iloc[:, 0]
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            dates = _naive(pd.DatetimeIndex(column))
        else:
            dates = parse_dates([str(label) for label in column])
        frame = frame.iloc[:, 1:]
    for name, kind in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise InputError(f"column {name} holds {kind}, not numbers")
    values = floats(frame.to_numpy(dtype=np.float64, na_value=np.nan), "the frame")
    return Table(values, tuple(str(name) for name in frame.columns), dates)


def _naive(index: pd.DatetimeIndex) -> Dates:
    """Return moments without a zone; those that have one are told in UTC."""
    naive = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return np.asarray(naive, dtype="datetime64[us]")


def _from_polars(frame: pl.DataFrame | pl.LazyFrame) -> Table:
    import polars as pl

    whole = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    dates: Dates | None = None
    if whole.width and whole.dtypes[0].is_temporal():
        moments = whole.to_series(0).cast(pl.Datetime("us")).to_numpy()
        dates = np.asarray(moments, dtype="datetime64[us]")
        whole = whole.drop(whole.columns[0])
    elif whole.width and whole.dtypes[0] == pl.String:
        dates = parse_dates([str(text) for text in whole.to_series(0)])
        whole = whole.drop(whole.columns[0])
    for name, kind in whole.schema.items():
        if not kind.is_numeric():
            raise InputError(f"column {name} holds {kind}, not numbers")
    values = floats(whole.cast(pl.Float64).to_numpy(), "the frame")
    return Table(values, tuple(whole.columns), dates)


def _from_arrow(table: pa.Table | pa.RecordBatch) -> Table:
    import pyarrow as pa

    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    dates: Dates | None = None
    if whole.num_columns and pa.types.is_temporal(whole.schema.field(0).type):
        moments = whole.column(0).cast(pa.timestamp("us"))
        dates = np.asarray(moments.to_numpy(), dtype="datetime64[us]")
        whole = whole.remove_column(0)
    elif whole.num_columns and pa.types.is_string(whole.schema.field(0).type):
        dates = parse_dates([str(text) for text in whole.column(0).to_pylist()])
        whole = whole.remove_column(0)
    for field in whole.schema:
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            raise InputError(f"column {field.name} holds {field.type}, not numbers")
    columns = [floats(column.cast(pa.float64()).to_numpy(), "a column") for column in whole.columns]
    values = np.stack(columns, axis=1) if columns else np.empty((whole.num_rows, 0))
    return Table(values, tuple(str(name) for name in whole.column_names), dates)


def parse_dates(texts: list[str]) -> Dates:
    """Return ISO dates or times as moments.

    Raises:
        InputError: A text is not an ISO 8601 date or time.

    >>> parse_dates(["2026-01-30", "2026-02-02"])
    array(['2026-01-30T00:00:00.000000', '2026-02-02T00:00:00.000000'],
          dtype='datetime64[us]')
    """
    try:
        # NumPy knows no zones and would warn; Z says UTC, which is what a bare time means here.
        return np.array([text.removesuffix("Z") for text in texts], dtype="datetime64[us]")
    except ValueError as error:
        raise InputError(f"dates must look like 2026-01-30: {error}") from error
