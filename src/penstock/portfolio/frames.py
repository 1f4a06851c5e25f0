"""Frames of other libraries as a :class:`~penstock.portfolio.matrix.Table`.

A library is imported only when a frame of it has arrived, so it is loaded already. Dates are the
wall clock's: a zone is left away, never converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, np
from penstock.portfolio.fields import fold
from penstock.portfolio.matrix import Table, floats, in_order
from penstock.tables import DATE_NAMES, are_row_numbers, read_dates

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["date_column", "dates_of", "from_frame"]

_PARQUET_INDEX = "__index_level_0__"  # what pandas calls an index without a name


def from_frame(data: object, library: str) -> Table:
    """Return a frame of ``library`` (pandas, polars or pyarrow) as a table.

    Dates are taken from a pandas index that holds dates, else from a column that holds dates or is
    called ``date``, ``time``, … wherever it stands, else from a first column of text.

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


def date_column(names: Sequence[str], kinds: Sequence[str]) -> int | None:
    """Return where the dates stand among columns of kind ``time``, ``text`` or ``number``.

    >>> date_column(["A", "Date"], ["number", "number"]), date_column(["A"], ["number"])
    (1, None)
    """
    if "time" in kinds:
        return list(kinds).index("time")
    for place, name in enumerate(names):
        if name.strip().lower() in DATE_NAMES:
            return place
    return 0 if kinds and kinds[0] == "text" else None


def dates_of(values: Iterable[object], order: str = "") -> tuple[Dates, tuple[str, ...]]:
    """Return texts, whole numbers or dates as moments, and what is to be said about it.

    Raises:
        InputError: One is not a date, or can be two.
    """
    moments, words = read_dates([str(value) for value in values], order)
    return np.array(moments, dtype="datetime64[us]"), words


def _without_index(names: Sequence[str], first: Iterable[object]) -> bool:
    """Return whether the first of the columns is only row numbers."""
    return bool(names) and are_row_numbers(names[0], [str(value) for value in first])


def _from_pandas(frame: pd.DataFrame) -> Table:
    names, words = _pandas_names(frame)
    dates, said = _index_dates(frame.index)
    words += said
    if dates is None:
        kinds = [_pandas_kind(kind) for kind in frame.dtypes]
        if kinds[:1] == ["number"] and _without_index(names, frame.iloc[:, 0]):
            frame, names, kinds = frame.iloc[:, 1:], names[1:], kinds[1:]
            words += ("a first column of row numbers is left away",)
        place = date_column(names, kinds)
        if place is not None:
            dates, said = _pandas_dates(frame.iloc[:, place], kinds[place])
            words += said
            rest = [k for k in range(len(names)) if k != place]
            frame, names = frame.iloc[:, rest], tuple(names[k] for k in rest)
    for place, (name, kind) in enumerate(zip(names, frame.dtypes, strict=True)):
        if str(kind) == "object":
            _check_numbers(name, frame.iloc[:, place])
        elif _pandas_kind(kind) != "number":
            raise InputError(f"column {name} holds {kind}, not numbers")
    values = floats(frame.to_numpy(dtype=np.float64, na_value=np.nan), "the frame")
    return in_order(values, names, dates, words)


def _pandas_kind(kind: object) -> str:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(kind):
        return "time"
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind):
        return "text"
    return "number"


def _index_dates(index: pd.Index) -> tuple[Dates | None, tuple[str, ...]]:
    """Return the dates that an index holds, or None where it only counts rows."""
    import pandas as pd

    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        return np.asarray(index.tz_localize(None), dtype="datetime64[us]"), ()
    counts = pd.api.types.is_numeric_dtype(index.dtype)
    eight = len(index) and all(len(str(label)) == 8 for label in index)
    if counts and not eight and str(index.name).lower() not in DATE_NAMES:
        return None, ()
    return dates_of(index)


def _pandas_dates(column: pd.Series, kind: str) -> tuple[Dates, tuple[str, ...]]:
    if kind == "time":
        return np.asarray(column.dt.tz_localize(None), dtype="datetime64[us]"), ()
    return dates_of(column)


def _pandas_names(frame: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    count = frame.columns.nlevels
    if count == 1:
        return tuple(str(name) for name in frame.columns), ()
    levels = [[str(x) for x in frame.columns.get_level_values(k)] for k in range(count)]
    keep, names, words = fold(levels, "")
    if len(keep) != frame.shape[1]:
        raise InputError("the columns hold several fields: give one of them, as frame['Close']")
    return names, words


def _check_numbers(name: str, column: Iterable[object]) -> None:
    for row, value in enumerate(column):
        if isinstance(value, bool) or not (
            value is None or isinstance(value, (int, float, Decimal, np.number)) or value != value
        ):
            raise InputError(f"column {name} holds {value!r} in row {row}, not a number")


def _from_polars(frame: pl.DataFrame | pl.LazyFrame) -> Table:
    import polars as pl

    whole = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    dates: Dates | None = None
    words: tuple[str, ...] = ()
    if _without_index(whole.columns, whole.to_series(0) if whole.width else ()):
        whole = whole.drop(whole.columns[0])
        words = ("a first column of row numbers is left away",)
    kinds = [
        "time" if kind in {pl.Date, pl.Datetime} else "text" if kind == pl.String else "number"
        for kind in whole.dtypes
    ]
    place = date_column(whole.columns, kinds)
    if place is not None:
        column = whole.to_series(place)
        if kinds[place] == "time":
            moments = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column
            naive = moments.dt.replace_time_zone(None).cast(pl.Datetime("us"))
            dates = np.asarray(naive.to_numpy(), dtype="datetime64[us]")
        else:
            dates, told = dates_of(column)
            words += told
        whole = whole.drop(whole.columns[place])
    for name, kind in whole.schema.items():
        if not kind.is_numeric():
            raise InputError(f"column {name} holds {kind}, not numbers")
    values = floats(whole.cast(pl.Float64).to_numpy(), "the frame")
    return in_order(values, tuple(whole.columns), dates, words)


def _from_arrow(table: pa.Table | pa.RecordBatch) -> Table:
    import pyarrow as pa

    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    dates: Dates | None = None
    words: tuple[str, ...] = ()
    kinds = [
        "time" if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)
        else "text" if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        else "number"
        for field in whole.schema
    ]  # fmt: skip
    names = list(whole.column_names)
    if "time" not in kinds and _PARQUET_INDEX in names:
        place = names.index(_PARQUET_INDEX)
        if kinds[place] == "number":
            whole, kinds = whole.remove_column(place), [*kinds[:place], *kinds[place + 1 :]]
            words = ("the index of row numbers is left away",)
    place_found = date_column(whole.column_names, kinds)
    if place_found is not None:
        column = whole.column(place_found)
        if kinds[place_found] == "time":
            dates = _arrow_dates(column)
        else:
            dates, told = dates_of(column.to_pylist())
            words += told
        whole = whole.remove_column(place_found)
    for field in whole.schema:
        kind = field.type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            raise InputError(f"column {field.name} holds {kind}, not numbers")
    columns = [floats(column.cast(pa.float64()).to_numpy(), "a column") for column in whole.columns]
    values = np.stack(columns, axis=1) if columns else np.empty((whole.num_rows, 0))
    return in_order(values, tuple(str(name) for name in whole.column_names), dates, words)


def _arrow_dates(column: pa.ChunkedArray[pa.Scalar[pa.DataType]]) -> Dates:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = compute.local_timestamp(column)
    # What is finer than a microsecond is left away.
    moments = column.cast(pa.timestamp("us"), safe=False)
    return np.asarray(moments.to_numpy(), dtype="datetime64[us]")
