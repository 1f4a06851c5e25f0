"""The ledger: a SQLite database that says which keys are done and where their lines are.

WAL with ``synchronous=FULL``: a transaction that was committed survives ``kill -9`` and power loss.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final
from urllib.parse import quote

from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.store.segments import found_segments

__all__ = ["FORMAT", "LEDGER", "begun", "connect", "create", "lost", "read", "translated"]

LEDGER = "ledger.sqlite"
FORMAT = 2
_APPLICATION = 0x50454E53  # "PENS": what `file` and we recognise the ledger by
_WAIT = 30.0  # seconds a connection waits for another one of the same store

# The key column has no type on purpose: SQLite then keeps 7 and "7" apart.
_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION};
CREATE TABLE fact (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
CREATE TABLE segment (
    number INTEGER PRIMARY KEY, size INTEGER NOT NULL, landed INTEGER NOT NULL, at REAL NOT NULL
);
CREATE TABLE item (
    key PRIMARY KEY NOT NULL, state TEXT NOT NULL,
    segment INTEGER, offset INTEGER, length INTEGER, crc32 INTEGER, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE failure (
    id INTEGER PRIMARY KEY, key NOT NULL, error TEXT NOT NULL, message TEXT NOT NULL,
    status INTEGER, attempts INTEGER NOT NULL, excerpt TEXT NOT NULL, at REAL NOT NULL,
    replayed INTEGER NOT NULL, current INTEGER NOT NULL -- 0: history, 2: acknowledged
);
CREATE INDEX failure_key ON failure (key);
CREATE INDEX failure_current ON failure (error, status) WHERE current;
CREATE TABLE mark (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
"""
# What format 2 has more: gaps of streams, and records that are to be overwritten.
_SECOND = f"""
CREATE TABLE gap (
    id INTEGER PRIMARY KEY, since TEXT NOT NULL, until TEXT, reason TEXT NOT NULL, count INTEGER,
    at REAL NOT NULL
);
CREATE TABLE erasing (segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
PRAGMA user_version = {FORMAT};
"""


@final
class _ForeignError(InputError):
    """The file of the ledger is something else."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a :class:`StorageError` that names ``path``.

    A key that SQLite cannot hold is the caller's mistake, an :class:`InputError`.
    """
    try:
        yield
    except (OverflowError, UnicodeEncodeError) as error:
        raise InputError(f"a key is a UTF-8 text or a whole number of 64 bits: {error}") from error
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(
            f"{path}: {reason}; nothing after the last safe group was kept"
        ) from error


def lost(directory: Path, what: str) -> StorageError:
    """Return what to say where ledger and segments do not agree, with the way out."""
    place = shlex.quote(str(directory))
    return StorageError(
        f"{directory}: {what}; data was deleted, damaged or restored. Nothing was changed. To mend "
        f"it: penstock repair {place} (with --dry-run it only says what it would do)"
    )


def begun(directory: Path) -> bool:
    """Return whether there is a store; False where there is nothing that could be lost.

    The one answer to "new or lost?": no ledger, or one without tables, is what a first run leaves
    that died in its first moments, unless segments hold data.

    Raises:
        StorageError: They do: the ledger that knows them is gone.
        InputError: The ledger is something else.
    """
    kept = sum(found_segments(directory).values())
    version = 0
    try:
        version = _version(directory) if (directory / LEDGER).exists() else 0
    except _ForeignError as error:
        if kept:
            raise lost(directory, str(error)) from error
        if not _is_blank(directory / LEDGER):
            raise
    if version == 0 and kept:
        what = "empty" if (directory / LEDGER).exists() else "missing"
        raise lost(directory, f"its segments hold {kept:,} bytes, but {LEDGER} is {what}")
    return version > 0


def _version(directory: Path) -> int:
    # A journal of a transaction that was cut off can be undone by a writer only; on a read-only
    # medium there is none.
    for mode in ("mode=ro", "mode=rw"):
        with (
            contextlib.suppress(StorageError, sqlite3.OperationalError),
            closing(_recognised(directory, mode)) as connection,
        ):
            return _number(connection, "PRAGMA user_version")
    with closing(_recognised(directory, "mode=ro&immutable=1")) as connection:
        return _number(connection, "PRAGMA user_version")


