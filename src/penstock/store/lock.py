"""One writer a store: an advisory lock that the system drops when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
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

    Raises:
        StoreInUse: It is held, by another process or by another store object of this one.
    """

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreInUse(
                f"{directory} is in use by process {holder or 'unknown'}: wait until it ends or "
                "stop it, then call again (status and export work meanwhile)"
            ) from error
        # On a full disk the lock holds all the same, only its holder's number is not told.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._file)
