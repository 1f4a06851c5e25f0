"""A text file as a header and rows of cells, whatever separates them.

What was left away or chosen is said in ``words``; what cannot be read as one thing is refused.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO, final

from penstock.errors import InputError, MissingExtra
from penstock.tables.dates import DATE_NAMES
from penstock.tables.numbers import Numbers

__all__ = ["Sheet", "open_text", "read_sheet", "read_workbook", "refuse_bomb", "stream_sheet"]

_SEPARATORS = ("\t", ";", "|", ",")
_LOOKED_AT = 20
_HEADERS = 4
_LARGE = 64 << 20  # bytes, or cells: below that nothing is a bomb
_MOST_TIMES = 200
_CELL = re.compile(rb"""\br\s?=\s?["']([A-Z]{1,3})(\d{1,7})["']""")


@final
@dataclass(slots=True)
class Sheet:
    """A table of texts.

    Attributes:
        source: What to call it in an error.
        names: Of the columns; where there are several header rows, the last of them.
        rows: The cells, one a name, each with its line in the file; may be read only once.
        separator: Between the cells; "" for a workbook.
        levels: The header rows, outermost first; one in most files.
        words: What was left away, in sentences.
    """

    source: str
    names: tuple[str, ...]
    rows: Iterable[tuple[int, list[str]]]
    separator: str
    levels: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = field(default=())

    def check_names(self) -> None:
        """Raise InputError where two columns have one name, or one has none."""
        seen: set[tuple[str, ...]] = set()
        for place, name in enumerate(zip(*self.levels, strict=True)):
            if name in seen:
                raise InputError(
                    f"{self.source}: two columns are named {' '.join(name)}: give each its own name"
                )
            if place and not any(name):
                raise InputError(f"{self.source}: column {place + 1} has no name in the header")
            seen.add(name)


def read_sheet(lines: Iterable[str], source: str) -> Sheet:
    """Read a whole file of separated values.

    Raises:
        InputError: No header, no rows, names that repeat, or a line of another length.

    >>> sheet = read_sheet(["date;A", "2026-01-30;1,5"], "prices")
    >>> sheet.names, list(sheet.rows)
    (('date', 'A'), [(2, ['2026-01-30', '1,5'])])
    """
    sheet = stream_sheet(lines, source)
    rows = list(sheet.rows)
    if not rows:
        raise InputError(f"{source}: no rows below the header")
    names, levels, words = sheet.names, sheet.levels, sheet.words
    kept = [
        place
        for place in range(len(names))
        if any(level[place] for level in levels) or any(cells[place].strip() for _, cells in rows)
    ]
    if len(kept) < len(names):
        rows = [(line, [cells[k] for k in kept]) for line, cells in rows]
        levels = tuple(tuple(level[k] for k in kept) for level in levels)
        words = (*words, f"{len(names) - len(kept)} empty columns without a name are left away")
        names = tuple(names[k] for k in kept)
    whole = Sheet(source, names, rows, sheet.separator, levels, words)
    whole.check_names()
    return whole


def open_text(path: Path) -> TextIO:
    """Open a text file of UTF-8, or of UTF-16 as its first bytes say."""
    with path.open("rb") as file:
        wide = file.read(2) in {b"\xff\xfe", b"\xfe\xff"}
    return path.open(newline="", encoding="utf-16" if wide else "utf-8-sig")


def stream_sheet(lines: Iterable[str], source: str) -> Sheet:
    """Read the header, and the rows as they arrive; names are not checked.

    Raises:
        InputError: No header; from the rows, a line of another length.
    """
    numbered = enumerate(lines, 1)
    first, words = _first_lines(numbered, source)
    told = first[0][1].strip().lower() if first else ""
    if told.startswith("sep=") and len(told) == 5:
        separator, first = told[4], [*first[1:], *itertools.islice(numbered, 1)]
    else:
        separator = _separator([text for _, text in first])
    numbers: list[int] = []

    def texts() -> Iterator[str]:
        for number, text in itertools.chain(first, numbered):
            if "\0" in text:
                raise InputError(f"{source} line {number}: a byte that is zero: this is not text")
            numbers.append(number)
            yield text

    records = _records(csv.reader(texts(), delimiter=separator, strict=True), numbers, source)
    return _headed(records, source, separator, words)


def _first_lines(
    numbered: Iterator[tuple[int, str]], source: str
) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Return the header's line and the one below it; leave away what stands above."""
    first: list[tuple[int, str]] = []
    comments = titles = 0
    for number, text in numbered:
        line = text.removeprefix("\ufeff") if number == 1 else text
        if not first and line.startswith("#") and not line.startswith(("#,", "#;", "#\t")):
            comments += 1
        elif not first and line.strip() and not any(mark in line for mark in _SEPARATORS):
            titles += 1
        elif line.strip():
            first.append((number, line))
            if len(first) == 2:
                break
    if not first and titles:
        raise InputError(
            f"{source}: no header: the first line must be date,NAME,NAME,… (or with ; or tabs)"
        )
    if not first:
        raise InputError(f"{source}: no header: the file is empty")
    said = {f"{comments} lines of comment": comments, f"{titles} lines above the header": titles}
    return first, tuple(f"{what} are left away" for what, count in said.items() if count)


def _separator(texts: list[str]) -> str:
    """Return the separator by which the header and the line below it have the same cells."""
    for separator in _SEPARATORS:
        try:
            widths = [len(cells) for cells in csv.reader(texts, delimiter=separator)]
        except csv.Error:
            continue
        if widths and widths[0] > 1 and (len(widths) < 2 or abs(widths[-1] - widths[0]) <= 1):
            return separator
    return next(separator for separator in _SEPARATORS if separator in texts[0])


def _records(
    reader: Iterator[list[str]], numbers: list[int], source: str
) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            line = numbers[-1] if numbers else 0
            numbers.clear()
            if any(cell.strip() for cell in cells):
                yield line, cells
    except csv.Error as error:
        line = numbers[-1] if numbers else 0
        raise InputError(f"{source} line {line}: {error}: a quote that is not closed?") from error


def _top(records: Iterator[tuple[int, list[str]]]) -> tuple[list[tuple[int, list[str]]], int]:
    """Take off the rows that may be the header's, and count the titles above them."""
    head: list[tuple[int, list[str]]] = []
    titles = 0
    for line, cells in records:
        if not head and len(cells) > 1 and cells[0].strip() and not any(map(str.strip, cells[1:])):
            titles += 1
            continue
        head.append((line, cells))
        if not _goes_on([row for _, row in head]) or len(head) == _HEADERS:
            break
    return head, titles


def _headed(
    records: Iterator[tuple[int, list[str]]], source: str, separator: str, words: tuple[str, ...]
) -> Sheet:
    """Take the header rows off ``records``."""
    head, titles = _top(records)
    if not head or (len(head[0][1]) < 2 and not separator):
        raise InputError(f"{source}: no header: the first row must be date, NAME, NAME, …")
    if titles:
        words = (*words, f"{titles} lines above the header are left away")
    rows = [[cell.strip() for cell in cells] for _, cells in head]
    count, label = _header_rows(rows)
    levels = rows[:count]
    width = len(levels[0])
    if any(len(level) != width for level in levels):
        raise InputError(f"{source} line {head[count - 1][0]}: header rows of different lengths")
    if count > 1:
        for level in levels:
            level[0] = label or rows[0][0]
        _fill_merged(levels)
        words = (*words, f"{count} rows of the header are read")
    if all(Numbers().read(name) is not None for name in levels[-1][1:] if name) and count == 1:
        raise InputError(f"{source}: the first line holds numbers: it must be date,NAME,NAME,…")
    rest = itertools.chain(head[count + (1 if label and count > 1 else 0) :], records)
    body = _even(rest, width, source)
    return Sheet(source, tuple(levels[-1]), body, separator, tuple(tuple(x) for x in levels), words)


def _fill_merged(levels: list[list[str]]) -> None:
    """Write the name of merged cells, which stands in the first of them, into the others."""
    for upper, lower in itertools.pairwise(levels):
        for place in range(2, len(upper)):
            if lower[place] and not upper[place]:
                upper[place] = upper[place - 1]


_LEVEL_NAMES = {"", "price", "ticker", "tickers", "attributes", "symbols", "symbol"}
_UNIT_NAMES = {"unit", "units", "currency", "einheit"}


def _goes_on(rows: list[list[str]]) -> bool:
    """Return whether the header may go on below these rows."""
    first, *others = (row[0].strip().lower() for row in rows)
    return first in _LEVEL_NAMES | DATE_NAMES and all(name in _LEVEL_NAMES for name in others)


def _header_rows(rows: list[list[str]]) -> tuple[int, str]:
    """Return how many rows the header has, and the name of the dates that stands below it."""
    for place, row in enumerate(rows[1:], 1):
        if row[0].lower() in DATE_NAMES and not any(row[1:]):
            return place, row[0]
    count = 1
    while (
        count < len(rows) and _is_level(rows[count - 1], top=count == 1) and _is_level(rows[count])
    ):
        count += 1
    return count, ""


def _is_level(row: list[str], *, top: bool = False) -> bool:
    known = _LEVEL_NAMES | (DATE_NAMES if top else _UNIT_NAMES)
    if row[0].lower() not in known and not (row[0].startswith("(") and not top):
        return False
    return any(Numbers().read(cell) is None and not cell[0].isdigit() for cell in row[1:])


def _even(
    records: Iterator[tuple[int, list[str]]], width: int, source: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield rows of ``width`` cells; empty cells may be left out or too many at a line's end."""
    for line, cells in records:
        if len(cells) == width:
            yield line, cells
        elif len(cells) == 1 and not cells[0].strip()[0].isdigit():  # a text below the table
            yield line, [*cells, *[""] * (width - 1)]
        elif len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            yield line, cells[:width]
        else:
            raise InputError(f"{source} line {line}: {len(cells)} cells under {width} names")


def refuse_bomb(path: Path, unpacked: int) -> None:
    """Refuse a small file that becomes large.

    Args:
        path: The file.
        unpacked: Bytes that it becomes.

    Raises:
        InputError: That is more than tables of people's do.
    """
    if unpacked > _LARGE and unpacked > _MOST_TIMES * path.stat().st_size:
        raise InputError(f"{path}: unpacks to {unpacked:,} bytes; refused as a zip bomb")


def _check_size(path: Path) -> None:
    """Refuse a workbook that is small and becomes large: packed, or by two cells far apart."""
    from openpyxl.utils import column_index_from_string as number_of

    with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as book:
        unpacked = sum(member.file_size for member in book.infolist())
        refuse_bomb(path, unpacked)
        for name in book.namelist():
            if name.startswith("xl/worksheets/"):
                cells = _CELL.findall(book.read(name))
                wide = max(map(number_of, {column.decode() for column, _ in cells}), default=0)
                area = wide * max((int(row) for _, row in cells), default=0)
                if area > _LARGE and area > _MOST_TIMES * len(cells):
                    raise InputError(f"{path}: {len(cells):,} cells, far apart; refused")


def read_workbook(path: Path, sheet: str = "") -> Sheet:
    """Read one sheet of an Excel workbook (``.xlsx``).

    Args:
        path: The workbook.
        sheet: Its name; "" takes the only one that holds something.

    Raises:
        InputError: Damaged, no such sheet, or several to choose from.
        MissingExtra: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtra("reading Excel", "openpyxl", "excel") from error
    _check_size(path)
    try:
        book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
        found = {page.title: list(page.iter_rows(values_only=True)) for page in book.worksheets}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        raise InputError(f"{path}: not an Excel workbook (.xlsx): {error}") from error
    full = {name: rows for name, rows in found.items() if any(map(_holds, rows))}
    if (sheet and sheet not in full) or (not sheet and len(full) != 1):
        raise InputError(f"{path}: choose one of its sheets, --sheet: {', '.join(full) or 'none'}")
    name = sheet or next(iter(full))
    rows = full[name]
    if any(None in row for row in rows):
        _check_formulas(path, name, rows)
    left = min(
        next(k for k, cell in enumerate(row) if cell is not None) for row in rows if _holds(row)
    )
    numbered = (
        (line, [_text(cell) for cell in row[left:]])
        for line, row in enumerate(rows, 1)
        if _holds(row)
    )
    # A number that stands there as text may be written in either way; a semicolon asks.
    texts = any(isinstance(cell, str) and _GROUPED.fullmatch(cell) for row in rows for cell in row)
    headed = _headed(numbered, f"{path.name}", ";" if texts else "", ())
    headed.rows = list(headed.rows)
    headed.check_names()
    if not headed.rows:
        raise InputError(f"{path.name}: no rows below the header")
    return headed


_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+")


def _holds(row: tuple[object, ...]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in row)


def _check_formulas(path: Path, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Raise InputError where a cell is empty only because its formula was never computed."""
    import openpyxl

    page = openpyxl.load_workbook(io.BytesIO(path.read_bytes()))[name]
    for row, (cells, values) in enumerate(zip(page.iter_rows(values_only=True), rows, strict=True)):
        for place, (cell, value) in enumerate(zip(cells, values, strict=True)):
            if value is None and isinstance(cell, str) and cell.startswith("="):
                raise InputError(
                    f"{path.name} line {row + 1}: column {place + 1} holds a formula without its"
                    " value: open the workbook in a spreadsheet and save it"
                )


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return str(cell)
