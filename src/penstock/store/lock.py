"""One writer a store: an advisory lock that the system drops when its holder dies.

Its file says who holds it, and behind that how far the store is safe: a witness beside ledger and
segments (:mod:`penstock.store.consistency`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final
from zlib import crc32

from penstock.errors import StorageError, StoreInUse
from penstock.files import check_names, open_regular
from penstock.store.ledger import NAMES

__all__ = ["LOCK", "DirectoryLock", "Mark", "kept_by", "mark_by", "mark_of"]

LOCK = "lock"
_HOLDER = 64  # bytes for the number and the token of who holds it, and for each mark
_MARK = re.compile(rb"safe: segment (\d{6}) up to (\d{15}) ([0-9a-f]{8})\n")
_KEPT = re.compile(rb"kept: (\d{15}) failures, (\d{15}) gaps, (\d{15}) deletions ([0-9a-f]{8})\n")
_LONG = 128  # bytes for each line of what else is kept
_COUNTS = """SELECT
    (SELECT coalesce(max(id), 0) FROM failure), (SELECT coalesce(max(id), 0) FROM gap),
    (SELECT coalesce(CAST(max(value) AS INTEGER), 0) FROM fact WHERE name = 'deleted')"""


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """What a lock file says of the store.

    Attributes:
        safe: Number and size of the last segment when a group was last safe, or None where it
            does not say: it is another store's, new, or of an earlier version.
        kept: How many failures, gaps and deletions there had been by then, or None likewise.
    """

    safe: tuple[int, ...] | None
    kept: tuple[int, ...] | None = None

    def beyond(self, known: Mark) -> bool:
        """Whether it says more than ``known``."""
        counts = zip(self.kept or (), known.kept or (), strict=False)
        return (self.safe or ()) > (known.safe or ()) or any(mine > its for mine, its in counts)


def mark_by(connection: sqlite3.Connection) -> Mark:
    """Return what a lock file has to say of a ledger."""
    query = "SELECT number, CAST(size AS INTEGER) FROM segment ORDER BY number DESC LIMIT 1"
    return Mark(connection.execute(query).fetchone() or (0, 0), kept_by(connection))


def kept_by(connection: sqlite3.Connection) -> tuple[int, ...] | None:
    """Return how many failures, gaps and deletions a ledger knows; None in format 1."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'gap'").fetchone() is None:
        return None
    found: tuple[int, ...] = connection.execute(_COUNTS).fetchone()
    return found


def mark_of(directory: Path) -> Mark:
    """Return what the lock file says; never by anything that would touch the lock."""
    try:
        content = (directory / LOCK).read_bytes()
    except FileNotFoundError:
        return Mark(None)

    def largest(pattern: re.Pattern[bytes]) -> tuple[int, ...] | None:
        lines = [
            tuple(map(int, found.groups()[:-1]))
            for found in pattern.finditer(content, _HOLDER)
            if b"%08x" % crc32(found[0][:-9]) == found.groups()[-1]
        ]
        return max(lines, default=None)

    return Mark(largest(_MARK), largest(_KEPT))


@final
class DirectoryLock:
    """Hold ``directory`` for this process until :meth:`release`, or until the process ends.

    ``flock`` belongs to the open file, so the kernel drops it at ``kill -9`` and nothing stale
    is ever left; the number in the file only tells people who holds it.

    A process that stands still keeps it, though. One that comes with a fencing token takes it from
    a holder with a smaller one: the file is replaced by one of its own. The ledger then refuses
    what the other still wants to write (:mod:`penstock.store.fence`).

    Args:
        directory: The store.
        token: The fencing token of a run, or None.

    Attributes:
        mark: What the file said of the store before.

    Raises:
        StoreInUse: It is held, by another process or by another store object of this one.
        StorageError: The file system has no locks.
    """

    def __init__(self, directory: Path, token: int | None = None) -> None:
        path = directory / LOCK
        with _turn(directory):
            check_names(directory, NAMES, write=True)
            self.mark = mark_of(directory)
            self._file = _opened(path)
            if not _locked(self._file):
                holder = os.read(self._file, _HOLDER).decode("ascii", "replace").split()
                os.close(self._file)
                if token is None or len(holder) < 2 or int(holder[1]) >= token:
                    raise StoreInUse(
                        f"{directory} is in use by process {holder[0] if holder else 'unknown'}: "
                        "wait until it ends or stop it, then call again (status and export work "
                        "meanwhile)"
                    )
                path.unlink()
                self._file = _opened(path)
                _locked(self._file)
                if self.mark.safe is not None:
                    self.note(*self.mark.safe)
                self.note_kept(self.mark.kept)
            # On a full disk the lock holds all the same, only its holder's number is not told.
            with contextlib.suppress(OSError):
                words = f"{os.getpid()}" if token is None else f"{os.getpid()} {token}"
                os.pwrite(self._file, f"{words}\n".rjust(_HOLDER).encode(), 0)

    def begin(self, connection: sqlite3.Connection) -> None:
        """Say how far the ledger is safe as it is opened; that stays when the power fails."""
        mark = mark_by(connection)
        for second in (False, True):
            self.note(*(mark.safe or (0, 0)), second=second)
            self.note_kept(mark.kept, second=second)
        with contextlib.suppress(OSError):
            os.fsync(self._file)

    def note(self, number: int, size: int, *, second: bool = True) -> None:
        """Say that the store is safe up to ``size`` of segment ``number``.

        It is not synced: after a power loss the file may say less, never more.
        """
        words = b"safe: segment %06d up to %015d " % (number, size)
        self._put(words, _HOLDER + second * _HOLDER)

    def note_kept(self, kept: tuple[int, ...] | None, *, second: bool = True) -> None:
        """Say how many failures, gaps and deletions are safe."""
        if kept is not None:
            words = b"kept: %015d failures, %015d gaps, %015d deletions " % kept
            self._put(words, 3 * _HOLDER + second * _LONG)

    def _put(self, words: bytes, place: int) -> None:
        with contextlib.suppress(OSError):  # where it says nothing, the opening is more careful
            os.pwrite(self._file, b"%b%08x\n" % (words, crc32(words)), place)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._file)


def _opened(path: Path) -> int:
    return open_regular(path, os.O_RDWR | os.O_CREAT)


def _locked(file: int, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(
            f"this file system has no locks (flock: {error.strerror}): two runs could write at "
            "once; put the store on a local disk"
        ) from error
    return True


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """One at a time looks who holds the store and takes its place: the file may be replaced."""
    turn = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _locked(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)
