"""The SQLite file of the embedded store: one row a lock, one transaction a transition."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec

from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.files import check_names, open_regular
from penstock.locks.process_identity import boot
from penstock.locks.state import LockState

__all__ = ["Change", "Database"]

FILE = "locks.sqlite"
_GUARD = "guard"
_FORMAT = 1
_APPLICATION = 0x50454E4C  # "PENL"
_WAIT = 30.0  # seconds to wait for a program that is not ours and reads or writes the file
_CHECKPOINT = 8000  # pages of log, some 30 MB, after which it is written back with a sync
_ETERNITY = 3e10  # seconds
_EPOCH = 32  # bits of a token that count grants; those above count starts of the machine

_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE lock (name TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
COMMIT;
"""
_DECODER = msgspec.json.Decoder(LockState)
_ENCODER = msgspec.json.Encoder()


@final
@dataclass(frozen=True, slots=True)
class Change:
    """A lock before and after a transition."""

    before: LockState
    after: LockState


@final
class Database:
    """One process's connection. The caller sees to it that one thread uses it at a time.

    Args:
        folder: Where the file is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            check_names(folder, (FILE, _GUARD), write=True)
            self._guard = open_regular(folder / _GUARD, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise InputError(f"{folder} cannot hold locks: {error.strerror}") from error
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, self._guard)
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                if not self._path.exists():
                    os.close(open_regular(self._path, os.O_RDWR | os.O_CREAT))
                self._connection = sqlite3.connect(
                    self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False
                )
                undo.callback(self._connection.close)
                self._connection.execute("PRAGMA trusted_schema = OFF")
                self._recognise()
                self._note_start()
            except (sqlite3.Error, OSError) as error:
                raise self._translated(error) from error
            finally:
                fcntl.flock(self._guard, fcntl.LOCK_UN)
            self._held = undo.pop_all()

    def _recognise(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            tables = self._number("SELECT count(*) FROM sqlite_schema")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise InputError(f"{self._path} is not a penstock lock store: {error}") from error
            raise
        if not tables:
            self._connection.executescript(_SCHEMA)
        elif self._number("PRAGMA application_id") != _APPLICATION:
            raise InputError(f"{self._path} is not a penstock lock store: made by another program")
        elif self._number("PRAGMA user_version") > _FORMAT:
            raise InputError(f"{self._path} was written by a newer penstock: {UPGRADE}")

    def _note_start(self) -> None:
        """After a new start of the machine nobody holds or waits any more, and tokens go on."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = 'boot'").fetchone()
        if row != (boot(),):
            self._connection.execute("PRAGMA synchronous = FULL")
            self._begin_epoch()
        # From here on no sync at each commit: a lock dies with its machine. Only tokens outlive
        # it, and the next start begins far above all that this one can give out.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")

    def _begin_epoch(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for name, state in self.read_all():
            # What this file last said may be older than what was given out before the power
            # failed; no start of a machine gives out 2**32 tokens.
            token = ((state.token >> _EPOCH) + 1) << _EPOCH
            self._write(name, LockState(token=token, capacity=state.capacity))
        self._connection.execute("INSERT OR REPLACE INTO fact VALUES ('boot', ?)", (boot(),))
        self._connection.execute("COMMIT")

    def change(self, name: str, decide: Callable[[LockState], LockState]) -> Change:
        """Let ``decide`` say what becomes of a lock, and commit that.

        Raises:
            InputError: The row was written by something else.
            StorageError: The file cannot be written.
        """
        execute = self._connection.execute
        try:
            # One process at a time, in the order they came: SQLite alone would sleep and retry.
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                execute("BEGIN IMMEDIATE")
                before = self.read(name)
                after = decide(before)
                if after is not before:
                    self._write(name, after)
                execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                fcntl.flock(self._guard, fcntl.LOCK_UN)
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error) from error
        return Change(before, after)

    def read(self, name: str) -> LockState:
        """Return a lock; one that never was is free."""
        row: tuple[str] | None = self._connection.execute(
            "SELECT state FROM lock WHERE name = ?", (name,)
        ).fetchone()
        return LockState() if row is None else self._decoded(name, row[0])

    def read_all(self) -> list[tuple[str, LockState]]:
        """Return all locks, by name."""
        rows = self._connection.execute("SELECT name, state FROM lock ORDER BY name").fetchall()
        return [(name, self._decoded(name, text)) for name, text in rows]

    def close(self) -> None:
        """Close the files."""
        self._held.close()

    def _write(self, name: str, state: LockState) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO lock VALUES (?, ?)", (name, _ENCODER.encode(state).decode())
        )

    def _decoded(self, name: str, text: str) -> LockState:
        try:
            state = _DECODER.decode(text)
        except (msgspec.MsgspecError, TypeError) as error:
            raise InputError(
                f"{self._path}: the lock {name!r} was written by something else: {error}"
            ) from error
        if any(abs(place.since) > _ETERNITY for place in state.places()):
            raise InputError(f"{self._path}: the lock {name!r} has a time that no clock shows")
        return state

    def _number(self, query: str) -> int:
        row: tuple[int] = self._connection.execute(query).fetchone()
        return row[0]

    def _translated(self, error: sqlite3.Error | OSError) -> StorageError:
        reason = error.strerror if isinstance(error, OSError) else error
        return StorageError(f"{self._path}: {reason}")
