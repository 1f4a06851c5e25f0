"""The server has done it and its answer is lost: at the first try, at the second, at both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymongo
import pytest
from pymongo import DeleteMany, InsertOne, UpdateMany, UpdateOne
from tests.mongo.wire import Wire
from tests.real.mongod import Mongo

from penstock.mongo import MongoGaveUp, NotRetryable, connect, counters, maybe_applied, resilient

Collection = Any


def by_hand(c: Collection) -> None:
    with c.database.client.start_session() as session, session.start_transaction():
        c.update_one({"_id": 0}, {"$inc": {"v": 1}}, session=session)


def raised(c: Collection) -> dict[str, Any]:
    return {"update": c.name, "updates": [{"q": {"_id": 0}, "u": {"$inc": {"v": 1}}}]}


# What it does, the command whose message is lost, and what must be there afterwards: how many
# documents, and the value of the first, which is 1 before.
WRITES: dict[str, tuple[Callable[[Collection], object], str, tuple[int, int]]] = {
    "insert_one": (lambda c: c.insert_one({}), "insert", (4, 1)),
    "insert_many": (lambda c: c.insert_many([{}, {}]), "insert", (5, 1)),
    "update_one": (lambda c: c.update_one({"_id": 0}, {"$inc": {"v": 1}}), "update", (3, 2)),
    "upsert": (lambda c: c.update_one({"k": 1}, {"$inc": {"v": 1}}, upsert=True), "update", (4, 1)),
    "replace_one": (lambda c: c.replace_one({"_id": 0}, {"v": 2}), "update", (3, 2)),
    "delete_one": (lambda c: c.delete_one({"v": 1}), "delete", (2, 1)),
    "find_one_and_update": (
        lambda c: c.find_one_and_update({"_id": 0}, {"$inc": {"v": 1}}),
        "findAndModify",
        (3, 2),
    ),
    "find_one_and_delete": (lambda c: c.find_one_and_delete({"v": 1}), "findAndModify", (2, 1)),
    "bulk of single writes": (
        lambda c: c.bulk_write([UpdateOne({"_id": 0}, {"$inc": {"v": 1}}), InsertOne({})]),
        "update insert",
        (4, 2),
    ),
    "update_many": (lambda c: c.update_many({}, {"$inc": {"v": 1}}), "commitTransaction", (3, 2)),
    "update_many, its statement": (
        lambda c: c.update_many({}, {"$inc": {"v": 1}}),
        "update",
        (3, 2),
    ),
    "delete_many": (lambda c: c.delete_many({"_id": 2}), "commitTransaction", (2, 1)),
    "mixed bulk": (
        lambda c: c.bulk_write([UpdateMany({}, {"$inc": {"v": 1}}), DeleteMany({"_id": 2})]),
        "commitTransaction",
        (2, 2),
    ),
    "command": (lambda c: c.database.command(raised(c)), "commitTransaction", (3, 2)),
    "transaction by hand, commit": (by_hand, "commitTransaction", (3, 2)),
    "transaction by hand, statement": (by_hand, "update", (3, 2)),
    "out": (lambda c: c.aggregate([{"$out": f"{c.name} copy"}]), "aggregate", (3, 1)),
    "merge": (lambda c: c.aggregate([{"$merge": f"{c.name} sum"}]), "aggregate", (3, 1)),
    "create_index": (lambda c: c.create_index("v"), "createIndexes", (3, 1)),
    "create_collection": (
        lambda c: c.database.create_collection(f"{c.name} more"),
        "create",
        (3, 1),
    ),
}
ORDERS = [("reply",), ("request", "reply"), ("reply", "reply"), ("request", "request", "reply")]


@pytest.fixture
def primary(mongo: Mongo) -> tuple[str, int]:
    with pymongo.MongoClient[dict[str, Any]](mongo.uri) as client:
        client[mongo.database].command("ping")
        assert client.primary
        return client.primary


@pytest.fixture
def plain(mongo: Mongo) -> Iterator[Any]:
    with pymongo.MongoClient[dict[str, Any]](mongo.uri, readConcernLevel="majority") as client:
        yield client[mongo.database]


@pytest.mark.parametrize("orders", ORDERS, ids=", then ".join)
def test_every_write_happens_once_whatever_is_lost(
    mongo: Mongo, primary: tuple[str, int], plain: Any, orders: tuple[str, ...]
) -> None:
    def write(name: str) -> tuple[int, int]:
        do, command, _ = WRITES[name]
        plain[name].insert_many([{"_id": n, "v": 1} for n in range(3)])
        with Wire(primary) as wire, connect(wire.uri, deadline=40) as client:
            collection = client[mongo.database][name]
            collection.find_one()
            wire.lose(command, *orders)
            do(collection)
            # A second try of create_collection looks first and finds it.
            sent = 1 if name == "create_collection" and orders[0] == "reply" else len(orders)
            assert len(wire.lost) == sent, (name, wire.lost)
        first = plain[name].find_one({}, sort=[("_id", 1)]) or {}
        return plain[name].count_documents({}), first["v"]

    with ThreadPoolExecutor(len(WRITES)) as threads:
        found = dict(zip(WRITES, threads.map(write, WRITES), strict=True))
    assert found == {name: wanted for name, (_, _, wanted) in WRITES.items()}


def test_what_cannot_be_repeated_says_so_and_how_to_make_it_so(
    mongo: Mongo, primary: tuple[str, int], plain: Any
) -> None:
    plain.orders.insert_one({"_id": 0, "v": 1})
    twice: list[dict[str, Any]] = [{"$set": {"v": {"$add": ["$v", 1]}}}, {"$merge": "orders"}]
    with Wire(primary) as wire, connect(wire.uri, deadline=20) as client:
        orders = client[mongo.database].orders
        orders.find_one()
        wire.lose("aggregate", "reply")
        with pytest.raises(NotRetryable, match=r"writes to orders.*idempotent=True") as caught:
            orders.aggregate(twice)
        assert maybe_applied(caught.value)
        assert isinstance(caught.value, pymongo.errors.AutoReconnect)
        assert plain.orders.find_one() == {"_id": 0, "v": 2}

        wire.lose("aggregate", "request")
        resilient(orders, idempotent=True).aggregate(twice)
        assert plain.orders.find_one() == {"_id": 0, "v": 3}
        assert counters(client).retries == {"aggregate": 1}

        wire.lose("renameCollection", "reply")
        with pytest.raises(NotRetryable):
            orders.rename("sold")
        assert plain.sold.count_documents({}) == 1


def test_a_deadline_ends_a_write_and_says_that_it_may_be_there(
    mongo: Mongo, primary: tuple[str, int], plain: Any
) -> None:
    with Wire(primary) as wire, connect(wire.uri, deadline=1.5) as client:
        client[mongo.database].orders.find_one()
        wire.lose("insert", *["reply"] * 100)
        with pytest.raises(MongoGaveUp) as caught:
            client[mongo.database].orders.insert_one({"_id": 7})
        assert maybe_applied(caught.value)
        assert plain.orders.find_one() == {"_id": 7}
        wire.lose("find", *["request"] * 100)
        with pytest.raises(MongoGaveUp, match=r"within 1.5 s") as caught:
            client[mongo.database].orders.find_one()
        assert not maybe_applied(caught.value)


def test_a_timeout_of_the_caller_is_obeyed(mongo: Mongo, primary: tuple[str, int]) -> None:
    with Wire(primary) as wire, connect(wire.uri, deadline=60) as client:
        client[mongo.database].orders.find_one()
        wire.lose("find insert", *["request"] * 1000)
        with pytest.raises(pymongo.errors.PyMongoError) as caught, pymongo.timeout(1):
            client[mongo.database].orders.find_one()
        assert not isinstance(caught.value, MongoGaveUp)
        with pytest.raises(pymongo.errors.PyMongoError) as caught, pymongo.timeout(1):
            client[mongo.database].orders.insert_one({})
        assert not isinstance(caught.value, MongoGaveUp)


def test_the_timeout_of_a_client_ends_its_operations(mongo: Mongo) -> None:
    """What takes longer than timeoutMS was done again until the deadline."""
    name = f"slow {mongo.database}"
    fail: dict[str, Any] = {
        "failCommands": "find insert update aggregate getMore".split(),
        "appName": name,
    }
    fail |= {"blockConnection": True, "blockTimeMS": 400}
    with (
        pymongo.MongoClient[dict[str, Any]](mongo.uri) as plain,
        pymongo.MongoClient[dict[str, Any]](mongo.uri, timeoutMS=100, appName=name) as inner,
    ):
        rows = resilient(inner)[mongo.database].rows
        with pymongo.timeout(20):
            rows.insert_many([{} for _ in range(5)])
            cursors: list[Any] = [rows.find(batch_size=2), rows.aggregate([], batchSize=2)]
            for cursor in cursors:
                next(cursor)
        calls: list[Callable[[], object]] = [
            *(rows.find_one, lambda: rows.insert_one({}), lambda: list(rows.aggregate([]))),
            lambda: rows.update_many({}, {"$set": {"n": 1}}),
            *(cursors[0].to_list, cursors[1].to_list),
        ]
        for call in calls:
            plain.admin.command("configureFailPoint", "failCommand", mode={"times": 2}, data=fail)
            try:
                with pytest.raises(pymongo.errors.PyMongoError) as caught:
                    call()
            finally:
                plain.admin.command("configureFailPoint", "failCommand", mode="off")
            assert caught.value.timeout


OFF = """
import sys, time
really = time.time
time.time = lambda: really() + float(sys.argv[3])
from penstock.mongo import connect
with connect(sys.argv[1], deadline=40) as client:
    rows = client[sys.argv[2]].rows
    rows.update_many({}, {"$inc": {"v": 1}})
    with client.start_session() as session, session.start_transaction():
        rows.update_one({"_id": 0}, {"$inc": {"v": 1}}, session=session)
    assert len(list(rows.find(batch_size=50))) == 150
