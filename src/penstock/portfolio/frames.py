"""Frames of other libraries as a :class:`~penstock.portfolio.matrix.ReturnTable`.

A library is imported only when a frame of it has arrived, so it is loaded already. Dates are the
wall clock's: a zone is left away, never converted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.columns import Columns, Kind, assembled
from penstock.portfolio.matrix import ReturnTable, floats
from penstock.tables import DATE_NAMES

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["from_frame", "from_mapping"]

_PARQUET_INDEX = "__index_level_0__"  # what pandas calls an index without a name


def from_frame(data: object, library: str) -> ReturnTable:
    """Return a frame of ``library`` (pandas, polars or pyarrow) as a table.

    Its columns are understood as a file's are. Dates are taken from a pandas index that holds
    dates, else from a column that holds dates or is called ``date``, ``time``, …, else from a
    first column of text.

    Raises:
        InputError: Not a whole frame, or a column that does not hold numbers.
    """
    kind = type(data).__name__
    if library == "pandas" and kind == "DataFrame":
        return assembled(_pandas(data))
    if library == "polars" and kind in {"DataFrame", "LazyFrame"}:
        return assembled(_polars(data))  # type: ignore[arg-type] # its name was just checked
    if library == "pyarrow" and kind in {"Table", "RecordBatch"}:
        return assembled(_arrow(data))
    raise InputError(f"a {library} {kind} is not a table of several assets: give a whole frame")


def from_mapping(data: Mapping[object, Sequence[object]]) -> ReturnTable:
    """Return a mapping of names to columns as a table.

    Raises:
        InputError: Columns of different lengths, or one that does not hold numbers.
    """
    names = tuple(str(name) for name in data)
    columns = list(data.values())
    if len({len(column) for column in columns}) > 1:
        raise InputError("the columns have different lengths")

    def numbers(places: list[int]) -> tuple[Floats, tuple[str, ...]]:
        parts = [floats(columns[place], f"column {names[place]}") for place in places]
        return np.stack(parts, axis=1) if parts else np.empty((0, 0)), ()

    def moments(place: int) -> Dates:
        return np.array(columns[place], dtype="datetime64[us]")

    kinds = tuple(_kind_of(column) for column in columns)
    return assembled(
        Columns((names,), kinds, lambda place: _texts(columns[place]), moments, numbers)
    )


def _kind_of(values: Sequence[object]) -> Kind:
    """Return what plain values are, by the first that is there."""
    first = next((value for value in values if value is not None and value == value), 0.0)
    if isinstance(first, (date, np.datetime64)):
        return "time" if isinstance(first, np.datetime64) else "text"
    if isinstance(first, str):
        return "text"
    known = isinstance(first, (int, float, Decimal, np.number)) and not isinstance(first, bool)
    return "number" if known else "other"


def _texts(values: Sequence[object]) -> list[str]:
    return ["" if value is None or value != value else str(value) for value in values]


def _check_number(kinds: Sequence[Kind], place: int, name: object, told: object) -> None:
    if kinds[place] != "number":
        raise InputError(f"column {name} holds {told}, not numbers")


def _pandas(frame: pd.DataFrame) -> Columns:
    index = frame.index
    if index.nlevels > 1:
        frame = frame.reset_index()
    elif _holds_dates(index):
        frame = frame.reset_index(names=_free_name(frame, index.name))
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    kinds = tuple(_pandas_kind(column) for column in columns)
    levels = tuple(
        tuple(
            "" if label is None or label != label else str(label)
            for label in frame.columns.get_level_values(level)
        )
        for level in range(frame.columns.nlevels)
    )

    def numbers(places: list[int]) -> tuple[Floats, tuple[str, ...]]:
        for place in places:
            column = columns[place]
            _check_number(kinds, place, frame.columns[place], column.dtype)
            if column.dtype == object:
                _check_objects(frame.columns[place], column)
        part = frame.iloc[:, places]
        return floats(part.to_numpy(dtype=np.float64, na_value=np.nan), "the frame"), ()

    def moments(place: int) -> Dates:
        column = columns[place]
        if hasattr(column.array, "to_timestamp"):
            column = column.dt.to_timestamp()
        return np.asarray(column.dt.tz_localize(None), dtype="datetime64[us]")

    return Columns(levels, kinds, lambda place: _texts(list(columns[place])), moments, numbers)


def _free_name(frame: pd.DataFrame, name: object) -> str:
    """Return what the column of an index of dates is called: a name of dates that no other has."""
    wanted = str(name) if str(name).lower() in DATE_NAMES else "date"
    if wanted in frame.columns:
        raise InputError(f"the index and a column are called {wanted}: drop one")
    return wanted


def _pandas_kind(column: pd.Series) -> Kind:
    import pandas as pd

    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        kind = kind.categories.dtype
    if pd.api.types.is_datetime64_any_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        return "time"
    if pd.api.types.is_object_dtype(kind):
        return _kind_of(list(column))
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_complex_dtype(kind):
        return "other"
    if pd.api.types.is_numeric_dtype(kind):
        return "number"
    return "text" if pd.api.types.is_string_dtype(kind) else "other"


def _holds_dates(index: pd.Index) -> bool:
    """Return whether an index holds dates and does not only count rows."""
    import pandas as pd

    if isinstance(index, (pd.PeriodIndex, pd.DatetimeIndex)):
        return True
    if not pd.api.types.is_numeric_dtype(index.dtype):
        return True
    if str(index.name).lower() in {*DATE_NAMES, "year"}:
        return True
    return _count_time(index)


def _count_time(labels: Iterable[object]) -> bool:
    """Return whether all of them have as many digits as a day or a Unix time, not as a row."""
    lengths = {len(str(label)) for label in labels}
    return len(lengths) == 1 and lengths <= {8, 10, 13, 16, 19}


def _check_objects(name: object, column: pd.Series) -> None:
    for row, value in enumerate(column):
        if isinstance(value, bool) or not (
            value is None or isinstance(value, (int, float, Decimal, np.number)) or value != value
        ):
            raise InputError(f"column {name} holds {value!r} in row {row}, not a number")


def _polars(frame: pl.DataFrame | pl.LazyFrame) -> Columns:
    import polars as pl

    whole = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    names = tuple(whole.columns)
    kinds: tuple[Kind, ...] = tuple(
        "time" if kind.base_type() in {pl.Date, pl.Datetime}
        else "text" if kind.base_type() in {pl.String, pl.Categorical, pl.Enum}
        else "number" if kind.is_numeric()
        else "other"
        for kind in whole.dtypes
    )  # fmt: skip

    def numbers(places: list[int]) -> tuple[Floats, tuple[str, ...]]:
        for place in places:
            _check_number(kinds, place, names[place], whole.dtypes[place])
        part = whole.select(names[place] for place in places).cast(pl.Float64)
        return floats(part.to_numpy(), "the frame"), ()

    def moments(place: int) -> Dates:
        column = whole.to_series(place)
        if column.dtype != pl.Date:
            column = column.dt.replace_time_zone(None)
        return np.asarray(column.cast(pl.Datetime("us")).to_numpy(), dtype="datetime64[us]")

    return Columns(
        (names,), kinds, lambda place: _texts(whole.to_series(place).to_list()), moments, numbers
    )


def _arrow(table: pa.Table | pa.RecordBatch) -> Columns:
    import pyarrow as pa

    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    words: tuple[str, ...] = ()
    columns = [_decoded(column) for column in whole.columns]
    names = list(whole.column_names)
    kinds = [_arrow_kind(column.type) for column in columns]
    if _PARQUET_INDEX in names and kinds[names.index(_PARQUET_INDEX)] == "number":
        place = names.index(_PARQUET_INDEX)
        if _count_time(columns[place].to_pylist()):
            names[place] = "date"
        else:
            del names[place], kinds[place], columns[place]
            words = ("the index of row numbers is left away",)

    def numbers(places: list[int]) -> tuple[Floats, tuple[str, ...]]:
        for place in places:
            _check_number(kinds, place, names[place], columns[place].type)
        parts = [columns[place].cast(pa.float64()).to_numpy() for place in places]
        return np.stack(parts, axis=1) if parts else np.empty((whole.num_rows, 0)), ()

    levels = _arrow_levels(names, whole.schema.pandas_metadata)
    return Columns(
        levels, tuple(kinds), lambda place: _texts(columns[place].to_pylist()),
        lambda place: _arrow_dates(columns[place]), numbers, words,
    )  # fmt: skip


def _decoded(column: pa.ChunkedArray[pa.Scalar[pa.DataType]]) -> pa.ChunkedArray:
    """Return a column of categories as its values."""
    import pyarrow as pa

    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _arrow_levels(
    names: list[str], pandas: Mapping[str, Sequence[object]] | None
) -> tuple[tuple[str, ...], ...]:
    """Return the header rows; pandas writes names of several as texts of tuples."""
    count = len(pandas["column_indexes"]) if pandas else 1
    if count < 2:
        return (tuple(names),)
    rows = [
        ast.literal_eval(name) if name.startswith("(") else ("",) * (count - 1) + (name,)
        for name in names
    ]
    return tuple(tuple(map(str, level)) for level in zip(*rows, strict=True))


def _arrow_kind(kind: pa.DataType) -> Kind:
    import pyarrow as pa

    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    known = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "number" if known or pa.types.is_null(kind) else "other"


def _arrow_dates(column: pa.ChunkedArray[pa.Scalar[pa.DataType]]) -> Dates:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = compute.local_timestamp(column)
    # What is finer than a microsecond is left away.
    moments = column.cast(pa.timestamp("us"), safe=False)
    return np.asarray(moments.to_numpy(), dtype="datetime64[us]")
