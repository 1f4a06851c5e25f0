"""One strict reader of people's tables: separators, headers, dates, numbers.

>>> from penstock.tables import Numbers, read_dates, read_sheet
>>> sheet = read_sheet(["Datum;A", "30.01.2026;1.100,5"], "prices")
>>> read_dates([cells[0] for _, cells in sheet.rows])[0][0].isoformat()
'2026-01-30T00:00:00'

It needs nothing but Python; a workbook needs openpyxl.
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
