"""A store by its name: a directory, or an address that one of the kinds of stores understands."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, final

from penstock.address import at_schemes, scheme_of
from penstock.registry import Registry
from penstock.store.fence import Fence, last_token_of
from penstock.store.local import LocalStore
from penstock.store.ports import StoreReader, WritableStore
from penstock.store.reader import open_local

__all__ = ["STORES", "StoreKind", "last_token", "open_readonly", "open_store", "store_place"]


class StoreKind(Protocol):
    """What a kind of store offers for the addresses of its scheme."""

    def open(self, address: str, fence: Fence | None) -> WritableStore:
        """Open the store for a run; whoever opens with a larger token takes over."""

    def read(self, address: str) -> StoreReader:
        """Open the store for reading, also while a run lands in it."""

    def last_token(self, address: str, scope: str) -> int:
        """Return the token of the last run that had the store by this lock, 0 where none had."""


@final
class _InMongo:
    """Stores in MongoDB; PyMongo is only needed here."""

    def open(self, address: str, fence: Fence | None) -> WritableStore:
        from penstock.store.mongo import MongoStore

        return MongoStore(address, fence=fence)

    def read(self, address: str) -> StoreReader:
        from penstock.store.mongo_reader import open_mongo

        return open_mongo(address)

    def last_token(self, address: str, scope: str) -> int:
        from penstock.store.mongo_fence import last_token_there

        return last_token_there(address, scope)


STORES: Registry[StoreKind] = Registry(
    "store", "penstock.stores", {"mongodb": _InMongo(), "mongodb+srv": _InMongo()}
)
"""The kinds of stores by the scheme of their addresses."""


def store_place(place: str | Path) -> str | Path:
    """Return a place as it is meant: a path, or an address that a kind of store understands.

    Raises:
        InputError: It is neither: another scheme, a host without one, a path of Windows.
    """
    return at_schemes(STORES, place, "write to")


def open_store(
    place: str | Path, *, fence: Fence | None = None, wait_for_room: float = 0.0
) -> WritableStore:
    """Open the store at ``place`` for a run: a directory, or an address such as ``mongodb://...``.

    Args:
        place: Where it is.
        fence: The fencing token of the run's lock: whoever opens with a larger one takes over.
        wait_for_room: Seconds that a directory on a full disk waits for room.

    Raises:
        InputError: It cannot be used as a store.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StoreInUse: Another process has it open.
        StorageError: Data is missing, or what holds it refuses or does not answer.
    """
    place = store_place(place)
    if isinstance(place, Path):
        return LocalStore(place, fence=fence, wait_for_room=wait_for_room)
    return STORES.find(scheme_of(place)).open(place, fence)


def last_token(place: str | Path, scope: str) -> int:
    """Return the token of the last run that had the store by this lock, 0 where none had.

    Raises:
        StorageError: It cannot be read.
    """
    place = store_place(place)
    if isinstance(place, Path):
        return last_token_of(place, scope)
    return STORES.find(scheme_of(place)).last_token(place, scope)


def open_readonly(place: str | Path) -> StoreReader:
    """Open the store at ``place`` for reading, also while a run lands in it.

    One in MongoDB is read from secondaries, unless the address says otherwise.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
        MissingExtra: It is in MongoDB, and there is no pymongo.
        StorageError: It cannot be read.
    """
    place = store_place(place)
    if isinstance(place, Path):
        return open_local(place)
    return STORES.find(scheme_of(place)).read(place)
