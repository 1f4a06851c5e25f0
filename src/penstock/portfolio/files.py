"""Prices in files: CSV of any separator, Excel, JSON lines and Parquet, whole or row by row.

A CSV has a line of names, a date column, then one column an asset; or one line an asset and date
(date, ticker, close). A line of JSON is an object with a date (``date``, ``time`` or
``timestamp``, or its first text) and one number an asset.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.columns import (
    ANY,
    TICKERS,
    Columns,
    Format,
    Kind,
    assembled,
    date_column,
    dates_of,
)
from penstock.portfolio.fields import is_bars
from penstock.portfolio.frames import from_frame
from penstock.portfolio.matrix import ReturnTable, in_order
from penstock.tables import (
    DATE_NAMES,
    Numbers,
    Sheet,
    decimal_mark,
    one_unit,
    open_text,
    read_sheet,
    read_workbook,
    refuse_bomb,
    stream_sheet,
)

__all__ = [
    "Format",
    "Row",
    "json_row",
    "json_rows",
    "read_covariance",
    "read_stream",
    "read_table",
    "record_rows",
    "table_of",
    "text_rows",
]

Row = tuple[str, dict[str, float]]
"""The moment as text, and the price (or return) of each asset."""


def _table_of_sheet(sheet: Sheet, how: Format) -> ReturnTable:
    """Return a whole sheet as a table.

    Raises:
        InputError: With the line and column of what cannot be read as one thing.
    """
    rows, said_below = _without_footer(list(sheet.rows))
    kinds: list[Kind] = ["number" for _ in sheet.names]
    kinds[0] = "text"
    columns = Columns(
        sheet.levels,
        tuple(kinds),
        texts=lambda place: [row[place] for _, row in rows],
        times=lambda place: dates_of(row[place] for _, row in rows)[0],
        numbers=lambda places: _values(sheet, rows, places, how),
        words=(*sheet.words, *said_below),
    )
    return assembled(columns, how)


def _without_footer(
    rows: list[tuple[int, list[str]]],
) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """Leave away lines of text alone below the table, and say so."""
    end = len(rows)
    while end > 1 and rows[end - 1][1][0][:1].isalpha() and not any(rows[end - 1][1][1:]):
        end -= 1
    said = tuple(f"below the table, {row[0]!r} is left away" for _, row in rows[end:])
    return rows[:end], said


def _values(
    sheet: Sheet, rows: list[tuple[int, list[str]]], places: list[int], how: Format
) -> tuple[Floats, tuple[str, ...]]:
    try:
        marked = (row[place] for _, row in rows for place in places)
        reader = Numbers(decimal_mark(marked, sheet.separator, how.decimal))
        said = _units(sheet.names, rows, places)
    except InputError as error:
        raise InputError(f"{sheet.source}: {error}") from error
    values = np.empty((len(rows), len(places)))
    for at, (line, row) in enumerate(rows):
        values[at] = _numbers(reader, sheet, line, row, places)
    return values, said


def _numbers(
    reader: Numbers, sheet: Sheet, line: int, row: list[str], places: Sequence[int]
) -> list[float]:
    found = reader.row([row[place] for place in places])
    numbers = [number for number in found if number is not None]
    if len(numbers) < len(found):
        wrong = places[found.index(None)]
        raise InputError(
            f"{sheet.source} line {line}: {row[wrong]!r} of {sheet.names[wrong]} is not a number"
        )
    return numbers


_ORDINARY = re.compile(r"[\d.,+\- ']*(?:[eE][\d.,+\- ']*)*", re.ASCII)


def _units(
    names: Sequence[str], rows: list[tuple[int, list[str]]], places: list[int]
) -> tuple[str, ...]:
    """Return what is to be said about currency signs.

    Raises:
        InputError: A column has several, or some of its cells are in percent and some are not.
    """
    signs: set[str] = set()
    for place in places:
        cells = [row[place] for _, row in rows]
        if _ORDINARY.fullmatch("".join(cells)):
            continue
        signs |= {one_unit(cells, names[place])} - {"", "%"}
    if len(signs) < 2:
        return ()
    return (f"several currencies ({', '.join(sorted(signs))}): each return is in its own",)


def _streamed(lines: Iterable[str], source: str, how: Format) -> Iterator[Row]:
    """Yield the rows of a CSV as its lines arrive. An empty cell is NaN.

    Raises:
        InputError: No header, a line of another length, or a cell that is not a number.
    """
    sheet = stream_sheet(lines, source)
    width = len(sheet.names)
    while width > 1 and not sheet.names[width - 1]:
        width -= 1  # an empty last name: its cells have to be empty too
    names = sheet.names[:width]
    Sheet(source, names, (), sheet.separator, tuple(x[:width] for x in sheet.levels)).check_names()
    if len(sheet.levels) > 1 or is_bars(names) or any(x.lower() in TICKERS for x in names):
        raise InputError(f"{source}: row by row, one column an asset is read: leave --follow away")
    day = date_column(list(names), ["number"] * width) or 0
    places = [place for place in range(width) if place != day]
    decimal = how.decimal
    before: dict[int, str] = {}  # a cell of each column that says its unit
    for line, row in sheet.rows:
        if any(cell.strip() for cell in row[width:]):
            raise InputError(f"{source} line {line}: a value under no name")
        cells = [row[place] for place in places]
        mark = decimal or decimal_mark(cells, sheet.separator)
        if any("." in cell or "," in cell for cell in cells):
            decimal = mark
        numbers = _numbers(Numbers(mark), sheet, line, row, places)
        for place, number in zip(places, numbers, strict=True):
            if not math.isnan(number):
                one_unit((before.setdefault(place, row[place]), row[place]), names[place])
        yield row[day].strip(), dict(zip((names[k] for k in places), numbers, strict=True))


def json_row(record: object, where: str, moment: str | None = None) -> Row:
    """Return one decoded JSON object as a row.

    Args:
        record: The object: a date, and one number (or null) an asset.
        where: What to call it in an error.
        moment: Its date, when the object has none.

    Raises:
        InputError: Not an object, no date, or a value that is no number.
    """
    if not isinstance(record, Mapping):
        raise InputError(f"{where}: not an object with one number an asset")
    key = next((name for name in record if str(name).lower() in DATE_NAMES), None)
    if key is None and moment is None:
        key = next((name for name, value in record.items() if isinstance(value, str)), None)
    if key is not None:
        moment = str(record[key])
    if moment is None:
        raise InputError(f"{where}: no date: add a field date such as 2026-01-30")
    row: dict[str, float] = {}
    for name, value in record.items():
        if name == key:
            continue
        if value is None:
            row[str(name)] = math.nan
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            row[str(name)] = float(value)
        else:
            raise InputError(f"{where}: {value!r} of {name} is not a number")
    return moment, row


def json_rows(lines: Iterable[str], source: str = "JSON lines") -> Iterator[Row]:
    """Yield the rows of JSON lines as they arrive.

    Raises:
        InputError: A line that is no JSON object with a date and numbers.

    >>> list(json_rows(['{"date": "2026-01-30", "A": 1.5, "B": null}']))
    [('2026-01-30', {'A': 1.5, 'B': nan})]
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{source} line {number}"
        yield json_row(_decoded(line, where), where)


