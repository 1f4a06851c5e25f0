"""The store for many machines: a collection of MongoDB, one document a lock."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast, final

import msgspec

from penstock.errors import InputError, PenstockError, StorageError
from penstock.locks.backend import Reply, Waiter
from penstock.locks.change_stream_notify import Ears, Listener, LockPoller
from penstock.locks.mongo_pipeline import FORMAT, pipeline
from penstock.locks.process_identity import elapsed, myself
from penstock.locks.state import NOBODY, PATIENCE, LockRequest, LockState, QueuePlace
from penstock.mongo import place_in

if TYPE_CHECKING:
    from penstock.mongo import Client
    from penstock.mongo import DictCollection as Collection

__all__ = ["MongoLocks"]


@final
class MongoLocks:
    """Locks in a collection of a replica set, a sharded cluster, or a standalone server.

    The store's clock is the server's. A standalone server has no change streams: waiters look for
    themselves there, and it promises less (see the docs).

    Args:
        uri: Where MongoDB is; or a client of PyMongo's, which stays open.
        database: The database; else the one in the URI, else ``locker_room``.
        collection: The collection; else the one in the URI (``mongodb://host/database.collection``),
            else ``locks``.

    Raises:
        InputError: The URI cannot be used.
        MissingExtra: PyMongo is not installed.
        StorageError: The server does not answer.
    """

    interval = 5.0

    def __init__(self, uri: str | Client, database: str | None, collection: str | None) -> None:
        self._uri = uri
        named = place_in(uri if isinstance(uri, str) else "", "locker_room", "locks")
        self._names = (database or named.database, collection or named.collection)
        self._host = socket.gethostname()
        self._abandoned: list[object] = []
        self._open()

    def _open(self) -> None:
        # PyMongo is imported where it is used.
        from penstock import mongo

        self._mongo = mongo
        self._pid = os.getpid()
        with self._translated():
            self._client: Client = self._connected()
            try:
                self.is_set = mongo.is_set(self._client)
            except BaseException:
                self._let_go()
                raise
        self._locks: Collection = mongo.collection_of(self._client, *self._names, safe=self.is_set)
        self._latest: dict[str, Reply] = {}
        self._asking = threading.Semaphore(_ASKING)
        self._address = uuid.uuid4().hex[:16]
        self._ears = Ears(self._locks, self._address)

    def _connected(self) -> Client:
        if not isinstance(self._uri, str):
            if not isinstance(self._uri, self._mongo.MongoClient):
                raise InputError(
                    f"LockerRoom(client={type(self._uri).__name__}): give it a MongoClient"
                )
            return self._mongo.resilient(self._uri)
        self._mongo.refuse_weaker(self._uri)
        return self._mongo.connect_any_server(self._uri)

    def _let_go(self) -> None:
        if isinstance(self._uri, str):
            self._client.close()

    def _after_fork(self) -> None:
        """In a child connect anew: the parent's sockets are the parent's."""
        if self._pid != os.getpid():
            self._abandoned += [self._client, self._ears, self._locks]
            self._open()

    @property
    def process(self) -> str:
        """This process, for people: its end is not seen from other machines."""
        return f"{self._host}/{myself()}"

    def apply(self, name: str, request: LockRequest, limit: float | None = None) -> Reply:
        """Perform one transition: one ``findAndModify`` with an update pipeline."""
        self._after_fork()
        if request.kind not in _ASKS:
            return self._applied(name, request, limit)
        wanted = elapsed()
        if (known := self._known(name, request, math.inf)) is not None:
            return known
        with self._door(limit):
            # While we stood there another may have asked, which does for us as well.
            if (known := self._known(name, request, wanted)) is not None:
                return known
            left = None if limit is None else max(1.0, limit - (elapsed() - wanted))
            return self._applied(name, request, left)

    def _applied(self, name: str, request: LockRequest, limit: float | None) -> Reply:
        locks = self._locks if limit is None else self._mongo.repeatable(self._locks, limit)
        wants = request.kind in ("acquire", "try")
        for _ in range(3):
            sent = elapsed()
            try:
                found = self._changed(locks, name, request, upsert=wants)
            except self._mongo.DuplicateKeyError:
                # Somebody made it at the same moment, or it is not a lock of ours.
                found = None
            if found is not None:
                reply = _reply(name, found, sent)
                self._heard(name, request, reply)
                return reply
            if not self._there(name) and not wants:
                return Reply(LockState(), 0.0, sent)
        raise StorageError(f"lock {name!r}: its document comes and goes; who deletes it?")

    def _known(self, name: str, request: LockRequest, wanted: float) -> Reply | None:
        """Return what another waiter of this process was answered, if that will do.

        It does where it was asked after we ``wanted``, or a moment ago with no holder overdue. That
        asking kept all of this process in the queue: hundreds need not ask one after the other.
        """
        known, now = self._latest.get(name), elapsed()
        if known is None or request.kind != "acquire" or request.dead or not known.state.holders:
            return None
        overdue = any(p.until - known.now <= now - known.sent for p in known.state.holders)
        fresh = known.sent > now - _KNOWN * self.interval and not overdue
        does = known.sent > self._ears.since and (fresh or known.sent >= wanted)
        # Where the queue begins with one that came after us, we were passed over.
        listener, first = self._ears.listener(request.place.id), known.state.waiters[:1]
        if not does or listener is None or not listener.queued or not first:
            return None
        return known if first[0].since <= listener.queued else None

    def _heard(self, name: str, request: LockRequest, reply: Reply) -> None:
        """Let the other waiters of this process know what one was answered."""
        if request.kind == "acquire":
            before = self._latest.get(name)
            if before is None or reply.now > before.now:
                self._latest[name] = reply
                late = before is not None and reply.now - before.now > PATIENCE - _ANSWER
                if late or (before is not None and reply.state.token < before.state.token):
                    self._ears.unqueue()  # they may be passed over, or the lock is a new one
            if (listener := self._ears.listener(request.place.id)) is not None:
                listener.queued = listener.queued or reply.now
        for place in reply.state.holders:
            if place.id != request.place.id:
                self._ears.granted(place)

    @contextlib.contextmanager
    def _door(self, limit: float | None) -> Iterator[None]:
        """Let few of a process's waiters ask at a time: nobody who holds waits for them.

        Hundreds at once would collide on the lock's one document, each again and again, and take
        every connection, so that the holder could not even release.
        """
        if not self._asking.acquire(timeout=limit):
            where = ".".join(self._names)
            raise StorageError(f"locks in {where}: too many ask, no answer within {limit:.3g} s")
        try:
            yield
        finally:
            self._asking.release()

    def _changed(
        self, locks: Collection, name: str, request: LockRequest, *, upsert: bool
    ) -> Mapping[str, object] | None:
        with self._translated():
            found: Mapping[str, object] | None = locks.find_one_and_update(
                {"_id": name, "format": FORMAT},
                pipeline(request),
                upsert=upsert,
                projection=_FIRST,
                return_document=True,
            )
            return found

    @contextlib.contextmanager
    def waiter(self) -> Iterator[Waiter]:
        """Give an ear: at the process's change stream, or one that looks for itself."""
        self._after_fork()
        if not self.is_set:
            yield LockPoller()
            return
        listener = Listener(self._ears, self._address)
        try:
            yield listener
        finally:
            listener.forget()

    def read(self, name: str) -> Reply:
        """Return the lock as it is."""
        self._after_fork()
        sent = elapsed()
        found = self._found({"_id": name})
        return _seen(name, found[0], sent) if found else Reply(LockState(), 0.0, sent)

    def read_all(self) -> Iterator[tuple[str, Reply]]:
        """Yield every lock that ever was, the original's too; other documents are passed over."""
        self._after_fork()
        sent = elapsed()
        for document in self._found({"$or": [{"format": FORMAT}, ORIGINAL]}):
            name = str(document["_id"])
            yield name, _seen(name, document, sent)

    def _found(self, which: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
        with self._translated():
            stages: list[dict[str, object]] = [{"$match": which}, {"$sort": {"_id": 1}}]
            stages.append({"$set": {"at": "$$NOW"}})
            return list(self._locks.aggregate(stages))

    def _there(self, name: str) -> bool:
        """Whether there is a lock of ours by that name.

        Raises:
            InputError: There is something else.
        """
        found = self._found({"_id": name})
        if found and found[0].get("format") != FORMAT:
            where = ".".join(self._names)
            if is_original(found[0]):
                raise InputError(
                    f"lock {name!r}: {where} has it as the original LockerRoom wrote it; take its "
                    "locks over with: penstock lock migrate"
                )
            raise InputError(
                f"lock {name!r}: its document in {where} was written by something else; choose "
                "another collection, or delete it"
            )
        return bool(found)

    def migrate(self, *, force: bool) -> tuple[list[str], list[str]]:
        """Take the original's locks over; return which, and which are held and stay as they are.

        Args:
            force: Take over what is held as well; its holder is not notified.
        """
        taken: list[str] = []
        held: list[str] = []
        for found in self._found(ORIGINAL):
            name = str(found["_id"])
            same = {key: found.get(key) for key in ("_id", "locked", "owner", "timestamp")}
            bare: dict[str, object] = {"$replaceWith": {"_id": "$_id"}}
            stages = [bare, *pipeline(LockRequest(kind="expire", place=NOBODY))]
            if found["locked"] and not force:
                held.append(name)
            else:
                with self._translated():
                    # One that has changed hands meanwhile is left as it is.
                    done = self._locks.update_one({**same, **ORIGINAL}, stages)
                (taken if done.matched_count else held).append(name)
        return taken, held

    def ended(self, state: LockState) -> frozenset[str]:
        """Nothing is known of processes on other machines."""
        return frozenset()

    def wall(self, moment: float) -> float:
        """Return ``moment``: the server counts from 1970 itself."""
        return moment

    def describe(self) -> str:
        """Say what it is and how waiters are woken."""
        where = ".".join(self._names)
        if self.is_set:
            return f"MongoDB, {where}; waiters are woken by a change stream"
        return f"MongoDB, {where} on a standalone server: waiters poll (a replica set wakes them)"

    def close(self) -> None:
        """Close the connections. Closing twice is allowed."""
        if self._pid == os.getpid():
            self._ears.close()
            self._let_go()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (PenstockError, self._mongo.DuplicateKeyError):
            raise
        except self._mongo.PyMongoError as error:
            where, words = ".".join(self._names), self._mongo.reason_of(error)
            raise StorageError(f"locks in {where}: {words}") from error


_FIRST: dict[str, object] = {"waiters": {"$slice": 8}}
"""Of a long queue its beginning comes back: who stands behind that need not know where."""

_KNOWN = 0.5  # of the interval is how long an answer does for all waiters of a process
_ANSWER = 5.0  # seconds that an answer may take
_ASKING = 2  # waiters of a process that ask at the same time
_ASKS = ("acquire", "try", "withdraw")  # what those do who do not hold

ORIGINAL: dict[str, object] = {"format": {"$exists": False}, "locked": {"$type": "bool"}}
"""What finds documents of the original: ``{_id, locked, owner, timestamp}``."""

_NO_LEASE = 366 * 86_400.0


def is_original(document: Mapping[str, object]) -> bool:
    """Whether the original LockerRoom wrote it."""
    return "format" not in document and isinstance(document.get("locked"), bool)


def _seen(name: str, document: Mapping[str, object], sent: float) -> Reply:
    """Return what a look tells, of one of the original's too: that has no lease and no token."""
    if not is_original(document):
        return _reply(name, document, sent)
    now, since = _seconds(document["at"]), document.get("timestamp")
    begun = _seconds(since) if isinstance(since, datetime) else now
    owner = str(document.get("owner") or "somebody")
    holder = QueuePlace(id=name, owner=owner, lease=0.0, since=begun, until=now + _NO_LEASE)
    return Reply(LockState(holders=(holder,) if document["locked"] else ()), now, sent)


def _reply(name: str, document: Mapping[str, object], sent: float) -> Reply:
    """Return what a document says.

    Raises:
        InputError: It is not a lock.
    """
    try:
        counts = {key: _whole(document[key]) for key in ("token", "capacity")}
        places = {key: _timed(document[key]) for key in ("holders", "waiters")}
        state = msgspec.convert({**counts, **places}, LockState)
        return Reply(state, _seconds(document["at"]), sent)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise InputError(f"lock {name!r} was written by something else: {error!r}") from error


def _timed(found: object) -> list[dict[str, object]]:
    places = cast("Sequence[Mapping[str, object]]", found)
    moments = ("since", "until")
    return [
        {**{key: _whole(value) for key, value in p.items()}, **{m: _seconds(p[m]) for m in moments}}
        for p in places
    ]


def _whole(value: object) -> object:
    """A number of the server's 64 bits as Python's own."""
    return int(value) if isinstance(value, int) else value


def _seconds(value: object) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no moment")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
