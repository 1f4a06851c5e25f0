"""Where an export goes: a file that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.address import hide
from penstock.errors import InputError
from penstock.whole import refuse_part_of_store, whole_path

__all__ = ["appearing", "path_of", "refuse_existing"]


@contextmanager
def appearing(output: Path, *, force: bool) -> Iterator[Path]:
    """Give the path of an empty temporary beside ``output``; it takes that name at the end.

    When the block fails the temporary is removed, and what was at ``output`` is still there.

    Raises:
        InputError: ``output`` exists and ``force`` was not given, or it cannot be made there.
        StorageError: The disk is full or broken.
    """
    refuse_existing(output, force=force)
    with whole_path(output) as part:
        yield part


def refuse_existing(output: Path, *, force: bool) -> None:
    """Refuse a file that is there already, unless ``force`` was given.

    Raises:
        InputError: It is there.
    """
    if output.is_file() and not force:
        raise InputError(f"{output} exists: name another file, or replace it with --force")


def path_of(address: str) -> Path:
    """Return the path in ``scheme://PATH``: a relative one, or ``scheme:///absolute``.

    Raises:
        InputError: There is none, its folder does not exist, or it is a file of a store.
    """
    path = Path(address.partition("://")[2]).expanduser()
    if not path.name:
        raise InputError(f"{hide(address)}: write {address.partition(':')[0]}://FILE")
    if "?" in path.name and not path.exists():
        raise InputError(f"{hide(address)}: a file takes no options: write the path alone")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    refuse_part_of_store(path)
    return path
