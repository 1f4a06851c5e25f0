"""Files that appear whole or not at all: what was there stays until the new one is safe."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from penstock.errors import InputError, StorageError

__all__ = ["check_target", "whole_file", "whole_path"]

_PART = ".part"
_log = logging.getLogger(__name__)


def check_target(path: Path) -> None:
    """Refuse what a file cannot take the place of, such as a folder or a device.

    Raises:
        InputError: The folder is missing, or ``path`` is something else than a file.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        # Renaming over it would put a file where, say, /dev/null was.
        raise InputError(f"{path}: is not an ordinary file; name one")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it takes the place of ``path`` only when the block went well.

    >>> with whole_file(Path("three.txt")) as file:
    ...     _ = file.write(b"3")
    >>> Path("three.txt").read_bytes()
    b'3'
    >>> Path("three.txt").unlink()

    Raises:
        InputError: ``path`` cannot be a file, or nothing may be made there.
        StorageError: The disk does not take it; what was at ``path`` is still there.
    """
    with whole_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def whole_path(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Give the path of an empty file to fill, for writers that open it themselves.

    It takes the place of ``path`` only when the block went well, as :func:`whole_file` does, with
    the permissions ``mode``, less what the umask takes away.

    Raises:
        InputError: ``path`` cannot be a file, or nothing may be made there.
        StorageError: The disk does not take it; what was at ``path`` is still there.
    """
    check_target(path)
    try:
        _sweep(path)
        descriptor, temporary = _made(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield temporary
        _sync(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(mode & ~umask)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _made(path: Path) -> tuple[int, Path]:
    """Make an empty file beside ``path``, locked as long as we live: who sweeps leaves it alone."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        with contextlib.suppress(OSError):  # without locks nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # swept before it was locked


def _sweep(path: Path) -> None:
    """Remove what killed processes left of earlier tries at the same file, and name it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????{_PART}"):
        with contextlib.suppress(OSError):
            file = os.open(left, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
                _log.warning("removed %s: a command that was killed had left it", left)
            finally:
                os.close(file)


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems (CIFS, FUSE) refuse it for a folder as such.
        if not path.is_dir() or error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}:
            raise
    finally:
        os.close(handle)
