"""A coordinator that stood still cannot land anything in MongoDB either."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.real.mongod import Mongo
from tests.store.fenced import Run, land, lands_nothing_any_more, started

from penstock.assembly.locking import locked_store
from penstock.assembly.sections import LockSection
from penstock.errors import StoreInUse
from penstock.pipeline.result import Deletion, LandedGap, Landing, Mark
from penstock.store import Fence, MongoStore, last_token
from penstock.store.mongo_connection import opened
from penstock.store.mongo_fence import MongoFence


@pytest.fixture
def before(mongo: Mongo) -> Iterator[Run]:
    """Give a run in another process that has the store with the token 7."""
    with ExitStack() as stack:
        yield started(stack, mongo.with_database, 7)


def test_a_paused_run_is_replaced_and_lands_nothing_any_more(mongo: Mongo, before: Run) -> None:
    assert before.land("a") == "safe"
    before.pause()
    before.say("b")  # waits for it when it goes on
    with MongoStore(mongo.with_database, fence=Fence("lock", 8)) as store:
        lands_nothing_any_more(before, store)
    assert before.land("e").startswith("StoreInUse")


def test_who_stands_still_in_the_midst_of_a_write_keeps_nobody_waiting(mongo: Mongo) -> None:
    reached, go_on = threading.Event(), threading.Event()
    outcomes: list[str] = []
    place = opened(mongo.with_database, None, 60.0)
    late = MongoFence(place, Fence("lock", 7))

    def stand_still() -> None:
        def write(session: object) -> None:
            place.items.insert_one({"_id": "late"}, session=session)  # type: ignore[arg-type] # one
            reached.set()
            go_on.wait()

        try:
            late.within(write)
        except StoreInUse as error:
            outcomes.append(str(error))

    thread = threading.Thread(target=stand_still)
    thread.start()
    reached.wait()
    with MongoStore(mongo.with_database, fence=Fence("lock", 8)) as store:
        land(store, "a")
        go_on.set()
        thread.join()
        assert "its token is 8, ours 7" in outcomes[0]
        assert [record.key for record in store.records()] == ["a"]
        assert store.state("late") == "pending"
    late.close()
    place.client.close()


def test_a_run_that_was_paused_before_it_opened_the_store_comes_too_late(mongo: Mongo) -> None:
    with MongoStore(mongo.with_database, fence=Fence("lock", 8)) as store:
        land(store, "a")
    with pytest.raises(StoreInUse, match="its token is 8, ours 7"):
        MongoStore(mongo.with_database, fence=Fence("lock", 7))
    assert last_token(mongo.with_database, "lock") == 8
    assert last_token(mongo.with_database, "another lock") == 0
    with MongoStore(mongo.with_database, fence=Fence("another lock", 1)) as store:
        land(store, "b")
        assert store.status().landed == 2


def test_a_replaced_run_writes_nothing_of_any_kind(mongo: Mongo) -> None:
    late = MongoStore(mongo.with_database, fence=Fence("lock", 7))
    late.settle([Landing("a", b"1")], lambda _: None)
    late.flush()
    with MongoStore(mongo.with_database, fence=Fence("lock", 8)) as store:
        with pytest.raises(StoreInUse):
            late.expect(5)
        for entry in (
            Mark("page", "2"),
            LandedGap("1", "2", "limit"),
            Deletion("a"),
            Landing("b", b"2"),
        ):
            with pytest.raises(StoreInUse, match="taken this store over"):
                late._commit_and_release([entry])
        assert store.mark("page") is None
        assert list(store.gaps()) == []
        assert [record.key for record in store.records()] == ["a"]
        assert store.status().expected is None
    late.close()


def test_a_large_group_is_several_transactions(mongo: Mongo) -> None:
    body = b'{"text":"%s"}' % (b"x" * 5_000_000)
    with MongoStore(mongo.with_database, fence=Fence("lock", 1)) as store:
        store.settle([Landing(key, body) for key in range(9)], lambda _: None, group=9)
        store.flush()
        assert [record.key for record in store.records()] == [*range(9)]


def test_runs_into_two_collections_of_one_database_do_not_wait_for_each_other(
    mongo: Mongo, tmp_path: Path
) -> None:
    places = [mongo.uri.replace("/?", f"/{mongo.database}.{name}?") for name in ("users", "orders")]
    with (
        locked_store(LockSection(), places[0], tmp_path) as (users, _),
        locked_store(LockSection(), places[1], tmp_path) as (orders, check),
    ):
        check()
        users.settle([Landing(1, b"{}")], lambda _: None)
        orders.settle([Landing(2, b"{}")], lambda _: None)
        with (
            pytest.raises(StoreInUse, match="is in use by process"),
            locked_store(LockSection(timeout=0.0), places[0], tmp_path),
        ):
            pytest.fail("the same collection twice")
