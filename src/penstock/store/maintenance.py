"""A store looked after, by its name: verified, repaired, backed up."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from penstock.address import hide
from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError
from penstock.store import ledger
from penstock.store.backup import BackedUp, backup
from penstock.store.registry import open_readonly, store_place
from penstock.store.repair import Repaired, repair
from penstock.store.verification import Damage, Progress, Verified, verify

__all__ = ["backup_store", "repair_store", "verify_store"]

_EVERY = 1000  # records between two reports of progress


def verify_store(
    place: str | Path, *, progress: Progress | None = None, clock: Clock | None = None
) -> Verified:
    """Look at everything in the store at ``place``, also while a run goes on in it.

    Where all is well, the store remembers when that was.

    Raises:
        InputError: There is no store.
        StorageError: It cannot be read at all.
    """
    place = store_place(place)
    if not isinstance(place, Path):
        return _verify_records(place, progress)
    directory = place.absolute()
    with ledger.translated(directory):
        done = verify(directory, progress)
    if not done.damages:
        # On a read-only medium, or in another user's store, it is not remembered.
        with (
            suppress(StorageError),
            ledger.translated(directory),
            closing(ledger.connect(directory)) as connection,
        ):
            now = (clock or SystemClock()).time()
            connection.execute("INSERT OR REPLACE INTO fact VALUES ('verified', ?)", (now,))
    return done


def _verify_records(address: str, progress: Progress | None) -> Verified:
    damages: list[Damage] = []
    lines = 0
    with open_readonly(address) as store:
        status = store.status()
        for _ in store.whole_records(damages.append):
            lines += 1
            if progress is not None and lines % _EVERY == 0:
                progress(lines, status.landed)
    return Verified(lines, status.bytes, tuple(damages))


def backup_store(
    place: str | Path, target: str | Path, *, progress: Progress | None = None
) -> BackedUp:
    """Copy the store at ``place`` to the directory ``target``, also while a run goes on in it.

    Raises:
        InputError: There is no store, or it is in MongoDB, or ``target`` is something else.
        StorageError: The disk refuses.
    """
    place = store_place(place)
    if not isinstance(place, Path):
        raise InputError(f"{hide(place)} is in MongoDB: back it up with mongodump, or export it")
    return backup(place, Path(target), progress)


def repair_store(place: str | Path, *, dry_run: bool = False) -> Repaired:
    """Make ledger and segments of the store at ``place`` agree again; destroy nothing.

    Raises:
        InputError: There is nothing to repair, or it is in MongoDB.
        StoreInUse: A run has it open.
        StorageError: The disk refuses.
    """
    place = store_place(place)
    if not isinstance(place, Path):
        raise InputError(
            f"{hide(place)} is in MongoDB, which keeps its records itself: penstock verify names "
            "what is damaged; restore it with mongorestore, or delete those documents and run again"
        )
    return repair(place, dry_run=dry_run)
