"""One group becomes safe: lines on the disk first, then one transaction that says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeAlias, final
from zlib import crc32

import msgspec

from penstock.clock import Clock
from penstock.pipeline.result import Entry, Failing, Key, Landing, Mark
from penstock.store.segments import Tail

__all__ = ["GroupCommit", "settled"]

# key, state, segment, offset, length, crc32, at
_Row: TypeAlias = tuple[Key, str, int | None, int | None, int | None, int | None, float]

_INSERT = "INSERT OR IGNORE INTO item VALUES "
_ONE_ROW = "(?, ?, ?, ?, ?, ?, ?)"
_ROWS = 128  # rows in one statement, at most
_GROWN = """INSERT INTO segment VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE
    SET size = excluded.size, landed = landed + excluded.landed, at = excluded.at"""
_CHUNK = 256


def settled(connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, tuple[str, float]]:
    """Return the (state, at) of those ``keys`` that landed or failed."""
    marks = ",".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT key, state, at FROM item WHERE key IN ({marks})",  # noqa: S608 - question marks
        keys,
    )
    return {key: (state, at) for key, state, at in rows}


@final
class GroupCommit:
    """Makes groups of entries safe, one after the other, all or nothing each.

    The rows are entered in an open transaction, the lines are written and fdatasync'ed, and only
    then the transaction is committed: whatever moment the power fails, the ledger never knows a
    line that the disk does not hold.

    Args:
        connection: The ledger; only this object writes to it in this thread.
        tail: Where lines are appended.
        clock: Gives ``at``, once a group.

    Attributes:
        again: Entries that were refused since their key had landed before.
    """

    def __init__(self, connection: sqlite3.Connection, tail: Tail, clock: Clock) -> None:
        self._connection = connection
        self._tail = tail
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self.again = 0

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Return when all ``entries`` are safe.

        Raises:
            sqlite3.Error: The ledger could not be written; none of the entries is safe.
            OSError: A segment could not be written; none of the entries is safe.
        """
        at = self._clock.time()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            data = self._enter(entries, at)
            if data:
                self._tail.append(data)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _enter(self, entries: Sequence[Entry], at: float) -> bytes:
        """Write the rows of all ``entries`` and return their lines."""
        if any(type(entry) is Landing for entry in entries):
            self._tail.open()
        data, rows = self._lines_and_rows(entries, at)
        if not self._insert(rows):
            # Somebody settled without claiming. Rare, so the cheap way is tried first.
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            entries = self._still_to_do(entries)
            data, rows = self._lines_and_rows(entries, at)
            if not self._insert(rows):
                raise sqlite3.IntegrityError("a key that is neither a text nor a 64-bit number")
        others = [entry for entry in entries if type(entry) is not Landing]
        if others:
            self._enter_others(others, at)
        if data:
            self._connection.execute(
                _GROWN,
                (self._tail.number, self._tail.size + len(data), len(entries) - len(others), at),
            )
        return data

    def _insert(self, rows: list[_Row]) -> bool:
        """Enter ``rows`` and return whether every one of them was new."""
        # One statement for many rows: Python's sqlite3 gives up the interpreter at every step, and
        # with a row a step the threads that fetch and the one that stores would fight for it.
        entered = 0
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            statement = _INSERT + ", ".join([_ONE_ROW] * len(part))
            entered += self._connection.execute(statement, [*chain.from_iterable(part)]).rowcount
        return entered == len(rows)

    def _lines_and_rows(self, entries: Sequence[Entry], at: float) -> tuple[bytes, list[_Row]]:
        """Return the lines of what landed, as one text, and the item rows of all entries."""
        encode, segment, offset = self._encode, self._tail.number, self._tail.size
        middle = b',"at":%.3f,"body":' % at
        lines: list[bytes] = []
        rows: list[_Row] = []
        for entry in entries:
            if type(entry) is Landing:
                key, body = entry.key, entry.body
                if b"\n" in body:
                    # JSON allows a raw line feed between tokens only, where a space is the same.
                    body = body.replace(b"\n", b" ")
                line = b"".join((b'{"key":', encode(key), middle, body, b"}\n"))
                length = len(line)
                rows.append((key, "landed", segment, offset, length, crc32(line), at))
                lines.append(line)
                offset += length
            elif type(entry) is Failing:
                rows.append((entry.key, "failed", None, None, None, None, at))
        return b"".join(lines), rows

    def _still_to_do(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries without those whose key landed before; the newest failure stays."""
        done = self._states(entry.key for entry in entries if not isinstance(entry, Mark))
        keep: dict[tuple[bool, Key], Entry] = {}
        for entry in entries:
            if isinstance(entry, Mark):
                keep[True, entry.name] = entry
            elif done.get(entry.key) == "landed":
                self.again += 1
            else:
                if done.get(entry.key) == "failed":
                    self._forget_failure(entry.key)
                keep[False, entry.key] = entry
                done[entry.key] = "landed" if type(entry) is Landing else "failed"
        return list(keep.values())

    def _states(self, keys: Iterable[Key]) -> dict[Key, str]:
        wanted = list(keys)
        found: dict[Key, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            part = settled(self._connection, wanted[start : start + _CHUNK])
            found.update((key, state) for key, (state, _) in part.items())
        return found

    def _forget_failure(self, key: Key) -> None:
        """Make the key's failure history: something newer is known about it now."""
        self._connection.execute("DELETE FROM item WHERE key = ?", (key,))
        self._connection.execute("UPDATE failure SET current = 0 WHERE key = ?", (key,))

    def _enter_others(self, entries: Sequence[Entry], at: float) -> None:
        self._connection.executemany(
            "INSERT INTO failure (key, error, message, status, attempts, excerpt, at, replayed,"
            " current) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
            " coalesce((SELECT max(replayed) FROM failure WHERE key = ?1), 0), 1)",
            [
                (
                    entry.key,
                    entry.error,
                    _storable(entry.message),
                    entry.status,
                    entry.attempts,
                    _storable(entry.excerpt),
                    at,
                )
                for entry in entries
                if isinstance(entry, Failing)
            ],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO mark VALUES (?, ?)",
            [(entry.name, entry.value) for entry in entries if isinstance(entry, Mark)],
        )


def _storable(text: str) -> str:
    """Return ``text`` without lone surrogates, which UTF-8 and so SQLite cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()
