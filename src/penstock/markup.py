"""Tables of HTML for notebooks; everything in them is text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_table"]

_SHOWN = 200  # characters of a cell


def html_table(names: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """Return a table; what is long is cut.

    >>> html_table(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{_cell(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    said = f"<caption>{_cell(title)}</caption>" if title else ""
    return f"<table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