def record_rows(
    records: Iterable[tuple[str | int, bytes]], source: str = "records"
) -> Iterator[Row]:
    """Yield records that landed, pairs of key and JSON text, as rows.

    Where a record has no date, its key is taken for it.

    Raises:
        InputError: A record that is no JSON object with numbers.

    >>> list(record_rows([("2026-01-30", b'{"A": 1.5}')]))
    [('2026-01-30', {'A': 1.5})]
    """
    for key, body in records:
        where = f"{source}, record {key!r}"
        yield json_row(_decoded(body, where), where, str(key))


def _decoded(text: str | bytes, where: str) -> object:
    """Return decoded JSON in which no name comes twice."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        whole = dict(pairs)
        if len(whole) < len(pairs):
            raise InputError(f"{where}: a name comes twice in one object")
        return whole

    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from error


def text_rows(stream: Iterable[str], source: str, how: Format = ANY) -> Iterator[Row]:
    """Yield the rows of a stream of lines, JSON where the first one begins with a brace."""
    is_json, lines = _opened(stream, source)
    yield from json_rows(lines, source) if is_json else _streamed(lines, source, how)


def _opened(stream: Iterable[str], source: str) -> tuple[bool, Iterator[str]]:
    """Return whether the lines are JSON, and the lines."""
    lines = iter(stream)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InputError(f"{source} is empty: it needs a header and rows")
    first = first.removeprefix("\ufeff")
    return first.lstrip().startswith("{"), chain([first], lines)


def table_of(rows: Iterable[Row], source: str, how: Format = ANY) -> ReturnTable:
    """Gather rows into a table; an asset that a row does not name is NaN there.

    Raises:
        InputError: No rows, or dates that repeat or go back.
    """
    moments: list[str] = []
    gathered: list[dict[str, float]] = []
    for moment, row in rows:
        moments.append(moment)
        gathered.append(row)
    if not gathered:
        raise InputError(f"{source} holds no rows")
    names = list(dict.fromkeys(name for row in gathered for name in row))
    values = np.array([[row.get(name, math.nan) for name in names] for row in gathered])
    try:
        dates, words = dates_of(moments, how.dates)
        return in_order(values.reshape(len(gathered), len(names)), tuple(names), dates, words)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def read_table(path: Path, how: Format = ANY) -> ReturnTable:
    """Read a CSV, Excel (``.xlsx``), JSON lines or Parquet file; its first bytes say which.

    Raises:
        InputError: It is not there, not readable, or does not hold a table of numbers.
        MissingExtra: Parquet without pyarrow, or Excel without openpyxl.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            return _parquet(path)
        if magic == b"PK\x03\x04":
            return _named(path.name, lambda: _table_of_sheet(read_workbook(path, how.sheet), how))
        with open_text(path) as text:
            return read_stream(text, path.name, how)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: neither Parquet nor UTF-8 text ({error.reason}): save it as UTF-8"
        ) from error


