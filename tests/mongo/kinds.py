"""Fifteen kinds of operations, each with what its data must be after so many successful rounds.

Every kind works on a collection of its own. A round that returns has happened once; the audit
counts what is really there. ``lost`` is what was confirmed and is not there, ``duplicated`` what
is there more often than it was asked for, ``torn`` what is there in part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pymongo import InsertOne, UpdateMany, UpdateOne

Database = Any

ROWS = 20


@dataclass
class Outcome:
    """What one kind went through."""

    rounds: int = 0
    errors: list[str] = field(default_factory=list)
    longest: float = 0.0
    lost: int = 0
    duplicated: int = 0
    torn: int = 0


def counting(collection: Any, done: int) -> Outcome:
    """Audit numbers 0 to ``done`` - 1, of which each must be there once."""
    numbers = [document["n"] for document in collection.find({"n": {"$type": "int"}})]
    kept = set(numbers)
    return Outcome(lost=len(set(range(done)) - kept), duplicated=len(numbers) - len(kept))


def every(collection: Any, done: int) -> Outcome:
    """Audit rows that were all raised by one in each round."""
    values = [row["v"] for row in collection.find({"row": True})]
    outcome = Outcome(torn=int(len(set(values)) > 1))
    outcome.lost = max(0, done - min(values))
    outcome.duplicated = max(0, max(values) - done)
    return outcome


def fill(db: Database, name: str) -> None:
    db[name].insert_many([{"_id": n, "row": True, "v": 0, "n": None} for n in range(ROWS)])


def insert_one(db: Database, n: int) -> None:
    db.insert_one.insert_one({"n": n})


def insert_many(db: Database, n: int) -> None:
    db.insert_many.insert_many([{"n": 3 * n + i} for i in range(3)])


def update_one(db: Database, _: int) -> None:
    assert db.update_one.update_one({"_id": 0}, {"$inc": {"v": 1}}).modified_count == 1


def replace_one(db: Database, n: int) -> None:
    assert db.replace_one.replace_one({"_id": n, "n": None}, {"n": n}, upsert=True).upserted_id == n


def delete_one(db: Database, n: int) -> None:
    db.delete_one.insert_one({"n": n, "d": True})
    assert db.delete_one.delete_one({"d": True}).deleted_count == 1


def find_one_and_update(db: Database, n: int) -> None:
    before = db.find_one_and_update.find_one_and_update({"_id": 0}, {"$inc": {"v": 1}})
    assert before["v"] == n, (before, n)


def bulk_single(db: Database, n: int) -> None:
    done = db.bulk_single.bulk_write(
        [UpdateOne({"_id": 0}, {"$inc": {"v": 1}}), InsertOne({"n": n})]
    )
    assert done.inserted_count == 1


def update_many(db: Database, _: int) -> None:
    done = db.update_many.update_many({"row": True}, {"$inc": {"v": 1}})
    assert done.modified_count == ROWS


def bulk_multi(db: Database, n: int) -> None:
    db.bulk_multi.bulk_write([UpdateMany({"row": True}, {"$inc": {"v": 1}}), InsertOne({"n": n})])


def out(db: Database, n: int) -> None:
    # A new primary may not know yet that what it has is a majority's: a majority read sees one's
    # own write across a failover only within a causal session.
    with db.client.start_session(causal_consistency=True) as session:
        db.out.update_one({"_id": 0}, {"$set": {"v": n}}, session=session)
        list(db.out.aggregate([{"$out": "out_copy"}], session=session))
        assert db.out_copy.find_one({"_id": 0}, session=session)["v"] == n


def merge(db: Database, _: int) -> None:
    list(db.update_one.aggregate([{"$merge": {"into": "merged", "whenMatched": "replace"}}]))


def command_write(db: Database, _: int) -> None:
    answer = db.command(
        {"update": "command_write", "updates": [{"q": {"_id": 0}, "u": {"$inc": {"v": 1}}}]}
    )
    assert answer["nModified"] == 1


def reads(db: Database, _: int) -> None:
    assert db.walked.find_one({"_id": 7})["n"] == 7
    assert db.walked.count_documents({"n": {"$lt": 50}}) == 50
    assert db.command({"count": "walked", "query": {"n": {"$lt": 10}}})["n"] == 10
    assert len(db.walked.distinct("m")) == 7


def cursor(db: Database, _: int) -> None:
    seen = [d["n"] for d in db.walked.find({}, batch_size=50).sort("n")]
    assert seen == list(range(1000))


def transaction(db: Database, n: int) -> None:
    with db.client.start_session() as session, session.start_transaction():
        one = db.transaction.find_one({"_id": 0}, session=session)
        db.transaction.update_one({"_id": 0}, {"$set": {"v": one["v"] + 1}}, session=session)
        db.transaction.insert_one({"n": n}, session=session)


KINDS: dict[str, Callable[[Database, int], None]] = {
    kind.__name__: kind
    for kind in (
        *(insert_one, insert_many, update_one, replace_one, delete_one, find_one_and_update),
        *(bulk_single, update_many, bulk_multi, out, merge, command_write, reads, cursor),
        transaction,
    )
}


def prepare(db: Database) -> None:
    for name in (
        *("update_one", "find_one_and_update", "bulk_single", "update_many", "bulk_multi"),
        *("out", "command_write", "transaction"),
    ):
        fill(db, name)
    db.walked.insert_many([{"_id": n, "n": n, "m": n % 7} for n in range(1000)])


def audit(db: Database, name: str, done: int) -> Outcome:
    """Return what the data of kind ``name`` says after ``done`` rounds."""
    first = {"update_one", "find_one_and_update", "bulk_single", "command_write", "transaction"}
    outcome = Outcome()
    if name in {"insert_one", "replace_one", "delete_one"}:
        outcome = counting(db[name], done if name != "delete_one" else 0)
    elif name == "insert_many":
        outcome = counting(db[name], 3 * done)
    elif name in first:
        value = db[name].find_one({"_id": 0})["v"]
        outcome = Outcome(lost=max(0, done - value), duplicated=max(0, value - done))
    elif name in {"update_many", "bulk_multi"}:
        outcome = every(db[name], done)
    if name in {"bulk_single", "bulk_multi", "transaction"}:
        more = counting(db[name], done)
        outcome.lost, outcome.duplicated = (
            outcome.lost + more.lost,
            outcome.duplicated + more.duplicated,
        )
    return outcome


@dataclass
class Workload:
    """All kinds at work at once, a thread each, until told to stop."""

    db: Database
    now: Callable[[], float]
    pause: float = 0.02
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def until(self, rounds: int) -> None:
        """Return when each kind has done ``rounds`` more rounds, or has failed."""
        goal = {name: one.rounds + rounds for name, one in self.outcomes.items()}
        self.reads_until(
            lambda: all(one.rounds >= goal[n] or one.errors for n, one in self.outcomes.items())
        )

    def reads_until(self, is_so: Callable[[], bool]) -> None:
        """Return when ``is_so()``, looking now and then, for a minute at most."""
        end = self.now() + 60
        while not is_so():
            assert self.now() < end, {name: one.rounds for name, one in self.outcomes.items()}
            self.stopping.wait(0.05)

    def run(self) -> Iterator[threading.Thread]:
        for name, kind in KINDS.items():
            self.outcomes[name] = Outcome()
            thread = threading.Thread(target=self._work, args=(name, kind), daemon=True)
            thread.start()
            yield thread

    def _work(self, name: str, kind: Callable[[Database, int], None]) -> None:
        outcome = self.outcomes[name]
        while not self.stopping.wait(self.pause):
            started = self.now()
            try:
                kind(self.db, outcome.rounds)
            except Exception as error:
                outcome.errors.append(f"{type(error).__name__}: {str(error)[:300]}")
                return
            outcome.longest = max(outcome.longest, self.now() - started)
            outcome.rounds += 1
