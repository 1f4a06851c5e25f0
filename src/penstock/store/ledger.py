"""The ledger: a SQLite database that says which keys are done and where their lines are.

WAL with ``synchronous=FULL``: a transaction that was committed survives ``kill -9`` and power loss.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import final
from urllib.parse import quote

from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.files import check_names, open_regular
from penstock.store.segments import SEGMENT, found_segments

__all__ = [
    "FORMAT",
    "LEDGER",
    "MISFITS",
    "NAMES",
    "add_versions",
    "allow_versions",
    "at_rest",
    "begun",
    "connect",
    "create",
    "lost",
    "read",
    "refuse_foreign",
    "refuse_odd",
    "refuse_unreadable",
    "translated",
    "versioned",
]

LEDGER = "ledger.sqlite"
NAMES = (LEDGER, SEGMENT.rstrip("-"), "lock")
"""What a store's files are called, up to a hyphen."""
FORMAT = 3
_APPLICATION = 0x50454E53  # "PENS": what `file` and we recognise the ledger by
_AT_REST = "mode=ro&immutable=1"
_FILES = 32  # that a run and its store need open at once, about
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
_SECOND = """
CREATE TABLE gap (
    id INTEGER PRIMARY KEY, since TEXT NOT NULL, until TEXT, reason TEXT NOT NULL, count INTEGER,
    at REAL NOT NULL
);
CREATE TABLE erasing (segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
PRAGMA user_version = 2;
"""
# What format 3 has more, in stores that keep what comes again: lines that others took the place of.
_VERSION = """version (
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    crc32 INTEGER NOT NULL, key NOT NULL, by_segment INTEGER NOT NULL, by_offset INTEGER NOT NULL,
    PRIMARY KEY (segment, offset)
) WITHOUT ROWID"""
_THIRD = f"""
CREATE TABLE main.{_VERSION};
CREATE INDEX version_key ON version (key);
PRAGMA user_version = {FORMAT};
"""
# SQLite takes any value in any column: what none of ours has, by table.
MISFITS = {
    "fact": """SELECT name AS key FROM fact WHERE (name = 'started'
        OR name IN ('verified', 'repaired')) AND typeof(value) NOT IN ('real', 'integer')
        OR name = 'expected' AND typeof(value) NOT IN ('integer', 'null')""",
    "segment": """SELECT number AS key FROM segment WHERE typeof(size) != 'integer' OR size < 0
        OR typeof(landed) != 'integer' OR typeof(at) NOT IN ('real', 'integer')""",
    "item": """SELECT key FROM item WHERE typeof(key) NOT IN ('integer', 'text')
        OR typeof(at) NOT IN ('real', 'integer') OR state = 'landed' AND (offset < 0 OR length < 1
        OR length > (SELECT max(size) FROM segment)
        OR typeof(segment) != 'integer' OR typeof(offset) != 'integer'
        OR typeof(length) != 'integer' OR typeof(crc32) != 'integer')""",
    "failure": """SELECT id AS key FROM failure WHERE typeof(at) NOT IN ('real', 'integer')
        OR typeof(key) NOT IN ('integer', 'text') OR typeof(status) NOT IN ('integer', 'null')
        OR typeof(attempts) || typeof(replayed) || typeof(current) != 'integerintegerinteger'
        OR typeof(error) || typeof(message) || typeof(excerpt) != 'texttexttext'""",
    "mark": "SELECT name AS key FROM mark WHERE typeof(name) || typeof(value) != 'texttext'",
}
_SMALL = f"""SELECT 'fact' FROM ({MISFITS["fact"]}) UNION ALL
    SELECT 'segment' FROM ({MISFITS["segment"]}) UNION ALL
    SELECT 'fact' WHERE (SELECT count(*) FROM fact WHERE name IN ('started', 'expected')) < 2"""
_COLUMNS = """SELECT made.name, part.name, part.type, part.pk, part."notnull"
    FROM main.sqlite_schema AS made, pragma_table_info(made.name) AS part
    WHERE made.type = 'table'"""


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
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: a text in it is damaged: see penstock verify") from error
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else words_of(error)
        raise StorageError(
            f"{path}: {reason}; nothing after the last safe group was kept"
        ) from error


def words_of(error: Exception) -> str:
    """Return SQLite's words in one line, a damaged schema in them too, and what it does not say.

    It names neither the limit of open files nor how many are needed.
    """
    words = " ".join(str(error).split())
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed >= _FILES or not words.startswith("unable to open"):
        return words
    return f"{words}: {_FILES} open files are needed, {allowed} are allowed: raise ulimit -n"


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
    for mode in (_AT_REST,) if at_rest(directory) else ("mode=ro", "mode=rw"):
        with (
            contextlib.suppress(StorageError, sqlite3.OperationalError),
            closing(_recognised(directory, mode)) as connection,
        ):
            return _number(connection, "PRAGMA user_version")
    with closing(_recognised(directory, _AT_REST)) as connection:
        return _number(connection, "PRAGMA user_version")


def _is_blank(path: Path) -> bool:
    """Return whether a file has a size and no content: the power failed while it was made."""
    content = path.read_bytes() if path.stat().st_size < 1 << 20 else b"x"
    return not content.strip(b"\0")


def connect(directory: Path, *, new: bool = False) -> sqlite3.Connection:
    """Open the ledger for writing; make it only where it is to be a new one."""
    if new:
        check_names(directory, NAMES, write=True)
        if not (directory / LEDGER).exists():
            os.close(open_regular(directory / LEDGER, os.O_RDWR | os.O_CREAT))
        elif _is_blank(directory / LEDGER):
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


