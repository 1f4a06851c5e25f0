"""One writer a store: an advisory lock that the system drops when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import final

from penstock.errors import StoreInUse

__all__ = ["LOCK", "DirectoryLock"]

LOCK = "lock"


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

    Raises:
        StoreInUse: It is held, by another process or by another store object of this one.
    """

    def __init__(self, directory: Path, token: int | None = None) -> None:
        path = directory / LOCK
        with _turn(directory):
            self._file = _opened(path)
            if not _locked(self._file):
                holder = os.read(self._file, 64).decode("ascii", "replace").split()
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
            # On a full disk the lock holds all the same, only its holder's number is not told.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
                words = f"{os.getpid()}\n" if token is None else f"{os.getpid()} {token}\n"
                os.write(self._file, words.encode())

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """One at a time looks who holds the store and takes its place: the file may be replaced."""
    turn = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)
