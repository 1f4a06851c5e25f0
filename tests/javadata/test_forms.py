"""Every plain form comes back: rows, JSON, Arrow, Parquet, pickles; or is refused by name."""

from __future__ import annotations

import copy
import io
import itertools
import json
import math
import os
import pickle
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import (
    EndOfData,
    Schema,
    SchemaMismatch,
    UTFDataFormatError,
    from_plain,
    parse_schema,
    to_plain,
)
from penstock.javadata.core import PURE, Row

from .cores import CORES, Core, made
from .shapes import SCHEMAS, drawn, drawn_rows
from .test_schema import ONE, Everything

EXAMPLES = int(os.environ.get("PENSTOCK_SHAPES", "50"))
SEARCH = settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


def schemas_of(text: str) -> list[Schema[Row]]:
    """Return the schema by both cores; what is refused is refused by name."""
    try:
        pure = parse_schema(text, core=PURE)
    except InputError as error:
        if not re.search("optional twice|no bytes cannot be counted|another name", str(error)):
            raise
        reject()
    return [Schema(pure.kind), pure]


@SEARCH
@given(st.data(), SCHEMAS)
def test_a_value_comes_back_from_every_form(data: st.DataObject, text: str) -> None:
    best, pure = schemas_of(text)
    rows = drawn_rows(data, best.kind)
    encoded = best.encode(rows)
    assert encoded == pure.encode(rows)
    assert str(parse_schema(str(best))) == str(best)
    rows = best.decode(encoded)  # checksums are there now
    assert same(pure.decode(encoded), rows)
    assert best.encode(rows) == encoded
    shown = [json.loads(json.dumps(to_plain(row, best), allow_nan=False)) for row in rows]
    back = [from_plain(each, best) for each in shown]
    assert same(back, rows)
    assert [to_plain(row, best) for row in back] == shown
    assert same(pickle.loads(pickle.dumps(rows)), rows)
    assert same(copy.deepcopy(rows), rows)
    for schema in (best, pure):
        table = schema.table(encoded)
        table.validate(full=True)
        assert packed(schema, table) == encoded
        file = io.BytesIO()
        pq.write_table(table, file)
        file.seek(0)
        assert packed(schema, pq.read_table(file)) == encoded
        assert packed(schema, schema.table(packed(schema, table))) == encoded


def packed(schema: Schema[Row], table: pa.Table) -> bytes:
    """Return a table as Java data."""
    file = io.BytesIO()
    assert schema.write_batches(table.to_batches(), file) == table.num_rows
    return file.getvalue()


@SEARCH
@given(st.data(), SCHEMAS)
def test_both_cores_say_the_same_of_any_bytes_and_any_rows(data: st.DataObject, text: str) -> None:
    best, pure = schemas_of(text)
    wire = bytearray(best.encode(drawn_rows(data, best.kind)))
    for at in data.draw(st.lists(st.integers(0, 60), max_size=3)):
        wire[at : at + 1] = data.draw(st.binary(max_size=2))
    row = list(drawn(data, best.kind, {}))  # type: ignore[call-overload] # a row
    row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.sampled_from(WRONG))
    answers = []
    for schema in (best, pure):
        found: list[object] = [
            outcome(lambda: list(itertools.islice(schema.records(bytes(wire)), 99))),  # noqa: B023
            outcome(lambda: packed(schema, schema.table(bytes(wire), on_lone_surrogate="binary"))),  # noqa: B023
            outcome(lambda: schema.encode([tuple(row)])),  # noqa: B023
        ]
        answers.append(found)
    assert repr(answers[0]) == repr(answers[1])


WRONG: list[object] = [
    None,
    True,
    2,
    -1,
    1 << 70,
    10**5000,
    1.5,
    math.nan,
    "",
    "ab",
    b"x",
    [],
    [None],
    (),
    (1,),
    {},
]


def outcome(call: Callable[[], object]) -> object:
    """Return the result, or our error's text; another exception is a fault."""
    try:
        return call()
    except InputError as error:
        return str(error)


def same(found: list[Row], wanted: list[Row]) -> bool:
    """Return whether rows are alike in value and in class, all the way down; NaN is NaN."""
    return repr(found) == repr(wanted) and list(map(type, found)) == list(map(type, wanted))


@pytest.mark.parametrize("core", CORES)
def test_rows_of_the_core_are_rows_in_every_way(core: Core) -> None:
    """A tuple caches its hash since Python 3.14, and C left a 0 there."""
    everything: Schema[Row] = Schema(Everything, core=core)
    for schema in (everything, parse_schema("n: int, r: R{t: utf}", core=core)):
        kind = schema.made
        row = ONE if kind is Everything else made(schema, "Record", 7, made(schema, "R", "x"))
        (got,) = schema.decode(schema.encode([row]))
        assert got == row
        assert type(got) is kind
        if kind is not Everything:  # which has lists in it
            assert hash(got) == hash(row) == hash(tuple(got))
            assert {got} == {row}
            assert hash(got[1]) == hash(row[1])
        for again in (copy.copy(got), copy.deepcopy(got), pickle.loads(pickle.dumps(got))):
            assert again == got
            assert type(again) is kind


def test_a_pickled_schema_and_its_rows_fit_each_other_in_another_process() -> None:
    schema = parse_schema("a: <byte 1=A{x: int}, 2=B{x: int}>")
    row = (made(schema, "B", 7),)
    code = (
        "import pickle, sys\n"
        "schema, rows = pickle.load(sys.stdin.buffer)\n"
        "sys.stdout.buffer.write(schema.encode(rows) + schema.core.encode())\n"
    )
    given = pickle.dumps((schema, schema.decode(schema.encode([row]))))
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == schema.encode([row]) + schema.core.encode()


