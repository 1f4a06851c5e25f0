"""A store in MongoDB: one document a key, and the record is the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import final

from penstock.clock import Clock, SystemClock
from penstock.errors import StorageError
from penstock.mongo.driver import UpdateOne
from penstock.pipeline.result import Entry, Failing, Key, Landing
from penstock.store.claims import Claims
from penstock.store.fence import Fence
from penstock.store.mongo_commit import MongoCommit, settled
from penstock.store.mongo_documents import check_key
from penstock.store.mongo_fence import MongoFence
from penstock.store.mongo_place import create, opened, translated
from penstock.store.mongo_reading import MongoReader
from penstock.store.writer import Writer

__all__ = ["MongoStore"]

_CHUNK = 500  # keys changed at once


@final
class MongoStore(MongoReader):
    """A collection where records land exactly once, whatever is killed meanwhile.

    Opening makes the store where there is none. Closing, or leaving the ``with`` block, makes safe
    whatever was settled. Safe means: in the journals of a majority. Every operation goes through
    the proxy of :mod:`penstock.mongo`, so that a failover is a pause and no error.

    Several processes may land in one store: each key still lands once. Each fetches what it has
    claimed, though, so give each its own part of the keys.

    Args:
        address: ``mongodb://host,host/DATABASE.COLLECTION?replicaSet=name``; the collection is
            ``penstock.records`` unless told.
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
                super().__init__(place)
                self._fence = MongoFence(place, fence)
                latest = max((row["latest"] for row in self._states()), default=0)
        except BaseException:
            place.client.close()
            raise
        self._claims = Claims(clock, int(clock.time() * 1e6) / 1e6)
        self._commit = MongoCommit(place, uuid.uuid4().hex, latest, clock, self._fence)
        self._writer = Writer(self._commit_and_release, clock)

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

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return; call ``durable(n)`` when n more are safe.

        As with :meth:`LocalStore.settle <penstock.store.LocalStore.settle>`. A record that no
        document holds, not even as compressed text, ends as failed, with the error ``TooLarge``.

        Raises:
            StorageError: An earlier entry could not be made safe; nothing after it was.
        """
        self._writer.settle(entries, durable, group)

    def flush(self) -> None:
        """Return when everything settled so far is safe.

        Raises:
            StorageError: It could not be made safe.
        """
        self._writer.flush()

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
        wanted = iter([failure.key for failure in self.failures()] if keys is None else keys)
        count = 0
        with translated(self.path):
            while chunk := list(islice(wanted, _CHUNK)):
                count += self._put_back(chunk)
        return count

    def _put_back(self, keys: Sequence[Key]) -> int:
        back = {"$set": {"state": "todo"}, "$inc": {"replayed": 1}}
        writes = [UpdateOne({"_id": check_key(k), "state": "failed"}, back) for k in keys]
        done = self._fence.within(
            lambda session: self._place.items.bulk_write(writes, session=session)
        )
        return done.modified_count

    @property
    def skipped(self) -> int:
        """Keys that :meth:`claim` passed over since an earlier run settled them."""
        return self._claims.skipped

    @property
    def repeated(self) -> int:
        """Keys that :meth:`claim` passed over since they came before in this run."""
        return self._claims.repeated

    @property
    def new(self) -> int:
        """Records that became safe through this object."""
        return self._commit.new

    @property
    def again(self) -> int:
        """Entries that :meth:`settle` dropped since their key had landed before."""
        return self._commit.again

    def close(self) -> None:
        """Make safe what was settled and let go of the connections. Closing twice is allowed.

        Raises:
            StorageError: Something could not be made safe.
        """
        try:
            self._writer.close()
        finally:
            self._fence.close()
            super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except StorageError:
            # Told already where this is what ends the block; it must not hide another error.
            if error is None:
                raise

    def _in_flight(self) -> int:
        return len(self._claims)

    def _commit_and_release(self, entries: Sequence[Entry]) -> None:
        with translated(self.path):
            self._commit(entries)
        self._claims.release(e.key for e in entries if isinstance(e, Landing | Failing))
