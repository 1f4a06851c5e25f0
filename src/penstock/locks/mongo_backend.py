"""The store for many machines: a collection of MongoDB, one document a lock."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast, final

import msgspec

from penstock.errors import InputError, MissingExtra, PenstockError, StorageError
from penstock.locks.backend import Reply, Waiter
from penstock.locks.change_stream_notify import Ears, Listener, Poller, Stream, forgotten
from penstock.locks.mongo_pipeline import FORMAT, pipeline
from penstock.locks.process_identity import elapsed, myself
from penstock.locks.state import LockState, Place, Request

if TYPE_CHECKING:
    from penstock.mongo.connect_any import Client, Collection

__all__ = ["Shared"]


@final
class Shared:
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
        if importlib.util.find_spec("pymongo") is None:
            raise MissingExtra("locks in MongoDB", "pymongo", "mongo")
        self._uri = uri
        bare = re.sub(r"(?<=://).*@", "", str(uri))  # a password may hold anything
        named = re.match(r"mongodb(?:\+srv)?://[^/?]+/([^?.]+)(?:\.([^?]+))?", bare)
        said = (named[1], named[2]) if named else (None, None)
        self._names = (
            database or said[0] or "locker_room",
            collection or said[1] or "locks",
        )
        self._host = socket.gethostname()
        self._abandoned: list[object] = []
        self._open()

    def _open(self) -> None:
        # PyMongo is imported where it is used.
        from penstock.mongo import connect_any, driver

        self._driver, self._connect_any = driver, connect_any
        self._pid = os.getpid()
        with self._translated():
            self._client: Client = self._connected()
            try:
                self.is_set = connect_any.is_set(self._client)
            except BaseException:
                self._let_go()
                raise
        self._locks: Collection = connect_any.collection_of(
            self._client, *self._names, safe=self.is_set
        )
        self._address = uuid.uuid4().hex[:16]
        self._ears = Ears(self._stream, self._address)

    def _connected(self) -> Client:
        if not isinstance(self._uri, str):
            if not isinstance(self._uri, self._driver.MongoClient):
                raise InputError(
                    f"LockerRoom(client={type(self._uri).__name__}): give it a MongoClient"
                )
            return self._driver.resilient(self._uri)
        self._driver.refuse_weaker(self._uri)
        return self._connect_any.connect_any(self._uri)

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

    def apply(self, name: str, request: Request, limit: float | None = None) -> Reply:
        """Perform one transition: one ``findAndModify`` with an update pipeline."""
        self._after_fork()
        locks = self._locks if limit is None else self._connect_any.repeatable(self._locks, limit)
        wants = request.kind in ("acquire", "try")
        for _ in range(3):
            sent = elapsed()
            try:
                found = self._changed(locks, name, request, upsert=wants)
            except self._driver.DuplicateKeyError:
                # Somebody made it at the same moment, or it is not a lock of ours.
                found = None
            if found is not None:
                return _reply(name, found, sent)
            there = self._document(name)
            if there is None and not wants:
                return Reply(LockState(), 0.0, sent)
        raise StorageError(f"lock {name!r}: its document comes and goes; who deletes it?")

    def _changed(
        self, locks: Collection, name: str, request: Request, *, upsert: bool
    ) -> Mapping[str, object] | None:
        with self._translated():
            found: Mapping[str, object] | None = locks.find_one_and_update(
                {"_id": name, "format": FORMAT},
                pipeline(request),
                upsert=upsert,
                return_document=True,
            )
            return found

    @contextlib.contextmanager
    def waiter(self) -> Iterator[Waiter]:
        """Give an ear: at the process's change stream, or one that looks for itself."""
        self._after_fork()
        if not self.is_set:
            yield Poller()
            return
        with forgotten(Listener(self._ears, self._address)) as listener:
            yield listener

    def read(self, name: str) -> Reply:
        """Return the lock as it is."""
        self._after_fork()
        sent = elapsed()
        found = self._document(name)
        return Reply(LockState(), 0.0, sent) if found is None else _reply(name, found, sent)

    def read_all(self) -> Iterator[tuple[str, Reply]]:
        """Yield every lock that ever was; documents of others are passed over."""
        self._after_fork()
        sent = elapsed()
        with self._translated():
            found: Sequence[Mapping[str, object]] = list(
                self._locks.aggregate(
                    [{"$match": {"format": FORMAT}}, {"$sort": {"_id": 1}}, _AT_NOW]
                )
            )
        for document in found:
            name = str(document["_id"])
            yield name, _reply(name, document, sent)

    def _document(self, name: str) -> Mapping[str, object] | None:
        with self._translated():
            found: Sequence[Mapping[str, object]] = list(
                self._locks.aggregate([{"$match": {"_id": name}}, _AT_NOW])
            )
        if found and found[0].get("format") != FORMAT:
            raise InputError(
                f"lock {name!r}: its document in {'.'.join(self._names)} was written by something "
                "else; choose another collection, or delete it"
            )
        return found[0] if found else None

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

    def _stream(
        self, changes: list[dict[str, object]], wait: int
    ) -> contextlib.AbstractContextManager[Stream]:
        stream = self._locks.watch(changes, max_await_time_ms=wait)
        return cast("contextlib.AbstractContextManager[Stream]", stream)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (PenstockError, self._driver.DuplicateKeyError):
            raise
        except self._driver.PyMongoError as error:
            where, words = ".".join(self._names), self._driver.reason_of(error)
            raise StorageError(f"locks in {where}: {words}") from error


_AT_NOW: dict[str, object] = {"$set": {"at": "$$NOW"}}


def _reply(name: str, document: Mapping[str, object], sent: float) -> Reply:
    """Return what a document says.

    Raises:
        InputError: It is not a lock.
    """
    try:
        state = LockState(
            token=_number(document["token"]),
            capacity=_number(document["capacity"]),
            holders=_places(document["holders"]),
            waiters=_places(document["waiters"]),
        )
        return Reply(state, _seconds(document["at"]), sent)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise InputError(f"lock {name!r} was written by something else: {error!r}") from error


def _places(found: object) -> tuple[Place, ...]:
    return tuple(_place(one) for one in cast("Sequence[Mapping[str, object]]", found))


def _place(found: Mapping[str, object]) -> Place:
    moments = {key: _seconds(found[key]) for key in ("since", "until")}
    return msgspec.convert({**found, **moments}, Place)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return int(value)


def _seconds(value: object) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no moment")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
