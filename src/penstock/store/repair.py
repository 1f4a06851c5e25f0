"""A ledger made again from the segments; what is damaged is kept aside, and its keys are to do."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import final
from zlib import crc32

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError
from penstock.files import make_inside, open_regular
from penstock.pipeline import Key
from penstock.store import ledger
from penstock.store.bulk_insert import supersede
from penstock.store.consistency import ASIDE, set_aside
from penstock.store.deletion import overwrite, pending
from penstock.store.ledger import LEDGER
from penstock.store.lock import DirectoryLock
from penstock.store.segments import (
    SEGMENT,
    Line,
    body_at,
    found_segments,
    lines,
    segment_path,
    sync,
    sync_directory,
)
from penstock.store.verification import verify

__all__ = ["Repaired", "repair"]

_DRAFT = f"{LEDGER}.repaired"
_log = logging.getLogger(__name__)
_TOGETHER = 1000  # rows entered at once
_WALK = "pages"  # the mark of a source that is walked through page by page
_TABLES = {
    "fact": "name, value",
    "mark": "name, value",
    "gap": "id, since, until, reason, count, at",
    "failure": "id, key, error, message, status, attempts, excerpt, at, replayed, current",
    "item": "key, state, segment, offset, length, crc32, at",
}
_FILLER = b" " * 0xFFFF + b"\n"


@final
@dataclass(slots=True)
class Repaired:
    """What a repair did, or would do.

    Attributes:
        landed: Records that are in the store now.
        adopted: Lines that the ledger did not know: they have landed.
        damaged: Places in segments that are no whole line; they were copied to ``aside``.
        twice: Whole lines whose key has landed in another place; copied to ``aside``.
        put_back: Keys that had landed and whose line is gone or damaged: to do again.
        keys: Those of them that are known, the first thousand.
        lost: Tables of the ledger that could not be read to their end.
        reset: Whether the source is walked through from its beginning again.
        changed: Whether there was anything to mend.
    """

    landed: int = 0
    adopted: int = 0
    damaged: int = 0
    twice: int = 0
    put_back: int = 0
    keys: list[Key] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    reset: bool = False
    changed: bool = True

    @property
    def whole(self) -> bool:
        """Whether all that ever landed is there."""
        return not (self.put_back or self.lost or self.damaged)


def repair(directory: Path, *, dry_run: bool = False, clock: Clock | None = None) -> Repaired:
    """Make ledger and segments of the store at ``directory`` agree again; destroy nothing.

    Args:
        directory: The store; no run may have it open.
        dry_run: Change nothing, only say what would be done.
        clock: Time; tests give a :class:`~penstock.clock.FakeClock`.

    Raises:
        InputError: There is neither a ledger nor a segment, or a newer penstock wrote them.
        StoreInUse: A process has it open.
        StorageError: The disk refuses.
    """
    directory = directory.absolute()
    if not (directory / LEDGER).exists() and not found_segments(directory):
        raise InputError(f"{directory} is not a penstock store: neither a ledger nor segments")
    with ledger.translated(directory), ExitStack() as held:
        lock = DirectoryLock(directory)
        held.callback(lock.release)
        if (whole := _nothing_to_do(directory)) is not None:
            return Repaired(landed=whole, changed=False)
        for left in directory.glob(f"{_DRAFT}*"):
            left.unlink()
            _log.warning("removed %s: a repair that was killed had left it", left)
        draft = None if dry_run else directory / _DRAFT
        rebuilt = _Rebuilt(directory, draft, (clock or SystemClock()).time())
        if not dry_run:
            rebuilt.put_in_place(lock)
        return rebuilt.done


def _nothing_to_do(directory: Path) -> int | None:
    """Return how many lines there are where all is well."""
    try:
        looked = verify(directory)
    except (StorageError, sqlite3.DatabaseError, UnicodeDecodeError):
        return None
    return None if looked.damages else looked.lines


@final
class _Rebuilt:
    """A ledger of what the segments hold, and of what only the old ledger knew."""

    def __init__(self, directory: Path, draft: Path | None, now: float) -> None:
        self.done = Repaired()
        self._directory = directory
        self._bad: list[tuple[Path, int, int]] = []
        self._trusted = True  # whether the old ledger is sound
        if draft is not None:
            os.close(open_regular(draft, os.O_RDWR | os.O_CREAT))
        # Without a name it is a temporary file of SQLite's own, which goes with us.
        with closing(sqlite3.connect(draft or "", isolation_level=None)) as self._new:
            self._new.execute("PRAGMA synchronous = OFF")
            ledger.create(self._new, now)
            self._new.execute("BEGIN")
            self._versions = True  # unless the old ledger knows that a key's first line counts
            self._new.execute(
                "CREATE TEMP TABLE was (key PRIMARY KEY, segment, offset, length, crc32)"
            )
            self._read_old()
            if self._versions:
                ledger.add_versions(self._new)
            self._read_segments()
            self._count(now)
            self._new.execute("COMMIT")

    def _read_old(self) -> None:
        try:
            with closing(ledger.connect(self._directory)) as old:
                self._versions = ledger.versioned(old)
                ((words,),) = old.execute("PRAGMA integrity_check(1)").fetchall()
                self._trusted = words == "ok"
                for table, columns in _TABLES.items():
                    self._copy(old, table, columns)
        except InputError as error:
            if "newer" in str(error):
                raise
            self._trusted, self.done.lost = False, ["all"]
        except (StorageError, sqlite3.DatabaseError, UnicodeDecodeError):
            self._trusted, self.done.lost = False, ["all"]
        self._new.execute(
            "INSERT INTO was SELECT key, segment, offset, length, crc32"
            " FROM item WHERE state = 'landed'"
        )
        self._new.execute("DELETE FROM item WHERE state NOT IN ('failed', 'deleted')")

    def _copy(self, old: sqlite3.Connection, table: str, columns: str) -> None:
        """Copy the rows of a table, as many as can be read."""
        marks = ",".join("?" * len(columns.split(",")))
        enter = f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})"
        try:
            odd = ledger.MISFITS.get(table)
            mine = f"WHERE {columns.partition(',')[0]} NOT IN ({odd})" if odd else ""
            rows = old.execute(f"SELECT {columns} FROM {table} {mine}")
            while chunk := rows.fetchmany(_TOGETHER):
                for row in chunk:
                    with suppress(sqlite3.IntegrityError):
                        self._new.execute(enter, row)
            if table != "item" and odd and old.execute(odd).fetchone():
                self.done.lost.append(table)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            if table != "gap":  # version 1 had none
                self.done.lost.append(table)

    def _read_segments(self) -> None:
        numbers = found_segments(self._directory)
        for number in range(1, max(numbers, default=0) + 1):
            path = segment_path(self._directory, number)
            found = self._judged(path, number) if number in numbers else iter(())
            landed, latest = 0, 0.0
            while chunk := list(islice(found, _TOGETHER)):
                landed += self._enter(path, number, chunk)
                latest = max(latest, *(line.at for line in chunk))
            self._new.execute(
                "INSERT INTO segment VALUES (?, ?, ?, ?)",
                (number, numbers.get(number, 0), landed, latest),
            )

    def _judged(self, path: Path, number: int) -> Iterator[Line]:
        """Yield the lines that count, and note what is none."""
        for line in lines(path):
            if line.state == "unproved":
                line = self._proved(line, number)  # noqa: PLW2901 - the same line, known better
            if line.state == "deleted" and line.key is not None:
                self._new.execute(
                    "INSERT OR IGNORE INTO item (key, state, at) VALUES (?, 'deleted', ?)",
                    (line.key, line.at),
                )
            elif line.state == "damaged":
                if self._is_deleted(line) and line.data.endswith(b"\n"):
                    continue
                self.done.damaged += 1
                self._bad.append((path, line.offset, line.offset + len(line.data)))
            elif line.state == "whole":
                yield line

    def _proved(self, line: Line, number: int) -> Line:
        """Decide on a line of an earlier version by what the old ledger knew of it."""
        body = line.data[body_at(line.data) : -2]
        if self._is_deleted(line) or (body.endswith(b" ") and body.strip() in {b"null", b"0"}):
            return line._replace(state="deleted")
        known = (
            self._new.execute(
                "SELECT crc32 FROM was WHERE key = ? OR (segment = ? AND offset = ?)",
                (line.key, number, line.offset),
            ).fetchall()
            if self._trusted
            else []
        )
        fits = not known or (crc32(line.data),) in known
        return line._replace(state="whole" if fits else "damaged")

    def _is_deleted(self, line: Line) -> bool:
        found = self._new.execute("SELECT state FROM item WHERE key = ?", (line.key,)).fetchone()
        return found == ("deleted",) and self._trusted

    def _enter(self, path: Path, number: int, chunk: list[Line]) -> int:
        enter = "INSERT OR IGNORE INTO item VALUES (?, 'landed', ?, ?, ?, ?, ?)"
        rows = [(n.key, number, n.offset, len(n.data), crc32(n.data), n.at) for n in chunk]
        landed = self._new.executemany(enter, rows).rowcount
        if landed == len(rows):
            return landed
        for line, row in zip(chunk, rows, strict=True):
            assert line.key is not None  # whole
            query = "SELECT state, segment, offset FROM item WHERE key = ?"
            state, *place = self._new.execute(query, (line.key,)).fetchone()
            if state == "landed" and place == [number, line.offset]:
                continue
            if state == "deleted" and self._trusted and not self._was(line.key, row):
                self._new.execute("INSERT INTO erasing VALUES (?, ?, ?)", row[1:4])
            elif state == "landed" and self._versions:
                supersede(self._new, [(line.key, *row[1:3])])
                landed -= place[0] == number
                landed += self._new.execute(enter, row).rowcount
            elif state == "landed":
                self.done.twice += 1
                self._bad.append((path, line.offset, line.offset + len(line.data)))
            else:
                self._new.execute("DELETE FROM item WHERE key = ?", (line.key,))
                self._new.execute("UPDATE failure SET current = 0 WHERE key = ?", (line.key,))
                landed += self._new.execute(enter, row).rowcount
        return landed

    def _was(self, key: Key, row: tuple[object, ...]) -> bool:
        """Return whether the old ledger had this line as the record of a key."""
        was = "SELECT segment, offset FROM was WHERE key = ?"
        return bool(self._new.execute(was, (key,)).fetchone() == row[1:3])

    def _count(self, now: float) -> None:
        done, new = self.done, self._new
        ((done.landed,),) = new.execute("SELECT count(*) FROM item WHERE state = 'landed'")
        ((before,),) = new.execute("SELECT count(*) FROM was")
        there = "SELECT key FROM item WHERE state IN ('landed', 'deleted')"
        gone = f"FROM was WHERE key NOT IN ({there})"
        ((done.put_back,),) = new.execute(f"SELECT count(*) {gone}")
        done.keys = [key for (key,) in new.execute(f"SELECT key {gone} LIMIT 1000")]
        done.adopted = done.landed - (before - done.put_back)
        if done.put_back:
            # Their keys come again only where the source is walked through again.
            done.reset = new.execute("DELETE FROM mark WHERE name = ?", (_WALK,)).rowcount > 0
        new.execute(
            "UPDATE failure SET current = 0 WHERE key NOT IN"
            " (SELECT key FROM item WHERE state = 'failed')"
        )
        new.execute(
            "DELETE FROM item WHERE state = 'failed' AND key NOT IN"
            " (SELECT key FROM failure WHERE current)"
        )
        deleted = "SELECT 'deleted', count(*) FROM item WHERE state = 'deleted'"
        new.execute(f"INSERT OR REPLACE INTO fact {deleted}")
        new.execute("INSERT OR REPLACE INTO fact VALUES ('repaired', ?)", (now,))
        new.execute("DELETE FROM fact WHERE name = 'verified'")

    def put_in_place(self, lock: DirectoryLock) -> None:
        """Keep aside what is damaged, clear its place, and swap the ledgers. May be done again."""
        directory = self._directory
        for path, start, end in self._bad:
            set_aside(directory, path, start, end)
        for path, start, end in self._bad:
            _clear(path, start, end)
        sizes = found_segments(directory)
        for number in range(1, max(sizes, default=0)):
            os.close(open_regular(segment_path(directory, number), os.O_RDWR | os.O_CREAT))
            sizes.setdefault(number, 0)
        for path in directory.glob(f"{SEGMENT}*"):
            if path not in {segment_path(directory, number) for number in sizes}:
                _move_aside(directory, path)
        draft = directory / _DRAFT
        with draft.open("rb+") as file:
            sync(file.fileno())
        for suffix in ("-shm", "-wal", "-journal", ""):
            if (directory / f"{LEDGER}{suffix}").exists():
                _move_aside(directory, directory / f"{LEDGER}{suffix}")
        draft.replace(directory / LEDGER)
        sync_directory(directory)
        with closing(ledger.connect(directory)) as connection:
            overwrite(directory, connection, pending(connection))
            lock.begin(connection)


def _move_aside(directory: Path, path: Path) -> None:
    folder = directory / ASIDE
    make_inside(folder)
    number = 1
    while (target := folder / f"{path.name}.{number}").exists():
        number += 1
    path.rename(target)
    sync_directory(folder)


def _clear(path: Path, start: int, end: int) -> None:
    """Put blank lines in the place of what was copied: the others stay where they are."""
    file = open_regular(path, os.O_RDWR)
    try:
        while start < end:
            length = min(end - start, len(_FILLER))
            os.pwrite(file, _FILLER[-length:], start)
            start += length
        sync(file)
    finally:
        os.close(file)
