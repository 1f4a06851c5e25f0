"""Where locks are kept: a directory of this machine, MongoDB, or what a package offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from penstock.address import at_schemes, scheme_of
from penstock.errors import InputError
from penstock.locks.backend import Backend
from penstock.locks.sqlite_backend import Embedded
from penstock.registry import Registry

__all__ = ["BACKENDS", "OpenBackend", "lock_place", "opened"]

OpenBackend: TypeAlias = Callable[[str, str | None, str | None], Backend]
"""Opens the locks at an address; database and collection, where given, go before the address's."""

_SHARED = "penstock.locks.mongo_backend:MongoLocks"
BACKENDS: Registry[OpenBackend] = Registry(
    "lock backend", "penstock.locks", {"mongodb": _SHARED, "mongodb+srv": _SHARED}
)
"""The kinds of stores of locks by the scheme of their addresses."""


def lock_place(place: str | Path) -> str | Path:
    """Return a place as it is meant: a path, or an address that keeps locks.

    Raises:
        InputError: It is neither: another scheme, a host without one, a path of Windows.
    """
    return at_schemes(BACKENDS, place, "keep locks at")


def opened(
    store: str | Path | Backend | None,
    host: str | None,
    database: str | None,
    collection: str | None,
) -> Backend:
    """Return the store of locks that is meant.

    Raises:
        InputError: Neither or both of ``store`` and ``host`` are given, or nothing can be there.
    """
    if (store is None) == (host is None):
        raise InputError('LockerRoom: name a directory or a URI, or host="server:27017"')
    if host is not None:
        store = host if "://" in host else f"mongodb://{host}"
    assert store is not None
    if not isinstance(store, str | Path):
        return store
    place = lock_place(store)
    if isinstance(place, Path):
        return Embedded(place)
    return BACKENDS.find(scheme_of(place))(place, database, collection)
