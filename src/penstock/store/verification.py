"""Whether a store is as it was written: every line, every table, every file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, TypeAlias, final
from zlib import crc32

import msgspec

from penstock.pipeline import Key
from penstock.store import ledger
from penstock.store.consistency import problem_of
from penstock.store.lock import mark_of
from penstock.store.segments import SEGMENT, found_segments, judged, segment_path

__all__ = ["Damage", "Progress", "Verified", "verify"]

Progress: TypeAlias = Callable[[int, int], object]
"""Called with (bytes done, bytes to do), some times a second."""

_BLOCK = 1 << 23
_ALL = """SELECT segment, key, offset, length, crc32 FROM item WHERE state = 'landed'
    UNION ALL SELECT segment, key, offset, length, crc32 FROM version ORDER BY 1, 3"""
_Row: TypeAlias = tuple[int, Key, int, int, int]
_encode = msgspec.json.Encoder().encode


@final
@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was written.

    Attributes:
        file: The file in the store.
        what: What is wrong with it, and at which byte.
        key: Whose record it is, where that is known.
    """

    file: str
    what: str
    key: Key | None = None


@final
@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found.

    Attributes:
        lines: Lines that are as they were written.
        bytes: Bytes that were read.
        damages: What is not, in the order of the files.
    """

    lines: int
    bytes: int
    damages: tuple[Damage, ...]


# What must hold between the tables; each query gives what does not.
_RULES = {
    "an item without its failure": """SELECT key FROM item WHERE state = 'failed'
        AND NOT EXISTS (SELECT 1 FROM failure WHERE failure.key = item.key AND current)""",
    "a failure without its item": """SELECT key FROM failure WHERE current AND NOT EXISTS
        (SELECT 1 FROM item WHERE item.key = failure.key AND state = 'failed')""",
    "an item in no known state or segment": """SELECT key FROM item WHERE state != 'failed'
        AND state != 'deleted'
        AND (state != 'landed' OR segment IS NULL
        OR segment NOT IN (SELECT number FROM segment))""",
    "a fact is missing": """SELECT name FROM (SELECT 'started' AS name UNION SELECT 'expected')
        WHERE name NOT IN (SELECT name FROM fact)""",
}


def verify(directory: Path, progress: Progress | None = None) -> Verified:
    """Look at everything in the store at ``directory``; a run may go on in it meanwhile.

    Raises:
        InputError: There is no store.
        StorageError: The ledger is gone, or cannot be read at all.
    """
    with ExitStack() as held:
        connection = held.enter_context(closing(ledger.read(directory, odd=True)))
        mark = mark_of(directory)
        connection.execute("BEGIN")  # one look: what a run does meanwhile is not seen
        damages = list(_tables(connection))
        if any(damage.what.startswith("malformed") for damage in damages):
            return Verified(0, 0, tuple(damages))
        if problem := problem_of(directory, connection, mark):
            what = problem.removeprefix(f"{directory}: ").partition("; data")[0]
            damages.append(Damage(".", what))
        damages += _strays(directory)
        looked = _Segments(directory, connection, progress or _silent, held)
        damages += looked.damages()
        return Verified(looked.lines, looked.done, tuple(damages))


def _tables(connection: sqlite3.Connection) -> Iterator[Damage]:
    try:
        for (words,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
            if words != "ok":
                yield Damage(ledger.LEDGER, f"malformed: {' '.join(words.split())}")
        for table, query in ledger.MISFITS.items():
            for (key,) in connection.execute(f"{query} LIMIT 20").fetchall():
                what = f"malformed: a value in the table {table} is not ours: {key!r}"
                yield Damage(ledger.LEDGER, what, key if table == "item" else None)
        for rule, query in _RULES.items():
            for (key,) in connection.execute(f"{query} LIMIT 100").fetchall():
                yield Damage(ledger.LEDGER, f"{rule}: {key!r}", key)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        yield Damage(ledger.LEDGER, f"malformed: {error}")


def _strays(directory: Path) -> Iterator[Damage]:
    paths = sorted(directory.glob(f"{SEGMENT}*"))  # before: a run beside us may begin another
    known = {segment_path(directory, number).name for number in found_segments(directory)}
    for path in paths:
        if path.name not in known and os.path.lexists(path):
            yield Damage(path.name, "is not a segment of this store")


@final
class _Segments:
    """All segments, read once from their beginning to their end, beside the ledger's rows."""

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        progress: Progress,
        held: ExitStack,
    ) -> None:
        self._directory = directory
        self._connection = connection
        self._progress = progress
        self._held = held
        self._now: sqlite3.Connection | None = None
        self.lines = 0
        self.done = 0
        self._total = 0

    def damages(self) -> Iterator[Damage]:
        sizes = """SELECT number, size, landed + (SELECT count(*) FROM version
            WHERE version.segment = number) FROM segment ORDER BY number"""
        segments = self._connection.execute(sizes).fetchall()
        self._total = sum(size for _, size, _ in segments)
        by_segment = groupby(self._connection.execute(_ALL), itemgetter(0))
        rows: tuple[int, Iterator[_Row]] = next(by_segment, (0, iter(())))
        for place, (number, size, landed) in enumerate(segments, 1):
            path = segment_path(self._directory, number)
            if number != place:
                yield Damage(path.name, f"segment {place} is missing before it")
                return
            while rows[0] and rows[0] < number:
                rows = next(by_segment, (0, iter(())))
            mine = rows[1] if rows[0] == number else iter(())
            before = self.lines
            yield from self._segment(path, size, mine)
            if self.lines - before != landed:
                found = self.lines - before
                words = f"{found:,} lines are as written, but the ledger counted {landed:,}"
                yield Damage(path.name, words)
        self._progress(self.done, self._total)

    def _segment(self, path: Path, size: int, rows: Iterator[_Row]) -> Iterator[Damage]:
        try:
            file = path.open("rb")
        except OSError as error:
            yield Damage(path.name, f"cannot be read: {error.strerror}")
            return
        with file:
            yield from self._read(file, path.name, size, rows)

    def _read(self, file: BinaryIO, name: str, size: int, rows: Iterator[_Row]) -> Iterator[Damage]:
        """Compare row after row with what stands there; between them only deleted lines may be."""
        block, start, stop, end = b"", 0, 0, 0
        lines, encode, check = 0, _encode, crc32
        for _, key, offset, length, proof in rows:
            if offset != end:
                yield from self._between(file, name, end, offset)
            end = offset + length
            if end > stop:
                file.seek(offset)
                block, start = file.read(max(_BLOCK, length)), offset
                stop = offset + len(block)
                self._progress(self.done + offset, self._total)
            line = block[offset - start : end - start]
            if check(line) == proof and line.startswith(b'{"key":%b,"at":' % encode(key)):
                lines += 1
            else:
                yield from self._wrong(name, key, offset, line)
        self.lines += lines
        if end != size:
            yield from self._between(file, name, end, size)
        self.done += size

    def _wrong(self, name: str, key: Key, offset: int, line: bytes) -> Iterator[Damage]:
        if self._is_deleted(key):
            self.lines += 1  # since this look began
            return
        whose = judged(offset, line)
        proved = "; it proves itself: the ledger is wrong" if whose.state == "whole" else ""
        yield Damage(
            name, f"the line at byte {offset} is damaged or not of key {key!r}{proved}", key
        )

    def _between(self, file: BinaryIO, name: str, start: int, end: int) -> Iterator[Damage]:
        if end < start:
            yield Damage(name, f"two rows of the ledger overlap at byte {end}")
            return
        file.seek(start)
        while start < end:
            data = file.readline(end - start)
            if not data:
                yield Damage(name, f"ends at byte {start}, but the ledger knows {end:,}")
                return
            line = judged(start, data)
            if line.state != "blank" and not (
                line.key is not None and self._is_deleted(line.key, since=line.state == "deleted")
            ):
                yield Damage(
                    name, f"the line at byte {start} is damaged or unknown to the ledger", line.key
                )
            start += len(data)

    def _is_deleted(self, key: Key, *, since: bool = False) -> bool:
        """Return whether a key is deleted now, or ``since`` then something else became of it."""
        if self._now is None:  # another connection, which sees what is done meanwhile
            self._now = self._held.enter_context(closing(ledger.read(self._directory)))
        row = self._now.execute("SELECT state FROM item WHERE key = ?", (key,)).fetchone()
        return row is not None and (since or row[0] == "deleted")


def _silent(done: int, total: int) -> None:
    """Tell nobody how far it is."""
