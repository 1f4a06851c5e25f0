"""The SQLite file of the embedded store: a row a lock, a row a waiter, a transaction a transition.

A transition reads the head of the queue and whoever asks, not the hundreds between them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, final

import msgspec
from msgspec.structs import replace

from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.files import check_names, open_regular
from penstock.locks.process_identity import boot, elapsed
from penstock.locks.state import LockState, QueuePlace

__all__ = ["Database"]

FILE = "locks.sqlite"
_GUARD = "guard"
_FORMAT = 2
_APPLICATION = 0x50454E4C  # "PENL"
_WAIT = 30.0  # seconds to wait for a program that is not ours and reads or writes the file
_CHECKPOINT = 8000  # pages of log, some 30 MB, after which it is written back with a sync
_EPOCH = 26  # bits of a token: before the first of so many (a minute's) is given, that is synced
_NEAR = 16  # waiters at the head of a queue that a transition reads

_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE lock (name TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
CREATE TABLE waiter (
    lock TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL, until REAL NOT NULL,
    place TEXT NOT NULL, PRIMARY KEY (lock, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX waiter_id ON waiter (lock, id);
CREATE INDEX waiter_until ON waiter (lock, until);
COMMIT;
"""
_QUEUE = "SELECT number, place FROM waiter WHERE lock = :lock ORDER BY number"
_PART = """
WITH mine AS (SELECT number FROM waiter WHERE lock = :lock AND id = :id)
SELECT number, place FROM waiter WHERE lock = :lock AND number IN (
    SELECT * FROM (SELECT number FROM waiter WHERE lock = :lock ORDER BY number LIMIT :near)
    UNION SELECT number FROM mine
    UNION SELECT max(number) FROM waiter WHERE lock = :lock
    UNION SELECT max(number) FROM waiter WHERE lock = :lock AND number < (SELECT number FROM mine)
) ORDER BY number
"""
"""The head of a queue, its end, and one waiter with the one before it."""

_NOTE = """INSERT INTO fact VALUES ('epoch', ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"""
_LATE = "SELECT 1 FROM waiter WHERE lock = ? AND until <= ? LIMIT 1"
_LOCK = msgspec.json.Decoder(LockState)
_PLACE = msgspec.json.Decoder(QueuePlace)
_ENCODER = msgspec.json.Encoder()
T = TypeVar("T")


