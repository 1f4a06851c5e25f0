"""Arrays, frames and files: the same prices give the same numbers, whatever they come in."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from penstock.errors import InputError
from penstock.portfolio import risk
from penstock.portfolio.files import read_table
from penstock.portfolio.table import ReturnTable, as_table

PRICES = 100 * np.cumprod(1 + np.random.default_rng(4).standard_normal((30, 3)) * 0.01, axis=0)
NAMES = ["A", "B", "C"]
DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=7 * k) for k in range(30)]
WEIGHTS = {"C": 0.2, "A": 0.3, "B": 0.5}


def columns() -> dict[str, list[float]]:
    return {name: PRICES[:, k].tolist() for k, name in enumerate(NAMES)}


def frames() -> dict[str, object]:
    pandas = pd.DataFrame(columns(), index=pd.DatetimeIndex(DAYS))
    zone = pandas.set_axis(pd.DatetimeIndex(DAYS, tz="UTC"))
    dated = {"date": DAYS, **columns()}
    texts = {"date": [str(day) for day in DAYS], **columns()}
    return {
        "pandas": pandas,
        "pandas with a zone": zone,
        "pandas with periods": pandas.to_period("D"),
        "pandas with text": pandas.set_axis([str(day) for day in DAYS]),
        "pandas, first column": pandas.rename_axis("date").reset_index(),
        "pandas, first column of text": pd.DataFrame(texts),
        "polars": pl.DataFrame(dated),
        "polars, lazy": pl.LazyFrame(dated),
        "polars with text": pl.DataFrame(texts),
        "arrow": pa.table(dated),
        "arrow batch": pa.RecordBatch.from_pydict(dated),
        "arrow with text": pa.table(texts),
    }


@pytest.mark.parametrize("name", list(frames()))
def test_frames(name: str) -> None:
    found = risk(frames()[name], WEIGHTS)
    expected = risk(PRICES, [0.3, 0.5, 0.2], periods=52)
    assert found.names == ("C", "A", "B")
    assert found.periods == 52
    assert found.volatility == pytest.approx(expected.volatility, rel=1e-13)
    assert found.dates is not None
    assert found.dates[-1] == np.datetime64(DAYS[-1])


def test_without_dates() -> None:
    expected = risk(PRICES, [0.3, 0.5, 0.2]).volatility
    for data in (columns(), pd.DataFrame(columns()), pl.DataFrame(columns()), pa.table(columns())):
        assert risk(data, WEIGHTS).volatility == pytest.approx(expected, rel=1e-13)
    assert risk(PRICES.tolist(), [0.3, 0.5, 0.2]).volatility == expected
    assert risk(PRICES, WEIGHTS, names=NAMES).volatility == pytest.approx(expected, rel=1e-13)


def test_nothing_is_copied_that_fits() -> None:
    assert np.shares_memory(as_table(PRICES).values, PRICES)


def test_missing_values_arrive_as_nan() -> None:
    holed = {"A": [1.0, None, 2.0], "B": [1.0, 2.0, 3.0]}
    for frame in (pl.DataFrame(holed), pa.table(holed), pd.DataFrame(holed)):
        assert np.isnan(as_table(frame).values).tolist() == [
            [False] * 2,
            [True, False],
            [False] * 2,
        ]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "bom.csv"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prices.{suffix}"
    dated = {"date": [str(day) for day in DAYS], **columns()}
    if suffix == "parquet":
        parquet.write_table(pa.table({"date": DAYS, **columns()}), path)
    elif suffix == "jsonl":
        rows = zip(*dated.values(), strict=True)
        lines = [json.dumps(dict(zip(dated, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines))
    else:
        coding = "utf-8-sig" if suffix.startswith("bom") else "utf-8"
        pd.DataFrame(dated).to_csv(path, index=False, encoding=coding)
    found = read_table(path)
    assert found.names == tuple(NAMES)
    assert (found.values == PRICES).all()
    assert found.dates is not None
    assert found.dates[0] == np.datetime64(DAYS[0])


@pytest.mark.parametrize(
    "data", [pd.Series([1.0, 2.0]), pl.Series([1.0, 2.0]), pa.array([1.0]), {"A": [1], "B": [1, 2]}]
)
def test_what_is_not_a_table(data: object) -> None:
    with pytest.raises(InputError):
        as_table(data)


def test_a_table_checks_itself() -> None:
    for names, dates in ((("A",), None), (("A", "A"), None), (("A", "B"), PRICES[:2, 0])):
        with pytest.raises((InputError, TypeError)):
            ReturnTable(np.ones((3, 2)), names, dates)  # type: ignore[arg-type] # wrong on purpose


def test_calendars_reset_at_the_first_return_of_a_period() -> None:
    frame = pd.DataFrame(columns(), index=pd.DatetimeIndex(DAYS))
    monthly = risk(frame, WEIGHTS, scheme="monthly")
    months = [day.month for day in DAYS[1:]]
    starts = [row for row in range(29) if row == 0 or months[row] != months[row - 1]]
    marks = [DAYS[row] for row in starts]  # the row of prices before a period's first return
    given = risk(frame, WEIGHTS, scheme=marks)
    assert (monthly.series == given.series).all()
    returns = PRICES[1:] / PRICES[:-1] - 1
    weights = np.array([0.3, 0.5, 0.2])
    for row in starts:
        assert monthly.series[row] == pytest.approx(returns[row] @ weights)
    assert any(f"rebalanced (monthly): {len(starts)} times" in s for s in monthly.assumptions)
