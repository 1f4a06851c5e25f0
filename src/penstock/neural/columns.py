"""Columns of a table as inputs of a network: numbers, categories, and what stands for a gap."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from penstock.errors import InputError
from penstock.neural.errors import BadData
from penstock.tables import DATE_NAMES, read_dates

__all__ = ["Column", "ColumnEncoding", "doubt", "learned_column"]

_FEW = 20  # so many different texts are categories in any table


@final
@dataclass(frozen=True, slots=True)
class ColumnEncoding:
    """How one column becomes inputs.

    Attributes:
        name: Of the column.
        values: Its categories, one input each; () where it holds numbers.
        fill: The number for a missing one; None where none was missing in training.
    """

    name: str
    values: tuple[str, ...] = ()
    fill: float | None = None

    def inputs(self, value: float | str | None) -> list[float]:
        """Return the inputs of one value; None and NaN are missing.

        Raises:
            BadData: A category or a gap that was not there in training.

        >>> ColumnEncoding("colour", ("blue", "red")).inputs("red")
        [0.0, 1.0]
        """
        if self.values:
            text = "" if value is None else str(value)
            if text not in self.values:
                known = ", ".join(map(repr, self.values[:8]))
                raise BadData(f"{self.name!r}: {text!r} was not in training; there were {known}")
            return [float(text == known) for known in self.values]
        if value is None or isinstance(value, str) or math.isnan(value):
            if self.fill is None or isinstance(value, str):
                raise BadData(f"{self.name!r}: {value!r} is no finite number")
            return [self.fill]
        return [value]


def learned_column(
    name: str, cells: Sequence[str], numbers: Sequence[float | None]
) -> ColumnEncoding:
    """Return how a column of training becomes inputs.

    Args:
        name: Of the column.
        cells: Its texts.
        numbers: Each cell's number: NaN where it is missing, None where it is a word.

    Raises:
        BadData: Words among numbers, nothing at all, or as many texts as an identifier has.

    >>> learned_column("a", ["1", "", "5"], [1.0, float("nan"), 5.0])
    ColumnEncoding(name='a', values=(), fill=3.0)
    """
    words = [row for row, number in enumerate(numbers) if number is None]
    known = [number for number in numbers if number is not None and not math.isnan(number)]
    if not words:
        if not known:
            raise BadData(f"column {name!r} is empty: leave it away with --drop {name}")
        whole = len(known) == len(numbers)
        return ColumnEncoding(name, (), None if whole else float(np.median(known)))
    if known:
        raise BadData(
            f"column {name!r}: {cells[words[0]]!r} is no finite number, and others are: mend it,"
            f" or --drop {name}"
        )
    values = sorted({cell.strip() for cell in cells})
    if len(values) > max(_FEW, len(cells) // 10):
        raise BadData(
            f"column {name!r} has {len(values)} different texts, as names or dates have:"
            f" --drop {name}"
        )
    return ColumnEncoding(name, tuple(values))


def doubt(name: str, cells: Sequence[str], numbers: Sequence[float | None]) -> str:
    """Return why a column of numbers may be none to learn from, or "".

    >>> doubt("zip", ["01234", "04321"], [1234.0, 4321.0])
    'zip: numbers that begin with 0, as codes do; --drop zip leaves it away'
    """
    known = [number for number in numbers if number is not None]
    why = ""
    if name.strip().lower() in DATE_NAMES and _are_dates(cells):
        why = "looks like dates and is learned as numbers"
    elif len(known) > 2 and all(known[k] + 1 == known[k + 1] for k in range(len(known) - 1)):
        why = "counts the rows, as identifiers do"
    elif any(re.fullmatch(r"0\d+", cell.strip()) for cell in cells):
        why = "numbers that begin with 0, as codes do"
    return f"{name}: {why}; --drop {name} leaves it away" if why else ""


def _are_dates(cells: Sequence[str]) -> bool:
    try:
        read_dates(cells)
    except InputError:
        return False
    return True


Column = ColumnEncoding  # its name in earlier versions
