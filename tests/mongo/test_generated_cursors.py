"""A cursor that goes on is the cursor it would have been: generated collections, queries, cuts."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pymongo
import pytest
from bson import Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp, decode, encode
from bson.binary import Binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collation import Collation
from pymongo.errors import OperationFailure

from penstock.mongo import NotRetryable, resilient
from penstock.mongo.sort_order import identity

EXAMPLES = int(os.environ.get("PENSTOCK_CURSOR_EXAMPLES", "30"))
"""Collections and queries that are tried; a night's run takes 10,000 of each."""

ABSENT = object()


def moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


IDS: list[Any] = [
    *(None, MinKey(), MaxKey(), 0, 1, 2.5, -5, 2**60, float("nan"), float("inf"), True, False),
    *(Decimal128("3.25"), Decimal128("-7"), "", "a", "b", "ä", b"", b"a", Binary(b"a", 5)),
    *(ObjectId("0" * 24), ObjectId("f" * 24), moment(0), moment(1_700_000_000), Timestamp(5, 0)),
    *({"d": 1}, {"d": None}, {"d": 1, "e": [2]}, {"e": "a"}, Code("f()")),
]
"""No two of them are one to the server."""

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
    *({"a": {"$slice": 1}}, {"n": "$a"}, {"_id": 0, "a": 0}, {"_id.d": 1, "a": 1}, {"_id.d": 0}),
]


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    ids = draw(st.permutations(IDS)) if draw(st.booleans()) else range(len(IDS))
    for name in ids[: draw(st.integers(3, len(IDS)))]:
        row = {"a": draw(VALUES), "b": draw(VALUES), "c": draw(VALUES)}
        found.append({"_id": name, **{k: v for k, v in row.items() if v is not ABSENT}})
    return found


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    sort = draw(st.lists(st.tuples(FIELDS, WAYS), max_size=2, unique_by=lambda pair: pair[0][0]))
    if draw(st.booleans()):
        sort = [*sort, ("_id", draw(WAYS))]
    asked: dict[str, Any] = {
        "filter": draw(st.sampled_from([{}, {"a": {"$exists": True}}, {"b": {"$ne": 1}}])),
        "projection": draw(st.sampled_from(PROJECTIONS)),
        "batch_size": draw(st.integers(2, 6)),
        "limit": draw(st.sampled_from([0, 0, 0, 5, 17])),
        "skip": draw(st.sampled_from([0, 0, 0, 1, 7])),
    }
    if sort:
        asked["sort"] = sort
    if draw(st.integers(0, 4)) == 0:
        asked["collation"] = Collation("en", strength=draw(st.sampled_from([1, 3])))
    if draw(st.integers(0, 4)) == 0:
        asked["hint"] = [("_id", 1)]
    return asked


