"""Texts as dates: one form a column, the wall clock as written, nothing guessed.

A zone or an offset is left away and never converted: the date that an exchange wrote is the date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from penstock.errors import InputError

__all__ = ["DATE_NAMES", "ORDERS", "are_row_numbers", "read_dates"]

DATE_NAMES = frozenset({"date", "time", "timestamp", "datetime", "day", "dates", "period"})
"""What a column of dates is called, in lower case."""

ORDERS = ("dmy", "mdy")
"""Day first or month first, where a column can be read both ways."""

_CLOCK = (
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?P<F>\.\d+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)? ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})([-/.])(?P<m>\d{1,2})(?:\2(?P<d>\d{1,2})" + _CLOCK + ")?")
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<y>\d{4}|\d{2})" + _CLOCK
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +)?"
_NAMED = re.compile(
    _WEEKDAY
    + r"(?:(?P<d>\d{1,2})[ -](?P<name>[a-z]{3,9})\.?[ -](?P<y>\d{4}|\d{2})"
    + r"|(?P<name2>[a-z]{3,9})\.? (?:(?P<d2>\d{1,2}),? )?(?P<y2>\d{4}))"
    + _CLOCK,
    re.IGNORECASE,
)
_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_WHOLE = re.compile(r"(-?\d+)(?:\.0+)?")
_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}
_UNIT_NAMES = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}

Reader = Callable[[str], datetime | None]


def read_dates(texts: Sequence[str], order: str = "") -> tuple[list[datetime], tuple[str, ...]]:
    """Return moments without a zone, and what is to be said about how they were read.

    ISO dates and times, 2024/01/02, 20240102, 8 January 2024 and Unix times are read as what they
    are. 01/02/2024 is read where only one order is possible, or with ``order``.

    Args:
        texts: One date a row.
        order: ``dmy`` or ``mdy``; "" leaves it to the dates.

    Raises:
        InputError: A text that is not a date, or is one in two ways; the message says which.

    >>> read_dates(["20240102", "20240103"])[0][1]
    datetime.datetime(2024, 1, 3, 0, 0)
    >>> read_dates(["01/02/2024"], "dmy")[0][0].month
    2
    """
    if order and order not in ORDERS:
        raise InputError(f"dates {order!r}: choose one of {', '.join(ORDERS)}")
    if not texts:
        return [], ()
    first = texts[0].strip()
    if not first:
        raise InputError("row 0 has no date")
    if found := _YEAR_FIRST.fullmatch(first):
        return _all(texts, partial(_year_first, months=not found["d"])), ()
    if found := _NAMED.fullmatch(first):
        return _all(texts, partial(_named, months=not (found["d"] or found["d2"]))), ()
    if _YEAR_LAST.fullmatch(first):
        return _ordered(texts, order)
    if whole := _WHOLE.fullmatch(first):
        return _numbers(texts, whole[1])
    raise InputError(f"{first!r} is not a date such as 2026-01-30")


def _all(texts: Sequence[str], read: Reader) -> list[datetime]:
    found = []
    for row, text in enumerate(texts):
        moment = read(text.strip())
        if not text.strip():
            raise InputError(f"row {row} has no date")
        if moment is None:
            raise InputError(
                f"{text!r} (row {row}) is not a date such as 2026-01-30, or not written as"
                f" {texts[0]!r} is"
            )
        found.append(moment)
    return found


def _numbers(texts: Sequence[str], first: str) -> tuple[list[datetime], tuple[str, ...]]:
    digits = len(first.lstrip("-"))
    if digits == 8 and _compact(first) is not None:
        return _all(texts, _compact), ("dates are read as YYYYMMDD",)
    if digits not in _UNITS:
        said = "a year alone" if digits == 4 else "a number"
        raise InputError(
            f"{first} is {said}, not a date: write dates such as 2026-01-30, or say that there"
            " are none (--dates none)"
        )
    unit = _UNITS[digits]
    told = f"dates are read as Unix {_UNIT_NAMES[unit]}, by the clock of UTC"
    return _all(texts, partial(_epoch, unit=unit)), (told,)


def _compact(text: str) -> datetime | None:
    whole = _WHOLE.fullmatch(text)
    if not whole or len(whole[1]) != 8:
        return None
    moment = _moment(whole[1][:4], whole[1][4:6], whole[1][6:])
    return moment if moment and 1700 <= moment.year <= 2200 else None


def _epoch(text: str, unit: int) -> datetime | None:
    whole = _WHOLE.fullmatch(text)
    if not whole or _UNITS.get(len(whole[1].lstrip("-"))) != unit:
        return None
    seconds, rest = divmod(int(whole[1]), unit)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.replace(microsecond=rest * 10**6 // unit)


def _year_first(text: str, *, months: bool) -> datetime | None:
    """Read a date, or where the first of all named only a month, a month."""
    found = _YEAR_FIRST.fullmatch(text)
    if not found or months == bool(found["d"]):
        return None
    return _moment(found["y"], found["m"], found["d"] or "1", found)


def _named(text: str, *, months: bool) -> datetime | None:
    found = _NAMED.fullmatch(text)
    if not found or months == bool(found["d"] or found["d2"]):
        return None
    name = (found["name"] or found["name2"]).lower()
    month = next((n for n, word in enumerate(_MONTHS, 1) if name in {word, word[:3]}), 0)
    month = 9 if name == "sept" else month
    year, day = found["y"] or found["y2"], found["d"] or found["d2"] or "1"
    return _moment(_whole_year(year), str(month), day, found)


def _ordered(texts: Sequence[str], order: str) -> tuple[list[datetime], tuple[str, ...]]:
    if order:
        return _all(texts, partial(_year_last, order=order, short=True)), ()
    if len(texts[0].strip().split()[0]) < 10 and not re.search(r"\d{4}", texts[0]):
        raise InputError(
            f"{texts[0]!r} has a year of two digits: say which number is the day with"
            " --dates dmy or mdy"
        )
    readings: dict[str, list[datetime]] = {}
    troubles = []
    for name in ORDERS:
        try:
            readings[name] = _all(texts, partial(_year_last, order=name))
        except InputError as error:
            troubles.append(error)
    if not readings:
        raise troubles[0]
    if len(readings) > 1 and readings["dmy"] != readings["mdy"]:
        raise InputError(
            f"{texts[0]!r} can be two dates: say --dates dmy (day first) or mdy (month first)"
        )
    name = next(iter(readings))
    return readings[name], (f"dates are read as {name}: the other order is impossible",)


def _year_last(text: str, order: str, *, short: bool = False) -> datetime | None:
    found = _YEAR_LAST.fullmatch(text)
    if not found or (len(found["y"]) == 2 and not short):
        return None
    day, month = found["one"], found["two"]
    if order == "mdy":
        day, month = month, day
    return _moment(_whole_year(found["y"]), month, day, found)


def _whole_year(year: str) -> str:
    """Return a year of two digits as POSIX has it: 69 to 99 are of the last century."""
    return year if len(year) == 4 else f"{19 if int(year) >= 69 else 20}{year}"


def _moment(year: str, month: str, day: str, clock: re.Match[str] | None = None) -> datetime | None:
    """Return the moment, or None where there is no such day."""
    hour = minute = second = micro = 0
    if clock is not None and clock["H"]:
        hour, minute, second = int(clock["H"]), int(clock["M"]), int(clock["S"] or 0)
        micro = int(((clock["F"] or ".")[1:] + "000000")[:6])
        if clock["half"]:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if clock["half"] in "pP" else 0)
    try:
        return datetime(  # noqa: DTZ001 - the wall clock's moment, which has no zone
            int(year), int(month), int(day), hour, minute, second, micro
        )
    except ValueError:
        return None


def are_row_numbers(name: str, texts: Sequence[str]) -> bool:
    """Return whether a column is the row numbers that pandas writes in front of a table.

    >>> are_row_numbers("", ["0", "1", "2"]), are_row_numbers("date", ["0", "1", "2"])
    (True, False)
    """
    if name.strip().lower() not in {"", "unnamed: 0", "index", "row", "#"}:
        return False
    if not texts or texts[0].strip() not in {"0", "1"}:
        return False
    start = int(texts[0])
    return all(text.strip() == str(start + row) for row, text in enumerate(texts))
