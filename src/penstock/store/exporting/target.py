"""A file that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import InputError, StorageError

__all__ = ["appearing"]


@contextmanager
def appearing(output: Path, *, force: bool) -> Iterator[Path]:
    """Give the path of an empty temporary beside ``output``; it takes that name at the end.

    When the block fails the temporary is removed, and what was at ``output`` is still there.

    Raises:
        InputError: ``output`` exists and ``force`` was not given, or it cannot be made there.
        StorageError: The disk is full or broken.
    """
    _refuse(output, force=force)
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from error
    try:
        yield part
        _sync(part)
        part.replace(output)
        _sync(output.parent)
    except OSError as error:
        raise StorageError(
            f"{output}: {error.strerror or error}; nothing was left there"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _refuse(output: Path, *, force: bool) -> None:
    if not output.parent.is_dir():
        raise InputError(f"{output}: there is no directory {output.parent}: make it first")
    if output.exists() and not output.is_file():
        raise InputError(f"{output} is not a file: name one")
    if output.exists() and not force:
        raise InputError(f"{output} exists: name another file, or replace it with --force")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
