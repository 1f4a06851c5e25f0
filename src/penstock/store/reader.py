"""Reading a store: records in landing order, single records, failures, state and status."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

from penstock.errors import InputError, StorageError
from penstock.pipeline import Key, Landing
from penstock.store import ledger
from penstock.store.arrow import Frames
from penstock.store.consistency import problem_of
from penstock.store.lock import Mark, mark_of
from penstock.store.segments import judged, line_at, segment_path, split_line
from penstock.store.values import ABSENT, Failure, FailureCount, State, StoredGap, StoreStatus
from penstock.store.verification import Damage, verify

__all__ = ["LocalReader", "open_local"]

# Connections that knew no locks, of stores that were at rest and are written to now. To close one
# would drop, as POSIX has it, the locks that a writer of this very process has on the same file.
_RETIRED: list[sqlite3.Connection] = []
_CHUNK = 256  # lines or rows read at once
T = TypeVar("T")
_Row: TypeAlias = tuple[Any, ...]
_Place: TypeAlias = tuple[int, int]
_GAP = ("since", "until", "reason", "count", "at")
_FAILURE = ("key", "error", "message", "status", "attempts", "excerpt", "at", "replayed")
_EACH = "SELECT segment, offset, length, crc32, key FROM item"
_EACH_VERSION = f"""SELECT * FROM ({_EACH} WHERE state = 'landed'
    UNION ALL SELECT segment, offset, length, crc32, key FROM version)"""
_TAIL = 1 << 18  # bytes of the last segment in which the latest records are looked for


class LocalReader(Frames):
    """A store as it is on the disk, also while a run lands in it: only committed data is seen.

    Nothing is locked and nothing is written. Use :func:`~penstock.store.open_readonly` to make one;
    :class:`~penstock.store.LocalStore` is one as well.

    Args:
        directory: The store.
        connection: A connection to its ledger, closed with the reader; None opens one by which
            nothing is written as long as the store is at rest.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection | None = None) -> None:
        self.path = directory
        self._directory = directory.absolute()
        self._rest: tuple[int, int, int] | None = None
        if connection is None:
            ledger.refuse_unreadable(directory)
            self._rest = ledger.at_rest(directory)
            connection = ledger.read(directory, resting=self._rest is not None)
        self._reading = connection
        self._one_at_a_time = threading.Lock()  # a connection has one transaction at a time

    def close(self) -> None:
        """Close the ledger. Closing twice is allowed."""
        if self._rest is None or ledger.at_rest(self._directory) == self._rest:
            self._reading.close()
        else:
            _RETIRED.append(self._reading)

    def records(self) -> Iterator[Landing]:
        """Yield what has landed up to now, in landing order, in constant memory.

        Raises:
            StorageError: A line is not what the ledger knows of it; says segment and offset.
        """
        for _, _, records in self._walk():
            yield from records

    def moments(self) -> Iterator[tuple[Landing, float]]:
        """Yield what has landed up to now, each record with when, in seconds since 1970.

        Raises:
            StorageError: A line is not what the ledger knows of it.
        """
        for _, lines, records in self._walk():
            for (offset, line), record in zip(lines, records, strict=True):
                yield record, judged(offset, line).at

    def versions(self, after: str = "") -> Iterator[tuple[Landing, float, str]]:
        """Yield every version of every record after a position, in the order they landed.

        Args:
            after: A position that came with a version; ``""`` is the beginning.

        Returns:
            The record, when it landed in seconds since 1970, and the position behind it.

        Raises:
            InputError: ``after`` is no position of this store.
            StorageError: A line is not what the ledger knows of it.
        """
        later = "WHERE (segment, offset) >= (?, ?)"
        for place, line, key in self._lines(f"{_EACH_VERSION} {later}", self._place(after)):
            if key is None:
                number, offset = place
                yield split_line(line), judged(offset, line).at, f"{number}:{offset + len(line)}"
            else:
                raise _damaged(segment_path(self._directory, place[0]), place[1])

    def replaced(self, keys: Sequence[Key]) -> set[Key]:
        """Return which of ``keys`` have a record that took the place of an earlier one."""
        found: set[Key] = set()
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT key FROM version WHERE key IN ({marks})", some)
            found.update(key for (key,) in rows)
        return found

    def whole_records(self, damaged: Callable[[Damage], object]) -> Iterator[Landing]:
        """Yield what has landed and is as it was written; call ``damaged`` with the rest."""
        for (number, offset), line, key in self._lines(f"{_EACH} WHERE state = 'landed'"):
            if key is None:
                yield split_line(line)
            else:
                name = segment_path(self._directory, number).name
                damaged(Damage(name, f"the line at byte {offset} is damaged", key))

    def _lines(
        self, query: str, values: Sequence[object] = ()
    ) -> Iterator[tuple[_Place, bytes, Key | None]]:
        """Yield where lines are, what stands there, and the key of one that is damaged."""
        named = ledger.translated(self.path / ledger.LEDGER)
        with named, closing(ledger.read(self._directory)) as connection:
            rows = connection.execute(f"{query} ORDER BY segment, offset", values)
            for number, mine in groupby(rows, itemgetter(0)):
                path = segment_path(self._directory, number)
                with ledger.translated(path), ExitStack() as held:
                    file = held.enter_context(path.open("rb")) if path.exists() else None
                    for _, offset, length, proof, key in mine:
                        line = line_at(file.fileno(), offset, length) if file else b""
                        if crc32(line) == proof and split_line(line).key == key:
                            yield (number, offset), line, None
                        elif self.state(key) != "deleted":  # since this began
                            yield (number, offset), line, key

    def follow(self, after: str = "") -> Iterator[tuple[Landing, str]]:
        """Yield what has landed after a position, each record with the position behind it.

        A position is good for ever, also while a run goes on: keep the last one, and call again
        with it later.

        Args:
            after: A position that came with a record; ``""`` is the beginning.

        Raises:
            InputError: ``after`` is no position of this store.
            StorageError: A line is not what the ledger knows of it.
        """
        for number, lines, records in self._walk(*self._place(after)):
            for (offset, line), record in zip(lines, records, strict=True):
                yield record, f"{number}:{offset + len(line)}"

    def _walk(
        self, first: int = 0, start: int = 0
    ) -> Iterator[tuple[int, list[tuple[int, bytes]], list[Landing]]]:
        """Yield segments piece by piece from a place on: the lines that hold, and their records."""
        sizes: list[_Place] = self._rows("SELECT number, size FROM segment ORDER BY number")
        for number, size in sizes:
            if number >= first:
                offset = start if number == first else 0
                for lines, records in self._chunks(number, size, offset, sizes[-1]):
                    yield number, lines, records

    def _place(self, position: str) -> tuple[int, int]:
        """Return the segment and the offset that a position means."""
        if not position:
            return 0, 0
        number, _, offset = position.partition(":")
        if number.isdecimal() and offset.isdecimal():
            for (size,) in self._rows("SELECT size FROM segment WHERE number = ?", (int(number),)):
                if int(offset) <= size:
                    return int(number), int(offset)
        raise InputError(f"{self.path}: {position!r} is no position of this store")

    def get(self, key: Key) -> bytes | None:
        """Return the record of ``key`` as JSON bytes, or None where it has not landed.

        Raises:
            StorageError: The line is not what the ledger knows of it.
        """
        query = "SELECT segment, offset, length, crc32 FROM item WHERE key = ? AND state = 'landed'"
        for number, offset, length, checksum in self._rows(query, (key,)):
            path = segment_path(self._directory, number)
            with ledger.translated(path), path.open("rb") as file:
                line = line_at(file.fileno(), offset, length)
            record = _parsed(path, offset, line)
            if crc32(line) == checksum and record.key == key:
                return record.body
            if self.state(key) != "deleted":  # since we looked it up
                raise _damaged(path, offset)
        return None

    def state(self, key: Key) -> State:
        """Return whether ``key`` has landed, has failed, was deleted, or else ``pending``."""
        states: list[tuple[State]] = self._rows("SELECT state FROM item WHERE key = ?", (key,))
        return states[0][0] if states else "pending"

    def deleted(self) -> Iterator[Key]:
        """Yield the keys that were deleted, also those whose record had not come."""
        named = ledger.translated(self.path / ledger.LEDGER)
        with named, closing(ledger.read(self._directory)) as connection:
            for (key,) in connection.execute("SELECT key FROM item WHERE state = 'deleted'"):
                yield key

    def deletions(self) -> int:
        """Return a number that is another one once keys have been deleted."""
        ((count,),) = self._rows("SELECT coalesce(max(value), 0) FROM fact WHERE name = 'deleted'")
        return int(count)

    def failures(self) -> Iterator[Failure]:
        """Yield the keys that are failed now, oldest failure first, in constant memory."""
        mine = f"FROM failure WHERE current AND error != '{ABSENT}' AND id > ?"
        for _, seen, *values in self._paged(f"current = 2, {', '.join(_FAILURE)} {mine}"):
            named = dict(zip(_FAILURE, values, strict=True))
            yield Failure(**named, acknowledged=bool(seen))

    def _paged(self, query: str) -> Iterator[_Row]:
        """Yield rows in the order of their id, each behind it."""
        last = -1
        while rows := self._rows(f"SELECT id, {query} ORDER BY id LIMIT ?", (last, _CHUNK)):
            last = rows[-1][0]
            yield from rows

    def latest(self, count: int) -> list[Landing]:
        """Return about the last ``count`` records that landed, newest first, to be shown.

        They are those at the end of the last segment, as they are in the file: unchecked.
        """
        found: list[Landing] = []
        query = "SELECT number, size FROM segment WHERE size ORDER BY number DESC LIMIT 1"
        for number, size in self._rows(query):
            path = segment_path(self._directory, number)
            start = max(0, size - _TAIL)
            with ledger.translated(path), path.open("rb") as file:
                lines = os.pread(file.fileno(), size - start, start).splitlines()
            for line in reversed(lines[bool(start) :]):
                with contextlib.suppress(ValueError):
                    found += [split_line(line)] if line.strip() and len(found) < count else []
        return found

    def gaps(self) -> Iterator[StoredGap]:
        """Yield the gaps of the stream that lands here, in the order they were noticed."""
        query = f"{', '.join(_GAP)} FROM gap WHERE id > ?"
        for number, *values in self._paged(query) if self._has_gaps() else ():
            yield StoredGap(number=number, **dict(zip(_GAP, values, strict=True)))

    def _has_gaps(self) -> bool:
        """Return whether the ledger has the tables of format 2."""
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'gap'"))

    def mark(self, name: str) -> str | None:
        """Return the value last settled as ``Mark(name, value)``, or None."""
        for (value,) in self._rows("SELECT value FROM mark WHERE name = ?", (name,)):
            return str(value)
        return None

    def status(self) -> StoreStatus:
        """Return where the store stands, in one consistent look."""
        with self._one_at_a_time, ledger.translated(self.path):
            return self._settled(self._consistent)

    def _consistent(self) -> StoreStatus:
        mark = mark_of(self._directory)
        self._reading.execute("BEGIN")
        try:
            return self._status(mark)
        finally:
            self._reading.execute("COMMIT")

    def verify(self) -> int:
        """Compare every line with its ledger row, and look at all tables; return how many lines.

        Raises:
            StorageError: Something is not as it was written; says what and where.
        """
        with ledger.translated(self._directory):
            done = verify(self._directory)
        for damage in done.damages:
            raise StorageError(f"{self._directory / damage.file}: {damage.what}")
        return done.lines

    def _in_flight(self) -> int | None:
        """Return how many keys are claimed and not settled, where that can be known."""
        return None

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[_Row]:
        with ledger.translated(self.path / ledger.LEDGER):
            # All at once: a cursor left open would keep the write-ahead log from being reused.
            if self._reading.in_transaction:
                return self._reading.execute(query, values).fetchall()
            return self._settled(lambda: self._reading.execute(query, values).fetchall())

    def _settled(self, act: Callable[[], T]) -> T:
        """Return what ``act`` reads; where a run has begun meanwhile, read again beside it."""
        try:
            found = act()
        except sqlite3.DatabaseError:
            if not self._awake():
                raise
        else:
            if not self._awake():
                return found
        return act()

    def _awake(self) -> bool:
        if self._rest is None or ledger.at_rest(self._directory) == self._rest:
            return False
        self._rest = None
        _RETIRED.append(self._reading)
        self._reading = ledger.read(self._directory)
        return True

    def _chunks(
        self, number: int, size: int, offset: int, end: _Place
    ) -> Iterator[tuple[list[tuple[int, bytes]], list[Landing]]]:
        """Yield lines, each with its offset, from ``offset`` up to ``size``, and their records.

        What another record took the place of before ``end`` is left out.
        """
        path = segment_path(self._directory, number)
        with ledger.translated(path), path.open("rb") as file:
            file.seek(offset)
            while offset < size:
                lines: list[tuple[int, bytes]] = []
                before = offset
                for line in islice(file, _CHUNK):
                    if offset < size:
                        if not line.isspace():
                            lines.append((offset, line))
                        offset += len(line)
                if offset == before:
                    raise StorageError(f"{path}: ends at {offset}, but the ledger knows {size}")
                yield self._checked(number, path, lines, end)

    def _checked(
        self, number: int, path: Path, lines: list[tuple[int, bytes]], end: _Place
    ) -> tuple[list[tuple[int, bytes]], list[Landing]]:
        records = [_parsed(path, offset, line) for offset, line in lines]
        marks = ",".join("?" * len(records))
        query = (
            f"SELECT segment, offset, length, crc32, state, key FROM item WHERE key IN ({marks})"
        )
        known = {row[5]: row for row in self._rows(query, [record.key for record in records])}
        kept: list[Landing] = []
        at: list[tuple[int, bytes]] = []
        for record, (offset, line) in zip(records, lines, strict=True):
            row = known.get(record.key)
            mine = (number, offset, len(line), crc32(line))
            if row == (*mine, "landed", record.key) or self._followed(mine, end):
                kept.append(record)
                at.append((offset, line))
            elif row is None or (
                row[4] != "deleted"
                and judged(offset, line).state != "deleted"
                and not self._followed(mine)
            ):
                raise _damaged(path, offset)
        return at, kept

    def _followed(self, line: tuple[int, ...], since: _Place = (0, 0)) -> bool:
        """Return whether another record took the place of a line, at ``since`` or later."""
        query = """SELECT by_segment, by_offset FROM version
            WHERE segment = ? AND offset = ? AND length = ? AND crc32 = ?"""
        return any(tuple(place) >= since for place in self._rows(query, line))

    def _status(self, mark: Mark) -> StoreStatus:
        facts: dict[str, Any] = dict(self._rows("SELECT name, value FROM fact"))
        ((segments, size, landed),) = self._rows(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(landed), 0) FROM segment"
        )
        kinds = self._failure_counts()
        failures = tuple(kind for kind in kinds if kind.error != ABSENT)
        ((landed_at, failed_at),) = self._rows(
            "SELECT (SELECT max(at) FROM segment),"
            " (SELECT CAST(at AS REAL) FROM failure ORDER BY id DESC LIMIT 1)"
        )
        settled = sum(kind.count for kind in kinds)
        failed = sum(kind.count for kind in failures)
        expected: int | None = facts["expected"]
        left = None if expected is None else max(0, expected - landed - settled)
        ((version,),) = self._rows("PRAGMA user_version")
        gaps = [(0, 0)]
        if self._has_gaps():
            gaps = self._rows("SELECT count(*), coalesce(sum(count), 0) FROM gap")
        return StoreStatus(
            path=str(self.path),
            version=version,
            landed=landed,
            failed=failed,
            pending=self._in_flight() if left is None else left,
            expected=expected,
            bytes=size,
            segments=segments,
            started=facts["started"],
            updated=max(landed_at or 0, failed_at or 0, facts["started"]),
            failures=failures,
            absent=settled - failed,
            deleted=facts.get("deleted", 0),
            gaps=gaps[0][0],
            missed=gaps[0][1],
            verified=facts.get("verified"),
            free=shutil.disk_usage(self._directory).free,
            problem=problem_of(self._directory, self._reading, mark),
            acknowledged=sum(kind.acknowledged for kind in failures),
            landed_at=landed_at,
        )

    def _failure_counts(self) -> list[FailureCount]:
        return [
            FailureCount(error=error, status=status, count=count, acknowledged=seen)
            for error, status, count, seen in self._rows(
                "SELECT error, status, count(*), sum(current = 2) FROM failure WHERE current"
                " GROUP BY error, status ORDER BY count(*) DESC, error, status"
            )
        ]


def open_local(path: str | Path) -> LocalReader:
    """Open the store in the directory ``path`` for reading, also while a run lands in it.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
        StorageError: The ledger cannot be read.
    """
    directory = Path(path)
    return LocalReader(directory)


def _parsed(path: Path, offset: int, line: bytes) -> Landing:
    try:
        return split_line(line)
    except ValueError as error:
        raise _damaged(path, offset) from error


def _damaged(path: Path, offset: int) -> StorageError:
    return StorageError(
        f"{path}: the line at byte {offset} is damaged: it is not what the ledger knows of it"
    )
