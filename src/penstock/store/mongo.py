"""A store in MongoDB: one document a key, and the record is the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import final

from penstock.clock import Clock, SystemClock
from penstock.errors import StorageError, StoreInUse
from penstock.mongo import PyMongoError, UpdateOne
from penstock.pipeline import Deletion, Entry, Failing, Key, Landing
from penstock.store.claims import Claims
from penstock.store.fence import Fence
from penstock.store.in_portions import portions
from penstock.store.mongo_commit import MongoCommit, settled
from penstock.store.mongo_connection import create, identity, opened, translated
from penstock.store.mongo_documents import check_key
from penstock.store.mongo_fence import MongoFence
from penstock.store.mongo_reader import MongoReader
from penstock.store.mongo_writers import WriterMark
from penstock.store.settlement import Settlement
from penstock.store.values import ABSENT, StoreStatus
from penstock.store.writer import Writer

__all__ = ["MongoStore"]

_CHUNK = 500  # keys changed at once
_WRITERS = 1000  # openings that are remembered


@final
class MongoStore(Settlement, MongoReader):
    """A collection where records land exactly once, whatever is killed meanwhile.

    Opening makes the store where there is none. Closing, or leaving the ``with`` block, makes safe
    whatever was settled. Safe means: in the journals of a majority. Every operation goes through
    the proxy of :mod:`penstock.mongo`, so that a failover is a pause and no error.

    Several processes may land in one store: each key still lands once. Each fetches what it has
    claimed, though, so give each its own part of the keys.

    Args:
        address: ``mongodb://host,host/DATABASE.COLLECTION?replicaSet=name``; the collection is
            ``penstock.records`` by default.
        deadline: Seconds that an operation may take, elections included.
        fence: The fencing token of the run's lock. With it each write is a transaction, and
            nothing of a run with a smaller token of the same lock is written any more.
        clock: Time; tests give a :class:`~penstock.clock.FakeClock`.

    Raises:
        InputError: The address cannot be used, the collection is something else, or a newer
            penstock wrote it.
        StorageError: Nobody answers.
        StoreInUse: A run with a larger token was here.
    """

    _commit: MongoCommit

    def __init__(
        self,
        address: str,
        *,
        deadline: float = 60.0,
        fence: Fence | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        place = opened(address, None, deadline)
        try:
            with translated(place.shown):
                create(place, clock.time())
                MongoReader.__init__(self, place)
                self._fence = MongoFence(place, fence)
                self._identity = identity(place)
        except BaseException:
            place.client.close()
            raise
        self._clock = clock
        self._claims = Claims(clock, int(clock.time() * 1e6) / 1e6)
        self._name = uuid.uuid4().hex
        self._known = False
        self._mark = WriterMark(place, self._name, clock)
        self._commit = MongoCommit(place, self._name, self._mark, clock, self._fence)
        self._writer = Writer(self._commit_and_release, clock, self._idle)

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once.

        Keys that landed or failed before are passed over, and those in flight here. Memory holds
        the keys in flight only. A quick source is read up to 256 keys ahead, a slow one is not.

        Raises:
            InputError: A key is neither a text nor a whole number of 64 bits.
        """

        def lookup(wanted: Sequence[Key]) -> dict[Key, tuple[str, float]]:
            with translated(self.path):
                return settled(self._place, wanted)

        yield from self._claims.claim(keys, lookup)

    def status(self) -> StoreStatus:
        """Return where the store stands.

        Raises:
            StorageError: Somebody dropped it while it was open.
        """
        with translated(self.path):
            if identity(self._place) != self._identity:
                raise StorageError(
                    f"{self.path}: it was dropped while it was open, and what had landed is gone. "
                    "Restore both of its collections (mongorestore), or drop both to begin again"
                )
        return super().status()

    def begin(self, fence: Fence) -> None:
        """Go on under another fence, such as that of the next block of keys.

        What was settled before is safe then. A process that had the block before writes no more.

        Raises:
            StoreInUse: A later holder of that lock was here.
        """
        self.flush()
        with translated(self.path):
            before, self._fence = self._fence, MongoFence(self._place, fence)
        self._commit.fence = self._fence
        before.close()

    def forget(self) -> None:
        """Forget what is under way: another one does it, and what is not safe is not written."""
        try:
            self.flush()
        except StoreInUse:
            self._writer = Writer(self._commit_and_release, self._clock, self._idle)
        self._claims.forget()

    def expect(self, total: int | None) -> None:
        """Remember how many keys the source has, so that status can tell what is pending."""
        with translated(self.path):
            self._fence.within(
                lambda session: self._place.facts.update_one(
                    {"_id": "store"}, {"$set": {"expected": total}}, session=session
                )
            )

    def retry_failed(self, keys: Iterable[Key] | None = None) -> int:
        """Put failed keys, all or the given ones, back to do; return how many.

        Their failures stay as history in their documents, and the next failure of the same key
        counts how often it was put back.
        """
        wanted = [failure.key for failure in self.failures()] if keys is None else keys
        return self._changed(wanted, {"$set": {"state": "todo"}, "$inc": {"replayed": 1}})

    def _keep_versions(self) -> None:
        index = [("order", 1), ("key", 1)]
        self._place.versions.create_index(index, name="penstock_place")

    def _idle(self) -> None:
        with suppress(PyMongoError):  # then those who follow wait a little longer
            self._mark.close()

    def accept(self, keys: Iterable[Key]) -> int:
        """Take failed keys as they are: they have no record and need none; return how many."""
        return self._changed(keys, {"$set": {"error": ABSENT}})

    def acknowledge(self, keys: Iterable[Key]) -> int:
        """Accept that failed keys failed, and return how many; they stay failed and kept.

        A key that is put back and fails again is to be acknowledged again.
        """
        return self._changed(keys, {"$set": {"acknowledged": True}})

    def _changed(self, keys: Iterable[Key], change: dict[str, object]) -> int:
        count = 0
        with translated(self.path):
            for some in portions(keys, lambda _key: 1, _CHUNK):
                writes = [UpdateOne({"_id": check_key(k), "state": "failed"}, change) for k in some]
                count += self._fence.write(self._place.items, writes)
        return count

    def _note(self, change: dict[str, object]) -> None:
        self._place.facts.update_one({"_id": "store"}, change)

    def close(self) -> None:
        """Make safe what was settled and let go of the connections. Closing twice is allowed.

        Raises:
            StorageError: Something could not be made safe.
        """
        try:
            self._writer.close()
            with translated(self.path):
                self._mark.close()
        finally:
            self._fence.close()
            MongoReader.close(self)

    def _commit_and_release(self, entries: Sequence[Entry]) -> None:
        with translated(self.path):
            first = not self._known and any(
                isinstance(entry, Landing | Failing | Deletion) for entry in entries
            )
            if first:
                # Before the first record: whoever opens it next knows whose records are its own.
                ours = {"$each": [self._name], "$slice": -_WRITERS}
                self._note({"$push": {"writers": ours}})
            self._commit(entries)
            if first:
                self._note({"$set": {"begun": True}})
                self._known = True
        self._release(entries)
