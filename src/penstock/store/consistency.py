"""Whether ledger and segments agree, asked when a store is opened, and while it is open.

There are three witnesses of what is safe: the ledger, the segments, and the lock file, in which the
size of the last segment is noted after each transaction. After a crash of ours a segment is longer
by one group at most, which was written and whose transaction did not come. It is cut off where the
lock file says for certain that nobody was promised it, else it is put aside. Whatever differs by
more (a ledger or a segment from a backup, cut, swapped or edited) stops the opening, and nothing is
changed.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import final
from zlib import crc32

from penstock.errors import StorageError
from penstock.files import make_inside, open_regular
from penstock.store.ledger import LEDGER, lost, refuse_foreign, refuse_odd, versioned
from penstock.store.lock import LOCK, DirectoryLock, Mark, mark_by, mark_of
from penstock.store.segments import found_segments, lines, segment_path, sync, sync_directory

__all__ = ["ASIDE", "ConsistencyWatch", "compare", "fit", "problem_of", "set_aside"]

ASIDE = "aside"
_LOOK = 1 << 16  # bytes of a segment's end in which its last line is looked for
_ROW = "SELECT segment, offset, length, crc32, state FROM item WHERE key = ?"


@final
@dataclass(frozen=True, slots=True)
class Behind:
    """What lies behind the safe size of a segment.

    Attributes:
        number: The segment.
        start: The safe size.
        end: The size of the file.
        moment: When its whole lines landed, all of them together; None where there are none.
        proved: Whether one of them proves itself.
        lines: Whether it has a line feed: somebody's line may be in it.
    """

    number: int
    start: int
    end: int
    moment: float | None
    proved: bool
    lines: bool


def compare(directory: Path, connection: sqlite3.Connection, mark: Mark) -> list[Behind]:
    """Return what lies behind the ledger's end.

    Args:
        directory: The store.
        connection: Its ledger.
        mark: What the lock file says.

    Raises:
        StorageError: The witnesses differ by more than a crash can explain.
    """
    refuse_foreign(connection, directory)
    refuse_odd(connection, directory)
    known: dict[int, int] = dict(connection.execute("SELECT number, size FROM segment").fetchall())
    found = found_segments(directory)
    last = max(known, default=0)
    if mark.beyond(mark_by(connection)):
        raise lost(directory, "the ledger is older than the last group that was safe")
    for number, size in sorted(known.items()):
        name = segment_path(directory, number).name
        has = found.get(number, 0)
        if has < size or (has > size and number != last):
            raise lost(directory, f"{name} has {has:,} bytes, but the ledger knows {size:,}")
        if size and not _ends_as_known(directory, connection, number, size):
            raise lost(directory, f"{name} does not end with what the ledger knows")
    longer = [n for n, has in found.items() if n >= last and has > known.get(n, 0)]
    behind = [_behind(directory, connection, n, known.get(n, 0)) for n in longer if n <= last + 1]
    groups = sum(part.moment is not None for part in behind)
    unsaid = mark.safe is None and any(part.proved for part in behind)
    if len(behind) < len(longer) or groups > 1 or unsaid:
        name = segment_path(directory, longer[-1]).name
        raise lost(directory, f"{name} holds more than the ledger knows")
    return behind


def problem_of(directory: Path, connection: sqlite3.Connection, mark: Mark) -> str | None:
    """Return why a run would refuse the store, as far as a look beside a run can tell."""
    try:
        compare(directory, connection, mark)
    except StorageError as error:
        # A run that goes on meanwhile is ahead of this look, and notes it.
        return str(error) if mark_of(directory) == mark else None
    return None


def _ends_as_known(directory: Path, connection: sqlite3.Connection, number: int, size: int) -> bool:
    """Look at the last line of a segment: cheap, and a file from elsewhere is recognised by it."""
    start = max(0, size - _LOOK)
    with segment_path(directory, number).open("rb") as file:
        end = os.pread(file.fileno(), size - start, start)
    if not end.endswith(b"\n"):
        return False
    offset = end.rfind(b"\n", 0, -1) + 1
    if offset == 0 and start:
        return True  # a longer line: verify reads it
    (line,) = lines(segment_path(directory, number), start + offset, size)
    if line.state in {"blank", "deleted"}:
        return True
    row = connection.execute(_ROW, (line.key,)).fetchone()
    mine = (number, line.offset, len(line.data), crc32(line.data), "landed")
    if row == mine or (row is not None and row[-1] == "deleted"):
        return True
    earlier = "SELECT length, crc32 FROM version WHERE segment = ? AND offset = ?"
    return bool(connection.execute(earlier, mine[:2]).fetchone() == mine[2:4])


def _behind(directory: Path, connection: sqlite3.Connection, number: int, start: int) -> Behind:
    path = segment_path(directory, number)
    moment, end, some, whole = None, start, False, False
    open_states = {"failed", "landed"} if versioned(connection) else {"failed"}
    for line in lines(path, start):
        known = line.key is not None and connection.execute(_ROW, (line.key,)).fetchone()
        taken = known and known[-1] not in open_states and known[3:] != (0, "deleted")
        strange = line.state in {"blank", "deleted"} or taken
        proved = line.state in {"whole", "unproved"}
        if strange or (proved and moment not in {None, line.at}):
            # Two groups, or what only older writing leaves: no crash of ours.
            what = f"{path.name} holds more behind byte {start:,} than the ledger knows"
            raise lost(directory, what)
        moment = line.at if proved else moment
        end += len(line.data)
        whole = whole or line.state == "whole"
        some = some or line.data.endswith(b"\n")
    return Behind(number, start, end, moment, whole, some)


def fit(directory: Path, connection: sqlite3.Connection, mark: Mark) -> tuple[int, int]:
    """Take back what a crash left behind; return the last segment's number and its safe size.

    Raises:
        StorageError: The witnesses differ by more than a crash can explain.
    """
    rows = connection.execute("SELECT number, size FROM segment ORDER BY number DESC").fetchall()
    last: tuple[int, int] = rows[0] if rows else (0, 0)
    for part in compare(directory, connection, mark):
        path = segment_path(directory, part.number)
        if part.lines and mark.safe != last:
            set_aside(directory, path, part.start, part.end)
        if part.start:
            os.truncate(path, part.start)
        else:
            path.unlink()
    if not found_segments(directory).get(last[0] + 1, 1):
        segment_path(directory, last[0] + 1).unlink()  # made, and nothing was written to it
    return last


def set_aside(directory: Path, path: Path, start: int, end: int) -> Path:
    """Copy bytes of a file into the store's ``aside``, safe when this returns; return the copy."""
    folder = directory / ASIDE
    make_inside(folder)
    sync_directory(directory)
    target = folder / f"{path.name}.{start}-{end}"
    made = open_regular(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with path.open("rb") as source, os.fdopen(made, "wb") as copy:
        source.seek(start)
        while start < end and (block := source.read(min(1 << 22, end - start))):
            copy.write(block)
            start += len(block)
        copy.flush()
        sync(copy.fileno())
    sync_directory(folder)
    return target


@final
class ConsistencyWatch:
    """Notices that somebody moved, deleted or replaced the ledger or the lock under an open store.

    Args:
        directory: The store.
        lock: Its lock, held.
    """

    def __init__(self, directory: Path, lock: DirectoryLock) -> None:
        self._directory = directory
        self._files = {path: path.stat() for path in (directory / LEDGER, directory / LOCK)}
        self.lock = lock
        self._log = directory / f"{LEDGER}-wal"
        self._size = 0

    def check(self) -> None:
        """Return where everything is as it was.

        Raises:
            StorageError: Something is not.
        """
        for path, before in self._files.items():
            try:
                same = os.path.samestat(path.stat(), before)
            except FileNotFoundError:
                same = False
            if not same:
                self._refuse(path)
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < self._size:  # SQLite never makes it shorter while a store is open
            self._refuse(self._log)
        self._size = size

    def _refuse(self, path: Path) -> None:
        raise StorageError(
            f"{path} was moved, deleted or changed while the store was open: stopped; nothing "
            "after the last safe group was kept. See penstock verify "
            f"{shlex.quote(str(self._directory))}"
        )
