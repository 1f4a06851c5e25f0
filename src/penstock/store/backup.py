"""An exact copy of a store, also of one that a run lands in; made again it copies what is new."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import final

from penstock.errors import InputError, StorageError
from penstock.files import make_private, open_regular
from penstock.pipeline import Deletion
from penstock.store import ledger
from penstock.store.deletion import delete, overwrite, pending
from penstock.store.ledger import LEDGER
from penstock.store.lock import DirectoryLock
from penstock.store.segments import found_segments, segment_path, sync, sync_directory
from penstock.store.verification import Progress

__all__ = ["BackedUp", "backup"]

_PART = f"{LEDGER}.part"
_BLOCK = 1 << 22
_STAMP = "SELECT value FROM fact WHERE name = ?"


@final
@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup did.

    Attributes:
        landed: Records in the copy.
        bytes: Size of its segments.
        copied: Bytes of them that were new or different.
    """

    landed: int
    bytes: int
    copied: int


def backup(directory: Path, target: Path, progress: Progress | None = None) -> BackedUp:
    """Copy the store at ``directory`` to ``target``, as it is at one moment.

    First the ledger is copied (SQLite's online backup), then the segments as far as it knows them;
    it takes its place only when they are safe. In an earlier backup only what differs is written.

    Raises:
        InputError: There is no store, or ``target`` holds something else than its backup.
        StoreInUse: Somebody has ``target`` open.
        StorageError: The disk refuses, or the store lost data.
    """
    directory, target = directory.absolute(), target.absolute()
    with ledger.translated(target), closing(ledger.read(directory)) as source, ExitStack() as held:
        _refuse_other(source, directory, target)
        make_private(target)
        sync_directory(target.parent)
        lock = DirectoryLock(target)
        held.callback(lock.release)
        sizes = _copy_ledger(source, target)
        copied = _copy_segments(directory, target, sizes, progress)
        _delete_likewise(source, target)
        for suffix in ("-wal", "-shm"):
            (target / f"{LEDGER}{suffix}").unlink(missing_ok=True)
        (target / _PART).replace(target / LEDGER)
        sync_directory(target)
        with closing(ledger.read(target)) as made:
            query = "SELECT coalesce(sum(landed), 0), coalesce(sum(size), 0) FROM segment"
            landed, size = made.execute(query).fetchone()
            lock.begin(made)
    return BackedUp(landed, size, copied)


def _fact(connection: sqlite3.Connection, name: str) -> object:
    row = connection.execute(_STAMP, (name,)).fetchone()
    return None if row is None else row[0]


def _refuse_other(source: sqlite3.Connection, directory: Path, target: Path) -> None:
    """Refuse a target that a backup would destroy."""
    if os.path.lexists(target) and not target.is_dir():
        raise InputError(f"{target} is a file: name a directory for the backup")
    if directory.resolve() in (target.resolve(), *target.resolve().parents):
        raise InputError(f"{target} is the store itself, or in it: name another directory")
    names = {path.name for path in target.iterdir()} if target.exists() else set()
    if not names - {"lock", _PART}:
        return
    if LEDGER not in names:
        # What an interrupted first backup left has no ledger, and nothing but segments.
        if all(name.startswith(("segment-", LEDGER, "lock")) for name in names):
            return
        raise InputError(f"{target} holds other files: name a new or empty directory")
    with closing(ledger.read(target)) as there:
        same = _fact(there, "started") == _fact(source, "started")
        if not same or _fact(there, "backup") is None:
            raise InputError(
                f"{target} is not a backup of {directory}, or was written to since: name another "
                "directory"
            )


def _copy_ledger(source: sqlite3.Connection, target: Path) -> dict[int, int]:
    """Copy the ledger beside the one that is there; return the sizes of the segments it knows."""
    part = target / _PART
    part.unlink(missing_ok=True)
    os.close(open_regular(part, os.O_RDWR | os.O_CREAT))
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE").close()
        copy.execute("INSERT OR REPLACE INTO fact VALUES ('backup', 1)")
        sizes: dict[int, int] = dict(copy.execute("SELECT number, size FROM segment").fetchall())
    with part.open("rb+") as file:
        sync(file.fileno())
    return sizes


def _delete_likewise(source: sqlite3.Connection, target: Path) -> None:
    """Delete what was deleted since the ledger was copied: its lines may be gone already."""
    gone = source.execute("SELECT key, at, crc32 FROM item WHERE state = 'deleted'").fetchall()
    with closing(sqlite3.connect(target / _PART, isolation_level=None)) as copy:
        ledger.allow_versions(copy)
        copy.execute("BEGIN")
        if gone:
            likewise = [Deletion(key, final=proof is None) for key, _, proof in gone]
            delete(copy, likewise, max(at for _, at, _ in gone))
        places = pending(copy)
        copy.execute("COMMIT")
        overwrite(target, copy, places)
    with (target / _PART).open("rb+") as file:
        sync(file.fileno())


def _copy_segments(
    directory: Path, target: Path, sizes: dict[int, int], progress: Progress | None
) -> int:
    total, done, copied = sum(sizes.values()), 0, 0
    for number, size in sorted(sizes.items()):
        name = segment_path(directory, number).name
        if found_segments(directory).get(number, 0) < size:
            raise ledger.lost(directory, f"{name} is shorter than the ledger knows")
        copied += _copy(directory / name, target / name, size)
        done += size
        if progress is not None:
            progress(done, total)
    for number in found_segments(target).keys() - sizes.keys():
        segment_path(target, number).unlink()  # of an interrupted backup
    sync_directory(target)
    return copied


def _copy(source: Path, target: Path, size: int) -> int:
    """Write what differs; return how many bytes. A file of the same size and time is the same."""
    before = source.stat()
    if target.exists():
        now = target.stat()
        if now.st_size == size == before.st_size and now.st_mtime_ns == before.st_mtime_ns:
            return 0
    written = place = 0
    made = open_regular(target, os.O_RDWR | os.O_CREAT)
    with source.open("rb") as reads, os.fdopen(made, "r+b") as writes:
        while place < size:
            block = reads.read(min(_BLOCK, size - place))
            if not block:
                raise StorageError(f"{source}: ends at {place:,}, but the ledger knows {size:,}")
            if os.pread(writes.fileno(), len(block), place) != block:
                os.pwrite(writes.fileno(), block, place)
                written += len(block)
            place += len(block)
        os.ftruncate(writes.fileno(), size)
        sync(writes.fileno())
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    return written
