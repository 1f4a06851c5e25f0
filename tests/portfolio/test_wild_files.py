"""Price files as people have them: each is read right or refused by name, none is read wrong."""

import datetime as dt
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from penstock.errors import InputError
from penstock.portfolio import Format, minimum_volatility, read_table, risk
from penstock.portfolio.arrays import Floats
from penstock.portfolio.files import text_rows
from penstock.portfolio.table import ReturnTable, as_table

NAMES = ("ABC", "XYZ", "Co & Sons")
GERMAN = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)
DATES: dict[str, Callable[[dt.date], str]] = {
    "iso": str,
    "slashes": "{:%Y/%m/%d}".format,
    "compact": "{:%Y%m%d}".format,
    "dotted": "{:%d.%m.%Y}".format,
    "dmy": "{:%d/%m/%Y}".format,
    "mdy": "{:%m/%d/%Y}".format,
    "short": "{:%d/%m/%y}".format,
    "named": "{:%d %B %Y}".format,
    "american": "{:%b %d, %Y}".format,
    "zoned": "{:%Y-%m-%d} 00:00:00-05:00".format,
    "utc": "{:%Y-%m-%d}T00:00:00Z".format,
    "seconds": lambda day: str(int(dt.datetime(*day.timetuple()[:3], tzinfo=dt.UTC).timestamp())),
    "millis": lambda day: str(
        int(dt.datetime(*day.timetuple()[:3], tzinfo=dt.UTC).timestamp()) * 1000
    ),
    "year": "{:%Y}".format,
    "excel": lambda day: str((day - dt.date(1899, 12, 30)).days),
    "week": "{:%G-W%V-%u}".format,
    "german": lambda day: f"{day.day}. {GERMAN[day.month - 1]} {day.year}",
    "clocked": "{:%Y%m%d}T000000".format,
    "digits": "{:%Y%m%d}000000".format,
    "zone named": "{:%Y-%m-%d} 00:00:00 America/New_York".format,
    "sixes": "{:%y%m%d}".format,
    "quarter": lambda day: f"{day.year}Q{(day.month + 2) // 3}",
}
Wild = tuple[str, list[dt.date], Floats]


def number(value: float, digits: int, decimal: str, thousands: str) -> str:
    text = f"{value:,.{digits}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def quoted(text: str, separator: str) -> str:
    return f'"{text}"' if separator in text else text


