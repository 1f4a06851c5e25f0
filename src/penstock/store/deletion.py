"""Records that are to go: found, taken out of the ledger, and overwritten where they stand.

A line keeps its length and its key; only the record in it becomes ``null``. What is to be
overwritten is written down in the transaction that takes it out, so that it is done after a crash,
too; until then nobody reads it any more.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from penstock.files import open_regular
from penstock.pipeline import Deletion, Entry, Key, LandedRecord
from penstock.store.segments import DELETED, Line, body_at, judged, line_at, segment_path, sync

__all__ = ["RecordPlace", "delete", "in_turns", "overwrite", "pending"]

RecordPlace: TypeAlias = tuple[int, int, int]
"""Segment, offset and length of a line."""

_GONE = b"null"


def in_turns(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield ``entries``, cut where a record follows the deletion of its key."""
    gone: set[Key] = set()
    start = 0
    for place, entry in enumerate(entries):
        if isinstance(entry, Deletion):
            gone.add(entry.key)
        elif gone and isinstance(entry, LandedRecord) and entry.key in gone:
            yield entries[start:place]
            start, gone = place, set()
    yield entries[start:]


def delete(
    connection: sqlite3.Connection, deletions: Iterable[Deletion], at: float
) -> list[RecordPlace]:
    """Take keys out of the ledger, the ones that have not come yet too; return their lines.

    What was deleted stays known, so that a record that comes later is not let in; where the
    deletion is not final, its row is left with a zero for a checksum, and one is let in.
    """
    places: list[RecordPlace] = []
    count = 0
    for deletion in deletions:
        key, mark = deletion.key, None if deletion.final else 0
        row = connection.execute(
            "SELECT state, segment, offset, length FROM item WHERE key = ?", (key,)
        ).fetchone()
        state, *place = row or ("pending",)
        if state == "deleted":
            continue
        count += 1
        connection.execute(
            "INSERT INTO item (key, state, crc32, at) VALUES (?1, 'deleted', ?3, ?2)"
            " ON CONFLICT (key) DO UPDATE SET state = 'deleted', segment = NULL, offset = NULL,"
            " length = NULL, crc32 = ?3, at = ?2",
            (key, at, mark),
        )
        if state == "landed":
            query = "SELECT segment, offset, length FROM version WHERE key = ?"
            earlier: list[RecordPlace] = connection.execute(query, (key,)).fetchall()
            connection.execute("DELETE FROM version WHERE key = ?", (key,))
            gone = [(place[0], place[1], place[2]), *earlier]
            places += gone
            connection.executemany("INSERT INTO erasing VALUES (?, ?, ?)", gone)
            connection.execute("UPDATE segment SET landed = landed - 1 WHERE number = ?", place[:1])
        elif state == "failed":
            connection.execute("UPDATE failure SET current = 0 WHERE key = ?", (key,))
    connection.execute(
        "INSERT INTO fact VALUES ('deleted', ?1) ON CONFLICT (name) DO UPDATE SET value = value"
        " + ?1",
        (count,),
    )
    return places


def pending(connection: sqlite3.Connection) -> list[RecordPlace]:
    """Return the lines that were taken out and, it may be, not overwritten yet."""
    return connection.execute("SELECT segment, offset, length FROM erasing").fetchall()


def overwrite(
    directory: Path, connection: sqlite3.Connection, places: Sequence[RecordPlace]
) -> None:
    """Return when the records at ``places`` are gone from the disk. May be done again.

    What stands there is looked at first: only the line of a key that was deleted is overwritten.

    Raises:
        OSError: The disk does not take it.
    """
    for number, group in groupby(sorted(places), itemgetter(0)):
        file = open_regular(segment_path(directory, number), os.O_RDWR)
        try:
            for _, offset, length in group:
                line = judged(offset, line_at(file, offset, length))
                row = connection.execute("SELECT state FROM item WHERE key = ?", (line.key,))
                if line.key is not None and row.fetchone() == ("deleted",):
                    _overwrite(file, line)
            sync(file)
        finally:
            os.close(file)


def _overwrite(file: int, line: Line) -> None:
    start = body_at(line.data)
    room = len(line.data) - start - len(b"}\n")
    gone = (_GONE if room >= len(_GONE) else b"0").ljust(room)
    mark = start - len(b'1a2b3c4d","body":')
    if line.data[:mark].endswith(b',"crc32":"'):  # its checksum goes too: it is one of the record
        gone = DELETED + line.data[mark + len(DELETED) : start] + gone
        start = mark
    os.pwrite(file, gone, line.offset + start)
