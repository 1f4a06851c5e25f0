"""Records as JSON has them, and back: nothing changes, and what does not fit is named."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import from_plain, parse_schema, to_plain

SCHEMA = parse_schema(
    "id: long, ok: boolean, at: double, f: float, name: utf, c: char, key: bytes[3],"
    " raw: bytes[int], marks: double[short], owner: utf?, legs: Leg{size: int, name: utf?}[int],"
    " shape: <byte 1=Circle{r: double}, 2=Box{w: double, h: double}>"
)
TYPES = SCHEMA.types
FLOATS = st.floats(width=32)
TEXT = st.text(max_size=5)
ROWS = st.builds(
    TYPES["Record"],
    id=st.integers(-(2**63), 2**63 - 1),
    ok=st.booleans(),
    at=st.floats(),
    f=FLOATS,
    name=TEXT,
    c=st.characters(max_codepoint=0xFFFF),
    key=st.binary(min_size=3, max_size=3),
    raw=st.binary(max_size=5),
    marks=st.lists(st.floats(), max_size=3),
    owner=st.none() | TEXT,
    legs=st.lists(st.builds(TYPES["Leg"], size=st.integers(-9, 9), name=st.none() | TEXT)),
    shape=st.builds(TYPES["Circle"], r=FLOATS) | st.builds(TYPES["Box"], w=FLOATS, h=FLOATS),
)


@settings(max_examples=60)
@given(ROWS)
def test_through_json_and_back_a_record_is_the_same_bytes(row: tuple[object, ...]) -> None:
    there = json.loads(json.dumps(to_plain(row), allow_nan=False))
    back = from_plain(there, SCHEMA)
    assert quiet(SCHEMA.encode([back])) == quiet(SCHEMA.encode([row]))


def quiet(data: bytes) -> bytes:
    """Return the bytes with every NaN as the one that JSON's "nan" comes back as."""
    (row,) = SCHEMA.decode(data)
    return SCHEMA.encode([from_plain(to_plain(row), SCHEMA)])


@pytest.mark.parametrize(
    ("schema", "values", "says"),
    [
        ("id: int", {}, "record, field id: not there; there are none"),
        ("id: int", {"ID": 7}, "not there; there are ID"),
        ("id: int", {"id": "7"}, "record, field id: '7' is not a int"),
        ("id: int", {"id": 7.0}, "7.0 is not a int"),
        ("id: int", {"id": True}, "True is not a int"),
        ("id: int", {"id": None}, "null is not a int"),
        ("ok: boolean", {"ok": 1}, "1 is not true or false"),
        ("at: double", {"at": "7"}, "'7' is not a double"),
        ("at: double", {"at": 2**53 + 1}, "is no double exactly"),
        ("at: double", {"at": 10**400}, "is not a double"),
        ("name: utf", {"name": 7}, "7 is not a text"),
        ("raw: bytes[int]", {"raw": "6g"}, "'6g' is not bytes in hex"),
        ("raw: bytes[int]", {"raw": [1]}, "[1] is not a text"),
        ("a: int[int]", {"a": 7}, "7 is not a list"),
        ("a: int[int]", {"a": [1, None]}, "field a[1]: null is not a int"),
        ("a: {b: {c: int}}", {"a": {"b": {"c": "x"}}}, "record, field a.b.c: 'x'"),
        ("a: {b: int}", {"a": [7]}, "field a: [7] is not an object"),
        ("s: <byte 1=A{x: int}>", {"s": {"y": 7}}, "has the fields of none of A"),
        ("s: <byte 1=A{x: int}>", {"s": 7}, "7 is not an object"),
        ("id: int", [7], "record: [7] is not an object"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(schema: str, values: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        from_plain(values, parse_schema(schema))
    assert says in str(caught.value)


def test_a_whole_number_is_a_float_where_one_is_declared() -> None:
    schema = parse_schema("at: double, f: float, n: double")
    row = from_plain({"at": 2, "f": -3, "n": "nan", "more": []}, schema)
    assert schema.encode([row]) == struct.pack(">dfd", 2.0, -3.0, math.nan)


def test_what_is_not_there_is_none_where_the_schema_lets_it() -> None:
    schema = parse_schema("id: int, owner: utf?")
    assert (
        from_plain({"id": 7}, schema) == from_plain({"id": 7, "owner": None}, schema) == (7, None)
    )
