"""The columns of files and frames alike: which are dates, which assets, which are left away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.fields import (
    FIELDS,
    chosen_field,
    fold,
    is_bars,
    names_and_fields,
    without_volumes,
)
from penstock.portfolio.matrix import ReturnTable, in_order
from penstock.tables import DATE_NAMES, ORDERS, are_row_numbers, read_dates

__all__ = ["ANY", "TICKERS", "Columns", "Format", "Kind", "assembled", "date_column", "dates_of"]

TICKERS = frozenset({"ticker", "symbol", "asset", "isin", "instrument", "security", "stock"})
"""What a column of assets' names is called, in lower case, where there is one row an asset."""

_CURRENCIES = frozenset({"currency", "ccy", "curr"})

Kind = Literal["time", "text", "number", "other"]


@final
@dataclass(frozen=True, slots=True)
class Format:
    """What a file does not say itself.

    Attributes:
        dates: ``dmy``, ``mdy`` or ``ymd`` where days, months and years can be taken for each other;
            ``excel`` where they are a workbook's numbers of days; ``none`` where there is no date
            column.
        decimal: The decimal mark, ``.`` or ``,``.
        field: The field to measure, such as ``Close``, where there are several an asset.
        sheet: The sheet of a workbook.
    """

    dates: str = ""
    decimal: str = ""
    field: str = ""
    sheet: str = ""

    def __post_init__(self) -> None:
        if self.dates not in {"", "none", *ORDERS}:
            raise InputError(f"dates {self.dates!r}: choose {', '.join(ORDERS)} or none")


ANY = Format()


@final
@dataclass(frozen=True, slots=True)
class Columns:
    """A table before it is known what its columns are.

    Attributes:
        levels: The header rows, outermost first; one in most tables.
        kinds: What each column holds; ``text`` may be dates or numbers in a file.
        texts: Returns the cells of a column as texts.
        times: Returns the moments of a column of kind ``time``.
        numbers: Returns some columns as a matrix, and what is to be said about them.
        words: How it was read so far.
    """

    levels: tuple[tuple[str, ...], ...]
    kinds: tuple[Kind, ...]
    texts: Callable[[int], list[str]]
    times: Callable[[int], Dates]
    numbers: Callable[[list[int]], tuple[Floats, tuple[str, ...]]]
    words: tuple[str, ...] = ()


def date_column(names: Sequence[str], kinds: Sequence[Kind]) -> int | None:
    """Return where the dates stand: a column of times, one called so, or a first one of text.

    >>> date_column(["A", "Date"], ["number", "number"]), date_column(["A"], ["number"])
    (1, None)
    """
    if "time" in kinds:
        return list(kinds).index("time")
    for place, name in enumerate(names):
        if name.strip().lower() in DATE_NAMES:
            return place
    return 0 if kinds and kinds[0] == "text" else None


def dates_of(values: Iterable[object], order: str = "") -> tuple[Dates, tuple[str, ...]]:
    """Return texts, whole numbers or dates as moments, and what is to be said about it.

    Raises:
        InputError: One is not a date, or can be two.
    """
    moments, words = read_dates([str(value) for value in values], order)
    return np.array(moments, dtype="datetime64[us]"), words


def assembled(columns: Columns, how: Format = ANY) -> ReturnTable:
    """Return columns as a table of one number an asset and date.

    Raises:
        InputError: What cannot be read as one thing; the message says the option that reads it.
    """
    names = [name.strip().removeprefix("<").removesuffix(">") for name in columns.levels[-1]]
    places, words = _without_row_numbers(columns, names)
    day = clock = None
    if how.dates != "none":
        found = date_column([names[k] for k in places], [columns.kinds[k] for k in places])
        day = None if found is None else places[found]
        clock = _clock(columns, names, day)
    places = [place for place in places if place not in {day, clock}]
    ticker = next((k for k in places if names[k].lower() in TICKERS), None)
    places, assets, said = _measured(columns, names, places, ticker, how)
    values, units = columns.numbers(places)
    words += (*said, *units)
    dates: Dates | None = None
    if day is not None:
        dates, told = _moments(columns, day, clock, how)
        words += told
    if ticker is None:
        return in_order(values, assets, dates, words)
    if dates is None:
        raise InputError("one row an asset and date needs a column of dates")
    tickers = [text.strip() for text in columns.texts(ticker)]
    return _pivoted(dates, tickers, values, (*words, *_currencies(columns, names)))


