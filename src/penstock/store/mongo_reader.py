"""Reading a store in MongoDB, from whichever members the reader is sent to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from penstock.errors import InputError, StorageError
from penstock.mongo import PyMongoError, ReadConcern, ReadFrom, says, timeout
from penstock.pipeline import Key, Landing
from penstock.store.arrow import Frames
from penstock.store.mongo_connection import MongoPlace, about, opened, translated
from penstock.store.mongo_documents import check_key, failure_of, landing_of
from penstock.store.mongo_writers import safe_until
from penstock.store.values import ABSENT, Failure, FailureCount, State, StoredGap, StoreStatus
from penstock.store.verification import Damage

if TYPE_CHECKING:
    from penstock.mongo import ClientSession, Collection, Timestamp

__all__ = ["MongoReader", "open_mongo"]

_IN_ORDER = [("order", 1), ("_id", 1)]
_VERSIONS = 100  # documents that are compared with their earlier versions at once
# The key of a document as BSON orders keys: numbers, then texts byte by byte.
_Rank: TypeAlias = tuple[int, int | bytes]
_Spot: TypeAlias = tuple[int, _Rank]
"""A place in the order, and the key of what is there: several writers may give the same place."""
_END: _Rank = (2, 0)
_FOR_A_PRIMARY = 5.0  # seconds that a report waits for one


class MongoReader(Frames):
    """A store in MongoDB as it is, also while a run lands in it: only what a majority has is seen.

    Use :func:`open_mongo` to make one; :class:`~penstock.store.MongoStore` is one as well.

    Args:
        place: The store.
        since: What the primary had safe when this was opened: no read shows less, wherever it
            is answered. None for reads that the primary answers.
    """

    def __init__(self, place: MongoPlace, since: Timestamp | None = None) -> None:
        self.path = place.shown
        self._place = place
        self._since = since

    def close(self) -> None:
        """Close the connections. Closing twice is allowed."""
        self._place.client.close()

    def records(self) -> Iterator[Landing]:
        """Yield what has landed up to now, in landing order, in constant memory.

        Raises:
            StorageError: A document is not what landed, or nobody answers.
        """
        for document in self._in_order({"state": "landed"}):
            yield landing_of(document)

    def moments(self) -> Iterator[tuple[Landing, float]]:
        """Yield what has landed up to now, each record with when, in seconds since 1970.

        Raises:
            StorageError: A document is not what landed, or nobody answers.
        """
        for document in self._in_order({"state": "landed"}):
            yield landing_of(document), document["order"] / 1e6

    def follow(self, after: str = "") -> Iterator[tuple[Landing, str]]:
        """Yield what has landed after a position, each record with the position behind it.

        Where others write at this moment, it waits until their groups are there.

        Args:
            after: A position that came with a record; ``""`` is the beginning.

        Raises:
            InputError: ``after`` is no position of this store.
            StorageError: A document is not what landed, or nobody answers.
        """
        begin = self._position(after)
        with self._reading() as session:
            span = {"$gte": begin[0], "$lte": safe_until(self._place, "landed", session)}
            found = self._place.items.find(
                {"state": "landed", "order": span}, sort=_IN_ORDER, session=session
            )
            for document in found:
                if (spot := _spot(document)) > begin:
                    yield landing_of(document), _named(spot)

    def _position(self, position: str) -> _Spot:
        """Return what a position means; the beginning is before all."""
        order, _, key = position.partition(":")
        words = f"{self.path}: {position!r} is no position of this store"
        if position and not order.isdecimal():
            raise InputError(words)
        if not key:  # earlier positions had none: all of that place had been given
            return int(order or -1), _END
        try:
            return int(order), _rank(msgspec.json.decode(key, type=int | str))
        except ValueError as error:
            raise InputError(words) from error

    def versions(self, after: str = "") -> Iterator[tuple[Landing, float, str]]:
        """Yield every version of every record after a position, in the order they landed.

        Args:
            after: A position that came with a version; ``""`` is the beginning.

        Returns:
            The record, when it landed in seconds since 1970, and the position behind it.

        Raises:
            InputError: ``after`` is no position of this store.
            StorageError: A document is not what landed, or nobody answers.
        """
        place = self._position(after)
        with self._reading() as session:
            last = safe_until(self._place, "landed", session)
            while True:
                # These first: what is replaced meanwhile has been copied to the earlier ones.
                span = {"$gte": place[0], "$lte": last}
                wanted = {"state": "landed", "order": span}
                found = self._place.items.find(wanted, sort=_IN_ORDER, session=session)
                now = list(found.limit(_VERSIONS))
                until = _spot(now[-1]) if len(now) == _VERSIONS else (last, _END)
                span = {"$gte": place[0], "$lte": until[0]}
                earlier = self._place.versions.find(
                    {"order": span}, sort=[("order", 1), ("key", 1)], session=session
                )
                before = (document | {"_id": document["key"]} for document in earlier)
                for document in heapq.merge(before, now, key=_spot):
                    spot = _spot(document)
                    if place < spot <= until:  # once: it may be copied, and not yet replaced
                        yield landing_of(document), spot[0] / 1e6, _named(spot)
                        place = spot
                if until[1] == _END:
                    return
                place = until

    def replaced(self, keys: Sequence[Key]) -> set[Key]:
        """Return which of ``keys`` have a record that took the place of an earlier one."""
        wanted = {"_id": {"$in": list(keys)}, "replaced": True}
        with self._reading() as session:
            found = self._place.items.find(wanted, {"_id": 1}, session=session)
            return {document["_id"] for document in found}

    def whole_records(self, damaged: Callable[[Damage], object]) -> Iterator[Landing]:
        """Yield what has landed and is as it was written; call ``damaged`` with the rest."""
        for document in self._in_order({"state": "landed"}):
            try:
                record = landing_of(document)
            except StorageError as error:
                damaged(Damage(self.path, str(error), document["_id"]))
            else:
                yield record

    def get(self, key: Key) -> bytes | None:
        """Return the record of ``key`` as JSON bytes, or None where it has not landed.

        Raises:
            StorageError: The document is not what landed.
        """
        found = self._one(key)
        return landing_of(found).body if found and found["state"] == "landed" else None

    def state(self, key: Key) -> State:
        """Return whether ``key`` has landed, has failed, was deleted, or else ``pending``."""
        found = self._one(key, {"state": 1})
        return "pending" if found is None else _SHOWN[found["state"]]

    def deleted(self) -> Iterator[Key]:
        """Yield the keys that were deleted, also those whose record had not come."""
        for document in self._in_order({"state": "deleted"}):
            yield document["_id"]

    def deletions(self) -> int:
        """Return a number that is another one once keys have been deleted."""
        with self._reading() as session:
            return max(0, safe_until(self._place, "deleted", session))

    def failures(self) -> Iterator[Failure]:
        """Yield the keys that are failed now, oldest failure first, in constant memory."""
        for document in self._in_order({"state": "failed", "error": {"$ne": ABSENT}}):
            yield failure_of(document)

    def latest(self, count: int) -> list[Landing]:
        """Return about the last ``count`` records that landed, newest first, to be shown."""
        with self._reading() as session:
            found = self._place.items.find({"state": "landed"}, session=session)
            return [landing_of(one) for one in found.sort("order", -1).limit(count)]

    def gaps(self) -> Iterator[StoredGap]:
        """Yield the gaps of a stream, oldest first, in constant memory."""
        wanted = {"gap": {"$exists": True}}
        with self._reading() as session:
            found = self._place.facts.find(wanted, sort=[("gap", 1), ("_id", 1)], session=session)
            for number, gap in enumerate(found, 1):
                yield StoredGap(
                    number=number,
                    since=gap["since"],
                    until=gap["until"],
                    reason=gap["reason"],
                    count=gap["count"],
                    at=gap["gap"] / 1e6,
                )

    def mark(self, name: str) -> str | None:
        """Return the value last settled as ``Mark(name, value)``, or None."""
        with self._reading() as session:
            found = self._place.facts.find_one({"_id": f"mark:{name}"}, session=session)
        return None if found is None else str(found["value"])

    def status(self) -> StoreStatus:
        """Return where the store stands. What lands during the look may be counted or not."""
        with self._reading() as session:
            facts = about(self._place, self._place.facts, session)
            states = {row["_id"]: row for row in self._states(session)}
            failures = _counted(self._aggregated(_FAILURES, session))
            size = sum(row["size"] for row in self._aggregated(_SIZE, session))
            gaps = list(self._place.facts.aggregate(_GAPS, session=session)) or [_NO_GAPS]
        started = facts["started"].timestamp()
        latest = max((row["latest"] for row in states.values()), default=0) / 1e6
        landed, landed_at = states.get("landed", {"count": 0})["count"], None
        if landed:
            landed_at = states["landed"]["latest"] / 1e6
        absent = sum(kind.count for kind in failures if kind.error == ABSENT)
        failed, expected = sum(kind.count for kind in failures) - absent, facts["expected"]
        done = landed + failed + absent
        pending = self._in_flight() if expected is None else max(0, expected - done)
        return StoreStatus(
            path=self.path,
            version=facts["format"],
            landed=landed,
            failed=failed,
            pending=pending,
            expected=expected,
            bytes=size,
            segments=0,
            started=started,
            updated=max(started, latest),
            failures=tuple(kind for kind in failures if kind.error != ABSENT),
            absent=absent,
            deleted=states.get("deleted", {"count": 0})["count"],
            gaps=gaps[0]["gaps"],
            missed=gaps[0]["missed"],
            acknowledged=sum(kind.acknowledged for kind in failures if kind.error != ABSENT),
            landed_at=landed_at,
        )

    def verify(self) -> int:
        """Read every record and compare it with its checksum; return how many there are.

        Raises:
            StorageError: One is not what landed.
        """
        return sum(1 for _ in self.records())

    def _in_flight(self) -> int | None:
        return None

    def _one(self, key: Key, fields: Mapping[str, int] | None = None) -> dict[str, Any] | None:
        with self._reading() as session:
            wanted = {"_id": check_key(key)}
            return self._place.items.find_one(wanted, fields, session=session)

    def _in_order(self, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with self._reading() as session:
            yield from self._place.items.find(wanted, sort=_IN_ORDER, session=session)

    def _states(self, session: ClientSession | None = None) -> list[dict[str, Any]]:
        return self._aggregated(_STATES, session)

    def _aggregated(
        self, pipeline: list[dict[str, Any]], session: ClientSession | None
    ) -> list[dict[str, Any]]:
        return list(self._place.items.aggregate(pipeline, session=session))

    @contextmanager
    def _reading(self) -> Iterator[ClientSession | None]:
        """Give the session to read in; what the driver raises is told in our words."""
        with translated(self.path):
            if self._since is None:
                yield None
                return
            with self._place.client.start_session(causal_consistency=True) as session:
                session.advance_operation_time(self._since)
                yield session


# Both run along the index, without touching a document.
_STATES: list[dict[str, Any]] = [
    {"$match": {"state": {"$in": ["landed", "failed", "todo", "deleted"]}}},
    {"$project": {"_id": 0, "state": 1, "order": 1}},
    {"$group": {"_id": "$state", "count": {"$sum": 1}, "latest": {"$max": "$order"}}},
]
_SEEN = {"$sum": {"$cond": ["$acknowledged", 1, 0]}}
_FAILURES: list[dict[str, Any]] = [
    {"$match": {"state": "failed"}},
    {
        "$group": {
            "_id": {"error": "$error", "status": "$status"},
            "count": {"$sum": 1},
            "acknowledged": _SEEN,
        }
    },
    {"$sort": {"count": -1, "_id.error": 1, "_id.status": 1}},
]
_SIZE: list[dict[str, Any]] = [
    {"$collStats": {"storageStats": {}}},
    {"$project": {"size": "$storageStats.size"}},
]

_GAPS: list[dict[str, Any]] = [
    {"$match": {"gap": {"$exists": True}}},
    {"$group": {"_id": None, "gaps": {"$sum": 1}, "missed": {"$sum": "$count"}}},
]
_NO_GAPS = {"gaps": 0, "missed": 0}
_SHOWN: Mapping[str, State] = {
    "landed": "landed",
    "failed": "failed",
    "deleted": "deleted",
    "todo": "pending",
}


def _rank(key: Key) -> _Rank:
    return (1, key.encode()) if isinstance(key, str) else (0, int(key))


def _spot(document: Mapping[str, Any]) -> _Spot:
    return int(document["order"]), _rank(document["_id"])


def _named(spot: _Spot) -> str:
    order, (_, key) = spot
    named = key.decode() if isinstance(key, bytes) else key
    return f"{order}:{msgspec.json.encode(named).decode()}"


def _counted(rows: Sequence[Mapping[str, Any]]) -> tuple[FailureCount, ...]:
    return tuple(
        FailureCount(
            error=row["_id"]["error"],
            status=row["_id"]["status"],
            count=row["count"],
            acknowledged=row["acknowledged"],
        )
        for row in rows
    )


def open_mongo(
    address: str, *, read_from: str | None = None, deadline: float = 60.0
) -> MongoReader:
    """Open the store at ``address`` for reading, also while a run lands in it.

    Args:
        address: ``mongodb://host,host/DATABASE.COLLECTION?replicaSet=name``.
        read_from: Which members answer, see :class:`penstock.mongo.ReadFrom`. Unless it or the
            address says so, secondaries, so that a report does not disturb a run.
        deadline: Seconds for each operation.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
        StorageError: Nobody answers.
    """
    if read_from is None and not says(address, "readPreference"):
        read_from = "secondaryPreferred"
    place = opened(address, read_from, deadline)
    try:
        with translated(place.shown):
            return MongoReader(place, _safe_until(place))
    except BaseException:
        place.client.close()
        raise


def _safe_until(place: MongoPlace) -> Timestamp | None:
    """Check that there is a store; return up to when everything is safe that was reported so."""
    # Linearizable: a primary asks its majority first whether it still is one. A new one would else
    # for a moment take less for safe than the old one had confirmed.
    sure = place.facts.with_options(
        read_preference=ReadFrom("primary").pymongo(), read_concern=ReadConcern("linearizable")
    )
    try:
        with timeout(_FOR_A_PRIMARY):
            return _moment_of(place, sure)
    except PyMongoError:
        # There is no primary now: better the report of a moment ago than none.
        anywhere = place.facts.with_options(read_preference=ReadFrom("nearest").pymongo())
        return _moment_of(place, anywhere)


def _moment_of(place: MongoPlace, facts: Collection[dict[str, Any]]) -> Timestamp | None:
    with place.client.start_session(causal_consistency=True) as session:
        about(place, facts, session)
        return session.operation_time
