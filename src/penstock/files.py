"""Files in directories that somebody else may have made: opened as what they are, or not at all.

A store or a directory of locks is data. What stands in it under one of our names may be a link to
a file of ours; nothing is written through it, and nothing is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

from penstock.errors import StorageError

__all__ = ["check_names", "file_mode", "make_inside", "make_private", "open_regular"]

_PRIVATE = 0o600
_SHARED = 0o660


def make_private(directory: Path) -> None:
    """Make a directory, and those above it, that only its owner may enter; keep one that is there.

    Raises:
        OSError: It cannot be made, or is something else.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


def make_inside(directory: Path) -> None:
    """Make a directory within one of ours, as open to the group as that one.

    Raises:
        StorageError: It is a link, or something else.
        OSError: It cannot be made.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise _foreign(directory)
    if not directory.exists():
        make_private(directory)
        if directory.parent.stat().st_mode & stat.S_IWGRP:
            directory.chmod(directory.parent.stat().st_mode & 0o2770)


def open_regular(path: Path, flags: int) -> int:
    """Open a regular file that has no other name; return its descriptor.

    A new one is its owner's alone (0600), and its group's (0660) in a directory that the group may
    write to: ``chmod g+ws DIRECTORY`` shares it.

    Raises:
        StorageError: It is a link, a FIFO or something else, or it has a second name.
        OSError: It is not there, or the disk refuses.
    """
    mode = file_mode(path.parent)
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _foreign(path) from error
        raise
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and flags & os.O_ACCMODE):
        os.close(file)
        raise _foreign(path)
    if flags & os.O_CREAT and found.st_size == 0 and found.st_uid == os.geteuid():
        os.fchmod(file, mode)  # whatever the umask takes away or leaves
    return file


def file_mode(directory: Path) -> int:
    """Return the permissions of new files in a directory."""
    return _SHARED if directory.stat().st_mode & stat.S_IWGRP else _PRIVATE


def check_names(directory: Path, names: Collection[str], *, write: bool) -> None:
    """Refuse a directory in which something else than a file stands under a name of ours.

    Nothing is opened: closing a file would drop the locks that SQLite holds on it.

    Args:
        directory: Where to look; only its own entries are looked at.
        names: Those of ours; with a hyphen and more behind them they are ours, too.
        write: Whether the files are to be written: then they have no second name either.

    Raises:
        StorageError: It is a link or another kind of file.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            if not any(entry.name == name or entry.name.startswith(f"{name}-") for name in names):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # a heartbeat or a write-ahead log that has gone meanwhile
            written = write or entry.name.endswith("-shm")  # SQLite writes there to read
            if not stat.S_ISREG(found.st_mode) or (written and found.st_nlink > 1):
                raise _foreign(Path(entry.path))


def _foreign(path: Path) -> StorageError:
    return StorageError(
        f"{path} is not a file of its own, but a link or something else: nothing was read or "
        "written through it. If the directory is yours, copy it (cp -rL) and use the copy"
    )