@final
class Database:
    """One process's connection. The caller sees to it that one thread uses it at a time.

    Args:
        folder: Where the file is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._file: tuple[int, int] | None = None
        self._is_closed = self._is_aside = False
        self._parents: list[object] = []
        self._open()

    def _open(self) -> None:
        folder = self._path.parent
        try:
            check_names(folder, (FILE, _GUARD), write=True)
            self._guard = open_regular(folder / _GUARD, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise InputError(f"{folder} cannot hold locks: {error.strerror}") from error
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, self._guard)
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                if self._file is not None:
                    self._check_there()
                elif not self._path.exists():
                    os.close(open_regular(self._path, os.O_RDWR | os.O_CREAT))
                self._connection = sqlite3.connect(
                    self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False
                )
                undo.callback(self._connection.close)
                self._file = self._file or _file_at(self._path)
                self._connection.execute("PRAGMA trusted_schema = OFF")
                self._recognise()
                self._note_start()
            except (sqlite3.Error, OSError) as error:
                raise self._translated(error) from error
            finally:
                fcntl.flock(self._guard, fcntl.LOCK_UN)
            self._held = undo.pop_all()
        self._is_aside = False

    def set_aside(self) -> None:
        """Let go of the files until the next use: SQLite forbids a connection over a fork."""
        self._held.close()
        self._is_aside = not self._is_closed

    def leave_to_parent(self) -> None:
        """In a child: open files of its own; those of the parent are neither used nor closed."""
        self._parents += [self._held, self._connection]
        self._held = contextlib.ExitStack()
        self._is_aside = not self._is_closed

    def _recognise(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            tables = self._number("SELECT count(*) FROM sqlite_schema")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise InputError(f"{self._path} is not a penstock lock store: {error}") from error
            raise
        version = self._number("PRAGMA user_version")
        ours = self._number("PRAGMA application_id") == _APPLICATION and version >= _FORMAT
        if tables and not ours:
            raise InputError(f"{self._path} is not a penstock lock store: made by another program")
        if version > _FORMAT:
            raise InputError(f"{self._path} was written by a newer penstock: {UPGRADE}")
        if not tables:
            self._connection.executescript(_SCHEMA)

    def _note_start(self) -> None:
        """After a new start of the machine nobody holds or waits any more, and tokens go on."""
        query = "SELECT (SELECT value FROM fact WHERE name = ?)"
        ((started,),) = self._connection.execute(query, ("boot",))
        ((epoch,),) = self._connection.execute(query, ("epoch",))
        self._epoch = epoch if isinstance(epoch, int) else 0
        if started != boot():
            self._connection.execute("PRAGMA synchronous = FULL")
            self._free_all()
        # From here on no sync at each commit: a lock dies with its machine. Only tokens outlive
        # it, and the next start begins above all that this one can have given out.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")

    @property
    def floor(self) -> int:
        """What tokens are above, whatever this file last said of them before the power failed."""
        return self._epoch << _EPOCH

    def _free_all(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for name, state in self.read_all():
            self._epoch = max(self._epoch, state.token >> _EPOCH)
            self._write(name, state, LockState(token=state.token, capacity=state.capacity), {})
        self._connection.execute("DELETE FROM waiter")
        self._connection.execute("INSERT OR REPLACE INTO fact VALUES ('boot', ?)", (boot(),))
        self._note_epoch(self._epoch + 1)
        self._connection.execute("COMMIT")

    def _note_epoch(self, epoch: int) -> None:
        self._connection.execute(_NOTE, (epoch,))
        self._epoch = epoch

    def _reserve(self, epoch: int) -> None:
        """Have it on the disk that tokens of this epoch may have been given out."""
        self._connection.execute("PRAGMA synchronous = FULL")
        self._note_epoch(epoch)
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def change(
        self, name: str, decide: Callable[[LockState], LockState], near: str | None = None
    ) -> tuple[LockState, LockState]:
        """Let ``decide`` say what becomes of a lock, commit that, and return it before and after.

        Args:
            name: The lock.
            decide: Returns what becomes of it; it may be asked twice.
            near: The one place that ``decide`` looks for, beside those at the head of the queue;
                None where it looks at all of them.

        Raises:
            InputError: The row was written by something else.
            StorageError: The file cannot be written.
        """
        if self._is_aside:
            self._open()
        execute = self._connection.execute
        try:
            # One process at a time, in the order they came: SQLite alone would sleep and retry.
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                self._check_there()
                execute("BEGIN IMMEDIATE")
                before, after, numbers = self._decided(name, decide, near)
                while after.token >> _EPOCH > self._epoch:
                    execute("ROLLBACK")
                    self._reserve(after.token >> _EPOCH)
                    execute("BEGIN IMMEDIATE")
                    before, after, numbers = self._decided(name, decide, near)
                if after is not before:
                    self._write(name, before, after, numbers)
                execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                fcntl.flock(self._guard, fcntl.LOCK_UN)
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error) from error
        return before, after

    def _decided(
        self, name: str, decide: Callable[[LockState], LockState], near: str | None
    ) -> tuple[LockState, LockState, dict[str, int]]:
        before, numbers = self._read(name, near)
        after = decide(before)
        if near is not None and len(after.holders) - len(before.holders) >= _NEAR:
            # All that were read are let in: those behind may be as well.
            before, numbers = self._read(name, None)
            after = decide(before)
        return before, after, numbers

    def _check_there(self) -> None:
        """Refuse to go on with a file that others do not see any more.

        Raises:
            StorageError: It was removed, or there is another one in its place.
        """
        if _file_at(self._path) != self._file:
            raise StorageError(
                f"{self._path} was removed or replaced while it was in use: what it says of locks "
                "holds for nobody any more; open it again"
            )

    def read(self, name: str) -> LockState:
        """Return a lock; one that never was is free."""
        if self._is_aside:
            self._open()
        self._check_there()
        return self._read(name, None)[0]

    def read_all(self) -> list[tuple[str, LockState]]:
        """Return all locks, by name."""
        if self._is_aside:
            self._open()
        return [(name, self.read(name)) for (name,) in self._names()]

    def _names(self) -> list[tuple[str]]:
        return self._connection.execute("SELECT name FROM lock ORDER BY name").fetchall()

    def _lock(self, name: str) -> LockState:
        row = self._connection.execute("SELECT state FROM lock WHERE name = ?", (name,)).fetchone()
        return LockState() if row is None else self._decoded(_LOCK, name, row[0])

    def _read(self, name: str, near: str | None) -> tuple[LockState, dict[str, int]]:
        """Return a lock, and the numbers of the waiters that were read."""
        execute = self._connection.execute
        if near is None or execute(_LATE, (name, elapsed())).fetchone():
            rows = execute(_QUEUE, {"lock": name})
        else:
            rows = execute(_PART, {"lock": name, "id": near, "near": _NEAR})
        found = [(number, self._decoded(_PLACE, name, text)) for number, text in rows]
        lock = replace(self._lock(name), waiters=tuple(place for _, place in found))
        return lock, {place.id: number for number, place in found}

    def close(self) -> None:
        """Close the files."""
        self._held.close()
        self._is_closed, self._is_aside = True, False

    def _write(
        self, name: str, before: LockState, after: LockState, numbers: dict[str, int]
    ) -> None:
        execute = self._connection.execute
        row = replace(after, waiters=())
        if row != replace(before, waiters=()):
            execute("INSERT OR REPLACE INTO lock VALUES (?, ?)", (name, _text(row)))
        known = {place.id: place for place in before.waiters}
        for gone in known.keys() - {place.id for place in after.waiters}:
            execute("DELETE FROM waiter WHERE lock = ? AND number = ?", (name, numbers[gone]))
        last = max(numbers.values(), default=0)
        for place in after.waiters:
            if place is not known.get(place.id):
                number = numbers.get(place.id, last := last + 1)
                values = (name, number, place.id, place.until, _text(place))
                execute("INSERT OR REPLACE INTO waiter VALUES (?, ?, ?, ?, ?)", values)

    def _decoded(self, decoder: msgspec.json.Decoder[T], name: str, text: str) -> T:
        try:
            return decoder.decode(text)
        except (msgspec.MsgspecError, TypeError) as error:
            raise InputError(
                f"{self._path}: the lock {name!r} was written by something else: {error}"
            ) from error

    def _number(self, query: str) -> int:
        row: tuple[int] = self._connection.execute(query).fetchone()
        return row[0]

    def _translated(self, error: sqlite3.Error | OSError) -> StorageError:
        reason = error.strerror if isinstance(error, OSError) else error
        return StorageError(f"{self._path}: {reason}")


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return which file is there, None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _text(value: LockState | QueuePlace) -> str:
    return _ENCODER.encode(value).decode()
