"""Texts as numbers, by one strict rule a file: its decimal mark, its thousands, its percent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import final

from penstock.errors import InputError

__all__ = ["MISSING_WORDS", "Numbers", "decimal_mark", "one_unit", "unit_of"]

MISSING_WORDS = frozenset(
    {"", "nan", "na", "n/a", "#n/a", "#na", "#n/a n/a", "<na>", "null", "none", "-", "--", "."}
    | {"n.a.", "nd", "n.d.", "n/d", "..", "...", ":", "*", "?", "\\n", "missing", "#null!", "nat"}
    | {"1.#qnan", "-1.#ind", "1.#ind", "nan%"}
)
"""What stands for a value that is missing, in lower case."""

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MARKED = re.compile(r"[+-]?\d[\d., ']*\d|[+-]?[.,]\d+", re.ASCII)
_SIGN = r"[A-Z]{3}|(?:US|A|C|HK|R|S)?\$|[€£¥₹₩₽₺₪₫₴%]|kr\.?|zł|Rs\.?"
_UNIT = re.compile(
    rf"(?P<before>[-+]?)\s*(?P<sign>{_SIGN})\s*(?P<rest>[-+]?[\d.,].*)"
    rf"|(?P<text>.*[\d.,])\s*(?P<unit>{_SIGN})"
)
_SPACES = str.maketrans(
    dict.fromkeys("\u00a0\u202f\u2009\u2007", " ")
    | dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014", "-")
    | {"’": "'"}
)


def _grouped(mark: str, decimal: str) -> re.Pattern[str]:
    return re.compile(
        rf"[+-]?[1-9]\d{{0,2}}(?P<mark>[{mark}' ])(?:\d{{3}}(?:(?P=mark)\d{{3}})*"
        rf"|(?:\d{{2}}(?P=mark))+\d{{3}})(?:[{decimal}]\d*)?",  # the second as in India
        re.ASCII,
    )


_GROUPED = {".": _grouped(",", "."), ",": _grouped(".", ",")}


@final
class Numbers:
    """Reads the numbers of one file.

    Args:
        decimal: Its decimal mark, ``.`` or ``,``.

    >>> Numbers(",").read("1.100,5"), Numbers().read("1,100.5"), Numbers().read("1.5%")
    (1100.5, 1100.5, 0.015)
    """

    def __init__(self, decimal: str = ".") -> None:
        self.decimal = decimal
        self._grouped = _GROUPED[decimal]

    def read(self, text: str) -> float | None:
        """Return the number, NaN where it is missing, or None where the text is not a number."""
        text = text.translate(_SPACES).strip()
        if text.lower() in MISSING_WORDS:
            return math.nan
        unit, text = unit_of(text)
        number = self._number(text)
        return number / 100 if number is not None and unit == "%" else number

    def _number(self, text: str) -> float | None:
        if grouped := self._grouped.fullmatch(text):
            text = text.replace(grouped["mark"], "")
        if self.decimal == ",":
            if "." in text:
                return None
            text = text.replace(",", ".")
        if not _PLAIN.fullmatch(text):
            return None
        number = float(text)
        return number if math.isfinite(number) else None

    def row(self, cells: list[str]) -> list[float | None]:
        """Return :meth:`read` of each cell, quickly where all are ordinary."""
        if self.decimal == ".":
            whole = "".join(cells)
            if whole.isascii() and "_" not in whole:
                try:
                    numbers = list(map(float, cells))
                except ValueError:
                    pass
                else:
                    if all(map(math.isfinite, numbers)):
                        return list(numbers)
        return [self.read(cell) for cell in cells]


def unit_of(text: str) -> tuple[str, str]:
    """Return the percent or currency sign at either end of a number, and the number.

    >>> unit_of("$100.5"), unit_of("-5 %"), unit_of("7")
    (('$', '100.5'), ('%', '-5'), ('', '7'))
    """
    text = text.translate(_SPACES).strip()
    if text.startswith("(") and text.endswith(")"):  # as accountants write what is below zero
        unit, inner = unit_of(text[1:-1])
        return unit, inner if inner[:1] in "+-" else f"-{inner}"
    if text.endswith("-") and text[:1].isdecimal():
        text = f"-{text[:-1]}"
    found = _UNIT.fullmatch(text)
    if not found:
        return "", text
    if found["sign"]:
        return found["sign"], found["before"] + found["rest"]
    return found["unit"], found["text"].rstrip()


def one_unit(cells: Iterable[str], column: str) -> str:
    """Return the percent or currency sign that all numbers of a column have; "" where none has.

    Raises:
        InputError: They have different ones.

    >>> one_unit(["$1", "", "$2.5"], "A")
    '$'
    """
    units = {unit_of(cell)[0] for cell in cells if cell.strip().lower() not in MISSING_WORDS}
    if len(units) > 1:
        said = "in percent" if "%" in units else f"in {max(units)}"
        raise InputError(f"some cells of {column} are {said} and some are not")
    return max(units, default="")


def decimal_mark(cells: Iterable[str], separator: str, told: str = "") -> str:
    """Return the decimal mark of a file's cells.

    Args:
        cells: All that may be numbers.
        separator: Of the file; where it is a comma, a cell's own commas were quoted.
        told: The mark, where the user says it.

    Raises:
        InputError: The cells can be read in two ways, or disagree.

    >>> decimal_mark(["1,5", "1.100,25"], ";"), decimal_mark(["1,100.5"], ",")
    (',', '.')
    """
    if told:
        if told not in _GROUPED:
            raise InputError(f"decimal {told!r}: a point or a comma")
        return told
    votes: dict[str, str] = {}
    unsure = ""
    for cell in cells:
        if "," not in cell and (separator != ";" or "." not in cell):
            continue
        text = unit_of(cell)[1]
        if not _MARKED.fullmatch(text):
            continue
        possible = [mark for mark in ".," if Numbers(mark).read(text) is not None]
        if len(possible) == 1:
            votes.setdefault(possible[0], cell)
        elif possible:
            unsure = unsure or cell
    if len(votes) > 1:
        raise InputError(
            f"{votes['.']!r} has a decimal point and {votes[',']!r} a decimal comma: mend one"
        )
    if not votes and unsure:
        raise InputError(
            f"{unsure!r} can be two numbers: say which mark is the decimal one, --decimal . or ,"
        )
    return next(iter(votes), ".")
