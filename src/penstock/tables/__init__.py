"""One strict reader of people's tables: separators, headers, dates, numbers.

>>> from penstock.tables import Numbers, read_dates, read_sheet
>>> sheet = read_sheet(["Datum;A", "30.01.2026;1.100,5"], "prices")
>>> read_dates([cells[0] for _, cells in sheet.rows])[0][0].isoformat()
'2026-01-30T00:00:00'

It needs nothing but Python; a workbook needs openpyxl.
"""

from __future__ import annotations

from penstock.tables.dates import DATE_NAMES, ORDERS, are_row_numbers, read_dates
from penstock.tables.numbers import MISSING_WORDS, Numbers, decimal_mark, one_unit
from penstock.tables.sheet import Sheet, open_text, read_sheet, read_workbook, stream_sheet

__all__ = [
    "DATE_NAMES",
    "MISSING_WORDS",
    "ORDERS",
    "Numbers",
    "Sheet",
    "are_row_numbers",
    "decimal_mark",
    "one_unit",
    "open_text",
    "read_dates",
    "read_sheet",
    "read_workbook",
    "stream_sheet",
]