def arranged(odd: str, head: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows in another arrangement."""
    if odd == "newest":
        rows.reverse()
    if odd == "trailing":
        head, rows = [*head, ""], [[*row, ""] for row in rows]
    if odd == "index":
        head, rows = ["", *head], [[str(k), *row] for k, row in enumerate(rows)]
    if odd == "moved":
        head, rows = [*head[1:], head[0]], [[*row[1:], row[0]] for row in rows]
    if odd == "units":
        rows = [["", "USD", "EUR", "USD"], *rows]
    if odd == "title":
        rows, head = [head, *rows], ["Prices", "", "", ""]
    if odd == "merged":
        rows = [["", *NAMES, *NAMES], *([*row, *row[1:]] for row in rows)]
        head = ["Date", "Close", "", "", "Open", "", ""]
    if odd == "footer":
        rows = [*rows, ["Source: somebody"]]
    if odd == "long":
        long = [
            [row[0], name, cell] for row in rows for name, cell in zip(NAMES, row[1:], strict=True)
        ]
        head, rows = ["Date", "Ticker", "Close"], long
    return head, rows


def wild(seed: int) -> tuple[str, Wild]:
    """Return a file of one seed: what is in it, and its text and truth."""
    rng = random.Random(seed)
    separator = rng.choice([",", ",", ";", "\t", "|"])
    decimal = rng.choice(".,") if separator == ";" else rng.choice("...,")
    thousands = rng.choice(["", "", " ", "'", ".,".replace(decimal, "")])
    written = list(DATES)[seed % len(DATES)]
    start = dt.date(2023, 1, 2) + dt.timedelta(days=rng.randrange(300))
    days = [start + dt.timedelta(days=k) for k in range(40)]
    days = [day for day in days if day.weekday() < 5][: rng.choice([4, 9, 25])]
    digits = rng.choice([2, 2, 2, 3])
    scale = rng.choice([3, 150, 1500, 250_000])
    values = np.round(
        scale * (1 + 0.1 * np.random.default_rng(seed).random((len(days), 3))), digits
    )
    head = ["Date", *NAMES]
    rows = [
        [DATES[written](day), *(number(value, digits, decimal, thousands) for value in row)]
        for day, row in zip(days, values.tolist(), strict=True)
    ]
    odd = rng.choice(
        (
            *("", "", "newest", "trailing", "comment", "bom", "index", "long", "moved", "crlf"),
            *("units", "title", "footer", "merged"),
        )
    )
    head, rows = arranged(odd, head, rows)
    end = "\r\n" if odd == "crlf" else "\n"
    lines = [separator.join(quoted(cell, separator) for cell in row) for row in [head, *rows]]
    text = end.join(lines) + end
    if odd == "comment":
        text = "# exported for nobody\n" + text
    if odd == "bom":
        text = "\ufeff" + text
    return f"{written} {odd} {separator!r} {decimal}{thousands}", (text, days, values)


def check(table: ReturnTable, days: list[dt.date], values: Floats) -> None:
    assert table.names == NAMES
    assert table.dates is not None
    assert table.dates.astype("datetime64[D]").tolist() == days
    assert table.values == pytest.approx(values, rel=1e-12)


def test_a_hundred_files_and_more_are_read_right_or_refused(tmp_path: Path) -> None:
    path, read, refused = tmp_path / "prices.csv", [], []
    for seed in range(220):
        what, (text, days, values) = wild(seed)
        path.write_text(text, newline="")
        try:
            table = read_table(path)
        except InputError as error:
            refused.append(f"{what}: {error}")
            continue
        check(table, days, values)
        read.append(what)
    assert len(read) >= 130, refused
    assert all(": prices.csv" in text for text in refused)
    # What was refused for want of a word is read with it.
    assert {word for text in refused for word in ("--dates", "--decimal") if word in text} == {
        "--dates",
        "--decimal",
    }


def test_what_is_ambiguous_is_read_as_the_user_says(tmp_path: Path) -> None:
    path, seen = tmp_path / "prices.csv", 0
    for seed in range(220):
        what, (text, days, values) = wild(seed)
        written, decimal = what.split()[0], what.split("'")[-1].strip()[:1]
        if written not in {"dmy", "mdy", "short", "sixes"} or decimal not in {".", ","}:
            continue
        path.write_text(text, newline="")
        order = {"mdy": "mdy", "sixes": "ymd"}.get(written, "dmy")
        check(read_table(path, Format(order, decimal)), days, values)
        seen += 1
    assert seen > 15


BARS = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,3,1,2,100\n2024-01-03,2,4,2,3,100\n"
YFINANCE = (
    "Price,Close,Close,Open,Open\nTicker,A,B,A,B\nDate,,,,\n"
    "2024-01-02,1,2,9,9\n2024-01-03,3,4,9,9\n"
)
STOOQ = (
    "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    "A.US,D,20240102,000000,9,9,9,1,5,0\nA.US,D,20240103,000000,9,9,9,3,5,0\n"
)


@pytest.mark.parametrize(
    ("text", "field", "names", "last"),
    [
        (BARS, "", ("Close",), [3]),
        (BARS, "open", ("Open",), [2]),
        (YFINANCE, "", ("A", "B"), [3, 4]),
        (YFINANCE, "Open", ("A", "B"), [9, 9]),
        (STOOQ, "", ("A.US",), [3]),
    ],
    ids=["bars", "bars open", "yfinance", "yfinance open", "stooq"],
)
def test_several_fields(
    tmp_path: Path, text: str, field: str, names: tuple[str, ...], last: list[float]
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    table = read_table(path, Format(field=field))
    assert (table.names, table.values[-1].tolist()) == (names, last)
    assert any("of several fields" in word for word in table.words)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("year,A\n2019,1\n2020,2\n", "2019 is a year alone"),
        ("date,A\n0,1\n1,2\n", "0 is a number, not a date"),
        ("date,A\n01/02/2024,1\n01/03/2024,2\n", "--dates dmy"),
        ("date,A\n2024-01-02,1\n03/01/2024,2\n", "not written as '2024-01-02'"),
        ("date,A,A\n2024-01-02,1,2\n", "two columns are named A"),
        ("date,,A\n2024-01-02,1,2\n", "column 2 has no name"),
        ("date,A\n2024-01-02,1_000\n", "'1_000' of A is not a number"),
        ("date;A\n2024-01-02;1.100\n2024-01-03;1.200\n", "--decimal"),
        ("date;A\n2024-01-02;1.5\n2024-01-03;1,5\n", "decimal point and"),
        ("date,A\n2024-01-02,1%\n2024-01-03,0.5\n", "in percent"),
        ("date,A\n2024-01-02,$1\n2024-01-03,€1\n", "are in € and some are not"),
        ("date,A\n2024-01-02,1\nTotal,1\n", "'Total' (row 1) is not a date"),
        ("date,A\n2024-01-02,1\n2024-01,\n2024-01-04,3\n", "not written as"),
        ("date,A,B\n2024-01-02,1,2\n2024-01-0", "1 cells under 3 names"),
        ("date,A\n240115,1\n240116,2\n", "--dates ymd"),
        ("date,A\n24-01-15,1\n24-01-16,2\n", "--dates dmy, mdy or ymd"),
        ("date,A\n201201,1\n201202,2\n", "can be YYMMDD or YYYYMM"),
        ("date,A\n202401151600,1\n202401161600,2\n", "or a Unix time"),
        ("date,A\n2024011516,1\n2024011616,2\n", "or a Unix time"),
        ("date,A\n45306,1\n45307,2\n", "--dates excel"),
        ("date,A\n15 jui 2024,1\n", "is not a date"),
        ("date,A\n2024-W54,1\n", "is not a date"),
        ("date,A\n2024-01-15T23:00-05:00,1\n2024-01-16T01:00+00:00,2\n", "of several zones"),
        (",Date,A\n5,2024-01-15,1\n3,2024-01-16,2\n", "column 1 has no name"),
        ("Date,A,B\n,USD,%\n2024-01-15,1,2\n", "B is in % by its row of units"),
        ("Date,Adj Close,Close\n2024-01-15,1,2\n", "--field: Adj Close, Close"),
        ("date,A\n2024-01-02,#DIV/0!\n", "not a number"),
        ("date,A\n2024-01-02,1.5K\n", "not a number"),
        ("date,A\n2024-01-02,True\n", "not a number"),
        ("date,A\n2024-01-02,1.5 USD\n2024-01-03,1.5\n", "some cells of A are in USD"),
        ("date,A\nJan-24,1\n", "'Jan-24' is not a date"),
        ("date,A\n2024-01-02,infinity\n", "not a number"),
        ('date,A\n2024-01-02,"1\n', "quote"),
        ("date,ticker,close\n2024-01-02,A,1\n2024-01-02,A,2\n", "A comes twice on 2024-01-02"),
        ("date,A\n2024-02-30,1\n", "2024-02-30"),
        ("Date,Close,Adj Close,Open,High,Low\n2024-01-02,1,2,3,4,5\n", "--field"),
    ],
)
def test_what_is_not_one_thing_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"^p\.csv") as caught:
        read_table(path)
    assert says in str(caught.value)


INVESTING = (
    '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"01/16/2024","1,100.5","99","101","98","1.2M","0.50%"\n'
    '"01/15/2024","1,100.0","99","101","98","1.2M","-0.50%"\n'
)
NASDAQ = (
    "Date,Close/Last,Volume,Open,High,Low\n01/16/2024,$100.5,1000,$1,$2,$1\n"
    "01/15/2024,$100.0,1000,$1,$2,$1\n"
)
TWO = "2024-01-15,100\n2024-01-16,100.5\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (INVESTING, "of several fields Price is used"),
        (NASDAQ, "of several fields Close/Last is used"),
        ("Prices of A\n\nDate,A\n" + TWO, "1 lines above the header are left away"),
        ("Date,A\n" + TWO + "Source: the exchange\n", "below the table, 'Source: the exchange'"),
        ("Date,A,,\n" + TWO.replace("\n", ",,\n"), "2 empty columns without a name"),
        ("Date,,A\n" + TWO.replace(",", ",,"), "1 empty columns without a name"),
        ("id,Date,A\n7," + TWO.replace("\n", "\n9,", 1), "column id is left away"),
        ("Date,A,Volume\n" + TWO.replace("\n", ",5\n"), "column Volume is left away"),
        ("Date;A\n15-Jan-24;100,00 €\n16-Jan-24;100,50 €\n", ""),
        ("Date,A\nMon 15 Jan 2024,£100\nTue 16 Jan 2024,£100.50\n", ""),
        ("Date,A,B\n2024-01-15,$100,€5\n2024-01-16,$100.5,€5\n", "several currencies ($, €)"),
        ("Date,Time,A\n2024-01-15,00:00,100\n2024-01-16,00:00,100.5\n", ""),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_exchanges_and_offices(
    tmp_path: Path, text: str, says: str, encoding: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding=encoding)
    table = read_table(path)
    assert table.dates is not None
    assert [str(day)[:10] for day in table.dates] == ["2024-01-15", "2024-01-16"]
    first = 1100 if text is INVESTING else 100
    assert table.values[:, 0].tolist() == [first, first + 0.5]
    assert any(says in word for word in (*table.words, ""))


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (("15/01/24", "16/01/24"), "dmy"),
        (("24-01-15", "24-01-16"), "ymd"),
        (("240115", "240116"), "ymd"),
        (("45306", "45307.0"), "excel"),
        (("2024-W03-1", "2024-W03-2"), ""),
        (("15. Januar 2024", "16. Januar 2024"), ""),
        (("15 janv. 2024", "16 janv. 2024"), ""),
        (("15 de enero de 2024", "16 de enero de 2024"), ""),
        (("15 gennaio 2024", "16 gennaio 2024"), ""),
        (("January 15th 2024", "January 16th 2024"), ""),
        (("2024年1月15日", "2024年1月16日"), ""),
        (("2024\u201101\u201115", "\u00a02024\u201101\u201116"), ""),
        (("20240115T000000", "20240116T000000"), ""),
        (("20240115000000", "20240116000000"), ""),
        (("2024-01-15 00:00 EST", "2024-01-16 00:00 EDT"), ""),
        (
            ("2024-01-15T00:00:00+01:00[Europe/Paris]", "2024-01-16T00:00:00+02:00[Europe/Paris]"),
            "",
        ),
        (
            ("Mon Jan 15 2024 00:00:00 GMT+0100 (CET)", "Tue Jan 16 2024 00:00:00 GMT+0100 (CET)"),
            "",
        ),
    ],
)
def test_dates_as_people_write_them(tmp_path: Path, written: tuple[str, str], order: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text("Date;A\n" + "".join(f"{day};{k}.5\n" for k, day in enumerate(written, 1)))
    dates = read_table(path, Format(order)).dates
    assert dates is not None
    assert [str(day)[:10] for day in dates] == ["2024-01-15", "2024-01-16"]


@pytest.mark.parametrize(
    ("written", "first"),
    [("2024Q3", "2024-07-01"), ("Q3 2024", "2024-07-01"), ("202407", "2024-07-01"),
     ("2024M07", "2024-07-01"), ("Jul 2024", "2024-07-01"), ("2024H2", "2024-07-01"),
     ("2024-W27", "2024-07-01"), ("août 2024", "2024-08-01")],
)  # fmt: skip
def test_periods_are_their_first_day(tmp_path: Path, written: str, first: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"Date;A\n{written};1\n")
    assert str(read_table(path).dates[0])[:10] == first  # type: ignore[index] # there are dates


@pytest.mark.parametrize(
    ("written", "value"),
    [("(1.5)", -1.5), ("1.5-", -1.5), ("\u22121.5", -1.5), ("\u20131.5", -1.5), ("(1.5 %)", -0.015),
     ("1\u202f234.5", 1234.5), ("1,23,456.5", 123456.5), ("1.5 USD", 1.5), ("CHF 1.5", 1.5),
     ("US$1.5", 1.5), ("1.5 kr", 1.5), ("n.a.", np.nan), ("\u2014", np.nan), ("?", np.nan),
     ("..", np.nan), ("\\N", np.nan), ("1.#QNAN", np.nan)],
)  # fmt: skip
def test_numbers_as_people_write_them(tmp_path: Path, written: str, value: float) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"Date;A;B\n2024-01-15;{written};1\n2024-01-16;{written};1\n")
    assert read_table(path).values[:, 0] == pytest.approx(value, nan_ok=True)


TALL = "2024-01-15,1,2\n2024-01-16,3,4\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Date,Close,,Open,\n,A,B,A,B\n2024-01-15,1,2,9,9\n2024-01-16,3,4,9,9\n", "Close is used"),
        ("Date,A,,B,\n,Open,Close,Open,Close\n2024-01-15,9,1,9,2\n2024-01-16,9,3,9,4\n", "Close"),
        ("Date,A,B\n,USD,EUR\n" + TALL, "a row of units is left away: USD, EUR"),
        ("Date,A,B\n(day),(USD),(EUR)\n" + TALL, "a row of units is left away"),
        ("Dates,A,B\n,PX_LAST,PX_LAST\n" + TALL, "2 rows of the header"),
        ("Prices,,\nDate,A,B\n" + TALL, "1 lines above the header"),
        (",Date,A,B\n" + TALL.replace("2024", ",2024"), "1 empty columns"),
        ("Date,A,B,A_Volume\n" + TALL.replace("\n", ",5\n"), "column A_Volume is left away"),
        ("Date,A.Close,B.Close,A.Open\n" + TALL.replace("\n", ",5\n"), "Close is used"),
        ("idx,Date,A,B\n0," + TALL.replace("\n", "\n1,", 1), "row numbers"),
    ],
)
def test_headers_as_people_have_them(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    for line in text.splitlines():
        cells = line.split(",")
        page.append([float(cell) if cell.isdigit() else cell or None for cell in cells])
    book.save(tmp_path / "p.xlsx")
    for name in ("p.csv", "p.xlsx"):
        found = read_table(tmp_path / name)
        assert (found.names, found.values.tolist()) == (("A", "B"), [[1, 2], [3, 4]])
        assert any(says in word for word in found.words) or (name, "empty" in says) == (
            "p.xlsx",
            True,
        )


WIDE = pd.DataFrame(
    {"A": [1.0, 2.0], "B": [3.0, 4.0]},
    index=pd.DatetimeIndex(["2024-01-15", "2024-01-16"], name="Date"),
)
LONG = WIDE.reset_index().melt("Date", var_name="Ticker", value_name="Close")
FIELDS = pd.concat({"Close": WIDE, "Open": WIDE * 9}, axis=1)
SHAPES = {
    "plain": WIDE,
    "volume beside": WIDE.assign(Volume=[5, 6]),
    "year beside": WIDE.assign(Year=[2024, 2024]),
    "long": LONG,
    "long by category": LONG.astype({"Ticker": "category"}),
    "long by index": LONG.set_index(["Date", "Ticker"]),
    "long bars": LONG.assign(Open=9.0, High=9.0, Low=9.0),
    "fields over assets": FIELDS,
    "assets over fields": FIELDS.swaplevel(axis=1).sort_index(axis=1),
    "names with fields": FIELDS.set_axis(["A.Close", "B.Close", "A.Open", "B.Open"], axis=1),
    "dates by category": WIDE.reset_index().astype({"Date": str}).astype({"Date": "category"}),
    "seconds": WIDE.set_axis([1705276800, 1705363200]),
}


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_shape_is_the_same_table_in_every_form(tmp_path: Path, shape: str) -> None:
    frame = SHAPES[shape]
    frame.to_csv(tmp_path / "p.csv")
    frame.to_parquet(tmp_path / "p.parquet")
    found = [
        as_table(frame),
        as_table(pa.Table.from_pandas(frame)),
        read_table(tmp_path / "p.csv"),
        read_table(tmp_path / "p.parquet"),
    ]
    if frame.columns.nlevels == 1 and shape != "seconds":
        found.append(as_table(pl.from_pandas(frame, include_index="Date" in frame.index.names)))
    for table in found:
        assert (table.names, table.values.tolist()) == (("A", "B"), [[1, 3], [2, 4]])
        assert table.dates is not None
        assert [str(day)[:10] for day in table.dates] == ["2024-01-15", "2024-01-16"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (WIDE.assign(A=[1j, 2]), "complex"),
        (WIDE.assign(A=[True, False]), "bool"),
        (WIDE.assign(A=["1", "2"]), "column A holds"),
        (WIDE.set_axis([None, "B"], axis=1), "has no name"),
        (WIDE.set_axis(pd.Index([2023, 2024], name="year")), "a year alone"),
        ({"date": ["2024-01-15", "2024-01-16"], "A": [True, False]}, "bool"),
        (pl.DataFrame({"day": [dt.date(2024, 1, 15)], "A": [True]}), "Boolean"),
        (WIDE.assign(date=[1, 2]).rename_axis("date"), "the index and a column"),
    ],
)
def test_what_a_frame_holds_beside_numbers_is_refused(data: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        as_table(data)


def test_parquet_below_a_folder_named_like_a_partition(tmp_path: Path) -> None:
    folder = tmp_path / "year=2024"
    folder.mkdir()
    WIDE.to_parquet(folder / "p.parquet")
    assert read_table(folder / "p.parquet").names == ("A", "B")
    parquet.write_table(pa.table([[1.0], [2.0]], names=["A", "A"]), folder / "two.parquet")
    with pytest.raises(InputError, match="two columns are named A"):
        read_table(folder / "two.parquet")


def test_what_a_workbook_does_not_say_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    for cell, says in (("=1+1", "a formula without its value"), ("1.234", "--decimal")):
        book = openpyxl.Workbook()
        for row in (["Date", "A"], [dt.datetime(2024, 1, 2), cell]):  # noqa: DTZ001 - a workbook knows no zones
            book.worksheets[0].append(row)
        book.save(path)
        with pytest.raises(InputError, match=says):
            read_table(path)


def test_currencies_of_long_rows_are_said(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "Date,Ticker,Currency,Close\n2024-01-15,A,USD,1\n2024-01-15,B,EUR,2\n"
        "2024-01-16,A,USD,3\n2024-01-16,B,EUR,4\n"
    )
    found = read_table(path)
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert "several currencies (EUR, USD): each return is in its own" in found.words


def test_rows_as_they_arrive_have_one_unit_a_column() -> None:
    lines = ["date,A", "2024-01-02,$1", "2024-01-03,", "2024-01-04,€1"]
    with pytest.raises(InputError, match="are in € and some are not"):
        list(text_rows(lines, "prices"))


DAYS = pd.bdate_range("2024-01-02", periods=6)
FRAME = pd.DataFrame({"A": [1.0, 2, 3, 4, 3, 2], "B": [2.0, 3, 2, 3, 5, 4]}, index=DAYS)


def test_parquet_and_excel_as_pandas_writes_them(tmp_path: Path) -> None:
    FRAME.rename_axis("Date").to_parquet(tmp_path / "p.parquet")
    FRAME.rename_axis("Date").to_excel(tmp_path / "p.xlsx")
    FRAME.reset_index(drop=True)[FRAME.reset_index(drop=True).A > 0].to_parquet(
        tmp_path / "n.parquet"
    )
    for name in ("p.parquet", "p.xlsx"):
        found = read_table(tmp_path / name)
        assert found.names == ("A", "B")
        assert found.dates is not None
        assert (found.dates == DAYS.to_numpy()).all()
        assert (found.values == FRAME.to_numpy()).all()
    assert read_table(tmp_path / "n.parquet").names == ("A", "B")


@pytest.mark.parametrize("kind", ["packed", "far apart"])
def test_a_workbook_that_is_a_bomb_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.xlsx"
    book = openpyxl.Workbook()
    book.worksheets[0]["A1"] = "x"
    if kind == "far apart":  # all the cells between them would be made
        book.worksheets[0]["XFD1048576"] = 1
    book.save(path)
    if kind == "packed":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as members:
            members.writestr("xl/media/a", bytes(70 << 20))
    with pytest.raises(InputError, match="refused"):
        read_table(path)


def test_a_workbook_of_several_sheets_asks_which(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("one", "two"):
        page = book.create_sheet(name)
        page.append(["date", "A"])
        page.append([dt.datetime(2024, 1, 2), 1.5])  # noqa: DTZ001 - a workbook knows no zones
    book.save(tmp_path / "b.xlsx")
    with pytest.raises(InputError, match="--sheet: one, two"):
        read_table(tmp_path / "b.xlsx")
    assert read_table(tmp_path / "b.xlsx", Format(sheet="two")).values.tolist() == [[1.5]]


def test_zones_are_left_away_and_never_converted() -> None:
    zoned = FRAME.set_axis(DAYS.tz_localize("America/New_York"))
    arrow = pa.Table.from_pandas(zoned)
    for data in (zoned, arrow):
        found = as_table(data).dates
        assert found is not None
        assert (found == DAYS.to_numpy()).all()


@pytest.mark.parametrize("name", ["Date", "timestamp"])
def test_whole_numbers_called_a_date_are_no_asset(name: str) -> None:
    numbers = FRAME.reset_index(drop=True)
    numbers.insert(1, name, DAYS.strftime("%Y%m%d").astype(int))
    found = as_table(numbers)
    assert (found.names, str(found.dates[-1])[:10]) == (("A", "B"), "2024-01-09")  # type: ignore[index] # there are dates
    assert set(minimum_volatility(numbers).names) == {"A", "B"}


def test_row_numbers_of_pandas_are_neither_dates_nor_an_asset(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    FRAME.reset_index(drop=True).to_csv(path)
    found = risk(read_table(path), {"A": 0.5, "B": 0.5})
    assert found.dates is None
    assert "a first column of row numbers is left away" in found.assumptions
    assert as_table(pd.read_csv(path)).names == ("A", "B")


def test_the_first_row_of_pct_change_and_newest_first_are_said() -> None:
    found = risk(FRAME.pct_change(), {"A": 1.0}, kind="returns")
    assert found.volatility == pytest.approx(risk(FRAME, {"A": 1.0}).volatility)
    assert "an empty first row is left away" in found.assumptions
    turned = risk(FRAME[::-1], {"A": 1.0})
    assert turned.volatility == pytest.approx(risk(FRAME, {"A": 1.0}).volatility)
    assert "rows came newest first and are turned round" in turned.assumptions


def test_weights_as_people_have_them() -> None:
    third = {"A": 0.3333, "B": 0.6666}
    assert any("by rounding" in word for word in risk(FRAME, third).assumptions)
    as_series = risk(FRAME, pd.Series({"A": 0.5, "B": 0.5}))
    assert as_series.names == ("A", "B")
    with pytest.raises(InputError, match=r"sum to 0\.9"):
        risk(FRAME, {"A": 0.3, "B": 0.6})


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (FRAME.pct_change().iloc[1:] * 100, "returns", "in percent?"),
        (FRAME, "returns", "are these prices?"),
        (FRAME.assign(A=[100.0, 101, 102, 10.2, 10.3, 10.2]), "prices", "A -90 % on 2024-01-05"),
        (
            pd.DataFrame({"A": [1.0, 1.1] + [1.2] * 20}, pd.bdate_range("2024-01-02", periods=22)),
            "prices",
            "A does not move for 19 rows from 2024-01-05",
        ),
        (
            pd.DataFrame(
                {"A": np.arange(1.0, 25)},
                pd.date_range("2022-01-31", periods=12, freq="ME").append(
                    pd.bdate_range("2023-01-02", periods=12)
                ),
            ),
            "prices",
            "the rows are 1 days apart in one part and 31 in another",
        ),
        (
            pd.DataFrame(
                {"A": np.arange(1.0, 21)}, DAYS.append(pd.bdate_range("2024-03-01", periods=14))
            ),
            "prices",
            "no rows for 52 days between 2024-01-09 and 2024-03-01",
        ),
    ],
    ids=["percent", "prices", "split", "stale", "rhythms", "hole"],
)
def test_implausible_data_is_said(data: pd.DataFrame, kind: str, says: str) -> None:
    assert any(says in word for word in risk(data, {"A": 1.0}, kind=kind).assumptions)


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(TypeError, match=r"estimater.*did you mean 'estimator'"):
        minimum_volatility(FRAME, estimater="lw")  # type: ignore[call-arg] # wrong on purpose


def test_a_name_twice_in_one_json_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"date": "2024-01-02", "A": 1, "A": 2}\n')
    with pytest.raises(InputError, match="a name comes twice"):
        read_table(path)
    rows = [{"date": 1704153600000 + 86400000 * k, "A": k + 1} for k in range(3)]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert str(read_table(path).dates[0])[:10] == "2024-01-02"  # type: ignore[index] # there are dates


def test_a_parquet_column_of_decimals(tmp_path: Path) -> None:
    table = pa.table({"A": pa.array([1, 2], pa.decimal128(5, 2)), "when": DAYS[:2]})
    parquet.write_table(table, tmp_path / "p.parquet")
    assert read_table(tmp_path / "p.parquet").values.tolist() == [[1.0], [2.0]]