"""


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_changes_nothing(
    mongo: Mongo, primary: tuple[str, int], plain: Any, hours: int
) -> None:
    plain.rows.insert_many([{"_id": n, "v": 0} for n in range(150)])
    with Wire(primary) as wire:
        wire.lose("update commitTransaction getMore", *["reply"] * 4)
        subprocess.run(
            [sys.executable, "-c", OFF, wire.uri, mongo.database, str(3600 * hours)], check=True
        )
        assert len(wire.lost) == 4
    assert [row["v"] for row in plain.rows.find({"_id": {"$lt": 2}}).sort("_id")] == [2, 1]


def test_a_long_list_has_its_deadline_for_each_part(mongo: Mongo) -> None:
    with connect(mongo.uri, deadline=20) as client:
        done = client[mongo.database].rows.insert_many({"_id": n} for n in range(10_001))
        assert len(done.inserted_ids) == 10_001


REFUSED = {"errorCode": 10107, "closeConnection": False}  # NotWritablePrimary


def test_several_commands_are_not_done_twice_when_the_second_is_refused(mongo: Mongo) -> None:
    with (
        pymongo.MongoClient[dict[str, Any]](mongo.uri) as plain,
        connect(mongo.uri, retryWrites=False, deadline=20) as client,
    ):
        rows = client[mongo.database].rows
        rows.insert_one({"_id": 1, "n": 0})
        fail = {"failCommands": ["insert"], **REFUSED}
        plain.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail)
        try:
            rows.bulk_write([UpdateOne({"_id": 1}, {"$inc": {"n": 1}}), InsertOne({"_id": 2})])
        finally:
            plain.admin.command("configureFailPoint", "failCommand", mode="off")
        assert list(rows.find(sort=[("_id", 1)])) == [{"_id": 1, "n": 1}, {"_id": 2}]


def test_a_refused_write_of_an_unordered_list_is_told_at_once(mongo: Mongo) -> None:
    with connect(mongo.uri, deadline=60) as client:
        rows = client[mongo.database].rows
        rows.insert_one({"_id": 1, "n": 0})
        writes: list[Any] = [InsertOne({"_id": 1}), UpdateMany({}, {"$inc": {"n": 1}})]
        with pytest.raises(pymongo.errors.BulkWriteError) as caught:
            rows.bulk_write(writes, ordered=False)
        assert (caught.value.details or {})["nModified"] == 1
        assert list(rows.find()) == [{"_id": 1, "n": 1}]


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        ([{"$project": {"_id": 0, "n": 1}}, {"$merge": "flat"}], r"\$project leaves without _id"),
        ([{"$sample": {"size": 2}}, {"$merge": "flat"}], r"\$sample gives something else"),
        ([{"$limit": 2}, {"$merge": "flat"}], r"\$limit takes other documents"),
        ([{"$sample": {"size": 2}}, {"$out": "flat"}], r"\$sample gives something else"),
    ],
)
def test_a_merge_that_would_add_documents_again_is_not_repeated(
    mongo: Mongo, primary: tuple[str, int], plain: Any, pipeline: list[dict[str, Any]], why: str
) -> None:
    plain.rows.insert_many([{"_id": n, "n": n} for n in range(5)])
    with Wire(primary) as wire, connect(wire.uri, deadline=20) as client:
        rows = client[mongo.database].rows
        rows.find_one()
        for aggregate in (rows.aggregate, rows.aggregate_raw_batches):
            plain.flat.drop()
            wire.lose("aggregate", "reply")
            with pytest.raises(NotRetryable, match=why):
                aggregate(pipeline)
            assert plain.flat.count_documents({}) in {2, 5}


def test_a_merge_from_a_view_without_id_is_not_repeated(
    mongo: Mongo, primary: tuple[str, int], plain: Any
) -> None:
    plain.rows.insert_many([{"_id": n, "n": n} for n in range(5)])
    plain.create_collection("seen", viewOn="rows", pipeline=[{"$unset": "_id"}])
    with Wire(primary) as wire, connect(wire.uri, deadline=20) as client:
        wire.lose("aggregate", "reply")
        with pytest.raises(NotRetryable, match="in the view seen"):
            client[mongo.database].seen.aggregate([{"$merge": "flat"}])
    assert plain.flat.count_documents({}) == 5


def test_a_wtimeout_is_the_writes_own(mongo: Mongo) -> None:
    concern = pymongo.WriteConcern(4, wtimeout=50)  # more members than there are
    with connect(mongo.uri, deadline=20) as client:
        rows = client[mongo.database].get_collection("rows", write_concern=concern)
        for write in (
            lambda: rows.insert_one({}),
            lambda: rows.update_many({}, {"$set": {"n": 1}}),
        ):
            with pytest.raises(pymongo.errors.OperationFailure) as caught:
                write()
            assert not isinstance(caught.value, MongoGaveUp)
