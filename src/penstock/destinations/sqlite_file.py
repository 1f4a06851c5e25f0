"""Export to a SQLite database with one table, ``record``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from penstock.destinations.sql import identifier
from penstock.destinations.text_files import Row
from penstock.errors import InputError, StorageError
from penstock.store import Column, text_of

__all__ = ["write_sqlite"]

_MOST_COLUMNS = 2000  # SQLITE_MAX_COLUMN as it is compiled everywhere
_TYPES = {"bool": "BOOLEAN", "int": "INTEGER", "float": "REAL"}

_Value = str | int | float | None
_Reader = Callable[[bytes], _Value]


def _value(cell: bytes | None, read: _Reader) -> _Value:
    return None if cell is None or cell == b"null" else read(cell)


_READERS: dict[str, _Reader] = {
    "bool": lambda cell: int(cell == b"true"),
    "int": int,
    "float": float,
    "text": text_of,
    "digits": bytes.decode,
    "json": bytes.decode,
    "null": bytes.decode,
}


def write_sqlite(
    rows: Iterable[Row], columns: Sequence[Column], path: Path, *, unique: bool = True
) -> None:
    """Fill the empty file ``path``. Booleans are 0 and 1.

    With ``unique`` the first column is the primary key.

    Raises:
        InputError: More columns than a SQLite table can have.
        StorageError: The disk is full or broken.
    """
    if len(columns) > _MOST_COLUMNS:
        raise InputError(
            f"{len(columns)} columns, but a SQLite table holds {_MOST_COLUMNS}: "
            "export without --flatten, or to jsonl or parquet"
        )
    readers = [_READERS[column.kind] for column in columns]
    names = [identifier(column.name) for column in columns]
    kinds = [_TYPES.get(column.kind, "TEXT") for column in columns]
    key, *others = [f"{name} {kind}" for name, kind in zip(names, kinds, strict=True)]
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            # The file is a temporary that is synced as a whole when it is complete.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            first = f"{key} PRIMARY KEY" if unique else key
            database.execute(f"CREATE TABLE record ({', '.join([first, *others])})")
            marks = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO record VALUES ({marks})", _values(rows, readers))
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise StorageError(f"export to sqlite: {error}; nothing was left there") from error


def _values(rows: Iterable[Row], readers: Sequence[_Reader]) -> Iterator[list[_Value]]:
    for row in rows:
        yield list(map(_value, row, readers))
