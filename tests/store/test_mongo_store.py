"""What only a store in MongoDB has: its documents, other members to read from, lost replies."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError, StoreInUse
from penstock.pipeline import Key
from penstock.pipeline.result import Failing, Landing, Mark
from penstock.store import Fence, MongoStore, open_mongo, open_readonly
from penstock.store.mongo_documents import as_document
from penstock.store.mongo_writers import WriterMark


def nothing(count: int) -> None:
    """Ignore the report."""


@contextmanager
def plainly(mongo: Mongo) -> Iterator[pymongo.database.Database[dict[str, object]]]:
    """Give the test's database by PyMongo alone."""
    with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
        yield client[mongo.database]


def address(mongo: Mongo, collection: str = "users", **options: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in options.items())
    return mongo.uri.replace("/?", f"/{mongo.database}.{collection}?") + extra


def fill(mongo: Mongo, count: int = 10) -> None:
    with MongoStore(address(mongo)) as store:
        store.settle([Landing(key, b'{"id":%d}' % key) for key in range(count)], nothing)
        store.settle([Failing("lost", "GaveUp", "no answer")], nothing)


def test_records_can_be_queried_where_they_are(mongo: Mongo) -> None:
    fill(mongo)
    with plainly(mongo) as database:
        (found,) = database.users.find({"body.id": {"$gt": 8}})
        assert (found["_id"], found["state"], found["body"]) == (9, "landed", {"id": 9})
        assert sorted(database.list_collection_names()) == ["users", "users.store"]


def test_a_record_too_large_for_any_document_ends_as_failed_and_others_land(mongo: Mongo) -> None:
    noise = b'"%b"' % base64.b64encode(random.Random(7).randbytes(17_700_000))
    with MongoStore(address(mongo)) as store:
        large = b'{"text":"' + b"x" * 20_000_000 + b'"}'
        store.settle([Landing(1, noise), Landing(2, large), Landing(3, b"{}")], nothing)
        store.flush()
        (failure,) = store.failures()
        assert (failure.key, failure.error) == (1, "TooLarge")
        assert "a MongoDB document holds 16 MiB" in failure.message
        assert (store.get(2), store.get(3)) == (large, b"{}")


def test_failures_of_a_key_stay_in_its_document(mongo: Mongo) -> None:
    with MongoStore(address(mongo)) as store:
        for message in ("first", "second"):
            store.settle([Failing(7, "GaveUp", message)], nothing)
            store.flush()
            assert store.retry_failed() == 1
        store.settle([Landing(7, b"{}")], nothing)
    with plainly(mongo) as database:
        found = database.users.find_one({"_id": 7})
        assert found is not None
        assert (found["state"], found["replayed"]) == ("landed", 2)
        assert [one["message"] for one in found["history"]] == ["first", "second"]  # type: ignore[attr-defined] # a list of documents


def test_reports_are_read_from_secondaries_unless_the_address_says_otherwise(mongo: Mongo) -> None:
    fill(mongo)
    with plainly(mongo) as database:
        database.client.admin.command("ping")
        primary = database.client.primary
    assert primary is not None
    with open_mongo(address(mongo)) as reader:
        cursor = reader._place.items.find({})
        next(cursor)
        assert cursor.address != primary
    with open_mongo(address(mongo, readPreference="primary")) as reader:
        cursor = reader._place.items.find({})
        next(cursor)
        assert cursor.address == primary


def test_a_report_shows_what_was_safe_when_it_was_opened(mongo: Mongo) -> None:
    with MongoStore(address(mongo)) as store:
        for count in range(1, 21):
            store.settle([Landing(count, b"{}")], nothing)
            store.flush()
            with open_readonly(address(mongo)) as reader:
                assert reader.status().landed == count
                assert reader.state(count) == "landed"


def test_following_goes_on_behind_a_position(mongo: Mongo) -> None:
    fill(mongo, 5)
    with open_mongo(address(mongo)) as reader:
        positions = [position for _, position in reader.follow()]
        assert [landing.key for landing, _ in reader.follow(positions[2])] == [3, 4]
        assert list(reader.follow(positions[-1])) == []
        with pytest.raises(InputError, match="'x' is no position of this store"):
            list(reader.follow("x"))