@pytest.mark.parametrize(
    "error",
    [
        EndOfData(offset=1, reading="long", needed=8, got=2),
        SchemaMismatch("why", offset=3, reading="record 1"),
        UTFDataFormatError("why", reading="utf"),
    ],
)
def test_errors_survive_pickling(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("a: boolean", None), ("a: boolean", "yes"), ("a: boolean", float("nan")),
        ("a: boolean", 2),
        ("a: boolean", []), ("a: double", 2**53 + 1), ("a: double", "1"), ("a: double", 10**400),
        ("a: int", None), ("a: int", 1.0), ("a: utf", None), ("a: utf", b"x"), ("a: char", None),
        ("a: float", None), ("a: bytes[2]", "ab"), ("a: varint", None), ("a: text[short]", None),
    ],
)  # fmt: skip
def test_nothing_becomes_something_else(core: Core, schema: str, value: object) -> None:
    with pytest.raises(SchemaMismatch, match="record 0, field a"):
        parse_schema(schema, core=core).encode([(value,)])


@pytest.mark.parametrize("core", CORES)
def test_numpy_booleans_and_exact_numbers_are_taken(core: Core) -> None:

    schema = parse_schema("a: boolean, b: double", core=core)
    rows: list[tuple[object, float]] = [
        (np.True_, 2**53),
        (np.False_, -(2**60)),
        (1, True),
        (0, float(np.float32(0.5))),
    ]
    wanted = b"".join(struct.pack(">?d", bool(a), float(b)) for a, b in rows)
    assert schema.encode(rows) == wanted


OFFSETS = pa.py_buffer(struct.pack("=ii", 0, 1))
MISTAKEN = pa.Array.from_buffers(pa.string(), 1, [None, OFFSETS, pa.py_buffer(b"\xff")])


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(
    ("schema", "row", "says"),
    [
        ("n: int, m: byte[=n]", (np.int32(2), [1, 2]), "0000000201 02"),
        ("n: varint, m: byte[=n*2]", (np.uint8(1), [1, 2]), "01 0102"),
        ("n: byte = 2, m: byte[=n]", (None, [1, 2]), "020102"),
        ("n: byte = 2, m: byte[=n]", (2.0, [1, 2]), "field n: 'float' object"),
        ("n: int, m: byte[=n]", ("2", [1, 2]), "field n: 'str' object"),
        ("a: byte[int?], m: byte[=a]", (None, [1]), "field m: a is None, and counts"),
    ],
)
def test_what_counts_is_a_number_or_is_named(core: Core, schema: str, row: Row, says: str) -> None:
    """A float that equals a constant ended in a TypeError without a place."""
    answer = outcome(lambda: parse_schema(schema, core=core).encode([row]).hex())
    assert says.replace(" ", "") in str(answer).replace(" ", "")


def parquet(columns: dict[str, pa.Array], path: Path) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("schema", "columns", "says"),
    [
        ("a: boolean", {"a": pa.array([True, None])}, "record 1, field a: NoneType where bool"),
        ("a: utf", {"a": pa.array([b"\xff"])}, "record 0, field a: malformed input"),
        ("a: char", {"a": pa.array([None], pa.uint16())}, "record 0, field a"),
        ("a: <byte 1=A{x: int}>", {"a": pa.array([{"tag": 1, "A": None}])}, "tag 1, but no A"),
        ("a: <byte 1=A{x: int}>", {"a": pa.array([{"tag": 9, "A": None}])}, "tag 9 is unknown"),
        ("a: {b: int, c: utf?}", {"a": pa.array([{"b": 1}])}, "a.c: not there; there are b"),
        ("a: {b: int}", {"a": pa.array([None], pa.struct([("b", pa.int32())]))},
         "field a: null is not"),
        ("a: int", {"a": pa.array(["1"])}, "record 0, field a"),
        ("a: int[int]", {"a": pa.array([7])}, "field a: 7 is not a list"),
        ("a: utf", {"a": MISTAKEN}, "records from 0 on: 'utf-8' codec"),
    ],
)  # fmt: skip
def test_a_column_that_does_not_fit_is_named(
    schema: str, columns: dict[str, pa.Array], says: str, tmp_path: Path
) -> None:
    given = parquet(columns, tmp_path / "in")
    with pytest.raises(InputError) as caught:
        parse_schema(schema).from_parquet(given, tmp_path / "out")
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_two_columns_of_one_name_are_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(SchemaMismatch, match="field a: two such columns"):
        parse_schema("a: int").write_batches([batch], io.BytesIO())


def test_what_parquet_cannot_hold_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Parquet cannot hold this schema"):
        parse_schema("a: int, b: bytes[0]").to_parquet(bytes(4), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_is_refused_by_arrow_and_held_by_json() -> None:
    schema = parse_schema("t: Node{v: byte, kids: Node[byte]}")
    data = bytes.fromhex("0101 0200")
    with pytest.raises(InputError, match="Node stands inside itself"):
        schema.table(data)
    (row,) = schema.decode(data)
    assert from_plain(json.loads(json.dumps(to_plain(row, schema))), schema) == row


def test_a_case_is_known_again_in_json() -> None:
    schema = parse_schema("a: <byte 1=Up{by: int}, 2=Down{by: int}>")
    with pytest.raises(SchemaMismatch, match='may be each of Up, Down: say which by "@case"'):
        from_plain({"a": {"by": 7}}, schema)
    with pytest.raises(SchemaMismatch, match="has the fields of none of Up, Down"):
        from_plain({"a": {"@case": "Left", "by": 7}}, schema)
