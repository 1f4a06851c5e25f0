"""CSV files as features and labels, with the line and column of whatever is wrong."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from penstock.neural.arrays import Floats
from penstock.neural.faults import BadData, nearest

__all__ = ["Table", "read_table"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A file's numbers.

    Attributes:
        features: Shape (rows, columns), finite.
        labels: The text of the label column; () where none was asked for.
        names: Of the feature columns.
        texts: The features as they stand in the file.
    """

    features: Floats
    labels: tuple[str, ...]
    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]


def read_table(path: Path, label: str = "", features: tuple[str, ...] = ()) -> Table:
    """Read a CSV file with a header.

    Args:
        path: The file.
        label: The column to learn; "" where there is none.
        features: The columns to use, in that order; () takes all but the label.

    Raises:
        BadData: Unreadable, no such column, a missing label, or a field that is no finite number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            lines = [(rows.line_num, row) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not lines:
        raise BadData(f"{path}: no rows below the header")
    names = features or tuple(name for name in header if name != label)
    for name in (*names, label) if label else names:
        if name not in header:
            raise BadData(f"{path}: no column {name!r}{nearest(name, header)} "
                          f"There are: {', '.join(header)}")  # fmt: skip
    at, target = [header.index(name) for name in names], header.index(label) if label else None
    table, labels = [], []
    for line, row in lines:
        if len(row) != len(header):
            raise BadData(f"{path}, line {line}: {len(row)} fields, the header has {len(header)}")
        table.append([_number(path, line, header[place], row[place]) for place in at])
        if target is not None:
            if not row[target].strip():
                raise BadData(f"{path}, line {line}: no label in column {label!r}: drop the line")
            labels.append(row[target].strip())
    texts = tuple(tuple(row[place] for place in at) for _, row in lines)
    return Table(np.array(table, dtype=np.float64), tuple(labels), names, texts)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadData(f"{path}, line {line}, column {column!r}: {text!r} is no finite number")
    return number
