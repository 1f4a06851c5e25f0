"""Texts as dates: one form a column, the wall clock as written, nothing guessed.

A zone or an offset is left away and never converted: the date that an exchange wrote is the date.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from penstock.errors import InputError

__all__ = ["DATE_NAMES", "ORDERS", "are_row_numbers", "read_dates"]

DATE_NAMES = frozenset(
    {"date", "time", "timestamp", "datetime", "day", "dates", "period", "datum", "fecha"}
)
"""What a column of dates is called, in lower case."""

ORDERS = ("dmy", "mdy", "ymd", "excel")
"""Which number is which where a column can be read in several ways; a workbook's days."""

_ZONE = (
    r" ?(?:Z|UTC|[A-Z]{2,4}T)?(?:[+-]\d{2}:?\d{2})?"
    r"(?: ?\[?[A-Z][A-Za-z]+(?:/\w+)+\]?| ?\([A-Z][A-Za-z ]+\))?"
)
_CLOCK = (
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?P<F>[.,]\d+)?)?"
    rf"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?(?-i:{_ZONE})"
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})([-/.])(?P<m>\d{1,2})(?:\2(?P<d>\d{1,2})" + _CLOCK + ")?")
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<y>\d{4}|\d{2})" + _CLOCK
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +)?"
_NTH = r"(?:st|nd|rd|th|\.)?"
_NAMED = re.compile(
    _WEEKDAY
    + rf"(?:(?P<d>\d{{1,2}}){_NTH}[ -]*(?:de )?(?P<name>[a-z]{{3,10}})\.?[ -]*(?:de )?"
    + r"(?P<y>\d{4}|\d{2})"
    + rf"|(?P<name2>[a-z]{{3,10}})\.? (?:(?P<d2>\d{{1,2}}){_NTH},? )?(?P<y2>\d{{4}}))"
    + _CLOCK,
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"(?P<y>\d{4})[- ]?(?:W(?P<w>\d{2})(?:-?(?P<wd>[1-7]))?|Q(?P<q>[1-4])"
    r"|[HS](?P<h>[12])|M(?P<m>\d{2}))"
    r"|Q(?P<q2>[1-4])[ -/]?(?P<y2>\d{4})"
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(?::?(\d{2})(?::?(\d{2}))?)?)?Z?")
_MONTHS = (
    "january januar janvier enero gennaio janeiro januari",
    "february februar fevrier febrero febbraio fevereiro februari",
    "march marz maerz mrz mars marzo marco maart mrt",
    "april avril abril aprile",
    "may mai mayo maggio maio mei",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto augustus",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
"""Their names in seven languages, without accents; any beginning that only one has will do."""

_WHOLE = re.compile(r"(-?\d+)(?:\.0+)?")
_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}
_UNIT_NAMES = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}
_MARKS = str.maketrans(
    {"\u2010": "-", "\u2012": "-", "\u2013": "-", "\u2212": "-", "\u200b": "", "\u200e": ""}
    | {"\ufeff": "", "年": "-", "月": "-", "日": ""}
)
_OFFSET = re.compile(r":\d\d.*?([+-]\d{2}):?\d{2}(?:\[.*)?$")

Reader = Callable[[str], datetime | None]


