"""Prices in files: CSV, JSON lines and Parquet, whole or row by row.

A CSV has a line of names, the date column first, then one column an asset. A line of JSON is an
object with a date (``date``, ``time`` or ``timestamp``, or its first text) and one number an asset.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.arrays import np
from penstock.portfolio.frames import from_frame, parse_dates
from penstock.portfolio.table import Table

__all__ = [
    "Row",
    "csv_rows",
    "json_row",
    "json_rows",
    "read_stream",
    "read_table",
    "record_rows",
    "table_of",
    "text_rows",
]

Row = tuple[str, dict[str, float]]
"""The moment as text, and the price (or return) of each asset."""

_NOTHING = {"", "nan", "na", "n/a", "null", "none", "-"}
_MOMENT = ("date", "time", "timestamp", "datetime", "day")


def csv_rows(lines: Iterable[str], source: str = "CSV") -> Iterator[Row]:
    """Yield the rows of a CSV as its lines arrive. An empty cell is NaN.

    Raises:
        InputError: No header, a line of another length, or a cell that is no number.

    >>> list(csv_rows(["date,A,B", "2026-01-30,1.5,2"]))
    [('2026-01-30', {'A': 1.5, 'B': 2.0})]
    """
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    names = header[1:]
    if not names:
        raise InputError(f"{source}: no header: the first line must be date,NAME,NAME,…")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{source}: two columns are named {twice}: give each asset its own name")
    if all(_is_number(name) for name in names):
        raise InputError(f"{source}: the first line holds numbers: it must be date,NAME,NAME,…")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{source} line {reader.line_num}: {len(cells)} cells under {len(header)} names"
            )
        yield cells[0].strip(), _numbers(names, cells[1:], f"{source} line {reader.line_num}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(names: list[str], cells: list[str], where: str) -> dict[str, float]:
    try:
        return dict(zip(names, map(float, cells), strict=True))
    except ValueError:
        pass  # an empty cell, or a mistake: look closer
    row: dict[str, float] = {}
    for name, cell in zip(names, cells, strict=True):
        text = cell.strip()
        if text.lower() in _NOTHING:
            row[name] = math.nan
        elif _is_number(text):
            row[name] = float(text)
        else:
            raise InputError(f"{where}: {cell!r} of {name} is not a number")
    return row


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
    key = next((name for name in record if str(name).lower() in _MOMENT), None)
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
        try:
            record: object = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error}") from error
        yield json_row(record, where)


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
        try:
            record: object = json.loads(body)
        except ValueError as error:
            raise InputError(f"{where}: not JSON: {error}") from error
        yield json_row(record, where, str(key))


def text_rows(stream: Iterable[str], source: str) -> Iterator[Row]:
    """Yield the rows of a stream of lines, JSON where the first one begins with a brace."""
    lines = iter(stream)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InputError(f"{source} is empty: it needs a header and rows")
    whole = _with_first(first.removeprefix("\ufeff"), lines)
    reader = json_rows if first.lstrip("\ufeff \t").startswith("{") else csv_rows
    yield from reader(whole, source)


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def table_of(rows: Iterable[Row], source: str) -> Table:
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
        return Table(values.reshape(len(gathered), len(names)), tuple(names), parse_dates(moments))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def read_table(path: Path) -> Table:
    """Read a CSV, JSON lines (``.jsonl``, ``.ndjson``) or Parquet file.

    Raises:
        InputError: It is not there, not readable, or does not hold a table of numbers.
        MissingExtra: Parquet without pyarrow.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
                return _parquet(path)
        with path.open(encoding="utf-8", newline="") as text:
            return table_of(text_rows(text, path.name), path.name)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: neither Parquet nor UTF-8 text: {error.reason}") from error


def _parquet(path: Path) -> Table:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("reading Parquet", "pyarrow", "parquet") from error
    try:
        whole = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Parquet: {error}") from error
    return from_frame(whole, "pyarrow")


def read_stream(stream: Iterable[str], source: str) -> Table:
    """Read a table of text from an open stream to its end."""
    return table_of(text_rows(stream, source), source)
