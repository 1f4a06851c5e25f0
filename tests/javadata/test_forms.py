"""Every plain form comes back: rows, JSON, Arrow, Parquet, pickles; or is refused by name."""

from __future__ import annotations

import copy
import io
import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, reject, settings
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
from penstock.javadata import kinds as k
from penstock.javadata.core import Row

from .cores import CORES, Core, made
from .test_schema import KINDS, ONE, Everything

MORE = KINDS | st.sampled_from(
    [
        "unsigned int", "unsigned long", "little int", "little double", "varint", "zigzag long",
        "vlong", "text[short?]", "text[byte latin1]", "text[byte mutf8]", "int?[byte]",
        "bytes[byte?]", "int[byte?]", "<byte 1=A{x: int}, 2=B{x: int}>",
        "sized[int] P{a: utf, b: int}",
        "<byte 0=Nil{}, 1=int, 2=utf>[byte]", "<byte 1|2=A{x: int}, *=B{y: utf}>",
        "<byte 1=A{x: int}, 2=B{x: utf?}>[until 0]", "bytes[40]?", "{a: {b: utf?}?}?", "char[2]",
    ]
)  # fmt: skip
UNITS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


def values(kind: k.Kind) -> st.SearchStrategy[object]:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    """Return the values of a kind that every form can hold."""
    match kind:
        case k.Primitive(code="?"):
            return st.booleans()
        case k.Primitive() | k.Varint() if not isinstance(kind, k.Primitive) or kind.integral:
            return st.integers(*k.limits(kind))
        case k.Primitive(code="f" | "d", size=size):
            return st.floats(width=8 * size, allow_nan=False)  # type: ignore[arg-type]
        case k.Primitive():
            return st.characters(max_codepoint=0xFFFF)
        case k.UtfKind():
            return UNITS
        case k.Text(encoding=encoding, null=null):
            text = st.text("aé", max_size=3) if encoding == "latin1" else UNITS
            return text | st.none() if null else text
        case k.FixedBytes(count=count):
            return st.binary(min_size=count, max_size=count)
        case k.Counted(element=element, null=null):
            low, high = (kind.count, kind.count) if isinstance(kind.count, int) else (0, 3)
            found: st.SearchStrategy[object] = (
                st.binary(min_size=low, max_size=high) if element is None
                else st.lists(values(element), min_size=low, max_size=high)
            )  # fmt: skip
            return found | st.none() if null else found
        case k.Flagged(element=element):
            return st.none() | values(element)
        case k.Sized(element=element):
            return values(element)
        case k.Variant(cases=cases):
            return st.one_of([case_values(case) for case in cases])
        case k.RecordKind(made=made, fields=fields):
            return st.tuples(*(values(field.kind) for field in fields)).map(made._make)  # type: ignore[attr-defined]
        case _:
            raise AssertionError(kind)


def case_values(case: k.Case) -> st.SearchStrategy[object]:
    record = case.record
    assert isinstance(record, k.RecordKind)
    if not record.fields or record.fields[0].kind != k.Given():
        return values(record)
    tags = st.sampled_from(case.tags or (7, 8))
    rest = [values(field.kind) for field in record.fields[1:]]
    return st.tuples(tags, *rest).map(record.made._make)  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=100)
@given(st.data(), MORE, MORE)
def test_a_value_comes_back_from_every_form(data: st.DataObject, one: str, two: str) -> None:
    try:
        schema = parse_schema(f"first: {one}, second: {two}, last: byte")
    except InputError as error:
        if "two records named" not in str(error):
            raise
        reject()  # refused by name, not made into one
    count = data.draw(st.integers(0, 3))
    rows = [cast("Row", data.draw(values(schema.kind))) for _ in range(count)]
    encoded = schema.encode(rows)
    assert same(schema.decode(encoded), rows)
    pure = Schema[Row](schema.kind, core=None)
    assert same(
        [from_plain(json.loads(json.dumps(to_plain(r, schema))), schema) for r in rows], rows
    )
    assert same(pickle.loads(pickle.dumps(rows)), rows)
    assert same(copy.deepcopy(rows), rows)
    table = schema.table(encoded)
    file, back, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    assert pure.write_batches(table.to_batches(), back) == len(rows)
    assert back.getvalue() == encoded
    pq.write_table(table, file)
    file.seek(0)
    pure.write_batches(pq.read_table(file).to_batches(), packed)
    assert packed.getvalue() == encoded


def same(found: list[Row], wanted: list[Row]) -> bool:
    """Return whether rows are alike in value and in class, all the way down."""
    return repr(found) == repr(wanted) and found == wanted


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
    import numpy as np

    schema = parse_schema("a: boolean, b: double", core=core)
    rows: list[tuple[object, float]] = [
        (np.True_, 2**53),
        (np.False_, -(2**60)),
        (1, True),
        (0, float(np.float32(0.5))),
    ]
    wanted = b"".join(struct.pack(">?d", bool(a), float(b)) for a, b in rows)
    assert schema.encode(rows) == wanted


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
