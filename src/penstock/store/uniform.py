"""The kind that all values of a column have, seen at once: no loop in Python is as fast."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

__all__ = ["AS_LISTS", "TIMES", "listed", "uniform_kind"]

TIMES = {"date", "datetime", "timestamp"}
# A column is its cells, one a line: a line break is within no JSON value that these match.
_WHOLE = re.compile(rb"(?:-?\d{1,15}\n|null\n)*+")
_FRACTIONS = re.compile(rb"(?:-?\d{1,15}\.\d{1,30}\n|null\n)*+")
_DAYS = re.compile(rb'(?:"[12]\d{3}-\d\d-\d\d"\n|null\n)*+')
_CLOCKS = re.compile(rb'(?:"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"\n|null\n)*+')
_ZONED = re.compile(
    rb'(?:"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)"\n|null\n)*+'
)
_NUMBERS = {"int": _WHOLE, "float": _FRACTIONS}
_MOMENTS = {"timestamp": _ZONED, "date": _DAYS, "datetime": _CLOCKS}

AS_LISTS: Mapping[str, msgspec.json.Decoder[list[object]]] = {
    "bool": msgspec.json.Decoder(list[bool | None]),
    "int": msgspec.json.Decoder(list[int | None]),
    "long": msgspec.json.Decoder(list[int | None]),
    "float": msgspec.json.Decoder(list[float | None]),
    "text": msgspec.json.Decoder(list[str | None]),
    "date": msgspec.json.Decoder(list[date | None]),
    "datetime": msgspec.json.Decoder(list[datetime | None]),
    "timestamp": msgspec.json.Decoder(list[datetime | None]),
}
"""What reads a whole column, by its kind; it refuses what only single values can be read as."""


def listed(cells: Iterable[bytes | None]) -> bytes:
    """Return the cells of a column as one JSON list."""
    return b"[%b]" % b",".join([b"null" if cell is None else cell for cell in cells])


def uniform_kind(cells: Sequence[bytes]) -> str | None:
    """Return the kind that all values have; None where each has to be looked at.

    Null is of every kind. What is returned is what ``typed_kind`` says of each of the others.

    >>> uniform_kind([b"1", b"null", b"-20"]), uniform_kind([b'"2024-05-01"', b'"2024-06-01"'])
    ('int', 'date')
    >>> uniform_kind([b"1", b"2.5"]), uniform_kind([b'"2024-02-30"']), uniform_kind([b"[1]"])
    (None, None, None)
    """
    begins = {cell[:1] for cell in cells}
    lines = b"\n".join(cells) + b"\n"
    if begins <= {b"n"}:
        return "null"
    if begins <= {b"t", b"f", b"n"}:
        return "bool"
    if begins <= {b'"', b"n"}:
        if b"-" in {cell[5:6] for cell in cells}:  # as in "2024-05-01"
            return _moments(cells, lines)
        escaped = b"\\" in lines and b"\\u" in lines  # one byte is found much sooner than two
        return None if escaped else "text"
    return next((kind for kind, plain in _NUMBERS.items() if plain.fullmatch(lines)), None)


def _moments(cells: Sequence[bytes], lines: bytes) -> str | None:
    for kind, plain in _MOMENTS.items():
        if plain.fullmatch(lines):
            try:  # a moment that there is not is text
                AS_LISTS[kind].decode(listed(cells))
            except msgspec.DecodeError:
                return None
            return kind
    return None
