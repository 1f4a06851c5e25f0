"""Transactions by hand: cut off at any point they are done again, or say that they cannot be."""

from __future__ import annotations

import contextlib
from typing import Any

import pymongo
import pytest
from tests.mongo.fixtures import Both, both
from tests.real.mongod import Mongo

from penstock.mongo import MongoGaveUp, NotRetryable, counters, maybe_applied

CUTS = ["insert", "find", "getMore", "update", "aggregate", "commitTransaction"]


def work(at: Both, session: Any) -> list[object]:
    rows = at.db.rows
    done: list[object] = [len(list(rows.find({}, session=session, batch_size=60)))]
    new = {"_id": "new", "v": 0}
    done.append(rows.insert_one(new, session=session).inserted_id)
    new["v"] = 99  # what was inserted is what it was then
    done.append(rows.update_many({}, {"$inc": {"v": 1}}, session=session).modified_count)
    found = rows.find_one({"_id": "new"}, session=session)
    assert found is not None
    done.append(found["v"])
    sums = rows.aggregate([{"$group": {"_id": None, "v": {"$sum": "$v"}}}], session=session)
    done.append(next(sums)["v"])
    return done


@pytest.mark.parametrize("cut", CUTS)
def test_a_transaction_that_is_cut_off_is_done_again(mongo: Mongo, cut: str) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n, "v": n} for n in range(150)])
        with at.client.start_session() as session, session.start_transaction():
            at.wire.lose(cut, "reply")
            done = work(at, session)
        assert at.wire.lost
        assert done == [150, "new", 151, 1, sum(range(150)) + 151]
        assert at.plain.rows.find_one({"_id": "new"}) == {"_id": "new", "v": 1}
        # One lost commit is asked for again by PyMongo itself.
        assert counters(at.client).replayed == (0 if cut == "commitTransaction" else 1)


def test_one_whose_data_changed_meanwhile_is_not_done_again(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_many([{"_id": n, "v": 0} for n in range(3)])
        with at.client.start_session() as session:
            session.start_transaction()
            one = at.db.rows.find_one({"_id": 1}, session=session)
            assert one is not None
            at.plain.rows.update_one({"_id": 1}, {"$set": {"v": 7}})
            with pytest.raises(NotRetryable, match="statement 1 answered differently") as caught:
                at.db.rows.update_one({"_id": 1}, {"$set": {"v": one["v"] + 1}}, session=session)
            assert not maybe_applied(caught.value)
            assert not session.in_transaction
        assert at.plain.rows.find_one({"_id": 1}) == {"_id": 1, "v": 7}


def test_one_that_was_given_up_cannot_be_committed_in_part(mongo: Mongo) -> None:
    with both(mongo, deadline=1.5) as at:
        session = at.client.start_session()
        session.start_transaction()
        at.db.rows.insert_one({"_id": 0}, session=session)
        at.wire.lose("update", *["request"] * 100)
        with pytest.raises(MongoGaveUp, match="nothing of it was applied"):
            at.db.rows.update_one({"_id": 0}, {"$inc": {"v": 1}}, session=session)
        with pytest.raises(pymongo.errors.PyMongoError):
            session.commit_transaction()
        session.abort_transaction()
        session.end_session()
        assert at.plain.rows.count_documents({}) == 0


def test_an_error_in_the_block_drops_the_transaction(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_one({"_id": 0})
        session = at.client.start_session()

        def insert_both() -> None:
            with session.start_transaction():
                at.db.rows.insert_one({"_id": 1}, session=session)
                at.db.rows.insert_one({"_id": 0}, session=session)

        with pytest.raises(pymongo.errors.DuplicateKeyError):
            insert_both()
        assert not session.in_transaction

        def go_on_all_the_same() -> None:
            with session.start_transaction():
                with contextlib.suppress(pymongo.errors.DuplicateKeyError):
                    at.db.rows.insert_one({"_id": 0}, session=session)
                at.db.rows.insert_one({"_id": 2}, session=session)

        with pytest.raises(pymongo.errors.OperationFailure, match="NoSuchTransaction"):
            go_on_all_the_same()
        session.end_session()
        assert at.plain.rows.count_documents({}) == 1


def test_a_callback_gets_a_session_that_it_can_use_with_anything(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.plain.rows.insert_one({"_id": 0, "v": 0})

        def raise_it(session: Any) -> int:
            assert isinstance(session, pymongo.client_session.ClientSession)
            changed: int = at.db.rows.update_one(
                {"_id": 0}, {"$inc": {"v": 1}}, session=session
            ).modified_count
            return changed

        with at.client.start_session() as session:
            at.wire.lose("update commitTransaction", "reply", "request", "reply")
            assert session.with_transaction(raise_it) == 1
        assert len(at.wire.lost) == 3
        assert at.plain.rows.find_one() == {"_id": 0, "v": 1}


@pytest.mark.skipif(
    not hasattr(pymongo.client_session.ClientSession, "bind"), reason="PyMongo has no bind yet"
)
def test_a_bound_session_is_used_by_what_names_none(mongo: Mongo) -> None:
    with both(mongo) as at:
        at.db.rows.insert_one({"_id": 0})
        with at.client.start_session() as session, session.bind(), session.start_transaction():
            at.wire.lose("insert", "reply")
            at.db.rows.insert_one({"_id": 1})
            assert len(list(at.db.rows.find())) == 2
        assert at.plain.rows.count_documents({}) == 2


def test_causal_sessions_outside_transactions_work(mongo: Mongo) -> None:
    with both(mongo) as at, at.client.start_session(causal_consistency=True) as session:
        at.db.rows.insert_one({"_id": 1}, session=session)
        at.wire.lose("find update commitTransaction", "request", "reply")
        assert at.db.rows.find_one({}, session=session) == {"_id": 1}
        assert at.db.rows.update_many({}, {"$set": {"v": 1}}, session=session).modified_count == 1
        assert session.operation_time is not None
