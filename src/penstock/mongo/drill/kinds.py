"""The fifteen kinds of operation that a drill repeats, each with a number and an audit.

Every step carries a number ``n`` that no other has. A step that came back without an error was
promised to be done: at the end its number must be there, once, and in all places or in none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Collection as Numbers
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from pymongo import DeleteMany, InsertOne, UpdateMany, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from penstock.mongo.drill.values import Findings

__all__ = ["NOTHING", "Db", "DrillKind", "Rows", "audited", "write_kinds"]

Db: TypeAlias = Database[dict[str, Any]]
Rows: TypeAlias = Collection[dict[str, Any]]
NOTHING = Findings()
_MANY = 3  # documents that a multi-document write touches
_ROWS = 20  # documents that $out writes


@final
@dataclass(frozen=True, slots=True)
class DrillKind:
    """One kind of operation, made again for each client.

    Attributes:
        name: Its own; its functions get a collection called like it.
        step: Does it once; may return what was wrong with what it read.
        audit: Looks, when all is quiet, whether the numbers that are done are there, and once.
        prepare: Puts there what the steps need.
    """

    name: str
    step: Callable[[Rows, int], Findings | None]
    audit: Callable[[Rows, Numbers[int]], Findings] = lambda _, __: NOTHING
    prepare: Callable[[Rows], object] = lambda _: None

    def rows(self, database: Db) -> Rows:
        """Return its collection."""
        return database[self.name.replace("$", "")]


def audited(done: Iterable[int], found: Iterable[int]) -> Findings:
    """Compare the numbers that were confirmed with those that are there.

    One that is there without having been confirmed is neither: its operation ended in an error.

    >>> audited([1, 2, 3], [1, 3, 3, 4])
    Findings(lost=1, duplicated=1, torn=0)
    """
    times = Counter(found)
    return Findings(
        lost=sum(times[n] == 0 for n in done),
        duplicated=sum(count > 1 for count in times.values()),
    )


def _note(n: int) -> dict[str, Any]:
    """Return an update that shows when it is done twice."""
    return {"$inc": {"count": 1}, "$push": {"seen": n}}


def _seen(document: Mapping[str, Any] | None) -> list[int]:
    return list(document["seen"]) if document else []


def _notebooks(rows: Rows) -> None:
    rows.insert_many([{"_id": i, "count": 0, "seen": []} for i in range(_MANY)])


def _numbers(rows: Rows) -> list[int]:
    return [document["n"] for document in rows.find({"n": {"$exists": 1}})]


def _inserted(rows: Rows, done: Numbers[int]) -> Findings:
    return audited(done, _numbers(rows))


def _noted(rows: Rows, done: Numbers[int]) -> Findings:
    return audited(done, _seen(rows.find_one({"_id": 0})))


def _noted_in_all(rows: Rows, done: Numbers[int]) -> Findings:
    noted = [_seen(document) for document in rows.find({"seen": {"$exists": 1}})]
    findings = sum((audited(done, seen) for seen in noted), NOTHING)
    everywhere = set.intersection(*map(set, noted))
    torn = set.union(*map(set, noted)) - everywhere
    return findings + Findings(torn=len(torn))


def _noted_and_inserted(rows: Rows, done: Numbers[int]) -> Findings:
    return _noted(rows, done) + _inserted(rows, done)


def _insert(rows: Rows, n: int) -> None:
    rows.insert_one({"n": n})


def _update(rows: Rows, n: int) -> None:
    rows.update_one({"_id": 0}, _note(n))


def _find_and_update(rows: Rows, n: int) -> Findings:
    before = rows.find_one_and_update({"_id": 0}, _note(n))
    return Findings(duplicated=int(n in _seen(before)))


def _bulk(rows: Rows, n: int) -> None:
    rows.bulk_write([InsertOne({"n": n}), UpdateOne({"_id": 0}, _note(n))])


def _update_many(rows: Rows, n: int) -> None:
    rows.update_many({}, _note(n))


def _mixed_bulk(rows: Rows, n: int) -> None:
    noting = UpdateMany({"seen": {"$exists": 1}}, _note(n))
    rows.bulk_write([InsertOne({"n": n}), noting, DeleteMany({"n": n - 1})])


def _delete_many(rows: Rows, n: int) -> None:
    # With identities of ours: done twice they are still there once.
    some = [{"_id": f"{n}-{i}"} for i in range(_MANY)]
    rows.bulk_write([UpdateOne(one, {"$set": {"n": n}}, upsert=True) for one in some])
    rows.delete_many({"n": n})


def _deleted(rows: Rows, done: Numbers[int]) -> Findings:
    return Findings(lost=len(set(_numbers(rows)) & set(done)))


def _command(rows: Rows, n: int) -> None:
    update = {"q": {"_id": 0}, "u": _note(n)}
    rows.database.command("update", rows.name, updates=[update], writeConcern={"w": "majority"})


def _transaction(rows: Rows, n: int) -> None:
    with rows.database.client.start_session() as session, session.start_transaction():
        rows.insert_one({"n": n}, session=session)
        rows.update_one({"_id": 0}, _note(n), session=session)


def _whole(rows: Rows, done: Numbers[int]) -> Findings:
    torn = set(_seen(rows.find_one({"_id": 0}))) ^ set(_numbers(rows))
    return _noted_and_inserted(rows, done) + Findings(torn=len(torn))


def _source(rows: Rows) -> None:
    rows.database.source.drop()
    rows.database.source.insert_many([{"_id": i} for i in range(_ROWS)])


def _out(rows: Rows, n: int) -> None:
    list(rows.database.source.aggregate([{"$set": {"n": n}}, {"$out": "out"}]))


def _written(rows: Rows, done: Numbers[int]) -> Findings:
    found = [document["n"] for document in rows.database["out"].find()]
    torn = len(found) != _ROWS or len(set(found)) != 1
    lost = bool(done) and max(found, default=-1) < max(done)
    return Findings(lost=int(lost), torn=int(torn))


def _merge(rows: Rows, n: int) -> None:
    merge = {"into": "merged", "whenMatched": "replace"}
    list(rows.database.one.aggregate([{"$set": {"_id": n}}, {"$merge": merge}]))


def _merged(rows: Rows, done: Numbers[int]) -> Findings:
    return audited(done, (document["_id"] for document in rows.database.merged.find()))


def write_kinds() -> list[DrillKind]:
    """Return the kinds that write."""
    return [
        DrillKind("insert_one", _insert, _inserted),
        DrillKind("update_one", _update, _noted, _notebooks),
        DrillKind("find_one_and_update", _find_and_update, _noted, _notebooks),
        DrillKind("bulk_write", _bulk, _noted_and_inserted, _notebooks),
        DrillKind("update_many", _update_many, _noted_in_all, _notebooks),
        DrillKind("bulk_write of several documents", _mixed_bulk, _noted_in_all, _notebooks),
        DrillKind("delete_many", _delete_many, _deleted),
        DrillKind("command", _command, _noted, _notebooks),
        DrillKind("transaction", _transaction, _whole, _notebooks),
        DrillKind("aggregate $out", _out, _written, _source),
        DrillKind(
            "aggregate $merge", _merge, _merged, lambda rows: rows.database.one.insert_one({})
        ),
    ]
