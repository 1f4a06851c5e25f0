"""Columns that are looked at as a whole are what a look at each of their values makes of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.store import Layout, kind_of
from penstock.store.arrow import arrow_schema, arrow_table
from penstock.store.cells import Cells
from penstock.store.layout import READERS, typed_kind
from penstock.store.uniform import uniform_kind

WRITTEN = [
    *("null", "true", "false", "0", "-0", "1", "-7", "123456789012345", "-123456789012345"),
    *("1234567890123456", "9007199254740993", "9223372036854775808", "1" * 40, "0.5", "-2.25"),
    *("1e5", "1E-3", "1.0e400", "1e400", "0.1234567890123456789", "123456789012345.5", "[]", "{}"),
    *("[1,\n2]", '{"a": "\\u0000"}', '""', '"a"', '"a b"', '"null"', '"é"', '"\\n"', '"\\""'),
    *('"\\u0000"', '"\\ud800"', '"\\\\u0000"', '"a-b-c-d"', '"1234-"', '"12345-6"', '"abcd-01-01"'),
    *(
        '"2024-05-01"',
        '"2024-02-30"',
        '"0001-01-01"',
        '"9999-12-31"',
        '"2024-5-1"',
        '"2024-05-01 "',
    ),
    *('"2024-05-01T10:00:00"', '"2024-05-01T10:00:00Z"', '"2024-05-01T10:00:00.123456+02:00"'),
    *(
        '"2024-05-01T10:00"',
        '"2024-05-01 10:00:00"',
        '"2024-05-01T24:00:00Z"',
        '"1969-01-01T00:00:00Z"',
    ),
    *('"2024-05-01T10:00:00.1234567Z"', '"2024-05-01T10:00:60Z"', '"2024-05-01T10:00:00+25:00"'),
    *('"1000-01-01T00:00:00+14:00"', '"2999-12-31T23:59:59-23:59"', '"2024-05-01t10:00:00z"'),
]
ANY = st.sampled_from([one.encode() for one in WRITTEN])
# Columns of one kind are rare among mixtures: some are of few values.
COLUMN = st.lists(ANY, min_size=1, max_size=3).flatmap(
    lambda some: st.lists(st.sampled_from([*some, b"null"]), min_size=1, max_size=8)
)


@given(COLUMN)
def test_the_kind_of_all_is_the_kind_of_each(cells: list[bytes]) -> None:
    alike = uniform_kind(cells)
    kinds = {typed_kind(cell) for cell in cells if cell != b"null"}
    if alike is not None:
        assert kinds <= {alike}
        assert kinds or alike == "null"


@pytest.mark.parametrize("kind", [kind_of, typed_kind])
@given(data=st.data())
def test_records_as_columns_are_what_they_are_as_rows(kind: object, data: st.DataObject) -> None:
    records: list[tuple[bytes, Cells]] = [
        (
            b"%d" % number,
            {(name,): data.draw(ANY) for name in data.draw(st.sets(st.sampled_from("abc")))},
        )
        for number in range(data.draw(st.integers(1, 6)))
    ]
    by_row, by_column = Layout(kind=kind), Layout(kind=kind)  # type: ignore[arg-type] # a function
    for key, cells in records:
        by_row.see(key, cells)
    by_row.begin()
    by_column.learn(records)
    rows = [by_row.row(key, cells) for key, cells in records]
    table = by_column.columns(records)
    # What stands apart, raw texts, comes by row here and by column there.
    assert sorted(by_row.fields, key=repr) == sorted(by_column.fields, key=repr)
    spots = {field: spot for spot, field in enumerate(by_column.fields)}
    found = [table[spots[field]] for field in by_row.fields]
    assert [list(row) for row in zip(*found, strict=True)] == rows
    if kind is typed_kind:
        shown = [(spot, field) for spot, field in enumerate(by_row.fields)]
        for (spot, field), column in zip(shown, arrow_table(shown, found).columns, strict=True):
            read = READERS[field.kind]
            cells_of = [row[spot] for row in rows]
            values = [None if c in {None, b"null"} else read(c) for c in cells_of]
            assert json.dumps(column.to_pylist(), default=str) == json.dumps(values, default=str)
    assert arrow_schema(by_row.fields).names == [field.name for field in by_row.fields]
