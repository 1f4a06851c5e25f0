"""The fifteen kinds of operation that a drill repeats, each with a number and an audit.

Every step carries a number ``n`` that no other has. A step that came back without an error was
promised to be done: at the end its number must be there, once, and in all places or in none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as Numbers
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias, final

from pymongo import DeleteMany, InsertOne, UpdateMany, UpdateOne
from pymongo.database import Database

from penstock.mongo.drill.values import Findings

__all__ = ["Db", "Kind", "audited", "write_kinds"]

Db: TypeAlias = Database[dict[str, Any]]
_Write: TypeAlias = InsertOne[dict[str, Any]] | UpdateOne | UpdateMany | DeleteMany
NOTHING = Findings()
_MANY = 3  # documents that a multi-document write touches
_ROWS = 20  # documents that $out writes


class Kind(Protocol):
    """One kind of operation, made anew for each client."""

    name: str

    def prepare(self, database: Db) -> None:
        """Put there what the steps need."""
        ...

    def step(self, database: Db, n: int) -> Findings:
        """Do the operation once; return what was wrong with what it read."""
        ...

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        """Look, when all is quiet, whether the ``done`` numbers are there, and once."""
        ...


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


class _Noting:
    """Writes that note their number in a document; the collection has the kind's name."""

    name = ""

    def prepare(self, database: Db) -> None:
        database[self.name].insert_many([{"_id": i, "count": 0, "seen": []} for i in range(_MANY)])

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        return audited(done, _seen(database[self.name].find_one({"_id": 0})))


class _NotingMany(_Noting):
    """Writes that note their number in several documents."""

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        noted = [_seen(document) for document in database[self.name].find({"seen": {"$exists": 1}})]
        findings = sum((audited(done, seen) for seen in noted), NOTHING)
        everywhere = set.intersection(*map(set, noted))
        torn = set.union(*map(set, noted)) - everywhere
        return findings + Findings(torn=len(torn))


@final
class _Insert:
    name = "insert_one"

    def prepare(self, database: Db) -> None:
        """Nothing is needed."""

    def step(self, database: Db, n: int) -> Findings:
        database[self.name].insert_one({"n": n})
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        return audited(done, (document["n"] for document in database[self.name].find()))


@final
class _Update(_Noting):
    name = "update_one"

    def step(self, database: Db, n: int) -> Findings:
        database[self.name].update_one({"_id": 0}, _note(n))
        return NOTHING


@final
class _FindAndUpdate(_Noting):
    name = "find_one_and_update"

    def step(self, database: Db, n: int) -> Findings:
        before = database[self.name].find_one_and_update({"_id": 0}, _note(n))
        return Findings(duplicated=int(n in _seen(before)))


@final
class _Bulk(_Noting):
    name = "bulk_write"

    def step(self, database: Db, n: int) -> Findings:
        writes: list[_Write] = [InsertOne({"n": n}), UpdateOne({"_id": 0}, _note(n))]
        database[self.name].bulk_write(writes)
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        inserted = (d["n"] for d in database[self.name].find({"n": {"$exists": 1}}))
        return super().audit(database, done) + audited(done, inserted)


@final
class _UpdateMany(_NotingMany):
    name = "update_many"

    def step(self, database: Db, n: int) -> Findings:
        database[self.name].update_many({}, _note(n))
        return NOTHING


@final
class _MixedBulk(_NotingMany):
    name = "bulk_write of several documents"

    def step(self, database: Db, n: int) -> Findings:
        writes: list[_Write] = [
            InsertOne({"n": n}),
            UpdateMany({"seen": {"$exists": 1}}, _note(n)),
            DeleteMany({"n": n - 1}),
        ]
        database[self.name].bulk_write(writes)
        return NOTHING


@final
class _DeleteMany:
    name = "delete_many"

    def prepare(self, database: Db) -> None:
        """Nothing is needed."""

    def step(self, database: Db, n: int) -> Findings:
        # With identities of ours: done twice they are still there once.
        some = [{"_id": f"{n}-{i}"} for i in range(_MANY)]
        note = {"$set": {"n": n}}
        database[self.name].bulk_write([UpdateOne(one, note, upsert=True) for one in some])
        database[self.name].delete_many({"n": n})
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        left = {document["n"] for document in database[self.name].find()}
        return Findings(lost=len(left & set(done)))


@final
class _Command(_Noting):
    name = "command"

    def step(self, database: Db, n: int) -> Findings:
        update = {"q": {"_id": 0}, "u": _note(n)}
        database.command("update", self.name, updates=[update], writeConcern={"w": "majority"})
        return NOTHING


@final
class _Transaction(_Noting):
    name = "transaction"

    def step(self, database: Db, n: int) -> Findings:
        notes = database[self.name]
        with database.client.start_session() as session, session.start_transaction():
            notes.insert_one({"n": n}, session=session)
            notes.update_one({"_id": 0}, _note(n), session=session)
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        noted = _seen(database[self.name].find_one({"_id": 0}))
        inserted = [d["n"] for d in database[self.name].find({"n": {"$exists": 1}})]
        torn = Findings(torn=len(set(noted) ^ set(inserted)))
        return audited(done, noted) + audited(done, inserted) + torn


@final
class _Out:
    name = "aggregate $out"

    def prepare(self, database: Db) -> None:
        database.source.drop()
        database.source.insert_many([{"_id": i} for i in range(_ROWS)])

    def step(self, database: Db, n: int) -> Findings:
        list(database.source.aggregate([{"$set": {"n": n}}, {"$out": "out"}]))
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        found = {document["_id"]: document["n"] for document in database["out"].find()}
        torn = len(found) != _ROWS or len(set(found.values())) != 1
        lost = bool(done) and max(found.values(), default=-1) < max(done)
        return Findings(lost=int(lost), torn=int(torn))


@final
class _Merge:
    name = "aggregate $merge"

    def prepare(self, database: Db) -> None:
        database.one.insert_one({"_id": 0})

    def step(self, database: Db, n: int) -> Findings:
        merge = {"into": "merged", "whenMatched": "replace"}
        list(database.one.aggregate([{"$set": {"_id": n}}, {"$merge": merge}]))
        return NOTHING

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        return audited(done, (document["_id"] for document in database.merged.find()))


def write_kinds() -> list[Kind]:
    """Return the kinds that write, fresh."""
    return [
        _Insert(),
        _Update(),
        _FindAndUpdate(),
        _Bulk(),
        _UpdateMany(),
        _MixedBulk(),
        _DeleteMany(),
        _Command(),
        _Transaction(),
        _Out(),
        _Merge(),
    ]
