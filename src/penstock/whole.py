"""Files that appear whole or not at all: what was there stays until the new one is safe."""

from __future__ import annotations

import errno
import fcntl
import glob
import logging
import os
import secrets
import stat
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, final

from penstock.errors import InputError, StorageError

_PART = ".part"
_LEDGER = "ledger.sqlite"
_log = logging.getLogger(__name__)

__all__ = ["Replacement", "check_target", "refuse_part_of_store", "whole_file", "whole_path"]


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
    refuse_part_of_store(path)


def refuse_part_of_store(path: Path) -> None:
    """Refuse to write over what a store holds, also through a link.

    Raises:
        InputError: It is a file of a store.
    """
    real = Path(os.path.realpath(path))
    ours = real.name.startswith((_LEDGER, "segment-")) or real.name == "lock"
    if ours and (real.parent / _LEDGER).exists():
        raise InputError(f"{path}: is a part of the store {real.parent}; name another file")


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

    It takes the place of ``path`` only when the block went well, as :func:`whole_file` does. A
    new file gets the permissions ``mode``, less what the umask takes away; one that was there
    keeps its own, but for reading and writing that ``mode`` does not have.

    Raises:
        InputError: ``path`` cannot be a file, or nothing may be made there.
        StorageError: The disk does not take it; what was at ``path`` is still there.
    """
    target, temporary, held = _begun(path, mode)
    try:
        yield temporary
        _put(temporary, target, mode)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(held)


@final
class Replacement:
    """A file that takes the place of ``path`` when it is closed, or never.

    Raises:
        InputError: ``path`` cannot be a file, or nothing may be made there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target, temporary, self._held = _begun(path)
        self.file = temporary.open("wb", buffering=1 << 20)
        self.write, self.flush = self.file.write, self.file.flush
        self._temporary = temporary
        self._forgotten = weakref.finalize(self, _forgotten, self.file, self._held, temporary, path)

    @property
    def closed(self) -> bool:
        """Whether it has been closed or discarded."""
        return self.file.closed

    def close(self) -> None:
        """Put the file in its place, synced. Closing twice does nothing more.

        Raises:
            StorageError: The disk does not take it; what was at the path is still there.
        """
        if self.file.closed:
            return
        try:
            self.file.close()
            _put(self._temporary, self._target)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror or error}") from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave the path as it was. After ``close`` this does nothing."""
        if self._forgotten.detach() is None:
            return
        with suppress(OSError):
            self.file.close()
        self._temporary.unlink(missing_ok=True)
        os.close(self._held)


def _forgotten(file: BinaryIO, held: int, temporary: Path, path: Path) -> None:
    """Clean up behind a writer that nobody closed, and say that nothing was written."""
    with suppress(OSError):
        file.close()
    temporary.unlink(missing_ok=True)
    os.close(held)
    warnings.warn(
        f"{path} was written to and never closed, so it is as it was: close it, or use `with`",
        ResourceWarning,
        stacklevel=2,
    )


def _begun(path: Path, mode: int = 0o666) -> tuple[Path, Path, int]:
    """Return what is to be replaced, a link followed, and an empty file beside it, locked."""
    check_target(path)
    try:
        target = path.resolve()
        check_target(target)
        _sweep(target)
        # A new file gets the mode that any other gets here; a secret stays one while it is written.
        temporary, held = _made(target, 0o600 if target.exists() else mode)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before 3.13
        raise InputError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error
    return target, temporary, held


def _stem(target: Path) -> str:
    return f".{target.name[:200]}."


def _made(target: Path, mode: int) -> tuple[Path, int]:
    """Make an empty file beside ``target``, locked as long as we live: a sweep leaves it alone."""
    while True:
        temporary = target.with_name(f"{_stem(target)}{secrets.token_hex(4)}{_PART}")
        held = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
        with suppress(OSError):  # without locks nothing is swept either
            fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held).st_nlink:
            return temporary, held
        os.close(held)  # swept before it was locked


def _sweep(target: Path) -> None:
    """Remove what killed processes left of earlier tries at the same file, and name it."""
    for left in target.parent.glob(f"{glob.escape(_stem(target))}????????{_PART}"):
        with suppress(OSError):
            file = os.open(left, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
                _log.warning("removed %s: a command that was killed had left it", left)
            finally:
                os.close(file)


def _put(temporary: Path, target: Path, mode: int = 0o666) -> None:
    """Replace ``target``, which keeps its owner where allowed and its mode, if ``mode`` lets it."""
    with suppress(FileNotFoundError):
        before = target.stat()
        with suppress(OSError):  # only root may give files away
            os.chown(temporary, before.st_uid, before.st_gid)
        temporary.chmod(stat.S_IMODE(before.st_mode) & (mode | 0o7111))
    _sync(temporary)
    temporary.replace(target)
    _sync(target.parent)


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
