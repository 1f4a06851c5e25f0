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
import pyarrow as pa
import pytest
from pyarrow import parquet

from penstock.errors import InputError
from penstock.portfolio import Format, minimum_volatility, read_table, risk
from penstock.portfolio.arrays import Floats
from penstock.portfolio.files import text_rows
from penstock.portfolio.table import Table, as_table

NAMES = ("ABC", "XYZ", "Co & Sons")
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
    "quarter": lambda day: f"{day.year}Q{(day.month + 2) // 3}",
}
Wild = tuple[str, list[dt.date], Floats]


def number(value: float, digits: int, decimal: str, thousands: str) -> str:
    text = f"{value:,.{digits}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def quoted(text: str, separator: str) -> str:
    return f'"{text}"' if separator in text else text


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
        ["", "", "newest", "trailing", "comment", "bom", "index", "long", "moved", "crlf"]
    )
    if odd == "newest":
        rows.reverse()
    elif odd == "trailing":
        head, rows = [*head, ""], [[*row, ""] for row in rows]
    elif odd == "index":
        head, rows = ["", *head], [[str(k), *row] for k, row in enumerate(rows)]
    elif odd == "moved":
        head, rows = [*head[1:], head[0]], [[*row[1:], row[0]] for row in rows]
    elif odd == "long":
        long = [
            [row[0], name, cell] for row in rows for name, cell in zip(NAMES, row[1:], strict=True)
        ]
        head, rows = ["Date", "Ticker", "Close"], long
    end = "\r\n" if odd == "crlf" else "\n"
    lines = [separator.join(quoted(cell, separator) for cell in row) for row in [head, *rows]]
    text = end.join(lines) + end
    if odd == "comment":
        text = "# exported for nobody\n" + text
    if odd == "bom":
        text = "\ufeff" + text
    return f"{written} {odd} {separator!r} {decimal}{thousands}", (text, days, values)


def check(table: Table, days: list[dt.date], values: Floats) -> None:
    assert table.names == NAMES
    assert table.dates is not None
    assert table.dates.astype("datetime64[D]").tolist() == days
    assert table.values == pytest.approx(values, rel=1e-12)


def test_a_hundred_files_and_more_are_read_right_or_refused(tmp_path: Path) -> None:
    path, read, refused = tmp_path / "prices.csv", [], []
    for seed in range(160):
        what, (text, days, values) = wild(seed)
        path.write_text(text, newline="")
        try:
            table = read_table(path)
        except InputError as error:
            refused.append(f"{what}: {error}")
            continue
        check(table, days, values)
        read.append(what)
    assert len(read) >= 100, refused
    assert all(": prices.csv" in text for text in refused)
    # What was refused for want of a word is read with it.
    assert {word for text in refused for word in ("--dates", "--decimal") if word in text} == {
        "--dates",
        "--decimal",
    }


def test_what_is_ambiguous_is_read_as_the_user_says(tmp_path: Path) -> None:
    path, seen = tmp_path / "prices.csv", 0
    for seed in range(160):
        what, (text, days, values) = wild(seed)
        written, decimal = what.split()[0], what.split("'")[-1].strip()[:1]
        if written not in {"dmy", "mdy", "short"} or decimal not in {".", ","}:
            continue
        path.write_text(text, newline="")
        check(read_table(path, Format("mdy" if written == "mdy" else "dmy", decimal)), days, values)
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
                {"A": np.arange(1.0, 21)}, DAYS.append(pd.bdate_range("2024-03-01", periods=14))
            ),
            "prices",
            "no rows for 52 days between 2024-01-09 and 2024-03-01",
        ),
    ],
    ids=["percent", "prices", "split", "stale", "hole"],
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
