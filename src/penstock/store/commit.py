"""One group becomes safe: lines on the disk first, then one transaction that says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, final
from zlib import crc32

import msgspec

from penstock.clock import Clock
from penstock.pipeline import Deletion, Entry, Failing, Key, LandedGap, Landing, Mark
from penstock.store.bulk_insert import LandedRow, enter_landed, supersede
from penstock.store.cells import storable
from penstock.store.consistency import ConsistencyWatch
from penstock.store.deletion import RecordPlace, delete, in_turns, overwrite
from penstock.store.fence import Fence, check
from penstock.store.lock import kept_by
from penstock.store.segments import Tail, line_at, segment_path, split_line
from penstock.store.values import ABSENT, Tally

__all__ = ["GroupCommit", "settled"]

_FAILED = "INSERT OR IGNORE INTO item (key, state, at) VALUES (?, 'failed', ?)"
_GROWN = """INSERT INTO segment VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE
    SET size = excluded.size, landed = landed + excluded.landed, at = excluded.at"""
_CHUNK = 256


def settled(connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, tuple[str, float]]:
    """Return the (state, at) of those ``keys`` that landed or failed."""
    marks = ",".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT key, state, at FROM item WHERE key IN ({marks})",
        keys,
    )
    return {key: (state, at) for key, state, at in rows}


class _Prepared(NamedTuple):
    """A group as lines and rows."""

    lines: list[bytes]
    size: int
    landed: list[LandedRow]
    failed: list[tuple[Key, float]]


@final
class GroupCommit(Tally):
    """Makes groups of entries safe, one after the other, all or nothing each.

    The rows are entered in an open transaction, the lines are written and fdatasync'ed, and only
    then the transaction is committed: whatever moment the power fails, the ledger never knows a
    line that the disk does not hold.

    Args:
        directory: The store.
        connection: The ledger; only this object writes to it in this thread.
        tail: Where lines are appended.
        clock: Gives ``at``, once a group.
        fence: The run's right to write, looked at in each transaction.
        watch: Notices what others do to the files meanwhile.

    Attributes:
        latest: The moment of the last group, or when the store was opened.
    """

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        tail: Tail,
        clock: Clock,
        fence: Fence | None,
        watch: ConsistencyWatch,
    ) -> None:
        self._directory = directory
        self._fence = fence
        self._watch = watch
        self.latest = round(clock.time(), 3)
        self._connection = connection
        self._tail = tail
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._to_erase: list[RecordPlace] = []
        self._erased: list[RecordPlace] = []
        super().__init__()

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Return when all ``entries`` are safe.

        Raises:
            sqlite3.Error: The ledger could not be written; none of the entries is safe.
            OSError: A segment could not be written; none of the entries is safe.
            StorageError: Somebody changed the files meanwhile; none of the entries is safe.
            StoreInUse: Another run has taken the store over; none of the entries is safe.
        """
        for part in in_turns(entries):
            self._commit(part)

    def _commit(self, entries: Sequence[Entry]) -> None:
        # The lines of two groups never show the same moment, nor do they go back with the clock.
        at = self.latest = max(round(self._clock.time(), 3), round(self.latest + 0.001, 3))
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            check(self._connection, self._fence)
            self._watch.check()
            lines, size = self._enter(entries, at)
            if lines:
                self._tail.append(lines, size)
            self._connection.execute("COMMIT")
            if lines:
                self._watch.lock.note(self._tail.number, self._tail.size)
            if len(lines) < len(entries):
                self._watch.lock.note_kept(kept_by(self._connection))
            self.new += len(lines)
        except BaseException:
            self._to_erase = []
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._erase()

    def _erase(self) -> None:
        """Overwrite what was deleted; the next group, or the next opening, ticks it off."""
        overwrite(self._directory, self._connection, self._to_erase)
        self._erased, self._to_erase = self._to_erase, []

    def _enter(self, entries: Sequence[Entry], at: float) -> tuple[list[bytes], int]:
        """Write the rows of all ``entries`` and return their lines with the size of all."""
        if any(type(entry) is Landing for entry in entries):
            self._tail.open()
        group = self._prepared(entries, at)
        if not self._insert(group, at):
            # Somebody settled without claiming. Rare, so the cheap way is tried first.
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            check(self._connection, self._fence)
            entries = self._still_to_do(entries, at)
            group = self._superseding(self._prepared(entries, at))
            if not self._insert(group, at):
                raise sqlite3.IntegrityError("a key that is neither a text nor a 64-bit number")
        if group.lines:
            end = self._tail.size + group.size
            self._connection.execute(_GROWN, (self._tail.number, end, len(group.landed), at))
        others = [entry for entry in entries if type(entry) is not Landing]
        if others:
            self._enter_others(others, at)
        if self._erased:
            gone = "DELETE FROM erasing WHERE segment = ? AND offset = ? AND length = ?"
            self._connection.executemany(gone, self._erased)
        return group.lines, group.size

    def _insert(self, group: _Prepared, at: float) -> bool:
        """Enter the rows of a group and return whether every one of them was new."""
        new = enter_landed(self._connection, group.landed, self._tail.number, at)
        if group.failed:
            new += self._connection.executemany(_FAILED, group.failed).rowcount
        return new == len(group.landed) + len(group.failed)

    def _prepared(self, entries: Sequence[Entry], at: float) -> _Prepared:
        """Return the lines of what landed, and the item rows of all entries."""
        encode, start, offset = self._encode, self._tail.size, self._tail.size
        moment = b',"at":%.3f' % at
        lines: list[bytes] = []
        landed: list[LandedRow] = []
        failed: list[tuple[Key, float]] = []
        for entry in entries:
            if type(entry) is Landing:
                key, body = entry.key, entry.body
                if b"\n" in body:
                    # JSON allows a raw line feed between tokens only, where a space is the same.
                    body = body.replace(b"\n", b" ")
                head = b'{"key":%b%b' % (encode(key), moment)
                proof = crc32(b"}\n", crc32(body, crc32(b',"body":', crc32(head))))
                line = b'%b,"crc32":"%08x","body":%b}\n' % (head, proof, body)
                length = len(line)
                landed.append((key, offset, length, crc32(line)))
                lines.append(line)
                offset += length
            elif type(entry) is Failing:
                failed.append((entry.key, at))
        return _Prepared(lines, offset - start, landed, failed)

    def _superseding(self, group: _Prepared) -> _Prepared:
        """Let the records of a group take the place of earlier ones, also of the same group."""
        number, rows = self._tail.number, group.landed
        if self.on_same == "first":
            return group
        first = {row[0]: (row[0], number, row[1]) for row in reversed(rows)}
        supersede(self._connection, list(first.values()))
        last: dict[Key, LandedRow] = {}
        for row in rows:
            if (old := last.get(row[0])) is not None:
                earlier = (number, *old[1:], old[0], number, row[1])
                self._connection.execute("INSERT INTO version VALUES (?,?,?,?,?,?,?)", earlier)
            last[row[0]] = row
        return group._replace(landed=list(last.values()))

    def _still_to_do(self, entries: Sequence[Entry], at: float) -> list[Entry]:
        """Return the entries without those whose key landed before; the newest failure stays.

        Where the store keeps what comes again, a record that differs from the one before stays.
        """
        done = self._states(entry.key for entry in entries if isinstance(entry, Landing | Failing))
        keep: dict[Key, Entry] = {}
        followed: list[Entry] = []
        others: list[Entry] = []
        for entry in entries:
            if not isinstance(entry, Landing | Failing):
                others.append(entry)
            elif (state := done.get(entry.key)) == "landed":
                before = keep.get(entry.key)
                differs = isinstance(entry, Landing) and self._differs(entry, before, at)
                if not differs or self.on_same == "first":
                    self.again += 1
                    self.changed += differs
                    lost = isinstance(entry, Failing) and entry.error != ABSENT
                    self.stale += lost and self.on_same != "first"
                    continue
                if before is not None:
                    followed.append(keep.pop(entry.key))
                keep[entry.key] = entry
            elif state != "deleted" or self._is_free(entry.key):
                if state is not None:
                    self._forget(entry.key)
                keep[entry.key] = entry
                done[entry.key] = "landed" if type(entry) is Landing else "failed"
        return [*followed, *keep.values(), *others]

    def _differs(self, entry: Landing, before: Entry | None, at: float) -> bool:
        """Return whether a record is another than the one that landed; note that it was seen."""
        body = entry.body.replace(b"\n", b" ")
        if isinstance(before, Landing):
            return before.body.replace(b"\n", b" ") != body
        query = "SELECT segment, offset, length FROM item WHERE key = ?"
        number, offset, length = self._connection.execute(query, (entry.key,)).fetchone()
        with segment_path(self._directory, number).open("rb") as file:
            same = split_line(line_at(file.fileno(), offset, length)).body == body
        if same:
            self._connection.execute("UPDATE item SET at = ? WHERE key = ?", (at, entry.key))
        return not same

    def _states(self, keys: Iterable[Key]) -> dict[Key, str]:
        wanted = list(keys)
        found: dict[Key, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            part = settled(self._connection, wanted[start : start + _CHUNK])
            found.update((key, state) for key, (state, _) in part.items())
        return found

    def _is_free(self, key: Key) -> bool:
        """Return whether a key that was deleted may be given again."""
        query = "SELECT crc32 FROM item WHERE key = ?"
        return bool(self._connection.execute(query, (key,)).fetchone() == (0,))

    def _forget(self, key: Key) -> None:
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
                    storable(entry.message),
                    entry.status,
                    entry.attempts,
                    storable(entry.excerpt),
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
        self._connection.executemany(
            "INSERT INTO gap (since, until, reason, count, at) VALUES (?, ?, ?, ?, ?)",
            [
                (entry.since, entry.until, entry.reason, entry.count, at)
                for entry in entries
                if isinstance(entry, LandedGap)
            ],
        )
        gone = [entry for entry in entries if isinstance(entry, Deletion)]
        if gone:
            self._to_erase = delete(self._connection, gone, at)
