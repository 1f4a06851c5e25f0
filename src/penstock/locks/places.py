"""Where locks are kept: a directory of this machine, or MongoDB."""

from __future__ import annotations

from pathlib import Path

from penstock.errors import InputError
from penstock.locks.backend import Backend
from penstock.locks.mongo_backend import Shared
from penstock.locks.sqlite_backend import Embedded

__all__ = ["opened"]


def opened(
    store: str | Path | None, host: str | None, database: str | None, collection: str | None
) -> Backend:
    """Return the store of locks that is meant.

    Raises:
        InputError: Neither or both of ``store`` and ``host`` are given, or nothing can be there.
    """
    if (store is None) == (host is None):
        raise InputError('LockerRoom: name a directory or a URI, or host="server:27017"')
    if host is not None:
        store = host if "://" in host else f"mongodb://{host}"
    assert store is not None  # one of the two is, for the type checker
    if isinstance(store, Path):
        return Embedded(store)
    if store.startswith(("mongodb://", "mongodb+srv://")):
        return Shared(store, database, collection)
    if "://" in store:
        raise InputError(f"{store}: locks are kept in a directory or at a mongodb:// URI")
    return Embedded(store)
