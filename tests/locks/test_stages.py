"""The update pipelines do on a real server what the rules do in Python, history after history."""

from __future__ import annotations

import random
from typing import get_args

import pytest
from tests.real.mongod import Mongo

from penstock.errors import InputError, StorageError
from penstock.locks import LockerRoom
from penstock.locks.mongo_backend import MongoLocks
from penstock.locks.rules import newly_granted, step
from penstock.locks.state import Kind, LockRequest, LockState, QueuePlace

HISTORIES = 25
LENGTH = 14


def shape(state: LockState) -> object:
    """A lock without its moments, which are the server's own, and so are its tokens."""
    after = [p.token for p in state.holders[1:]] + [state.token + 1]
    places = [
        (p.id, p.owner, p.weight, p.reserve, p.token + p.reserve <= next_one)
        for p, next_one in zip(state.holders, after, strict=False)
    ]
    return state.capacity, places, [(p.id, p.token) for p in state.waiters]


def test_histories_come_out_the_same(mongo: Mongo) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    shared = MongoLocks(mongo.with_database, None, None)
    for number in range(HISTORIES):
        name, model, token = f"lock {number}", LockState(), 0
        capacity = rng.choice([1, 1, 2, 3])
        for _ in range(LENGTH):
            who = rng.randrange(4)
            kind = rng.choice(["acquire", *get_args(Kind)])
            place = QueuePlace(
                id=f"{number}.{who}",
                owner=f"$owner.{who}",  # what the server would take for a field
                process=f"$p{who}",
                address=f"address{who}",
                lease=3600.0,
                weight=min(capacity, rng.choice([1, 1, 2])),
                reserve=rng.choice([1, 1, 64]),
                floor=rng.choice([0, 0, 5]),
            )
            dead = frozenset({f"$p{who}"} if kind == "expire" else ())
            request = LockRequest(kind=kind, place=place, capacity=capacity, dead=dead)
            before = model
            # Times stand still here: a lease of an hour does not end in this test.
            model = step(model, request, 0.0)
            found = shared.apply(name, request).state
            if not model.token and kind not in ("acquire", "try"):
                continue  # a lock that never was: nothing is written, nothing is found
            assert shape(found) == shape(model), f"{kind} by {who}"
            assert len(newly_granted(before, model)) == sum(h.token > token for h in found.holders)
            token = found.token
    shared.close()


def test_a_document_of_somebody_else_is_left_alone(mongo: Mongo) -> None:
    with LockerRoom(mongo.with_database) as room:
        backend = room._backend
        assert isinstance(backend, MongoLocks)
        documents = [{"_id": "theirs", "n": 1}, {"_id": "mine", "format": 1, "token": "x"}]
        backend._locks.insert_many(documents)
        for act in (room.status, room.try_lock, room.force):
            with pytest.raises(InputError, match="written by something else"):
                act("theirs")
        for act in (room.status, room.try_lock):
            with pytest.raises((InputError, StorageError)):
                act("mine")
        assert backend._locks.find_one({"_id": "theirs"}) == documents[0]