def read_dates(texts: Sequence[str], order: str = "") -> tuple[list[datetime], tuple[str, ...]]:
    """Return moments without a zone, and what is to be said about how they were read.

    ISO dates and times, 2024/01/02, 20240102, 8 January 2024 (in seven languages), 2024-W03,
    2024Q1 and Unix times are read as what they are. 01/02/2024 is read where only one order is
    possible, or with ``order``. A week, month or quarter is its first day.

    Args:
        texts: One date a row.
        order: One of :data:`ORDERS`; "" leaves it to the dates.

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
    texts = [_plain(text) for text in texts]
    first = texts[0]
    if not first:
        raise InputError("row 0 has no date")
    _check_zones(texts)
    if order == "excel":
        return _all(texts, _serial), ("dates are read as a workbook's days since 1899-12-30",)
    for read, words in _FORMS:
        if read(first) is not None:
            return _all(texts, read), words
    if _YEAR_LAST.fullmatch(first):
        return _ordered(texts, order)
    if whole := _WHOLE.fullmatch(first):
        return _numbers(texts, whole[1], order)
    raise InputError(f"{first!r} is not a date such as 2026-01-30")


def _plain(text: str) -> str:
    """Return a text without accents, odd spaces and hyphens."""
    text = text.strip()
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text).translate(_MARKS)
        text = "".join(part for part in parts if not unicodedata.combining(part)).strip()
    return text


def _check_zones(texts: Sequence[str]) -> None:
    """Raise InputError where offsets differ by more than summer time: nothing is converted."""
    if ":" not in texts[0]:
        return
    hours = sorted({int(found[1]) for text in texts if (found := _OFFSET.search(text))})
    if hours and hours[-1] - hours[0] > 1:
        raise InputError(
            f"dates are of several zones ({hours[0]:+03d}:00 to {hours[-1]:+03d}:00): write them by"
            " the clock of one"
        )


def _all(texts: Sequence[str], read: Reader) -> list[datetime]:
    found = []
    for row, text in enumerate(texts):
        moment = read(text)
        if not text:
            raise InputError(f"row {row} has no date")
        if moment is None:
            raise InputError(
                f"{text!r} (row {row}) is not a date such as 2026-01-30, or not written as"
                f" {texts[0]!r} is"
            )
        found.append(moment)
    return found


def _numbers(
    texts: Sequence[str], first: str, order: str
) -> tuple[list[datetime], tuple[str, ...]]:
    digits = len(first.lstrip("-"))
    if digits == 8 and _day(first) is not None:
        return _all(texts, _day), ("dates are read as YYYYMMDD",)
    if digits == 6:
        return _six(texts, order)
    if digits in {10, 12} and all(_compact(text) is not None for text in texts):
        raise InputError(f"{first} can be YYYYMMDD with a time, or a Unix time: write 2026-01-30")
    if digits not in _UNITS:
        said = "a year alone" if digits == 4 else "a number"
        raise InputError(
            f"{first} is {said}, not a date: write dates such as 2026-01-30, or say that they are"
            " a workbook's days (--dates excel) or that there are none (--dates none)"
        )
    unit = _UNITS[digits]
    told = f"dates are read as Unix {_UNIT_NAMES[unit]}, by the clock of UTC"
    return _all(texts, partial(_epoch, unit=unit)), (told,)


def _six(texts: Sequence[str], order: str) -> tuple[list[datetime], tuple[str, ...]]:
    """Read YYYYMM or YYMMDD, where only one is possible."""

    def short(text: str) -> datetime | None:
        return _day(f"{_whole_year(text[:2])}{text[2:]}") if len(text) == 6 else None

    def month(text: str) -> datetime | None:
        return _day(f"{text}01") if len(text) == 6 else None

    if order == "ymd":
        return _all(texts, short), ()
    possible = all(month(text) is not None for text in texts)
    if not possible or all(short(text) is not None for text in texts):
        raise InputError(
            f"{texts[0]!r} can be YYMMDD or YYYYMM: say --dates ymd, or write months as 2026-01"
        )
    return _all(texts, month), ("dates are read as YYYYMM",)


def _day(text: str) -> datetime | None:
    whole = _WHOLE.fullmatch(text)
    return _compact(whole[1]) if whole and len(whole[1]) == 8 else None


def _compact(text: str) -> datetime | None:
    """Read YYYYMMDD, with a time behind it or not."""
    found = _COMPACT.fullmatch(text)
    if not found or not 1700 <= int(found[1]) <= 2200:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - six whole numbers; the wall clock's moment
    except ValueError:
        return None


def _clocked(text: str) -> datetime | None:
    """Read YYYYMMDD with a time that shows it is not a number: with a mark, or 14 digits."""
    return _compact(text) if len(text) >= 13 and not (text.isdecimal() and len(text) < 14) else None


def _serial(text: str) -> datetime | None:
    try:
        days = float(text)
    except ValueError:
        return None
    moment = datetime(1899, 12, 30)  # noqa: DTZ001 - the wall clock's moment, which has no zone
    return moment + timedelta(days=days) if 60 < days < 100_000 else None


def _period(text: str) -> datetime | None:
    """Read a week, a month, a quarter or a half as its first day."""
    found = _PERIOD.fullmatch(text)
    if not found:
        return None
    year = int(found["y"] or found["y2"])
    if found["w"]:
        try:
            return datetime.combine(
                datetime.fromisocalendar(year, int(found["w"]), int(found["wd"] or 1)),
                datetime.min.time(),
            )
        except ValueError:
            return None
    quarter, half = found["q"] or found["q2"], found["h"]
    month = 3 * int(quarter) - 2 if quarter else 6 * int(half) - 5 if half else int(found["m"])
    return _moment(str(year), str(month), "1")


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
    found_months = [
        number
        for number, words in enumerate(_MONTHS, 1)
        if any(word.startswith(name) for word in words.split())
    ]
    year, day = found["y"] or found["y2"], found["d"] or found["d2"] or "1"
    month = str(found_months[0]) if len(found_months) == 1 else "0"
    return _moment(_whole_year(year), month, day, found)


_FORMS: tuple[tuple[Reader, tuple[str, ...]], ...] = (
    (partial(_year_first, months=False), ()),
    (partial(_year_first, months=True), ()),
    (partial(_named, months=False), ()),
    (partial(_named, months=True), ()),
    (_clocked, ()),
    (_period, ("weeks, months and quarters are read as their first day",)),
)


def _ordered(texts: Sequence[str], order: str) -> tuple[list[datetime], tuple[str, ...]]:
    if order:
        return _all(texts, partial(_year_last, order=order, short=True)), ()
    if len(texts[0].strip().split()[0]) < 10 and not re.search(r"\d{4}", texts[0]):
        raise InputError(
            f"{texts[0]!r} has a year of two digits: say which number is the day with"
            " --dates dmy, mdy or ymd"
        )
    readings: dict[str, list[datetime]] = {}
    troubles = []
    for name in ORDERS[:2]:
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
    why = "the other order is impossible" if len(readings) == 1 else "either order gives the same"
    return readings[name], (f"dates are read as {name}: {why}",)


def _year_last(text: str, order: str, *, short: bool = False) -> datetime | None:
    found = _YEAR_LAST.fullmatch(text)
    if not found or (len(found["y"]) == 2 and not short):
        return None
    parts = dict(zip(order, (found["one"], found["two"], found["y"]), strict=True))
    if any(len(parts[part]) > 2 for part in "dm"):
        return None
    return _moment(_whole_year(parts["y"]), parts["m"], parts["d"], found)


def _whole_year(year: str) -> str:
    """Return a year of two digits as POSIX has it: 69 to 99 are of the last century."""
    return year if len(year) != 2 else f"{19 if int(year) >= 69 else 20}{year}"


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


def are_row_numbers(name: str, texts: Sequence[str] | Callable[[], Sequence[str]]) -> bool:
    """Return whether a column is the row numbers that pandas writes in front of a table.

    Args:
        name: Of the column.
        texts: Its cells, or what returns them where the name allows row numbers.

    >>> are_row_numbers("", ["0", "1", "2"]), are_row_numbers("date", ["0", "1", "2"])
    (True, False)
    """
    if name.strip().lower() not in _ROW_NAMES:
        return False
    cells = texts() if callable(texts) else texts
    if not cells or cells[0].strip() not in {"0", "1"}:
        return False
    start = int(cells[0])
    return all(text.strip() == str(start + row) for row, text in enumerate(cells))


_ROW_NAMES = {"", "unnamed: 0", "index", "row", "#", "idx", "row_number", "no", "no.", "nr", "nr."}
