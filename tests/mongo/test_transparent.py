"""What the proxy stands in for cannot be told from it, by code that does not look for it."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import itertools
import pickle
from typing import Any

import gridfs
import pymongo
import pytest
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import InvalidOperation
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.collection import Collection
from pymongo.synchronous.command_cursor import CommandCursor
from pymongo.synchronous.cursor import Cursor
from pymongo.synchronous.database import Database
from tests.mongo.fixtures import both
from tests.real.mongod import Mongo

from penstock.errors import InputError
from penstock.events import Event, Events, Retry
from penstock.mongo import OPERATIONS, OpKind, connect, counters, reading_from, resilient

PYMONGO = {
    "client": (MongoClient, AsyncMongoClient),
    "database": (Database, AsyncDatabase),
    "collection": (Collection, AsyncCollection),
    "cursor": (Cursor, AsyncCursor, CommandCursor),
    "session": (ClientSession, AsyncClientSession),
}


def offline() -> MongoClient[dict[str, Any]]:
    return MongoClient("mongodb://127.0.0.1:1", connect=False)


@pytest.mark.parametrize("level", OPERATIONS)
def test_the_table_knows_every_method_of_pymongo(level: str) -> None:
    for original in PYMONGO[level]:
        methods = {
            name
            for name, value in inspect.getmembers(original, inspect.isfunction)
            if not name.startswith("_")
        }
        known = set(OPERATIONS[level]) | {"next"}
        assert methods - known == set(), original


def test_every_operation_says_why_and_every_kind_how() -> None:
    for operations in OPERATIONS.values():
        assert all(one.why for one in operations.values())
    assert all(kind.how for kind in OpKind)


def test_it_looks_like_what_it_stands_in_for() -> None:
    plain = offline()
    client = resilient(plain)
    for ours, theirs in [
        (client, plain),
        (client.shop, plain.shop),
        (client["shop"].orders, plain.shop.orders),
        (client.shop.orders.find(), plain.shop.orders.find()),
        (client.shop.get_collection("a.b").c, plain.shop.a.b.c),
        (client.shop.orders.with_options(CodecOptions(tz_aware=True)), plain.shop.orders),
        (client.shop.orders.database.client, plain),
    ]:
        assert isinstance(ours, type(theirs))
        assert ours.__class__ is type(theirs)
        assert dir(ours) == dir(theirs)
        if not isinstance(ours, Cursor):
            assert ours == theirs
            assert theirs == ours
            assert hash(ours) == hash(theirs)
    assert repr(client.shop) == repr(plain.shop)
    assert client.shop.orders.full_name == "shop.orders"
    assert copy.copy(client.shop.orders.find().limit(3)) is not None
    with pytest.raises(NotImplementedError, match="truth value"):
        bool(client.shop)
    anything: Any = client.shop.orders
    with pytest.raises(TypeError):
        iter(anything)
    with pytest.raises(TypeError, match="not callable"):
        client.shop.orders.no_such_method()
    assert inspect.signature(client.shop.orders.insert_one).parameters.keys() >= {"document"}
    assert (client.shop.orders.find.__doc__ or "").strip()


def test_what_cannot_be_wrapped_is_refused() -> None:
    with pytest.raises(InputError, match="client, database or collection"):
        resilient(7)
    with pytest.raises(InputError, match="what resilient"):
        counters(offline())
    with pytest.raises(InputError, match="deadline=0"):
        resilient(offline(), deadline=0)


def test_wrapping_again_changes_settings_and_keeps_counting(mongo: Mongo) -> None:
    with both(mongo) as at:
        orders = resilient(at.db.orders, deadline=5)
        at.wire.lose("find", "request", "request")
        assert orders.find_one() is None
        assert counters(at.client).retries == {"find_one": 1} == counters(orders).retries


def test_retries_are_told_as_events(mongo: Mongo) -> None:
    seen: list[Event] = []
    also: list[Event] = []
    events = Events()
    events.subscribe(seen.append)
    with both(mongo, events=events, on_retry=also.append) as at:
        at.wire.lose("find", "request", "request")
        at.db.orders.find_one()
    assert seen == also
    retry = seen[0]
    assert isinstance(retry, Retry)
    assert retry.key == f"{mongo.database}.orders find_one"
    assert retry.attempt == 1
    assert retry.wait >= 0
    assert "AutoReconnect" in retry.reason


def test_gridfs_is_as_safe_as_what_it_is_made_of(mongo: Mongo) -> None:
    with both(mongo) as at:
        files = gridfs.GridFS(at.db)
        at.wire.lose("insert", "reply", "request", "reply")
        key = files.put(b"penstock" * 100_000, filename="pipe")
        assert len(at.wire.lost) == 3
        at.wire.lose("getMore find", "request", "request")
        assert files.get(key).read() == b"penstock" * 100_000
        assert [one.filename for one in files.find({})] == ["pipe"]
        files.delete(key)
        bucket = gridfs.GridFSBucket(at.db)
        key = bucket.upload_from_stream("gate", b"x" * 300_000)
        with bucket.open_download_stream(key) as stream:
            assert len(stream.read()) == 300_000
        bucket.delete(key)
        assert at.plain["fs.chunks"].count_documents({}) == 0


def test_reads_go_where_a_call_says(mongo: Mongo) -> None:
    with connect(mongo.uri) as client:
        orders = client[mongo.database].orders
        orders.insert_one({"_id": 1})
        spread = reading_from(orders, "secondary")
        assert spread.read_preference.mongos_mode == "secondary"
        assert orders.read_preference.mongos_mode == "primary"
        cursor = spread.find()
        list(cursor)
        assert cursor.address in client.secondaries


def test_the_same_on_an_event_loop(mongo: Mongo) -> None:
    async def work() -> None:
        with both(mongo) as at:
            at.plain.rows.insert_many([{"_id": n, "v": 0} for n in range(300)])
            async with connect(at.wire.uri, asynchronous=True, deadline=30) as client:
                assert isinstance(client, AsyncMongoClient)
                db = client[mongo.database]
                rows = db.rows
                assert await rows.find_one({"_id": 1}) == {"_id": 1, "v": 0}
                at.wire.lose("update commitTransaction insert", "reply", "request", "reply")
                assert (await rows.update_one({"_id": 1}, {"$inc": {"v": 1}})).modified_count == 1
                assert (await rows.update_many({}, {"$inc": {"v": 1}})).modified_count == 300
                await rows.insert_many([{"_id": 300, "v": 1}])
                assert len(at.wire.lost) == 3
                at.wire.lose("getMore", "request", "reply")
                cursor = rows.find(batch_size=50).sort("_id")
                assert isinstance(cursor, AsyncCursor)
                assert [one["_id"] async for one in cursor] == list(range(301))
                assert len(at.wire.lost) == 2
                at.wire.lose("find", "request", "request")
                assert len(await rows.find().to_list()) == 301
                listed = await rows.aggregate([{"$match": {}}], batchSize=50)
                at.wire.lose("getMore", "request")
                assert len(await listed.to_list()) == 301
                answer = await db.command(
                    {"update": "rows", "updates": [{"q": {"_id": 2}, "u": {"$inc": {"v": 1}}}]}
                )
                assert answer["nModified"] == 1
                async with client.start_session() as session:
                    at.wire.lose("update", "reply")
                    async with await session.start_transaction():
                        one = await rows.find_one({"_id": 0}, session=session)
                        assert one is not None
                        await rows.update_one({"_id": 0}, {"$inc": {"v": 1}}, session=session)
                async with await rows.watch() as stream:
                    at.plain.rows.insert_one({"_id": "new"})
                    at.wire.lose("getMore", "request", "request")
                    assert (await anext(stream))["documentKey"] == {"_id": "new"}
                assert counters(client).gave_up == 0
                assert counters(client).replayed == 1
            values = [row["v"] for row in at.plain.rows.find({"_id": {"$lt": 4}}).sort("_id")]
            assert values == [2, 2, 2, 1]

    asyncio.run(work())


class OwnCollection(Collection[dict[str, Any]]):
    """As Flask-PyMongo and others have one."""

    def find_or_fail(self, which: Any) -> Any:
        found = self.find_one(which)
        assert found is not None
        return found


class OwnDatabase(Database[dict[str, Any]]):
    def __getitem__(self, name: str) -> Any:
        return OwnCollection(self, name)


class OwnClient(MongoClient[dict[str, Any]]):
    def __getitem__(self, name: str) -> Any:
        return OwnDatabase(self, name)


def test_classes_made_from_pymongos_are_as_safe(mongo: Mongo) -> None:
    with both(mongo) as at, OwnClient(at.wire.uri) as plain:
        rows = resilient(plain, deadline=20)[mongo.database]["rows"]
        assert isinstance(rows, OwnCollection)
        rows.insert_one({"_id": 1})
        at.wire.lose("find", "request", "request")
        assert rows.find_or_fail({"_id": 1}) == {"_id": 1}
        assert counters(rows).total == 1


def test_pymongos_own_database_over_the_proxy_works_as_over_a_client(mongo: Mongo) -> None:
    with both(mongo) as at:
        database = Database(at.client, mongo.database)
        database.rows.insert_one({"_id": 1})
        assert list(database.rows.find()) == [{"_id": 1}]
        with at.client.start_session() as session:
            database.rows.insert_one({"_id": 2}, session=session)
            assert database.rows.count_documents({}, session=session) == 2


def test_what_pymongo_refuses_is_refused_in_its_words() -> None:
    plain: Any = offline()
    client: Any = resilient(plain)
    for call in (
        lambda c: c.shop.orders.bulk_write(),
        lambda c: c.shop.orders.aggregate(),
        lambda c: c.shop.command(),
        lambda c: c.shop.orders.fooo(),
        lambda c: c.shop.orders.insert_many({"a": 1}),
        pickle.dumps,
        copy.deepcopy,
    ):
        said = []
        for one in (plain, client):
            with pytest.raises(TypeError) as caught:
                call(one)
            said.append(str(caught.value))
        assert said[0] == said[1]
    assert isinstance(copy.copy(client), MongoClient)
    with pytest.raises(InputError, match="client, database or collection"):
        resilient(plain.shop.orders.find())
    with pytest.raises(InputError, match="a finite number of seconds"):
        resilient(plain, deadline="5")  # type: ignore[arg-type] # on purpose


def test_pymongo_is_named_when_it_is_missing() -> None:
    assert pymongo.version_tuple >= (4, 9)


def test_a_session_that_another_client_bound_is_refused_as_pymongo_does(mongo: Mongo) -> None:
    with connect(mongo.uri) as client, connect(mongo.uri) as other, client.start_session() as bound:
        rows = other[mongo.database].rows
        many = {"update": "rows", "updates": [{"q": {}, "u": {"$set": {"n": 1}}, "multi": True}]}
        for call in (
            *(rows.find_one, lambda: list(rows.find()), lambda: rows.insert_one({})),
            *(lambda: rows.delete_many({}), lambda: other[mongo.database].command(many)),
        ):
            with bound.bind(end_session=False), pytest.raises(InvalidOperation, match="created"):
                call()
        with pytest.raises(InvalidOperation, match="session with the MongoClient that"):
            gridfs.GridFS(other[mongo.database]).find_one({}, session=bound)


def test_gridfs_takes_the_session_of_the_proxy(mongo: Mongo) -> None:
    with connect(mongo.uri) as client, client.start_session() as session:
        files = gridfs.GridFS(client[mongo.database])
        bucket = gridfs.GridFSBucket(client[mongo.database])
        name = files.put(b"what", filename="a")
        assert [one.read() for one in files.find({"_id": name}, session=session)] == [b"what"]
        assert [one._id for one in bucket.find({}, session=session)] == [name]
        assert client[mongo.database].client is client
        with session.bind(end_session=False):
            assert [one.read() for one in files.find({"_id": name})] == [b"what"]
            assert files.get_last_version("a").read() == b"what"


def test_a_bound_session_counts_for_what_is_moved_into_a_transaction(mongo: Mongo) -> None:
    with connect(mongo.uri) as client, client.start_session() as session:
        rows = client[mongo.database].rows
        before = session.operation_time
        with session.bind(end_session=False):
            rows.insert_many([{"_id": n} for n in range(3)])
            middle = session.operation_time
            rows.update_many({}, {"$set": {"n": 1}})
        assert before is None
        assert middle is not None
        assert session.operation_time is not None
        assert session.operation_time > middle


def test_a_cursor_that_is_let_go_of_ends_on_the_server(mongo: Mongo) -> None:
    """A reference to itself kept it, and its place on the server, until the next collection."""
    with connect(mongo.uri) as client, MongoClient[dict[str, Any]](mongo.uri) as outside:
        rows = client[mongo.database].rows
        rows.insert_many([{"_id": n} for n in range(50)])
        idle = {"$match": {"type": "idleCursor", "ns": f"{mongo.database}.rows"}}

        def opened() -> int:
            stages: list[dict[str, Any]] = [{"$currentOp": {"idleCursors": True}}, idle]
            return len(list(outside.admin.aggregate(stages)))

        gc.disable()
        try:
            cursor = rows.find(batch_size=5)
            assert [next(cursor), cursor.next()] == [{"_id": 0}, {"_id": 1}]
            assert [one["_id"] for one in itertools.islice(cursor, 2)] == [2, 3]
            assert next(iter(cursor)) == {"_id": 4}
            assert opened() == 1
            del cursor
            rows.find_one()  # PyMongo sends what it has to end along with the next operation
            client._real._process_periodic_tasks()
            assert opened() == 0
        finally:
            gc.enable()