def versioned(connection: sqlite3.Connection) -> bool:
    """Return whether the store keeps records that others took the place of."""
    return _number(connection, "PRAGMA user_version") >= FORMAT


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Return whether a ledger has the tables of its version, their columns, and none but those.

    Other programs may add tables and indexes; a trigger or a view would act in our name.
    """
    acts = "SELECT 1 FROM main.sqlite_schema WHERE type IN ('trigger', 'view')"
    if connection.execute(acts).fetchone():
        return False
    ours = {table for table, *_ in _columns_of(FORMAT)}
    found = {column for column in _columns(connection) if column[0] in ours}
    return found == _columns_of(_number(connection, "PRAGMA user_version"))


def refuse_foreign(connection: sqlite3.Connection, directory: Path) -> None:
    """Refuse a ledger that has not the tables of one.

    Raises:
        StorageError: It has others, or is damaged; its way out is said.
    """
    what = "has not the tables of a ledger"
    try:
        if _is_ours(connection):
            return
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        what = words_of(error)
    raise lost(directory, f"{LEDGER} {what}")


def refuse_odd(connection: sqlite3.Connection, directory: Path) -> None:
    """Refuse a ledger that says of the store what no ledger of ours says.

    Raises:
        StorageError: It is that; its way out is told.
    """
    if found := connection.execute(_SMALL).fetchone():
        raise lost(directory, f"{LEDGER} has a value in the table {found[0]} that is not ours")


def _columns(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    return set(connection.execute(_COLUMNS).fetchall())


@cache
def _columns_of(version: int) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript("".join((_SCHEMA, _SECOND, _THIRD)[:version]))
        return _columns(made)


def allow_versions(connection: sqlite3.Connection) -> None:
    """Let a connection ask for versions, where the store keeps none."""
    if not versioned(connection):
        connection.execute("PRAGMA temp_store = MEMORY").close()
        connection.execute(f"CREATE TEMP TABLE {_VERSION}")


def add_versions(connection: sqlite3.Connection) -> None:
    """Make room for what records take the place of, in the present transaction."""
    connection.execute("DROP TABLE IF EXISTS temp.version")
    if not versioned(connection):
        for statement in filter(str.strip, _THIRD.split(";")):
            connection.execute(statement)


def read(directory: Path, *, resting: bool = False, odd: bool = False) -> sqlite3.Connection:
    """Open the ledger for reading only; a run may go on beside it.

    SQLite makes files of its own beside a ledger that is read. Where it is ``resting``
    (:func:`at_rest`), nothing is made; then whoever reads looks again whether it still was.

    Raises:
        InputError: There is no store, or one of a newer version.
        StorageError: What it says of the store is none of ours, unless it may be ``odd``.
    """
    refuse_unreadable(directory)
    if not begun(directory):
        raise InputError(f"{directory} is not a penstock store yet: its {LEDGER} is empty")
    try:
        connection = _recognised(directory, _AT_REST if resting else "mode=ro")
    except StorageError:
        # A store on a read-only medium: SQLite cannot share it, and nobody can be changing it.
        if resting or (directory / f"{LEDGER}-wal").exists():
            raise
        connection = _recognised(directory, _AT_REST)
    if odd:
        return connection
    try:
        refuse_odd(connection, directory)
    except StorageError:
        connection.close()
        raise
    except sqlite3.DatabaseError:
        pass  # who needs what is not there says so
    return connection


def at_rest(directory: Path) -> tuple[int, int, int] | None:
    """Return by what the ledger is known to be unchanged, or None where somebody may write to it.

    No writer is without a log beside the ledger, nor ends without having changed the ledger.
    """
    if any((directory / f"{LEDGER}{suffix}").exists() for suffix in ("-wal", "-journal")):
        return None
    try:
        found = (directory / LEDGER).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def refuse_unreadable(directory: Path) -> None:
    """Refuse what is not a store, or may not be read.

    Raises:
        InputError: It is that.
    """
    # Never by opening the file: closing it again would drop, as POSIX has it, the locks by which
    # SQLite connections of this very process keep others from deleting the log under them.
    try:
        if not stat.S_ISREG((directory / LEDGER).lstat().st_mode):
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
        check_names(directory, NAMES, write=not mode.startswith("mode=ro"))
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{mode}",
            uri=True,
            timeout=_WAIT,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        # Somebody else's schema may call functions in views and triggers: only harmless ones.
        connection.execute("PRAGMA trusted_schema = OFF").close()
        _recognise(connection, directory)
    except BaseException:
        connection.close()
        raise
    return connection


def _recognise(connection: sqlite3.Connection, directory: Path) -> None:
    try:
        tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    except UnicodeDecodeError as error:
        raise lost(directory, f"{LEDGER}: {words_of(error)}") from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            words = f"{directory / LEDGER} is not a penstock ledger: {words_of(error)}"
            raise _ForeignError(words) from error
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(f"{directory / LEDGER}: {words_of(error)}") from error
        raise lost(directory, f"{LEDGER}: {words_of(error)}") from error
    if tables and _number(connection, "PRAGMA application_id") != _APPLICATION:
        words = f"{directory / LEDGER} is not a penstock ledger: made by another program"
        raise _ForeignError(words)
    version = _number(connection, "PRAGMA user_version")
    if version > FORMAT:
        raise InputError(
            f"{directory} was written by a newer penstock (format {version}, this one knows "
            f"{FORMAT}): {UPGRADE}"
        )
    allow_versions(connection)


def _number(connection: sqlite3.Connection, query: str) -> int:
    row: tuple[int] = connection.execute(query).fetchone()
    return row[0]