def test_what_shows_late_with_an_earlier_place_is_waited_for(mongo: Mongo) -> None:
    with MongoStore(address(mongo)) as early:
        late = WriterMark(early._place, "late", SystemClock())
        spot = late.begin(0) + 1
        early.settle([Landing(1, b"1")], nothing)
        early.flush()

        left = [as_document(Landing(2, b"2"), spot, "late")]

        def arrive(_seconds: float) -> None:
            while left:
                early._place.items.insert_one(left.pop())
                late.end(spot)
                late.close()

        with open_mongo(address(mongo)) as reader:
            clock = cast("Clock", SimpleNamespace(sleep=arrive))
            reader._place = replace(reader._place, clock=clock)
            assert [record.key for record, _ in reader.follow()] == [2, 1]


def test_writers_in_turns_are_followed_and_a_quiet_one_holds_nobody(mongo: Mongo) -> None:
    taken: list[Key] = []
    position = ""
    with (
        MongoStore(address(mongo)) as one,
        MongoStore(address(mongo)) as other,
        open_mongo(address(mongo)) as reader,
    ):
        for key, store in enumerate((one, other, one)):
            store.settle([Landing(key, b"{}")], nothing)
            store.flush()
            for record, behind in reader.follow(position):
                taken.append(record.key)
                position = behind
    assert taken == [0, 1, 2]


def test_records_of_several_writers_at_one_place_are_each_followed(mongo: Mongo) -> None:
    with MongoStore(address(mongo)) as store:
        for key in ("b", 10, "a", 9):
            store._place.items.insert_one(as_document(Landing(key, b"0"), 77, "any"))
        whole = list(store.follow())
        assert [record.key for record, _ in whole] == [9, 10, "a", "b"]
        for number, (_, position) in enumerate(whole, 1):
            assert list(store.follow(position)) == whole[number:]
            assert [one.key for one, *_ in store.versions(position)] == [
                record.key for record, _ in whole[number:]
            ]
        assert list(store.follow("77")) == []


@pytest.mark.parametrize("dropped", [("users",), ("users.store",), ("users", "users.store")])
def test_a_store_that_somebody_drops_under_a_run_is_said(
    mongo: Mongo, dropped: tuple[str, ...]
) -> None:
    """The run ended with a traceback, or with all blocks done and half of the records."""
    with MongoStore(address(mongo)) as store:
        store.settle([Landing(1, b"1")], nothing)
        store.flush()
        assert store.status().landed == 1
        with plainly(mongo) as database:
            for name in dropped:
                database.drop_collection(name)
        store.settle([Landing(2, b"2")], nothing)
        store.flush()
        with pytest.raises(StorageError, match="was dropped while it was open"):
            store.status()


@contextmanager
def failing(mongo: Mongo, name: str, **data: object) -> Iterator[None]:
    """Have each member fail commands of the application ``name``."""
    members = [
        pymongo.MongoClient[dict[str, object]](node.host, directConnection=True)
        for node in mongo.dev.status().nodes
    ]
    try:
        for member in members:
            member.admin.command(
                "configureFailPoint",
                "failCommand",
                mode={"times": 2},
                data={"appName": name, **data},
            )
        yield
    finally:
        for member in members:
            member.admin.command("configureFailPoint", "failCommand", mode="off")
            member.close()


@pytest.mark.parametrize("command", ["insert", "update"])
def test_a_write_that_was_done_and_not_confirmed_lands_once(mongo: Mongo, command: str) -> None:
    name = f"unconfirmed-{mongo.database}"
    lost = {"code": 91, "errmsg": "shutting down", "errorLabels": ["RetryableWriteError"]}
    with MongoStore(address(mongo, appName=name)) as store:
        store.settle([Failing(1, "GaveUp", "no answer")], nothing)
        store.flush()
        with failing(mongo, name, failCommands=[command], writeConcernError=lost):
            store.settle([Landing(1, b"1"), Landing(2, b"2"), Mark("page", "3")], nothing)
            store.flush()
        assert (store.again, store.get(1), store.get(2)) == (0, b"1", b"2")
        assert (store.status().landed, store.mark("page")) == (2, "3")


