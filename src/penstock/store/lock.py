"""One writer a store: an advisory lock that the system drops when its holder dies.

Its file says who holds it, and behind that how far the store is safe: a witness beside ledger and
segments (:mod:`penstock.store.consistency`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final
from zlib import crc32

from penstock.errors import StorageError, StoreInUse
from penstock.files import check_names, open_regular
from penstock.store.ledger import NAMES

__all__ = ["LOCK", "DirectoryLock", "Mark", "mark_of"]

LOCK = "lock"
_HOLDER = 64  # bytes for the number and the token of who holds it, and for each mark
_MARK = re.compile(rb"safe: segment (\d{6}) up to (\d{15}) ([0-9a-f]{8})\n")


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """What a lock file says of the store.

    Attributes:
        safe: Number and size of the last segment when a group was last safe, or None where it
            does not say: it is another store's, new, or of an earlier version.
    """

    safe: tuple[int, int] | None


def mark_of(directory: Path) -> Mark:
    """Return what the lock file says; never by anything that would touch the lock."""
    try:
        content = (directory / LOCK).read_bytes()
    except FileNotFoundError:
        return Mark(None)
    marks = [
        (int(found[1]), int(found[2]))
        for found in _MARK.finditer(content, _HOLDER)
        if b"%08x" % crc32(found[0][:-9]) == found[3]
    ]
    return Mark(max(marks, default=None))


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
            # On a full disk the lock holds all the same, only its holder's number is not told.
            with contextlib.suppress(OSError):
                words = f"{os.getpid()}" if token is None else f"{os.getpid()} {token}"
                os.pwrite(self._file, f"{words}\n".rjust(_HOLDER).encode(), 0)

    def begin(self, number: int, size: int) -> None:
        """Say how far the store is safe as it is opened; that stays when the power fails."""
        for place in (_HOLDER, 2 * _HOLDER):
            self.note(number, size, place)
        with contextlib.suppress(OSError):
            os.fsync(self._file)

    def note(self, number: int, size: int, place: int = 2 * _HOLDER) -> None:
        """Say that the store is safe up to ``size`` of segment ``number``.

        It is not synced: after a power loss the file may say less, never more.
        """
        words = b"safe: segment %06d up to %015d " % (number, size)
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
