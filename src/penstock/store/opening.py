"""A store by its name: a directory, or an address of MongoDB."""

from __future__ import annotations

from pathlib import Path

from penstock.mongo.address import is_address
from penstock.store.fence import Fence, last_token_of
from penstock.store.local import LocalStore
from penstock.store.ports import StoreReader, WritableStore
from penstock.store.reading import open_local

__all__ = ["last_token", "open_readonly", "open_store"]


def open_store(place: str | Path, *, fence: Fence | None = None) -> WritableStore:
    """Open the store at ``place`` for a run: a directory, or ``mongodb://...``.

    Args:
        place: Where it is.
        fence: The fencing token of the run's lock: whoever opens with a larger one takes over.

    Raises:
        InputError: It cannot be used as a store.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StoreInUse: Another process has it open.
        StorageError: Data is missing, or what holds it refuses or does not answer.
    """
    if isinstance(place, str) and is_address(place):
        from penstock.store.mongo import MongoStore

        return MongoStore(place, fence=fence)
    return LocalStore(place, fence=fence)


def last_token(place: str | Path, scope: str) -> int:
    """Return the token of the last run that had the store by this lock, 0 where none had.

    Raises:
        StorageError: It cannot be read.
    """
    if isinstance(place, str) and is_address(place):
        from penstock.store.mongo_fence import last_token_there

        return last_token_there(place, scope)
    return last_token_of(Path(place), scope)


def open_readonly(place: str | Path) -> StoreReader:
    """Open the store at ``place`` for reading, also while a run lands in it.

    One in MongoDB is read from secondaries, unless the address says otherwise.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StorageError: It cannot be read.
    """
    if isinstance(place, str) and is_address(place):
        from penstock.store.mongo_reading import open_mongo

        return open_mongo(place)
    return open_local(place)
