"""Cursors that are cut off: nothing missing, nothing twice, in the order that was asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pymongo
import pytest
from bson import DatetimeMS, Decimal128, MaxKey, MinKey
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from tests.mongo.fixtures import both
from tests.real.mongod import Mongo

from penstock.mongo import NotRetryable, connect, counters

ODD = [None, 1, 2.5, "a", True, [1, 5], [], {"x": 1}, Decimal128("2"), float("nan"), b"x"]


def fill(db: Any) -> None:
    rows = [{"n": n, "g": n % 7, "v": ODD[n % len(ODD)], "at": {"x": n // 3}} for n in range(600)]
    for row in rows[::5]:
        del row["v"]
    random.Random(3).shuffle(rows)
    db.rows.insert_many(rows)


QUERIES: dict[str, Callable[[Any], Any]] = {
    "all": lambda c: c.find(),
    "filtered": lambda c: c.find({"g": {"$gt": 2}}),
    "sorted": lambda c: c.find(sort=[("n", 1)]),
    "sorted backwards": lambda c: c.find().sort("n", -1),
    "sorted with ties": lambda c: c.find().sort("g"),
    "sorted by two": lambda c: c.find().sort([("g", -1), ("n", 1)]),
    "sorted by odd values": lambda c: c.find().sort("v", 1),
    "sorted by odd values backwards": lambda c: c.find().sort("v", -1),
    "sorted by what is not shown": lambda c: c.find({}, {"_id": 0, "n": 1}).sort("at.x", -1),
    "without _id": lambda c: c.find({}, {"_id": 0}).sort([("g", 1), ("n", -1)]),
    "without _id and order": lambda c: c.find({}, {"_id": 0, "v": 0}),
    "skip and limit": lambda c: c.find({}, {"n": 1}).sort("n").skip(17).limit(300),
    "skip and limit with ties": lambda c: c.find().sort([("g", 1), ("n", 1)]).skip(17).limit(300),
    "skip without order": lambda c: c.find({}, {"n": 1}).skip(599),
    "limit": lambda c: c.find().sort([("g", 1), ("n", -1)]).limit(250),
    "sliced": lambda c: c.find().sort("n")[40:340],
    "natural order": lambda c: c.find().sort("$natural", -1),
    "with a collation": lambda c: c.find().sort("v").collation({"locale": "en", "strength": 1}),
    "aggregated": lambda c: c.aggregate([{"$sort": {"n": 1}}, {"$set": {"z": 1}}], batchSize=50),
    "grouped": lambda c: c.aggregate(
        [{"$group": {"_id": "$n"}}, {"$sort": {"_id": 1}}], batchSize=50
    ),
}


def sized(cursor: Any) -> Any:
    return cursor.batch_size(50)


def key(document: dict[str, Any]) -> str:
    return repr(sorted((name, repr(value)) for name, value in document.items()))


IN_ORDER = {"sorted", "sorted backwards", "sorted by two", "skip and limit", "grouped"}


def test_a_walk_that_is_cut_off_twice_is_the_walk_it_would_have_been(mongo: Mongo) -> None:
    with both(mongo) as at:
        fill(at.plain)

    def walk(name: str) -> None:
        query = QUERIES[name]
        with both(mongo) as at:
            cursor = sized(query(at.db.rows))
            seen = [next(cursor)]
            at.wire.lose("getMore", "request", "reply")
            seen += list(cursor)
            wanted = list(query(at.plain.rows))
            assert len(at.wire.lost) == 2 or len(wanted) < 50, name
            assert sorted(map(key, seen)) == sorted(map(key, wanted)), name
            if name in IN_ORDER:
                assert [key(one) for one in seen] == [key(one) for one in wanted], name
            assert counters(at.client).gave_up == 0

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(walk, QUERIES))


def test_a_long_walk_without_an_order_is_put_in_one_and_forgets_what_it_saw(mongo: Mongo) -> None:
    with both(mongo) as at:
        fill(at.plain)
        rows = at.db.rows
        core = rows._core
        few = core.with_settings(type(core.settings)(remember=120, deadline=20))
        object.__setattr__(rows, "_core", few)
        cursor = rows.find(batch_size=50).limit(580)
        seen = [next(cursor)["n"] for _ in range(300)]
        at.wire.lose("getMore", "request")
        seen += [one["n"] for one in cursor]
        assert at.wire.lost
        assert len(seen) == len(set(seen)) == 580
        assert len(cursor._place._handed) < 120


def test_what_has_no_place_of_its_own_says_why_it_cannot_go_on(mongo: Mongo) -> None:
    with both(mongo) as at:
        fill(at.plain)
        for cursor, why in [
            (at.db.rows.aggregate([{"$unwind": "$v"}], batchSize=20), r"\$unwind gives documents"),
            (at.db.rows.aggregate([{"$limit": 400}], batchSize=20), r"\$limit takes other"),
            (
                at.db.rows.find({}, batch_size=20).sort("v").skip(100),
                "does not tell what was skipped",
            ),
        ]:
            seen = [next(cursor) for _ in range(30)]
            at.wire.lose("getMore", "request")
            with pytest.raises(NotRetryable, match=why) as caught:
                seen += list(cursor)
            assert not caught.value.maybe_applied
            assert not cursor.alive


def test_a_cursor_is_used_as_pymongos_own(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n} for n in range(250)])
        rows = at.db.rows
        with rows.find().sort("_id") as cursor:
            assert isinstance(cursor, pymongo.cursor.Cursor)
            assert cursor.alive
            assert cursor.next() == {"_id": 0}
            assert cursor.to_list(2) == [{"_id": 1}, {"_id": 2}]
            with pytest.raises(pymongo.errors.InvalidOperation):
                cursor.sort("n")
            assert len(cursor.to_list()) == 247
            assert not cursor.alive
            assert next(cursor.rewind()) == {"_id": 0}
            assert len(list(cursor.clone())) == 250
            assert cursor.collection == rows
        assert rows.find().sort("_id")[7] == {"_id": 7}
        assert [one["_id"] for one in rows.find().sort("_id")[3:5]] == [3, 4]
        assert list(rows.find()[4:4]) == []
        assert rows.find({"_id": {"$lt": 3}}).distinct("_id") == [0, 1, 2]
        assert "queryPlanner" in rows.find().explain()
        assert rows.find_one({"_id": 3}) == {"_id": 3}
        assert [one["name"] for one in rows.list_indexes()] == ["_id_"]
        assert list(rows.find(batch_size=2).limit(-5).sort("_id")) == [{"_id": 0}, {"_id": 1}]
        seen = []
        for one in (cursor := rows.find(batch_size=10).sort("_id")):
            seen.append(one["_id"])
            if len(seen) == 15:
                break
        assert seen + [one["_id"] for one in cursor] == list(range(250))


def test_documents_of_other_classes_go_on_as_well(mongo: Mongo) -> None:
    with both(mongo, document_class=RawBSONDocument) as at:
        at.plain.rows.insert_many([{"_id": n, "n": -n} for n in range(250)])
        cursor = at.db.rows.find({}, batch_size=50).sort("n")
        seen = [next(cursor) for _ in range(50)]
        at.wire.lose("getMore", "request")
        seen += list(cursor)
        assert [one["n"] for one in seen] == list(range(-249, 1))
        assert type(seen[0]) is RawBSONDocument
        # Nothing can be taken off such a document, so its keys are not asked for.
        cursor = at.db.rows.find({}, {"_id": 0, "n": 1}, batch_size=50)
        next(cursor)
        at.wire.lose("getMore", "request")
        with pytest.raises(NotRetryable, match="keep _id"):
            list(cursor)


def test_a_tailable_cursor_is_left_to_pymongo(mongo: Mongo) -> None:
    with both(mongo) as at:
        log = at.db.create_collection("log", capped=True, size=4096)
        log.insert_many([{"_id": 1}, {"_id": 2}])
        cursor = log.find(cursor_type=pymongo.CursorType.TAILABLE)
        assert [one["_id"] for one in cursor] == [1, 2]
        assert cursor.alive
        log.insert_one({"_id": 3})
        assert [one["_id"] for one in cursor] == [3]
        cursor.close()


def test_a_cursor_that_the_server_forgot_goes_on(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n} for n in range(250)])
        cursor = at.db.rows.find(batch_size=50)
        seen = [next(cursor) for _ in range(50)]
        at.client.admin.command("ping")
        at.db.command({"killCursors": "rows", "cursors": [cursor.cursor_id]})
        seen += list(cursor)
        assert len(seen) == 250
        assert counters(at.client).resumed == 1


def test_a_change_stream_goes_on_behind_the_last_change(mongo: Mongo) -> None:
    with both(mongo) as at:
        seen: list[int] = []
        with at.db.rows.watch(max_await_time_ms=100) as stream:
            assert isinstance(stream, pymongo.change_stream.ChangeStream)
            for n in range(4):
                at.plain.rows.insert_one({"_id": n})
                if n % 2:
                    at.wire.lose("getMore aggregate", *["request"] * 4)
                seen.append(next(stream)["documentKey"]["_id"])
            assert stream.resume_token
        assert seen == list(range(4))
        assert counters(at.client).resumed


def test_connect_says_where_it_reads_from_and_reads_there(mongo: Mongo) -> None:
    with connect(mongo.uri, read_from="secondary") as client:
        rows = client[mongo.database].rows
        cursor = rows.find()
        list(cursor)
        assert cursor.address in client.secondaries


def test_documents_that_may_share_an_id_or_have_none_are_walked_but_not_resumed(
    mongo: Mongo,
) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n, "tags": list("abc")} for n in range(90)])
        parts = [{"$unwind": "$tags"}]
        at.plain.create_collection("parts", viewOn="rows", pipeline=parts)
        at.plain.create_collection("bare", viewOn="rows", pipeline=[{"$unset": "_id"}])
        at.plain.create_collection("times", timeseries={"timeField": "t"})
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        at.plain.times.insert_many([{"_id": n % 9, "t": moment, "n": n} for n in range(90)])
        for name, why in [
            ("parts", "in the view parts"),
            ("bare", "no _id"),
            ("times", "same _id"),
        ]:
            assert len(list(at.db[name].find(batch_size=20))) >= 90
            cursors = [at.db[name].find(batch_size=20)]
            cursors.append(at.db[name].aggregate([{"$match": {}}], batchSize=20))
            for cursor in cursors:
                for _ in range(25):
                    next(cursor)
                at.wire.lose("getMore", "request")
                with pytest.raises(NotRetryable, match=why):
                    list(cursor)


def test_a_part_of_an_id_is_shown_and_the_walk_goes_on(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": {"a": n % 7, "b": n}, "v": n} for n in range(50)])
        cursor = at.db.rows.find({}, {"_id.a": 1, "v": 1}, batch_size=10)
        seen = [next(cursor)]
        at.wire.lose("getMore", "request")
        seen += list(cursor)
        assert seen == [{"_id": {"a": n % 7}, "v": n} for n in range(50)]


def test_equal_texts_of_a_collections_own_collation_are_not_taken_for_different(
    mongo: Mongo,
) -> None:
    with both(mongo) as at:
        names = at.plain.create_collection("names", collation={"locale": "en", "strength": 1})
        names.insert_many([{"_id": n, "s": "aA"[n % 2] * (1 + n // 20)} for n in range(60)])
        for how in ({}, {"collation": {"locale": "en", "strength": 1}}):
            cursor = at.db.names.find(batch_size=7, sort=[("s", 1)], **how)
            seen = [next(cursor)["_id"] for _ in range(7)]
            at.wire.lose("getMore", "request")
            if how:
                seen += [one["_id"] for one in cursor]
                assert sorted(seen) == list(range(60))
            else:
                with pytest.raises(NotRetryable, match="which texts are equal"):
                    list(cursor)


def test_a_limit_counts_what_was_passed_over(mongo: Mongo) -> None:
    """Behind a key that marks no place, one more than the limit was handed out."""
    ids: list[Any] = [
        None,
        MinKey(),
        MaxKey(),
        0,
        1,
        2.5,
        -5,
        2**60,
        float("nan"),
        float("inf"),
        True,
        "",
    ]
    ids += [False, Decimal128("3.25"), Decimal128("-7"), "a", "b", "c"]
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": one} for one in ids])
        cursor = at.db.rows.find(batch_size=2, limit=17, sort=[("_id", 1)])
        seen = [next(cursor) for _ in range(9)]
        at.wire.lose("getMore", "request")
        assert len(seen + list(cursor)) == 17


def test_equal_texts_of_a_views_collation_are_not_taken_for_different(mongo: Mongo) -> None:
    """Two of them were one _id to the view, and one was handed out twice."""
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": name + "aä"[n]} for name in "bcdefg" for n in (0, 1)])
        how = {"collation": {"locale": "en", "strength": 1}}
        at.plain.create_collection("seen", viewOn="rows", pipeline=[], **how)
        cursor = at.db.seen.find(batch_size=2, sort=[("_id", 1)])
        for _ in range(4):
            next(cursor)
        at.wire.lose("getMore", "request")
        with pytest.raises(NotRetryable, match="which texts are equal"):
            list(cursor)
        cursor = at.db.seen.find(batch_size=2, sort=[("_id", 1)], **how)
        seen = [next(cursor)["_id"] for _ in range(4)]
        at.wire.lose("getMore", "request")
        assert len({*seen, *(one["_id"] for one in cursor)}) == 12


class Small(TypeDecoder):
    """As an application decodes its own: what was a text is another type in Python."""

    bson_type = str

    def transform_bson(self, value: str) -> int | str:
        return int(value) if value.isdigit() else value


LONG_AGO = [DatetimeMS(-(10**14) - n) for n in range(40)]


@pytest.mark.parametrize(
    ("values", "options", "goes_on"),
    [
        ([str(n) for n in range(40)], {"type_registry": TypeRegistry([Small()])}, True),
        (LONG_AGO, {"datetime_conversion": DatetimeConversion.DATETIME_CLAMP}, False),
        (LONG_AGO, {"datetime_conversion": DatetimeConversion.DATETIME_AUTO}, True),
        (["a"] * 40, {"unicode_decode_error_handler": "replace"}, False),
    ],
    ids=["other types", "clamped dates", "dates", "replaced letters"],
)
def test_what_is_decoded_to_something_else_is_not_asked_for(
    mongo: Mongo, values: list[Any], options: dict[str, Any], goes_on: bool
) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n, "v": value} for n, value in enumerate(values)])
        rows = at.db.get_collection("rows", CodecOptions(**options))
        for cursor in (
            rows.find(batch_size=7, sort=[("v", 1)]),
            rows.aggregate([{"$sort": {"v": 1}}], batchSize=7),
        ):
            seen = [next(cursor)["_id"]]
            at.wire.lose("getMore", "request")
            if goes_on:
                seen += [one["_id"] for one in cursor]
                assert sorted(seen) == list(range(40))
            else:
                with pytest.raises(NotRetryable, match="makes one of several"):
                    list(cursor)


def test_groups_by_a_collation_are_not_told_apart(mongo: Mongo) -> None:
    with both(mongo) as at:
        how = {"collation": {"locale": "en", "strength": 1}}
        at.plain.create_collection("names", **how)
        at.plain.names.insert_many([{"s": "aA"[n % 2] * (1 + n // 2)} for n in range(60)])
        at.plain.create_collection("seen", viewOn="names", pipeline=[{"$match": {}}], **how)
        groups = [{"$group": {"_id": "$s"}}]
        at.plain.rows.insert_many(list(at.plain.names.find()))
        for name, more in (("names", {}), ("seen", {}), ("rows", how)):
            cursor = at.db[name].aggregate(groups, batchSize=7, **more)
            next(cursor)
            at.wire.lose("getMore", "request")
            with pytest.raises(NotRetryable, match="by a collation"):
                list(cursor)
