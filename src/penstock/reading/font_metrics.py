"""How wide text is in em: numbers read once from free fonts, kept in ``widths.json``.

``widest`` is the widest of DejaVu Sans and Serif, Liberation Sans and Serif, and Noto Sans CJK for
each character, so a line that fits by it fits in each of them. ``serif`` is Liberation Serif, whose
widths are those of Times New Roman; lines are aligned by it.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib import resources

__all__ = ["advance", "table"]

UNKNOWN = 1.05  # wider than any letter of the alphabets that are not in the table


@cache
def table(name: str) -> dict[str, float]:
    """Return the width in em of each known character, by the table's name."""
    text = resources.files("penstock.reading").joinpath("widths.json").read_text("utf-8")
    found = json.loads(text)[name]
    scale = found["units_per_em"]
    return {c: int(width) / scale for width, group in found["widths"].items() for c in group}


@cache
def _width(character: str, name: str) -> float:
    known = table(name).get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else UNKNOWN


def advance(text: str, name: str = "widest") -> float:
    """Return the width of ``text`` in em.

    >>> advance("\u6f22\u5b57")
    2.0
    """
    return sum([_width(character, name) for character in text])
