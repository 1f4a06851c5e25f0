"""One group becomes safe in MongoDB: whatever happens to a reply, each key lands once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from penstock.clock import Clock
from penstock.mongo import (
    BulkWriteError,
    ClientSession,
    InsertOne,
    Int64,
    RawBSONDocument,
    UpdateOne,
)
from penstock.pipeline import Deletion, Entry, Failing, Key, LandedGap, Landing, Mark
from penstock.store.deletion import in_turns
from penstock.store.in_portions import portions
from penstock.store.mongo_connection import MongoPlace
from penstock.store.mongo_documents import TooLarge, as_document, check_key, landing_of
from penstock.store.mongo_fence import MongoFence, Write
from penstock.store.mongo_writers import WriterMark
from penstock.store.values import ABSENT, Tally

__all__ = ["MongoCommit", "settled"]

Known: TypeAlias = dict[Key, dict[str, Any]]
_DUPLICATE = 11000
_PAUSE = 0.02  # seconds before looking again at what a majority does not show yet
_HISTORY = 10  # failures that are remembered of one key
_FIELDS = {"state": 1, "order": 1, "writer": 1, "seen": 1, "free": 1}
_OPEN = ["failed", "todo"]  # states that something newer may take the place of
_TRANSACTION = 16 * 1024 * 1024  # bytes of documents in one transaction, about


def settled(place: MongoPlace, keys: Sequence[Key]) -> dict[Key, tuple[str, float]]:
    """Return the (state, at) of those ``keys`` that landed, failed or were deleted."""
    return {
        key: (document["state"], (document.get("seen") or document["order"]) / 1e6)
        for key, document in _look(place, keys, _FIELDS).items()
        if document["state"] != "todo"
    }


def _look(place: MongoPlace, keys: Sequence[Key], fields: dict[str, int] | None) -> Known:
    wanted = [check_key(key) for key in keys]
    found = place.items.find({"_id": {"$in": wanted}}, fields)
    return {document["_id"]: document for document in found}


@final
@dataclass(frozen=True, slots=True)
class _Pending:
    """An entry on its way: its document, and what tells it from every other."""

    key: Key
    order: int
    landed: bool
    document: RawBSONDocument
    body: bytes


@final
class MongoCommit(Tally):
    """Makes groups of entries safe, one after the other.

    A group is one ordered bulk write of single-document writes, acknowledged by the journals of a
    majority. Ordered, so that readers always see a beginning of what landed and never a hole. Each
    document carries who wrote it and its place in the order, so that after a lost reply it can be
    seen whether it was ours that landed: doing it again changes nothing, and nothing is counted
    twice. Deletions come after the entries beside them, then gaps and marks, in one transaction
    where there are both: a stream's cursor is never ahead of what it stands for.

    Args:
        place: The store.
        writer: A name that no other opening of a store has.
        mark: Where places in the order begin, and up to where they are there. They are
            microseconds since 1970.
        clock: Gives the time, once a group.
        fence: The run's right to write; with a token, what is written at once is a transaction.

    Attributes:
        fence: The run's right to write, as now.
    """

    def __init__(
        self, place: MongoPlace, writer: str, mark: WriterMark, clock: Clock, fence: MongoFence
    ) -> None:
        self._place = place
        self._writer = writer
        self._mark = mark
        self._latest = 0
        self._clock = clock
        self.fence = fence
        super().__init__()

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Return when all ``entries`` are safe.

        Raises:
            PyMongoError: They could not be made safe; some of them may be.
            InputError: A key cannot be stored.
        """
        placed = not all(isinstance(entry, Mark) for entry in entries)  # what stands in the order
        if placed:
            self._latest = max(self._mark.begin(self._latest), int(self._clock.time() * 1e6))
        for part in in_turns(entries):
            for wave in self._waves(part):
                self._settle(wave)
            self._delete([entry for entry in part if isinstance(entry, Deletion)])
            self._note(part)
        if placed:
            self._mark.end(self._latest)

    def _settle(self, entries: Sequence[Landing | Failing]) -> None:
        """Write entries of different keys; those that are there already are looked at first."""
        pending = [self._pending(entry) for entry in entries]
        known: Known = {}  # nobody settles what he has not claimed: the cheap way is tried first
        heaviest = _TRANSACTION if self.fence.held else sys.maxsize
        while not all(
            self._written(part, known)
            for part in portions(pending, lambda one: len(one.document.raw), heaviest)
        ):
            known = self._look(pending)
            pending = [one for one in pending if not self._is_done(one, known.get(one.key))]
            self._keep([known[one.key] for one in pending if one.key in known])
            if not any(one.key in known for one in pending):
                self._clock.sleep(_PAUSE)
        self.new += sum(one.landed for one in pending)

    def _keep(self, documents: Sequence[dict[str, Any]]) -> None:
        """Copy what is about to be replaced; done again, it changes nothing."""
        writes = [
            UpdateOne(
                {"_id": f"{document['order']}:{document['writer']}"},
                [{"$replaceWith": {"$mergeObjects": ["$$ROOT", {"$literal": _version(document)}]}}],
                upsert=True,
            )
            for document in documents
            if document["state"] == "landed" and self.on_same == "history"
        ]
        self.fence.write(self._place.versions, writes)

    def _look(self, pending: Sequence[_Pending]) -> Known:
        return _look(self._place, [one.key for one in pending], None)

    def _delete(self, deletions: Sequence[Deletion]) -> None:
        """Leave of keys only that they are gone, also where they have not come yet."""
        keys = {check_key(deletion.key): deletion.final for deletion in deletions}
        gone = {"state": "deleted", "order": Int64(self._latest), "writer": self._writer}
        free = {**gone, "free": True}
        writes = [
            UpdateOne(
                {"_id": key},
                [{"$replaceWith": {"_id": "$_id", **(gone if final else free)}}],
                upsert=True,
            )
            for key, final in keys.items()
        ]
        self.fence.write(self._place.items, writes)
        if writes and self.on_same == "history":
            self._place.versions.delete_many({"key": {"$in": list(keys)}})

    def _note(self, entries: Sequence[Entry]) -> None:
        facts = self._place.facts
        marks = {entry.name: entry.value for entry in entries if isinstance(entry, Mark)}
        gaps = [self._gap(entry) for entry in entries if isinstance(entry, LandedGap)]
        values = [
            UpdateOne({"_id": f"mark:{name}"}, {"$set": {"value": value}}, upsert=True)
            for name, value in marks.items()
        ]

        def together(session: ClientSession | None) -> None:
            if gaps:
                facts.insert_many(gaps, session=session)
            if values:
                facts.bulk_write(values, session=session)

        if gaps:
            self.fence.transaction(together)
        elif values:
            self.fence.within(together)

    def _gap(self, gap: LandedGap) -> dict[str, Any]:
        self._latest += 1
        facts = {"since": gap.since, "until": gap.until, "reason": gap.reason, "count": gap.count}
        return {"_id": f"gap:{self._latest}:{self._writer}", "gap": Int64(self._latest), **facts}

    def _waves(self, entries: Sequence[Entry]) -> Iterator[list[Landing | Failing]]:
        """Yield the entries so that no key comes twice at once."""
        if self.on_same == "first":
            yield self._once_each(entries)
            return
        left = [entry for entry in entries if isinstance(entry, Landing | Failing)]
        while left:
            wave: dict[Key, Landing | Failing] = {}
            left = [one for one in left if wave.setdefault(one.key, one) is not one]
            yield list(wave.values())

    def _once_each(self, entries: Sequence[Entry]) -> list[Landing | Failing]:
        """Return one entry a key: rather a record than a failure, rather a new failure."""
        kept: dict[Key, Landing | Failing] = {}
        for entry in entries:
            if isinstance(entry, Landing | Failing):
                if isinstance(before := kept.get(entry.key), Landing):
                    self.again += 1
                    self.changed += isinstance(entry, Landing) and entry.body != before.body
                else:
                    kept[entry.key] = entry
        return list(kept.values())

    def _pending(self, entry: Landing | Failing) -> _Pending:
        self._latest += 1
        try:
            document = as_document(entry, self._latest, self._writer)
        except TooLarge as error:
            entry = Failing(entry.key, "TooLarge", str(error))
            document = as_document(entry, self._latest, self._writer)
        landed = isinstance(entry, Landing)
        body = entry.body.replace(b"\n", b" ") if isinstance(entry, Landing) else b""
        return _Pending(check_key(entry.key), self._latest, landed, document, body)

    def _write(self, one: _Pending, known: Known) -> Write:
        if one.key not in known:
            # A raw document is one that has been encoded already; PyMongo takes it as it is.
            insert: InsertOne[Any] = InsertOne(one.document)
            return insert
        if known[one.key]["state"] == "deleted":
            again = {"_id": one.key, "free": True}
            return UpdateOne(again, [{"$replaceWith": _newer(one.document)}])
        if known[one.key]["state"] == "landed":
            newer = {"_id": one.key, "state": "landed", "order": {"$lt": one.order}}
            return UpdateOne(newer, [{"$replaceWith": _newer(one.document)}])
        return UpdateOne(
            {"_id": one.key, "state": {"$in": _OPEN}, "order": {"$ne": one.order}},
            _replacing(one.document),
        )

    def _written(self, part: Sequence[_Pending], known: Known) -> bool:
        """Return whether all was written; False where a key was there already."""
        try:
            self.fence.write(self._place.items, [self._write(one, known) for one in part])
        except BulkWriteError as error:
            details = error.details or {}
            errors = details.get("writeErrors") or [{}]
            twice = all(found.get("code") == _DUPLICATE for found in errors)
            if not twice or details.get("writeConcernErrors"):
                raise
            return False
        return True

    def _is_done(self, one: _Pending, found: dict[str, Any] | None) -> bool:
        if found is None:
            return False
        if (found["writer"], found["order"]) == (self._writer, one.order):
            self.new += one.landed
            return True  # it was ours that landed, only the reply had not come
        if found["state"] in _OPEN or (one.landed and found.get("free")):
            return False
        differs = found["state"] == "landed" and one.landed and landing_of(found).body != one.body
        if self.on_same == "first":
            self.changed += differs
        elif found["state"] == "landed":
            if differs:
                return False
            self.stale += not one.landed and one.document.get("error") != ABSENT
            if one.landed:  # as it was, and seen again
                seen = {"$max": {"seen": Int64(one.order)}}
                self._place.items.update_one({"_id": one.key}, seen)
        self.again += found["state"] == "landed"
        return True


def _newer(document: RawBSONDocument) -> dict[str, Any]:
    return {"$mergeObjects": [{"$literal": document}, {"replaced": True}]}


def _version(document: dict[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in document.items() if name not in ("_id", "seen")}
    return {**facts, "key": document["_id"]}


def _replacing(document: RawBSONDocument) -> list[dict[str, Any]]:
    """Return the update that puts ``document`` in the place of a failure, kept as history."""
    failure = {name: f"${name}" for name in ("error", "message", "status", "attempts", "order")}
    history = {"$concatArrays": [{"$ifNull": ["$history", []]}, [failure]]}
    kept = {
        "replayed": {"$ifNull": ["$replayed", 0]},
        "history": {"$slice": [history, -_HISTORY]},
    }
    return [{"$replaceWith": {"$mergeObjects": [{"$literal": document}, kept]}}]
