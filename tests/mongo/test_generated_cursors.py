"""A cursor that goes on is the cursor it would have been: generated collections, queries, cuts."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from bson import Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp, encode
from bson.binary import Binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collation import Collation
from pymongo.errors import OperationFailure

from penstock.mongo import NotRetryable, resilient

EXAMPLES = int(os.environ.get("PENSTOCK_CURSOR_EXAMPLES", "60"))
"""Collections and queries that are tried; a night's run takes 20,000."""

ABSENT = object()


def moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


SCALARS = st.sampled_from(
    [
        *(ABSENT, None, MinKey(), MaxKey(), 0, 1, 2, 3, 2**60, -5, 0.0, -0.0, 1.0, 2.5),
        *(float("nan"), float("inf"), float("-inf"), Decimal128("NaN"), Decimal128("1")),
        *(Decimal128("2.50"), Decimal128("-0"), Decimal128("Infinity"), "", "a", "A", "b", "ä"),
        *(b"", b"a", b"bb", Binary(b"a", 5), ObjectId("0" * 24), ObjectId("f" * 24), True, False),
        *(moment(0), moment(1_700_000_000), Timestamp(1, 1), Timestamp(5, 0)),
        *(Regex("a"), Regex("b", "i"), Code("f()"), Code("f()", {"x": 1}), {}, {"d": 1}),
        *({"d": None}, {"d": "a"}, {"e": 2}, {"d": [3, 1]}),
    ]
)
IN_ARRAYS = SCALARS.filter(lambda value: value is not ABSENT)
VALUES = SCALARS | st.lists(IN_ARRAYS | st.lists(IN_ARRAYS, max_size=2), max_size=3)
FIELDS = st.sampled_from(["a", "b", "c", "c.d"])
WAYS = st.sampled_from([1, -1])
PROJECTIONS: list[Any] = [
    *(None, {"a": 1}, {"b": 1, "_id": 0}, {"a": 0}, {"_id": 0}, {"c.d": 1}, ["b"], {"_id": 1}),
    *({"a": {"$slice": 1}}, {"n": "$a"}, {"_id": 0, "a": 0}),
]


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(3, 30))):
        row = {"a": draw(VALUES), "b": draw(VALUES), "c": draw(VALUES)}
        found.append({"_id": number, **{k: v for k, v in row.items() if v is not ABSENT}})
    return found


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    sort = draw(st.lists(st.tuples(FIELDS, WAYS), max_size=2, unique_by=lambda pair: pair[0][0]))
    total = draw(st.booleans())
    asked: dict[str, Any] = {
        "filter": draw(st.sampled_from([{}, {"a": {"$exists": True}}, {"b": {"$ne": 1}}])),
        "projection": draw(st.sampled_from(PROJECTIONS)),
        "batch_size": draw(st.integers(2, 6)),
    }
    if total:
        sort = [*sort, ("_id", draw(WAYS))]
        asked["limit"] = draw(st.sampled_from([0, 0, 5, 17]))
        asked["skip"] = draw(st.sampled_from([0, 0, 1, 7]))
    if sort:
        asked["sort"] = sort
    if draw(st.integers(0, 4)) == 0:
        asked["collation"] = Collation("en", strength=draw(st.sampled_from([1, 3])))
    if draw(st.integers(0, 4)) == 0:
        asked["hint"] = [("_id", 1)]
    return asked


SOURCES = st.sampled_from(["plain", "plain", "plain", "collated", "view", "view of parts"])
CUTS = st.lists(st.integers(0, 30), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def both(mongo_set: Any) -> Iterator[tuple[Any, Any]]:
    uri = mongo_set.uri
    with pymongo.MongoClient[dict[str, Any]](uri, w=1) as plain:
        with pymongo.MongoClient[dict[str, Any]](uri) as inner:
            yield plain["generated"], resilient(inner, deadline=20)["generated"]
        plain.drop_database("generated")


def made(db: Any, source: str, documents: list[dict[str, Any]]) -> str:
    db.drop_collection("rows")
    db.drop_collection("seen")
    if source == "collated":
        db.create_collection("rows", collation=Collation("en", strength=1))
    db.rows.insert_many(documents)
    if "view" in source:
        parts = [{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": True}}]
        kept = [{"$match": {"_id": {"$gte": 0}}}, {"$set": {"z": 1}}]
        db.create_collection("seen", viewOn="rows", pipeline=parts if "parts" in source else kept)
    return "seen" if "view" in source else "rows"


def walked(db: Any, name: str, asked: dict[str, Any], cuts: list[int], plain: Any) -> list[bytes]:
    cursor = db[name].find(**asked)
    seen: list[bytes] = []
    for document in cursor:
        seen.append(encode(document))
        if len(seen) in cuts and cursor.cursor_id:
            plain.command("killCursors", name, cursors=[cursor.cursor_id])
    return seen


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
)
@given(documents=rows(), asked=queries(), source=SOURCES, cuts=CUTS)
def test_a_cursor_that_goes_on_is_the_cursor_it_would_have_been(
    both: tuple[Any, Any],
    documents: list[dict[str, Any]],
    asked: dict[str, Any],
    source: str,
    cuts: list[int],
) -> None:
    plain, ours = both
    name = made(plain, source, documents)
    if "view" in source:
        asked = {key: value for key, value in asked.items() if key != "hint"}
    try:
        wanted = walked(plain, name, asked, [], plain)
    except OperationFailure:
        return  # no query: two arrays in one sort, a collation that a view does not have
    try:
        seen = walked(ours, name, asked, cuts, plain)
    except NotRetryable:
        must = (
            source == "plain" and not asked.get("skip") and asked["projection"] in (None, {"a": 1})
        )
        assert not must
        return
    assert Counter(seen) == Counter(wanted)
    if asked.get("sort", [("", 0)])[-1][0] == "_id" and source != "view of parts":
        assert seen == wanted
