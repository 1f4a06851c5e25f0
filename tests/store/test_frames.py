"""What landed as tables of Arrow, pandas, polars and DuckDB."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cli.query import query
from penstock.errors import InputError
from penstock.pipeline import LandedRecord
from penstock.store import Layout, LocalStore, fields
from penstock.store.layout import READERS

Texts = st.text(max_size=4) | st.sampled_from(
    ["2024-05-01", "2024-05-01T10:00:00Z", "0001-01-01T00:00:00+01:00", "\0", "\ud800"]
)
Scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | Texts
Values = Scalars | st.lists(Scalars, max_size=2) | st.dictionaries(Texts, Scalars, max_size=2)
Records = st.lists(st.dictionaries(st.sampled_from("abc"), Values, max_size=3), max_size=6)


@given(Records, Records)
@settings(max_examples=60, deadline=None)
def test_every_value_has_a_column_that_reads_it(
    known: list[dict[str, object]], later: list[dict[str, object]]
) -> None:
    layout = Layout(longest=60)
    bodies = [json.dumps(record).encode().replace(b"Infinity", b"1e999") for record in known]
    layout.learn((b"%d" % key, fields(body, flatten=False)) for key, body in enumerate(bodies))
    bodies += [json.dumps(record).encode().replace(b"Infinity", b"1e999") for record in later]
    for key, body in enumerate(bodies):
        cells = fields(body, flatten=False)
        row = layout.row(b"%d" % key, cells)
        found = {layout.fields[spot].path: cell for spot, cell in enumerate(row) if spot and cell}
        assert found == cells
        for field, cell in zip(layout.fields, row, strict=False):
            if cell not in {None, b"null"}:
                assert cell is not None
                READERS[field.kind](cell)
    assert len({field.name.lower() for field in layout.fields if field.kind != "null"}) == sum(
        field.kind != "null" for field in layout.fields
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    records = [
        {"n": 1, "at": "2024-05-01T10:00:00+02:00", "price": 0.1, "made": 1714550400.5},
        {"n": 2, "day": "2024-05-01", "price": 19.99, "inner": {"x": [1]}, "made": "unknown"},
    ]
    with LocalStore(tmp_path / "s") as store:
        entries = [LandedRecord(k, json.dumps(one).encode()) for k, one in enumerate(records)]
        store.settle(entries, lambda _count: None)
        store.flush()
        yield store


def test_types_are_those_of_arrow(store: LocalStore) -> None:
    table = store.to_arrow(schema="price: decimal, made: epoch").read_all()
    assert table["at"].to_pylist()[0] == dt.datetime(2024, 5, 1, 8, tzinfo=dt.UTC)
    assert table["day"].to_pylist() == [None, dt.date(2024, 5, 1)]
    assert table["price"].to_pylist() == [Decimal("0.1"), Decimal("19.99")]
    moment = dt.datetime(2024, 5, 1, 8, 0, 0, 500_000, tzinfo=dt.UTC)
    assert table["made"].to_pylist() == [moment, None]
    assert table["made__text"].to_pylist() == [None, "unknown"]


def test_columns_and_keys_can_be_chosen(store: LocalStore) -> None:
    table = store.to_arrow(columns=["n", "key"], where=lambda key: key == 1).read_all()
    assert table.to_pydict() == {"n": [2], "key": [1]}
    with pytest.raises(InputError, match="did you mean 'price'"):
        store.to_arrow(columns=["prise"])


def test_what_landed_in_a_span_of_time_can_be_chosen(store: LocalStore) -> None:
    _, (_, at) = store.moments()
    store.settle([LandedRecord(7, b'{"n":7}')], lambda _: None)
    store.flush()
    *_, (_, later) = store.moments()
    middle = dt.datetime.fromtimestamp((at + later) / 2, dt.UTC)
    assert at < later
    assert store.to_pandas(since=middle)["n"].tolist() == [7]
    assert store.to_polars(until=middle)["n"].to_list() == [1, 2]
    local = dt.datetime.fromtimestamp(later)  # noqa: DTZ006 - a time of this machine
    found = store.to_arrow(since=local, where=lambda key: key != 1).read_all()
    assert found["key"].to_pylist() == [7]


def test_frames(store: LocalStore) -> None:
    assert store.to_pandas()["n"].tolist() == [1, 2]
    assert store.to_polars()["n"].to_list() == [1, 2]
    assert store.to_duckdb().execute("SELECT sum(n) FROM records").fetchall() == [(3,)]


def test_query(store: LocalStore) -> None:
    run = CliRunner().invoke
    sql = "SELECT a.n, b.price FROM records a JOIN records b USING (key) ORDER BY 1"
    assert run(query, [str(store.path), sql]).output.split() == ["n,price", "1,0.1", "2,19.99"]
    told = run(query, [str(store.path), "SELECT day FROM records WHERE n = 2", "--json"])
    assert json.loads(told.output) == {"day": "2024-05-01"}
    nested = run(query, [str(store.path), "SELECT {'a': [n]} AS o FROM records WHERE n = 2"])
    assert nested.output.split() == ["o", '"{""a"":', '[2]}"']
    for sql in ("SELECT nothing FROM records", "", " -- nothing", "SELECT 1; SELECT 2", "(" * 3000):
        wrong = run(query, [str(store.path), sql])
        assert isinstance(wrong.exception, InputError), sql


@pytest.mark.parametrize(
    ("sql", "csv", "text"),
    [
        ("1 a, 2 a, 3 a", "a,a_2,a_3 1,2,3", '{"a": 1, "a_2": 2, "a_3": 3}'),
        ("'' e, NULL n, true t", 'e,n,t "",,true', '{"e": "", "n": null, "t": true}'),
        ("1 x WHERE false", "x", ""),
        ("['nan'::DOUBLE] o, '\\xAA'::BLOB b", 'o,b "[""nan""]",aa', '{"o": ["nan"], "b": "aa"}'),
        ("map{DATE '2024-01-01': 1} m", 'm "{""2024-01-01"": 1}"', '{"m": {"2024-01-01": 1}}'),
    ],
)
def test_an_answer_has_all_its_columns_and_values(
    store: LocalStore, sql: str, csv: str, text: str
) -> None:
    """Of two columns of one name the first was dropped; null and the empty text were the same."""
    words = [str(store.path), f"SELECT {sql}"]
    assert CliRunner().invoke(query, words).output.splitlines() == csv.split(" ", 1)
    assert CliRunner().invoke(query, [*words, "--json"]).output.strip() == text