def _is_blank(path: Path) -> bool:
    """Return whether a file has a size and no content: the power failed while it was made."""
    content = path.read_bytes() if path.stat().st_size < 1 << 20 else b"x"
    return not content.strip(b"\0")


def connect(directory: Path, *, new: bool = False) -> sqlite3.Connection:
    """Open the ledger for writing; make it only where it is to be a new one."""
    if new and (directory / LEDGER).exists() and _is_blank(directory / LEDGER):
        os.truncate(directory / LEDGER, 0)
    connection = _recognised(directory, "mode=rwc" if new else "mode=rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL").close()
        connection.execute("PRAGMA synchronous = FULL").close()
        connection.execute("PRAGMA fullfsync = 1").close()  # macOS: through the drive's cache
        connection.execute("PRAGMA cache_size = -8192").close()
    except BaseException:
        connection.close()
        raise
    return connection


def create(connection: sqlite3.Connection, now: float) -> None:
    """Make the tables where they are not there yet, in one transaction."""
    version = _number(connection, "PRAGMA user_version")
    if version == 1:
        connection.executescript(f"BEGIN IMMEDIATE; {_SECOND} COMMIT;")
    elif version == 0:
        connection.executescript(_SCHEMA + _SECOND)
        facts = [("started", now), ("expected", None)]
        connection.executemany("INSERT INTO fact VALUES (?, ?)", facts)
        connection.execute("COMMIT")


def read(directory: Path) -> sqlite3.Connection:
    """Open the ledger for reading only; a run may go on beside it.

    Raises:
        InputError: There is no store, or one of a newer version.
    """
    _refuse_unreadable(directory)
    if not begun(directory):
        raise InputError(f"{directory} is not a penstock store yet: its {LEDGER} is empty")
    try:
        connection = _recognised(directory, "mode=ro")
    except StorageError:
        # A store on a read-only medium: SQLite cannot share it, and nobody can be changing it.
        if (directory / f"{LEDGER}-wal").exists():
            raise
        connection = _recognised(directory, "mode=ro&immutable=1")
    return connection


def _refuse_unreadable(directory: Path) -> None:
    # Never by opening the file: closing it again would drop, as POSIX has it, the locks by which
    # SQLite connections of this very process keep others from deleting the log under them.
    try:
        if not stat.S_ISREG((directory / LEDGER).stat().st_mode):
            raise InputError(f"{directory} is not a penstock store: {LEDGER} is not a file")
    except FileNotFoundError as error:
        begun(directory)
        what = f"no {LEDGER} in it" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory} is not a penstock store: {what}") from error
    except OSError as error:
        raise InputError(f"{directory} is not a penstock store: {error.strerror}") from error
    if not os.access(directory / LEDGER, os.R_OK):
        raise InputError(f"{directory / LEDGER} may not be read: mend its permissions")


def _recognised(directory: Path, mode: str) -> sqlite3.Connection:
    """Open the ledger; refuse what is none and what we would misread."""
    path = (directory / LEDGER).absolute()
    with translated(path):
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{mode}",
            uri=True,
            timeout=_WAIT,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        _recognise(connection, directory)
    except BaseException:
        connection.close()
        raise
    return connection


def _recognise(connection: sqlite3.Connection, directory: Path) -> None:
    try:
        tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            words = f"{directory / LEDGER} is not a penstock ledger: {error}"
            raise _ForeignError(words) from error
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(f"{directory / LEDGER}: {error}") from error
        raise lost(directory, f"{LEDGER}: {error}") from error
    if tables and _number(connection, "PRAGMA application_id") != _APPLICATION:
        words = f"{directory / LEDGER} is not a penstock ledger: made by another program"
        raise _ForeignError(words)
    version = _number(connection, "PRAGMA user_version")
    if version > FORMAT:
        raise InputError(
            f"{directory} was written by a newer penstock (format {version}, this one knows "
            f"{FORMAT}): {UPGRADE}"
        )


def _number(connection: sqlite3.Connection, query: str) -> int:
    row: tuple[int] = connection.execute(query).fetchone()
    return row[0]