@pytest.mark.parametrize("command", ["insert", "update", "commitTransaction"])
def test_who_takes_over_ends_what_is_under_way_and_the_loser_is_told_so(
    mongo: Mongo, command: str
) -> None:
    """It was told that an operation had been interrupted, and ended with exit code 4."""
    name = f"interrupted-{mongo.database}"
    with MongoStore(address(mongo, appName=name), fence=Fence("lock", 7)) as store:
        store.settle([Landing(0, b"0")], nothing)
        store.flush()
        with failing(mongo, name, failCommands=[command], errorCode=11601):
            store.settle([Landing(1, b"1"), Mark("page", "3")], nothing)
            store.flush()
        assert (store.get(1), store.mark("page"), store.status().landed) == (b"1", "3", 2)
        with MongoStore(address(mongo), fence=Fence("lock", 8)):
            store.settle([Landing(2, b"2")], nothing)
            with pytest.raises(StoreInUse):
                store.flush()
        store.forget()
        store.begin(Fence("another lock", 1))
        store.settle([Landing(2, b"2")], nothing)


@pytest.mark.parametrize("command", ["insert", "update", "find", "aggregate"])
def test_connections_that_break_are_not_noticed(mongo: Mongo, command: str) -> None:
    name = f"broken-{mongo.database}"
    with MongoStore(address(mongo, appName=name)) as store:
        store.settle([Failing(1, "GaveUp", "no answer")], nothing)
        store.flush()
        with failing(mongo, name, failCommands=[command], closeConnection=True):
            store.settle([Landing(1, b"1"), Landing(2, b"2"), Mark("page", "3")], nothing)
            store.flush()
            assert list(store.claim([1, 2, 3])) == [3]
            assert [record.body for record in store.records()] == [b"1", b"2"]
            assert (store.status().landed, store.again) == (2, 0)


def test_two_processes_may_land_in_one_store_and_each_key_lands_once(mongo: Mongo) -> None:
    with MongoStore(address(mongo)) as one, MongoStore(address(mongo)) as other:
        both = [Landing(key, b"{}") for key in range(200)]
        one.settle(both, nothing, group=7)
        other.settle(both[::-1], nothing, group=11)
        one.flush()
        other.flush()
        assert one.again + other.again == 200
        assert other.status().landed == 200
        assert other.verify() == 200


def test_a_collection_of_something_else_is_refused_and_not_touched(mongo: Mongo) -> None:
    with plainly(mongo) as database:
        database.orders.insert_one({"_id": 1})
        with pytest.raises(InputError, match="holds other documents and no penstock store"):
            MongoStore(address(mongo, "orders"))
        with pytest.raises(InputError, match="is not a penstock store"):
            open_readonly(address(mongo, "orders"))
        assert database.list_collection_names() == ["orders"]


def test_a_newer_format_is_refused(mongo: Mongo) -> None:
    fill(mongo)
    with plainly(mongo) as database:
        database["users.store"].update_one({"_id": "store"}, {"$set": {"format": 99}})
    for opening in (MongoStore, open_readonly):
        with pytest.raises(InputError, match="pip install --upgrade penstock-data"):
            opening(address(mongo))


def test_a_changed_record_is_found_and_not_given_out(mongo: Mongo) -> None:
    fill(mongo)
    with plainly(mongo) as database:
        database.users.update_one({"_id": 3}, {"$set": {"body.id": 4}})
    with open_readonly(address(mongo)) as reader:
        assert reader.get(2) == b'{"id":2}'
        for look in (lambda: reader.get(3), reader.verify, lambda: list(reader.records())):
            with pytest.raises(StorageError, match="key 3 is damaged"):
                look()


def test_fields_that_others_add_do_no_harm(mongo: Mongo) -> None:
    fill(mongo)
    with plainly(mongo) as database:
        database.users.update_many({}, {"$set": {"seen": True}})
    with open_readonly(address(mongo)) as reader:
        assert reader.verify() == 10


def test_nobody_there_is_told_with_the_address_and_without_the_password() -> None:
    with pytest.raises(StorageError) as caught:
        MongoStore("mongodb://ada:secret@127.0.0.1:1/x.y", deadline=0.5)
    assert str(caught.value).startswith("mongodb://127.0.0.1:1/x.y: ")
    assert "secret" not in str(caught.value)
