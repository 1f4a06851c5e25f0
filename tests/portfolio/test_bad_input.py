"""Data that cannot be measured: a clear error or a stated choice, never a silent number."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.errors import InputError
from penstock.portfolio import risk, rolling_covariance
from penstock.portfolio.files import read_table
from penstock.portfolio.text import printed_risk

ROWS = [
    "date,MSFT,AAPL,PEP",
    "2026-01-05,100,50,70",
    "2026-01-06,101,51,70.5",
    "2026-01-07,99.5,50.2,70.1",
    "2026-01-08,102,52.5,70.9",
]
WEIGHTS = {"MSFT": 0.3, "AAPL": 0.5, "PEP": 0.2}

BAD_LINES = {
    "a price of zero": (2, "2026-01-06,101,0,70.5", "price 0 of AAPL in row 1 .2026-01-06"),
    "a price below zero": (2, "2026-01-06,101,-2,70.5", "price -2"),
    "an infinite price": (2, "2026-01-06,101,inf,70.5", "is not a number"),
    "a repeated date": (2, "2026-01-05,101,51,70.5", "comes twice"),
    "dates that go back": (2, "2025-01-05,101,51,70.5", "not ascending"),
    "a missing price": (2, "2026-01-06,,51,70.5", "choose what to do"),
    "a word for a price": (2, "2026-01-06,abc,51,70.5", "line 3: 'abc' of MSFT"),
    "a short line": (2, "2026-01-06,51,70.5", "line 3: 3 cells under 4 names"),
    "a date that is none": (2, "yesterday,101,51,70.5", "2026-01-30"),
    "no date": (2, ",101,51,70.5", "has no date"),
    "one column name twice": (0, "date,MSFT,MSFT,PEP", "two columns"),
    "no header": (0, "2026-01-04,1,2,3", "first line"),
}


@pytest.mark.parametrize("name", list(BAD_LINES))
def test_a_line_of_a_file(tmp_path: Path, name: str) -> None:
    place, line, says = BAD_LINES[name]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([*ROWS[:place], line, *ROWS[place + 1 :]]))
    with pytest.raises(InputError, match=says) as caught:
        risk(read_table(path), WEIGHTS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"date,A\n", b"date\n", b"\xff\xfe\x00", b"PAR1junk", b'{"A": 1}\n{']
)
def test_a_file_without_prices(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_table(path)


RETURNS = np.random.default_rng(55).standard_normal((40, 3)) * 0.01
FRAME = pd.DataFrame(
    100 * np.cumprod(1 + RETURNS, axis=0),
    columns=["A", "B", "C"],
    index=pd.date_range("2026-01-05", periods=40, freq="B"),
)

BAD_CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "weights that sum to two": (lambda: risk(FRAME, {"A": 1, "B": 1}), "weights sum to 2, not 1"),
    "an unknown asset": (lambda: risk(FRAME, {"A": 0.5, "BB": 0.5}), "did you mean B?"),
    "an infinite weight": (lambda: risk(FRAME, {"A": math.inf}), "not a finite number"),
    "a weight that is NaN": (lambda: risk(FRAME, {"A": math.nan}), "not a finite number"),
    "no weights": (lambda: risk(FRAME, {}), "no asset is held"),
    "weights by position for names": (lambda: risk(FRAME, [0.2, 0.3, 0.5]), "has names"),
    "weights by name for an array": (
        lambda: risk(RETURNS, {"A": 1.0}, kind="returns"),
        "no names",
    ),
    "too few weights": (lambda: risk(RETURNS, [0.5, 0.5], kind="returns"), "for 3 assets"),
    "one row": (lambda: risk(FRAME[:1], {"A": 1.0}), "1 rows of prices give 0 returns"),
    "two rows": (lambda: risk(FRAME[:2], {"A": 1.0}), "at least 2"),
    "no rows": (lambda: risk(FRAME[:0], {"A": 1.0}), "at least 2"),
    "a vector": (lambda: risk(RETURNS[:, 0], [1.0], kind="returns"), "matrix of"),
    "words": (lambda: risk([["a", "b"]], [0.5, 0.5]), "numbers alone"),
    "a frame of words": (
        lambda: risk(FRAME.assign(D="x"), {"A": 1.0}),
        "column D holds",
    ),
    "dates that go back": (lambda: risk(FRAME.iloc[[1, 0, 2]], {"A": 1.0}), "not ascending"),
    "a date twice": (lambda: risk(FRAME.iloc[[0, 1, 1, 2]], {"A": 1.0}), "comes twice"),
    "an infinite return": (
        lambda: risk([[0.1], [math.inf], [0.2]], [1.0], kind="returns"),
        "infinite",
    ),
    "returns taken for prices": (lambda: risk(RETURNS, [0.2, 0.3, 0.5]), "kind='returns'"),
    "an unknown kind": (lambda: risk(FRAME, {"A": 1.0}, kind="x"), "no kind"),
    "an unknown scheme": (lambda: risk(FRAME, {"A": 1.0}, scheme="x"), "no scheme"),
    "rebalancing every half row": (lambda: risk(FRAME, {"A": 1.0}, scheme="every:.5"), "whole"),
    "a calendar without dates": (
        lambda: risk(RETURNS, [1, 0, 0], kind="returns", scheme="monthly"),
        "needs dates",
    ),
    "an unknown estimator": (lambda: risk(FRAME, {"A": 1.0}, estimator="x"), "no estimator"),
    "a number for sample": (lambda: risk(FRAME, {"A": 1.0}, estimator="sample:1"), "ewma:0.94"),
    "a decay of two": (lambda: risk(FRAME, {"A": 1.0}, estimator="ewma:2"), "between 0 and 1"),
    "nine factors of one": (lambda: risk(FRAME, {"A": 1.0}, estimator="factor:9"), "9 factors"),
    "half a factor": (lambda: risk(FRAME, {"A": 1.0}, estimator="factor:0.5"), "whole"),
    "garch of few rows": (lambda: risk(FRAME, {"A": 1.0}, estimator="garch"), "at least 100"),
    "ddof of all rows": (lambda: risk(FRAME, {"A": 1.0}, ddof=39), "at least 1"),
    "ddof for shrinkage": (lambda: risk(FRAME, {"A": 1.0}, estimator="lw", ddof=1), "of its own"),
    "shrinkage of drifting weights": (
        lambda: risk(FRAME, {"A": 1.0}, estimator="lw", scheme="hold"),
        "weights that stay",
    ),
    "no periods": (lambda: risk(FRAME, {"A": 1.0}, periods=0), "rows make a year"),
    "an unknown way with gaps": (lambda: risk(with_gap(), {"A": 1.0}, missing="x"), "missing='x'"),
    "renormalising what drifts": (
        lambda: risk(with_gap(), {"A": 0.5, "B": 0.5}, missing="renormalise", scheme="hold"),
        "scheme='constant'",
    ),
    "renormalising shorts": (
        lambda: risk(with_gap(), {"A": 1.5, "B": -0.5}, missing="renormalise"),
        "zero or more",
    ),
    "renormalising nothing": (
        lambda: risk(with_gap(), {"A": 1.0}, missing="renormalise"),
        "none of the assets",
    ),
    "an unknown way without gaps": (lambda: risk(FRAME, {"A": 1.0}, missing="x"), "missing='x'"),
    "pairwise shrinkage": (
        lambda: risk(with_gap(), {"A": 0.5, "B": 0.5}, missing="pairwise", estimator="lw"),
        "sample covariance",
    ),
    "rolling pairwise": (
        lambda: rolling_covariance(with_gap(), 5, missing="pairwise"),
        "rolling_covariance knows",
    ),
    "every zeroth window": (lambda: rolling_covariance(FRAME, 5, every=0), "at least 1"),
    "ruin": (
        lambda: risk([[0.1], [-1.0], [0.2]], [1.0], kind="returns", scheme="hold"),
        "worth nothing",
    ),
    "a drawdown in percent": (
        lambda: risk([[1.0], [-2.0], [0.5]], [1.0], kind="returns").max_drawdown,
        "in percent",
    ),
    "a level of 95": (
        lambda: risk(FRAME, {"A": 1.0}).value_at_risk(95),
        "from 0.5 to below 1",
    ),
    "an unknown tail": (lambda: risk(FRAME, {"A": 1.0}).value_at_risk(0.9, "x"), "no method"),
}


def with_gap() -> pd.DataFrame:
    frame = FRAME.copy()
    frame.iloc[5, 0] = np.nan
    return frame


@pytest.mark.parametrize("name", list(BAD_CALLS))
def test_a_call(name: str) -> None:
    call, says = BAD_CALLS[name]
    with pytest.raises(InputError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_series_that_never_moves_is_said() -> None:
    still = FRAME.assign(C=5.0)
    found = risk(still, {"A": 0.5, "C": 0.5})
    assert found.correlation[0, 1] == 0
    assert "never moves, correlation set to 0: C" in found.assumptions
    with pytest.raises(InputError, match="contributions"):
        _ = risk(still, {"C": 1.0}).percent


def test_fewer_rows_than_assets_is_said() -> None:
    found = risk(FRAME[:4], {"A": 0.5, "B": 0.3, "C": 0.2})
    assert any("singular" in sentence for sentence in found.assumptions)


def test_the_rest_in_cash_is_said() -> None:
    found = risk(FRAME, {"A": 0.5}, cash=True)
    assert found.volatility == pytest.approx(0.5 * risk(FRAME, {"A": 1.0}).volatility)
    assert "0.5 of the value is cash without risk" in found.assumptions


@pytest.mark.parametrize(
    ("freq", "periods"), [("B", 252), ("D", 365), ("W", 52), ("MS", 12), ("QS", 4), ("YS", 1)]
)
def test_rows_in_a_year_are_read_off_the_dates(freq: str, periods: float) -> None:
    frame = FRAME.set_axis(pd.date_range("1970-01-01", periods=40, freq=freq))
    assert risk(frame, {"A": 1.0}).periods == periods


@pytest.mark.parametrize(
    ("dates", "periods"),
    [
        (pd.date_range("1970-01-01", periods=40, freq="15D"), 365 / 15),
        (pd.bdate_range("2024-01-01", periods=120)[::3], 84),
        (pd.date_range("2024-01-05", periods=40, freq="14D"), 26),
        (pd.date_range("2024-01-01", periods=40, freq="12h"), 730),
        (pd.date_range("1990-01-31", periods=40, freq="6ME"), 2),
        (pd.bdate_range("2024-01-01", periods=40) - pd.Timedelta(days=1), 252),
    ],
    ids=["15 days", "every third day", "fortnights", "half days", "half years", "Sunday weeks"],
)
def test_rows_in_a_year_of_rarer_distances(dates: pd.DatetimeIndex, periods: float) -> None:
    assert risk(FRAME.set_axis(dates), {"A": 1.0}).periods == pytest.approx(periods)


def test_one_saturday_does_not_change_the_year() -> None:
    days = pd.bdate_range("2024-01-01", periods=40)
    odd = pd.DatetimeIndex(sorted([*days[:10], *days[11:], pd.Timestamp("2024-01-20")]))
    assert risk(FRAME.set_axis(odd), {"A": 1.0}).periods == 252


def test_pairs_without_a_common_row_have_a_volatility_and_no_series() -> None:
    holed = np.vstack([RETURNS, RETURNS[::-1]])
    for column, part in enumerate((slice(0, 26), slice(27, 53), slice(54, 80))):
        holed[part, column] = np.nan
    holed[26], holed[53] = np.nan, np.nan
    found = risk(holed, [0.2, 0.3, 0.5], kind="returns", missing="pairwise")
    assert found.component.sum() == pytest.approx(found.volatility)
    assert any("no two rows have all assets" in sentence for sentence in found.assumptions)
    whole = found.to_dict()
    assert whole["value_at_risk"] is None
    assert whole["max_drawdown"] is None
    assert "value at risk" not in printed_risk(found).partition("Assumed")[0]
    with pytest.raises(InputError):
        found.value_at_risk()


def test_a_small_parquet_file_that_becomes_large_is_refused(tmp_path: Path) -> None:
    """1 MB became 2.4 GB: price files are strangers', as workbooks are."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = pa.table({"A": np.zeros(1_000_000), "B": np.zeros(1_000_000)})
    path = tmp_path / "bomb.parquet"
    with parquet.ParquetWriter(path, rows.schema, compression="zstd") as file:
        for _ in range(5):
            file.write_table(rows)
    with pytest.raises(InputError, match="unpacks to 80,000,000 bytes"):
        read_table(path)
