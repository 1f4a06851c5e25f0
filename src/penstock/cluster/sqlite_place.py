"""A shared budget in a directory of this machine: SQLite, one row a budget."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

import msgspec
from msgspec.structs import replace

from penstock.clock import Clock
from penstock.cluster.permits import Shared, begin
from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.locks import boot, has_ended, myself

__all__ = ["SqlitePlace"]

FILE = "budgets.sqlite"
_APPLICATION = 0x50454E42  # "PENB"
_FORMAT = 1
_LOOK = 0.25  # seconds between the times that the kernel is asked who has ended
_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE budget (name TEXT PRIMARY KEY NOT NULL, shared BLOB NOT NULL) WITHOUT ROWID;
COMMIT;
"""
_WRITE = """
INSERT INTO budget VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET shared = excluded.shared
"""
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Shared)


@final
class SqlitePlace:
    """A budget of all processes of this machine.

    Its clock is the monotonic clock, which all processes of a machine have in common and nobody
    sets. The end of a process is learned from the kernel.

    Args:
        folder: The directory, made where there is none.
        name: The budget's.
        clock: Source of time.

    Raises:
        InputError: The directory cannot be used.
    """

    lease = 60.0
    life = 0.0

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        self._folder, self._name, self._clock = folder.absolute(), name, clock
        self._path = self._folder / FILE
        self._looked = -math.inf
        self._known: tuple[bytes, Shared] | None = None
        self.process = myself()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._guard = os.open(self._folder / "budgets.guard", flags, 0o666)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"{self._folder} is a file: name a directory for budgets") from error
        except OSError as error:
            raise InputError(f"{self._folder} cannot hold budgets: {error.strerror}") from error
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, self._guard)
            with self._alone():
                self._connection = sqlite3.connect(
                    self._path, isolation_level=None, check_same_thread=False
                )
                undo.callback(self._connection.close)
                self._recognise()
                self._inode = self._path.stat().st_ino
            self._held = undo.pop_all()

    def _recognise(self) -> None:
        execute = self._connection.execute
        try:
            execute("PRAGMA journal_mode = WAL")
            tables = execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise InputError(f"{self._path} does not hold budgets: {error}") from error
            raise
        execute("PRAGMA synchronous = NORMAL")  # the clock it counts by ends with the machine, too
        if not tables:
            self._connection.executescript(_SCHEMA)
        elif execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            raise InputError(f"{self._path} does not hold budgets: another program made it")
        elif execute("PRAGMA user_version").fetchone()[0] > _FORMAT:
            raise InputError(f"{self._path} was written by a newer penstock: {UPGRADE}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time, in the order they came: SQLite alone would sleep and retry."""
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._guard, fcntl.LOCK_UN)
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StorageError(f"{self._path}: {reason}") from error

    def offset(self) -> tuple[float, float]:
        """Return zeros: the monotonic clock is the place's."""
        return 0.0, 0.0

    def change(self, decide: Callable[[Shared, frozenset[str]], Shared]) -> None:
        """Replace the budget by what ``decide`` makes of it, in one transaction."""
        with self._alone():
            shared = self._loaded()
            after = decide(shared, self._dead(shared))
            if after is not shared:
                data = _ENCODER.encode(after)
                # One statement is a transaction; the guard keeps others out between read and write.
                self._connection.execute(_WRITE, (self._name, data))
                self._known = data, after

    def _dead(self, shared: Shared) -> frozenset[str]:
        now = self._clock.monotonic()
        if now - self._looked < _LOOK:
            return frozenset()
        self._looked = now
        return frozenset(
            holder.process for holder in shared.holders.values() if has_ended(holder.process)
        )

    def _loaded(self) -> Shared:
        if os.stat(self._path).st_ino != self._inode:  # noqa: PTH116 - with every permit
            # Whoever comes next would spend another budget than we do.
            raise StorageError(f"{self._path} was replaced by another file; who did that?")
        row: tuple[bytes] | None = self._connection.execute(
            "SELECT shared FROM budget WHERE name = ?", (self._name,)
        ).fetchone()
        if row is not None and self._known is not None and row[0] == self._known[0]:
            return self._known[1]
        fresh = begin(self._clock.time() - self._clock.monotonic(), boot())
        if row is None:
            return fresh
        try:
            shared = _DECODER.decode(row[0])
        except (msgspec.MsgspecError, InputError) as error:
            raise StorageError(f"{self._path}: budget {self._name!r}: {error}") from error
        if shared.boot != boot():
            # Moments of an earlier start mean nothing now: what it spent is waited for.
            rest = max((given.per for given in shared.state.given), default=0.0)
            closed = self._clock.monotonic() + rest if rest else -math.inf
            shared = replace(fresh, state=replace(fresh.state, closed=closed))
        self._known = row[0], shared
        return shared

    def read(self) -> Shared:
        """Return the budget as it is."""
        with self._alone():
            return self._loaded()

    def seen(self) -> Shared:
        """Return the budget as it was when last looked at."""
        return self._known[1] if self._known is not None else self.read()

    def close(self) -> None:
        """Close the files. Closing twice is allowed."""
        self._held.close()
