"""A store by its name: a directory, or an address of MongoDB."""

from __future__ import annotations

from pathlib import Path

from penstock.mongo.address import is_address
from penstock.store.local import LocalStore
from penstock.store.ports import StoreReader, WritableStore
from penstock.store.reading import open_local

__all__ = ["open_readonly", "open_store"]


def open_store(place: str | Path) -> WritableStore:
    """Open the store at ``place`` for a run: a directory, or ``mongodb://...``.

    Raises:
        InputError: It cannot be used as a store.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StoreInUse: Another process has it open.
        StorageError: Data is missing, or what holds it refuses or does not answer.
    """
    if isinstance(place, str) and is_address(place):
        from penstock.store.mongo import MongoStore  # noqa: PLC0415 - only there an extra is needed

        return MongoStore(place)
    return LocalStore(place)


def open_readonly(place: str | Path) -> StoreReader:
    """Open the store at ``place`` for reading, also while a run lands in it.

    One in MongoDB is read from secondaries, unless the address says otherwise.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StorageError: It cannot be read.
    """
    if isinstance(place, str) and is_address(place):
        from penstock.store.mongo_reading import open_mongo  # noqa: PLC0415 - likewise

        return open_mongo(place)
    return open_local(place)