def _without_row_numbers(columns: Columns, names: list[str]) -> tuple[list[int], tuple[str, ...]]:
    places = list(range(len(names)))
    plain = bool(names) and columns.kinds[0] in {"text", "number"}
    if not plain or not are_row_numbers(names[0], lambda: columns.texts(0)):
        return places, columns.words
    return places[1:], (*columns.words, "a first column of row numbers is left away")


def _measured(
    columns: Columns, names: list[str], places: list[int], ticker: int | None, how: Format
) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """Return the places of what is measured, the assets' names, and what is to be said."""
    levels = [[level[k] for k in places] for level in columns.levels]
    split = names_and_fields([names[k] for k in places])
    if len(levels) == 1 and split:
        levels = split
    if len(levels) > 1:
        keep, assets, said = fold(levels, how.field)
        return [places[k] for k in keep], assets, said
    if ticker is not None or is_bars(names) or how.field:
        known = [names[k] for k in places if k != ticker and _is_field(names, k, ticker)]
        field, said = chosen_field(known, how.field)
        return [names.index(field)], (field,), said
    kept = [places[k] for k in without_volumes([names[k] for k in places])]
    for place in kept:
        if not names[place]:
            raise InputError(f"column {place + 1} has no name in the header")
    said = tuple(f"column {names[k]} is left away" for k in places if k not in kept)
    return kept, tuple(names[k] for k in kept), said


def _is_field(names: list[str], place: int, ticker: int | None) -> bool:
    """Return whether a column can be a field: in bars the known ones, in long rows any other."""
    name = names[place].lower()
    if ticker is not None and not is_bars(names):
        return name not in DATE_NAMES | _CURRENCIES
    return name in FIELDS


def _clock(columns: Columns, names: list[str], day: int | None) -> int | None:
    """Return where the time stands that has a column of its own."""
    if day is None or columns.kinds[day] == "time":
        return None
    return next((k for k, name in enumerate(names) if name.lower() == "time" and k != day), None)


def _moments(
    columns: Columns, day: int, clock: int | None, how: Format
) -> tuple[Dates, tuple[str, ...]]:
    if columns.kinds[day] == "time":
        return columns.times(day), ()
    texts = columns.texts(day)
    if clock is not None:
        texts = [_joined(*pair) for pair in zip(texts, columns.texts(clock), strict=True)]
    return dates_of(texts, how.dates)


def _joined(date: str, time: str) -> str:
    """Return a date with the time of a column of its own."""
    date, time = date.strip(), time.strip()
    if len(time) == 6 and time.isdecimal():
        time = f"{time[:2]}:{time[2:4]}:{time[4:]}"
    if time in {"00:00:00", "00:00", ""}:
        return date
    if len(date) == 8 and date.isdecimal():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    return f"{date} {time}"


def _pivoted(
    moments: Dates, tickers: list[str], values: Floats, words: tuple[str, ...]
) -> ReturnTable:
    """Return one row a date and one column an asset."""
    if np.isnat(moments).any():
        raise InputError(f"row {int(np.isnat(moments).argmax())} has no date")
    if "" in tickers:
        raise InputError(f"row {tickers.index('')} names no asset")
    names = tuple(dict.fromkeys(tickers))
    dates: Dates = np.unique(moments)
    rows = np.searchsorted(dates, moments)
    number = {name: place for place, name in enumerate(names)}
    columns = np.array([number[name] for name in tickers])
    whole = np.full((len(dates), len(names)), np.nan)
    found, counts = np.unique(rows * len(names) + columns, return_counts=True)
    if (counts > 1).any():
        row, column = divmod(int(found[counts > 1][0]), len(names))
        raise InputError(f"{names[column]} comes twice on {str(dates[row])[:10]}: keep one row")
    whole[rows, columns] = values[:, 0]
    said = f"one row an asset and date: {len(names)} assets on {len(dates)} dates"
    return ReturnTable(whole, names, dates, words=(*words, said))


def _currencies(columns: Columns, names: list[str]) -> tuple[str, ...]:
    place = next((k for k, name in enumerate(names) if name.lower() in _CURRENCIES), None)
    found = sorted(set(columns.texts(place))) if place is not None else []
    if len(found) < 2:
        return ()
    return (f"several currencies ({', '.join(found)}): each return is in its own",)