PIPELINES = st.lists(
    st.sampled_from(
        [
            *({"$match": {"a": {"$exists": True}}}, {"$sort": {"a": 1}}, {"$sort": {"_id": -1}}),
            *({"$set": {"z": "$b"}}, {"$unset": "b"}, {"$project": {"a": 1}}),
            *({"$group": {"_id": "$a"}}, {"$group": {"_id": "$c", "n": {"$sum": 1}}}),
            *({"$unwind": "$a"}, {"$unset": "_id"}, {"$replaceWith": {"_id": "$c"}}),
            *({"$unionWith": "rows"}, {"$sortByCount": "$b"}, {"$set": {"_id": "$a"}}),
        ]
    ),
    max_size=3,
)
SOME: list[dict[str, Any]] = [{"$sort": {"_id": 1}}, {"$skip": 2}, {"$limit": 11}]
SEES: dict[str, list[dict[str, Any]]] = {
    "view": [{"$match": {"z": None}}, {"$set": {"z": 1}}],
    "view of parts": [{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": True}}],
    "view without _id": [{"$unset": "_id"}],
    "view with one _id": [{"$set": {"_id": 1}}],
    "view of groups": [{"$group": {"_id": "$a", "b": {"$first": "$b"}}}],
}
SHARED = {"view of parts", "view without _id", "view with one _id", "time series"}
"""Where documents cannot be told apart."""
MAKES: dict[str, dict[str, Any]] = {
    "collated": {"collation": Collation("en", strength=1)},
    "capped": {"capped": True, "size": 1_000_000},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "time series": {"timeseries": {"timeField": "t"}},
}
SOURCES = st.sampled_from(["plain", "plain", "plain", "collated view", *MAKES, *SEES])
CUTS = st.lists(st.integers(0, 30), min_size=1, max_size=3)
REMEMBERED = st.sampled_from([100_000, 100_000, 4])


@pytest.fixture(scope="module")
def both(mongo_set: Any) -> Iterator[tuple[Any, Any]]:
    uri, name = mongo_set.uri, f"generated{os.getpid()}"
    with pymongo.MongoClient[dict[str, Any]](uri, w=1) as plain:
        with pymongo.MongoClient[dict[str, Any]](uri) as inner:
            yield plain[name], resilient(inner, deadline=20)[name]
        plain.drop_database(name)


def made(db: Any, source: str, documents: list[dict[str, Any]]) -> str:
    db.drop_collection("rows")
    db.drop_collection("seen")
    if source in MAKES:
        db.create_collection("rows", **MAKES[source])
    if source == "time series":
        documents = [{**one, "t": moment(n // 3)} for n, one in enumerate(documents)]
    if source == "collated":
        documents = [one for one in documents if one["_id"] != "ä"]
    db.rows.insert_many(documents)
    if "view" not in source:
        return "rows"
    how = MAKES["collated"] if "collated" in source else {}
    db.create_collection("seen", viewOn="rows", pipeline=SEES.get(source, SEES["view"]), **how)
    return "seen"


def walked(cursor: Any, name: str, cuts: list[int], plain: Any) -> list[bytes]:
    seen: list[bytes] = []
    for document in cursor:
        seen.append(encode(document))
        if len(seen) in cuts and cursor.cursor_id:
            plain.command("killCursors", name, cursors=[cursor.cursor_id])
    return seen


def alike(document: bytes) -> object:
    return identity(decode(document))


def remembering(db: Any, most: int) -> Any:
    """Return ``db`` with cursors that remember so many identities at once."""
    core = db._core
    return type(db)(db._real, core.with_settings(replace(core.settings, remember=most)))


TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
)


@TRIED
@given(documents=rows(), asked=queries(), source=SOURCES, cuts=CUTS, most=REMEMBERED)
def test_a_cursor_that_goes_on_is_the_cursor_it_would_have_been(
    both: tuple[Any, Any],
    documents: list[dict[str, Any]],
    asked: dict[str, Any],
    source: str,
    cuts: list[int],
    most: int,
) -> None:
    plain, ours = both
    if source == "view of groups":  # there mongod makes {"": MinKey} of it, under a projection
        documents = [one for one in documents if not isinstance(one.get("b"), MinKey | MaxKey)]
    name = made(plain, source, documents)
    if "view" in source:
        asked = {key: value for key, value in asked.items() if key != "hint"}
    try:
        wanted = walked(plain[name].find(**asked), name, [], plain)
    except OperationFailure:
        return  # no query: two arrays in one sort, a collation that a view does not have
    try:
        seen = walked(remembering(ours, most)[name].find(**asked), name, cuts, plain)
    except NotRetryable:
        easy = source == "plain" and not asked["skip"] and most > len(documents)
        assert not easy or asked["projection"] not in (None, {"a": 1})
        return
    # The _id of a group may be an array, which sorts as any of its elements; a view's collation
    # may take two for equal, which come in either order.
    total = asked.get("sort", [("", 0)])[-1][0] == "_id"
    total = total and source not in SHARED | {"view of groups", "collated view"}
    if total:
        assert seen == wanted
    elif not asked["skip"] and not asked["limit"]:
        assert Counter(seen) == Counter(wanted)
    else:  # any part of all there is
        every = walked(plain[name].find(**asked | {"skip": 0, "limit": 0}), name, [], plain)
        assert len(seen) == len(wanted)
        assert Counter(seen) <= Counter(every)


@TRIED
@given(
    documents=rows(),
    stages=PIPELINES | PIPELINES.map(lambda stages: [*SOME, *stages]),
    source=SOURCES,
    cuts=CUTS,
    size=st.integers(2, 6),
)
def test_an_aggregation_that_goes_on_is_the_one_it_would_have_been(
    both: tuple[Any, Any],
    documents: list[dict[str, Any]],
    stages: list[dict[str, Any]],
    source: str,
    cuts: list[int],
    size: int,
) -> None:
    plain, ours = both
    name = made(plain, source, documents)
    try:
        wanted = walked(plain[name].aggregate(stages, batchSize=size), name, [], plain)
    except OperationFailure:
        return  # an _id that is an array, a collation that the view's does not fit
    try:
        seen = walked(ours[name].aggregate(stages, batchSize=size), name, cuts, plain)
    except NotRetryable:
        assert source != "plain" or stages not in ([], [{"$sort": {"_id": -1}}])
        return
    if source in SHARED and stages[:3] == SOME:
        return  # some of those that share an _id, any of them
    # The _id of a group is any of the values that are equal, 1 or 1.0.
    assert Counter(map(alike, seen)) == Counter(map(alike, wanted))
