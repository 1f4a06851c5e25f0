"""Files as features and labels, with the line and column of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from penstock.errors import InputError, MissingExtra
from penstock.neural.arrays import Floats
from penstock.neural.columns import ColumnEncoding, doubt, learned_column
from penstock.neural.errors import BadData, nearest
from penstock.tables import (
    Numbers,
    Sheet,
    are_row_numbers,
    decimal_mark,
    one_unit,
    open_text,
    read_sheet,
    read_workbook,
)

__all__ = ["Table", "read_table", "table_of_sheet"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A file's rows, as a network takes them.

    Attributes:
        features: Shape (rows, inputs), finite.
        labels: The text of the label column; () where none was asked for.
        columns: Of the features, in order; a column of categories has several inputs.
        header: The names of all the file's columns.
        texts: All the rows as they stand in the file.
        words: What was left away or filled in, in sentences.
    """

    features: Floats
    labels: tuple[str, ...]
    columns: tuple[ColumnEncoding, ...]
    header: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()

    @property
    def encoding(self) -> tuple[ColumnEncoding, ...]:
        """The columns, or () where each is a number and none was missing."""
        plain = all(not column.values and column.fill is None for column in self.columns)
        return () if plain else self.columns

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the feature columns."""
        return tuple(column.name for column in self.columns)


def read_table(
    path: Path,
    label: str = "",
    features: tuple[str, ...] = (),
    *,
    drop: tuple[str, ...] = (),
    columns: tuple[ColumnEncoding, ...] = (),
    decimal: str = "",
) -> Table:
    """Read a CSV file of any separator, or an Excel workbook, with a header.

    Args:
        path: The file.
        label: The column to learn; "" where there is none.
        features: The columns to use, in that order; () takes all but the label.
        drop: Columns to leave away.
        columns: How a model was trained: read these columns in the same way.
        decimal: The decimal mark, where the file could have either.

    Raises:
        BadData: Unreadable, no such column, a missing label, or a cell that cannot be used.
    """
    sheet = _sheet(path)
    return table_of_sheet(
        sheet, str(path), label, features, drop=drop, columns=columns, decimal=decimal
    )


def table_of_sheet(  # noqa: PLR0913 - what read_table takes, and a name for errors
    sheet: Sheet,
    path: str,
    label: str = "",
    features: tuple[str, ...] = (),
    *,
    drop: tuple[str, ...] = (),
    columns: tuple[ColumnEncoding, ...] = (),
    decimal: str = "",
) -> Table:
    """Return a sheet as :func:`read_table` does; ``path`` is what errors call it."""
    rows = list(sheet.rows)
    header = [name.strip() for name in sheet.names]
    if len(sheet.levels) > 1:
        raise BadData(f"{path}: several header rows: keep the one with the names of the columns")
    words = list(sheet.words)
    if columns:
        features = tuple(column.name for column in columns)
    elif not features and are_row_numbers(header[0], [cells[0] for _, cells in rows]):
        drop = (*drop, header[0])
        words.append("a first column of row numbers is left away")
    for name in (*features, *drop, label) if label else (*features, *drop):
        if name not in header:
            raise BadData(f"{path}: no column {name!r}{nearest(name, header)} "
                          f"There are: {', '.join(header)}")  # fmt: skip
    _check_names(path, features, label, drop)
    names = features or tuple(name for name in header if name != label and name not in drop)
    if "" in names:
        raise BadData(f"{path}: column {header.index('') + 1} has no name in the header")
    if not names:
        raise BadData(f"{path}: no column is left to learn from")
    labels = _labels(path, header, rows, label)
    texts = tuple(tuple(cells) for _, cells in rows)
    table = Table(np.empty((0, 0)), labels, columns, tuple(header), texts, tuple(words))
    places = [header.index(name) for name in names]
    try:
        mark = decimal_mark((row[k] for row in texts for k in places), sheet.separator, decimal)
    except InputError as error:
        raise BadData(f"{path}: {error}") from error
    return _encoded(path, table, places, Numbers(mark), [line for line, _ in rows])


def _check_names(path: str, features: tuple[str, ...], label: str, drop: tuple[str, ...]) -> None:
    """Raise BadData where the label is to be learned from itself, or a column comes twice."""
    if label and label in (*features, *drop):
        raise BadData(f"{path}: {label} is the column to learn: not a feature, and not to drop")
    if len(set(features)) < len(features):
        twice = next(name for name in features if features.count(name) > 1)
        raise BadData(f"{path}: {twice} is named twice among the features")


def _sheet(path: Path) -> Sheet:
    try:
        with path.open("rb") as file:
            is_workbook = file.read(4) == b"PK\x03\x04"
        if is_workbook:
            return read_workbook(path)
        with open_text(path) as text:
            return read_sheet(text, str(path))
    except MissingExtra:
        raise
    except UnicodeDecodeError as error:
        raise BadData(f"{path}: neither text of UTF-8 nor an Excel workbook: save it so") from error
    except (OSError, InputError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise BadData(told if told.startswith(str(path)) else f"{path}: {told}") from error


_NO_LABEL = {"", "nan", "null", "<na>", "#n/a"}


def _labels(
    path: str, header: list[str], rows: list[tuple[int, list[str]]], label: str
) -> tuple[str, ...]:
    if not label:
        return ()
    target = header.index(label)
    for line, cells in rows:
        if cells[target].strip().lower() in _NO_LABEL:
            raise BadData(f"{path}, line {line}: no label in column {label!r}: drop the line")
    return tuple(cells[target].strip() for _, cells in rows)


def _encoded(
    path: str, table: Table, places: list[int], reader: Numbers, lines: list[int]
) -> Table:
    """Return the table with its features and how each column becomes inputs."""
    columns, parts, words = [], [], list(table.words)
    for at, place in enumerate(places):
        cells = [row[place] for row in table.texts]
        numbers = [reader.read(cell) for cell in cells]
        if None not in numbers:
            _one_unit(path, cells, table.header[place])
        try:
            if table.columns:
                column = table.columns[at]
            else:
                column = learned_column(table.header[place], cells, numbers)
                words += _said(column, cells, numbers)
        except BadData as error:
            row = next((k for k, number in enumerate(numbers) if number is None), 0)
            raise BadData(f"{path}, line {lines[row]}, {error}") from error
        given: Iterable[float | str | None] = numbers
        if column.values:
            given = (cell.strip() for cell in cells)
        inputs = []
        for line, cell, value in zip(lines, cells, given, strict=True):
            try:
                inputs.append(column.inputs(cell if value is None else value))
            except BadData as error:
                raise BadData(f"{path}, line {line}, column {error}") from error
        columns.append(column)
        parts.append(np.array(inputs, dtype=np.float64))
    features = np.concatenate(parts, axis=1)
    return replace(table, features=features, columns=tuple(columns), words=tuple(words))


def _one_unit(path: str, cells: list[str], column: str) -> None:
    try:
        one_unit(cells, column)
    except InputError as error:
        raise BadData(f"{path}: {error}") from error


def _said(column: ColumnEncoding, cells: list[str], numbers: list[float | None]) -> list[str]:
    if column.values:
        return [f"{column.name}: {len(column.values)} categories, an input each"]
    said = [doubt(column.name, cells, numbers)]
    if column.fill is not None:
        missing = sum(number != number for number in numbers)
        said.append(
            f"{column.name}: {missing} missing values are taken for the median, {column.fill:g}"
        )
    return [word for word in said if word]