def read_covariance(path: Path, decimal: str = "") -> tuple[tuple[str, ...], Floats]:
    """Read a covariance from a CSV: names across, and the same names down.

    Raises:
        InputError: Unreadable, or the names down are not those across.
    """
    try:
        with open_text(path) as text:
            sheet = read_sheet(text, path.name)
            rows = list(sheet.rows)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    names = tuple(name.strip() for name in sheet.names[1:])
    if [cells[0].strip() for _, cells in rows] != list(names):
        raise InputError(f"{path.name}: a covariance has the same names down as across, in order")
    values, _ = _values(sheet, rows, list(range(1, len(names) + 1)), Format(decimal=decimal))
    return names, values


def _parquet(path: Path) -> ReturnTable:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("reading Parquet", "pyarrow", "parquet") from error
    try:
        # Not read_table: it takes a folder's name such as year=2024 for a column.
        file = parquet.ParquetFile(path)
        refuse_bomb(path, 8 * file.metadata.num_rows * file.metadata.num_columns)
        whole = file.read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Parquet: {error}") from error
    return _named(path.name, lambda: from_frame(whole, "pyarrow"))


def read_stream(stream: Iterable[str], source: str, how: Format = ANY) -> ReturnTable:
    """Read a table of text from an open stream to its end."""
    is_json, lines = _opened(stream, source)
    if is_json:
        return table_of(json_rows(lines, source), source, how)
    return _named(source, lambda: _table_of_sheet(read_sheet(lines, source), how))


def _named(source: str, read: Callable[[], ReturnTable]) -> ReturnTable:
    """Return what ``read`` returns; its errors name the source."""
    try:
        return read()
    except MissingExtra:
        raise
    except InputError as error:
        if str(error).startswith(source):
            raise
        raise InputError(f"{source}: {error}") from error
