"""One runner a pipeline: its lock is taken before its store is opened, and fences the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from penstock.address import hide, scheme_of
from penstock.assembly.places import store_named
from penstock.assembly.sections import LockSection, StoreSection
from penstock.errors import InputError, StoreInUse
from penstock.locks import BACKENDS, LockerRoom, LockTimeout, lock_place
from penstock.mongo import place_in
from penstock.store import Fence, WritableStore, last_token, open_store, prepare

Opened: TypeAlias = tuple[WritableStore, Callable[[], None]]
"""A store, and what raises when the lock that protects it is lost."""

_ROOM = "locks"
_ROUND_TRIP = 2.0  # seconds beyond a lease, for the answer that it is over


def scope_of(section: LockSection) -> str:
    """Return which lock a token is of."""
    return f"{section.store or _ROOM}#{section.name}"


@contextmanager
def locked_store(
    section: LockSection,
    place: Path | str,
    folder: Path,
    written: StoreSection | str | None = None,
) -> Iterator[Opened]:
    """Give the store at ``place`` to one run at a time.

    Whoever is paused past the lease of its lock is out: a later run gets a larger token, and the
    store then refuses what the earlier one still wants to write.

    Args:
        section: Which lock, and where.
        place: The store.
        folder: Where relative places start.
        written: What the file says of the store.

    Raises:
        StoreInUse: Another run has the lock.
    """
    wait_for_room = StoreSection(path="").wait_for_room
    if isinstance(written, StoreSection):
        wait_for_room = written.wait_for_room
    room_place = room_of(section, place, folder) if section.enabled else place
    if isinstance(place, Path):
        prepare(place)
    if not section.enabled:
        with open_store(place, wait_for_room=wait_for_room) as store:
            yield store, nothing_lost
        return
    scope = scope_of(section)
    with opened_room(room_place, place) as room:
        seen = last_token(place, scope)
        try:
            timeout = _patience(section, room_place)
            held = room.lock(section.name, timeout=timeout, lease=section.lease, above=seen)
        except LockTimeout as error:
            raise StoreInUse(_in_use(room, section.name, place)) from error
        fence = Fence(scope, held.token)
        with open_store(place, fence=fence, wait_for_room=wait_for_room) as store:
            yield store, held.check


def opened_room(room_place: Path | str, place: Path | str) -> LockerRoom:
    """Open the locks at ``room_place``; those of a store in MongoDB are beside its records."""
    purpose = "penstock run"
    if (
        isinstance(room_place, str)
        and room_place == place
        and scheme_of(room_place).startswith("mongodb")
    ):  # beside the records
        database, collection = place_in(room_place)
        room = f"{collection}.{_ROOM}"
        return LockerRoom(room_place, database=database, collection=room, purpose=purpose)
    return LockerRoom(room_place, purpose=purpose)


def room_beside(place: Path | str) -> LockerRoom | None:
    """Open the locks that stand beside a store, for a look; None where there are none.

    Raises:
        InputError: They may not be opened.
        StorageError: They cannot be reached.
    """
    if isinstance(place, Path):
        room = place / _ROOM
        return opened_room(room, place) if room.is_dir() else None
    return opened_room(place, place) if scheme_of(place) in BACKENDS else None


def room_of(section: LockSection, place: Path | str, folder: Path) -> Path | str:
    """Return where the lock of a run that lands at ``place`` is.

    Raises:
        InputError: There are no locks where it lands.
    """
    if section.store is not None:
        where = lock_place(store_named(section.store))
        return where if isinstance(where, str) else folder / where
    if isinstance(place, Path):
        return place / _ROOM
    scheme = scheme_of(place)
    if scheme not in BACKENDS:
        raise InputError(
            f"lock: there are no locks at {scheme}://...: set lock.store to a directory or "
            "mongodb://..., or lock.enabled = false"
        )
    return place


def _patience(section: LockSection, room_place: Path | str) -> float:
    """Return how long to wait for the lock.

    On one machine a dead holder is known as such at once. In MongoDB only its lease tells, so that
    a run after a crash waits it out: a living holder renews it meanwhile.
    """
    if section.timeout is not None:
        return section.timeout
    return section.lease + _ROUND_TRIP if isinstance(room_place, str) else 0.0


def _in_use(room: LockerRoom, name: str, place: Path | str) -> str:
    status = room.status(name)
    who = status.owner or "another"
    return (
        f"{hide(str(place))} is in use by process {who}, which holds the lock {name!r}: wait until "
        "it ends or stop it, then call again (status and export work meanwhile)"
    )


def nothing_lost() -> None:
    """No lock is held, so none is lost."""
