"""Files that appear whole or not at all: what was there stays until the new one is safe."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from penstock.errors import InputError, StorageError

__all__ = ["check_target", "whole_file", "whole_path"]


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
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
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


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
