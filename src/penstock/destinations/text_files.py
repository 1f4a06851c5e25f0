"""Exports that are text and can go to a pipe: JSON Lines and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from penstock.store import Column, portions, text_of

__all__ = ["Row", "csv_head", "csv_line", "write_csv", "write_csv_rows", "write_jsonl"]

Row = Sequence[bytes | None]
"""The JSON text of each column, None where the record has no such field."""

_BLOCK = 1 << 18
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # wide ones, too


def write_jsonl(rows: Iterable[Row], names: Sequence[bytes], file: BinaryIO) -> None:
    """Write an object a line; ``names`` are JSON texts. A field that is absent stays absent."""
    _write(
        (
            b"{%b}\n"
            % b",".join(
                b"%b:%b" % (name, cell)
                for name, cell in zip(names, row, strict=True)
                if cell is not None
            )
            for row in rows
        ),
        file,
    )


def write_csv(
    rows: Iterable[Row], columns: Sequence[Column], file: BinaryIO, *, safe: bool = False
) -> None:
    """Write CSV as RFC 4180 has it, with a header, in UTF-8.

    Null is an empty field and the empty text is ``""``, so that both can be told apart. Where it is
    to be ``safe`` for spreadsheets, a text that they would take for a formula begins with ``'``.
    """
    names = [_no_formula(column.name) if safe else column.name for column in columns]
    file.write(csv_head(names))
    write_csv_rows(rows, [column.kind == "text" for column in columns], file, safe=safe)


def csv_head(names: Iterable[str]) -> bytes:
    """Return the header of a CSV file."""
    return (csv_line(names) + "\r\n").encode()


def csv_line(texts: Iterable[str | None]) -> str:
    """Return a line of CSV without its end; null is empty, and the empty text ``""``."""
    return ",".join("" if text is None else _quoted(text) for text in texts)


def write_csv_rows(
    rows: Iterable[Row], texts: Sequence[bool], file: BinaryIO, *, safe: bool = False
) -> None:
    """Write the lines of a CSV file; ``texts`` says of which columns the text itself is written."""
    cell = _safe_cell if safe else _csv_cell
    _write(
        ((",".join(map(cell, row, texts)) + "\r\n").encode() for row in rows),
        file,
    )


def _csv_cell(cell: bytes | None, is_text: bool) -> str:  # noqa: FBT001 - called by map
    if cell is None or cell == b"null":
        return ""
    return _quoted(text_of(cell) if is_text else cell.decode())


def _safe_cell(cell: bytes | None, is_text: bool) -> str:  # noqa: FBT001 - called by map
    if cell is None or cell[:1] != b'"':
        return _csv_cell(cell, is_text)
    return _quoted(_no_formula(text_of(cell) if is_text else cell.decode()))


def _no_formula(text: str) -> str:
    """Return a text that no spreadsheet computes.

    >>> _no_formula("=HYPERLINK(1)"), _no_formula("a=b")
    ("'=HYPERLINK(1)", 'a=b')
    """
    return "'" + text if text.lstrip(" \t\r\n\0")[:1] in _FORMULA else text


def _quoted(text: str) -> str:
    # RFC 4180 §2.6 and 2.7
    if (
        not text
        or '"' in text
        or "," in text
        or "\n" in text
        or "\r" in text
        or text != text.strip()
    ):
        return '"' + text.replace('"', '""') + '"'
    return text


def _write(lines: Iterable[bytes], file: BinaryIO) -> None:
    file.writelines(b"".join(block) for block in portions(lines, len, _BLOCK))
