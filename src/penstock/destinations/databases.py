"""SQLite, DuckDB and PostgreSQL as places for tables that are kept up to date."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast, final

from penstock.address import hide
from penstock.destinations.ports import Batch, Destination, Reader
from penstock.destinations.sql import SqlConnection, SqlTables, identifier
from penstock.destinations.target import path_of
from penstock.destinations.text_files import Row
from penstock.errors import InputError, MissingExtra, StorageError
from penstock.pipeline import Key
from penstock.store import Column, Field, Nested, import_arrow, portions, text_of

if TYPE_CHECKING:
    import duckdb
    import psycopg
    import pyarrow as pa

__all__ = ["open_duckdb", "open_postgres", "open_sqlite", "write_sqlite"]

_CELLS = 20_000  # entered at once
_MEMORY = "32MB"  # that DuckDB takes for itself, as long as that does
# What a column is, by what it holds: in SQLite, DuckDB and PostgreSQL. Whatever else is text.
_TYPES = {
    "bool": ("BOOLEAN", "BOOLEAN", "BOOLEAN"),
    "int": ("INTEGER", "BIGINT", "BIGINT"),
    "long": ("INTEGER", "BIGINT", "BIGINT"),
    "float": ("REAL", "DOUBLE", "DOUBLE PRECISION"),
    "json": ("TEXT", "JSON", "JSONB"),
    "raw": ("TEXT", "TEXT", "JSON"),
    "date": ("TEXT", "DATE", "DATE"),
    "datetime": ("TEXT", "TIMESTAMP", "TIMESTAMP"),
    "timestamp": ("TEXT", "TIMESTAMPTZ", "TIMESTAMPTZ"),
    "decimal": ("TEXT", "DECIMAL(38, 9)", "NUMERIC"),
    "epoch": ("TEXT", "TIMESTAMPTZ", "TIMESTAMPTZ"),
    "epoch-ms": ("TEXT", "TIMESTAMPTZ", "TIMESTAMPTZ"),
}


def _typed(database: int) -> dict[str, str]:
    return {kind: types[database] for kind, types in _TYPES.items()}


@final
class _Sqlite(SqlTables):
    """Times and exact decimals are the text they came as, booleans 0 and 1."""

    begin = "BEGIN IMMEDIATE"
    catalogue = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({})"
    errors = (sqlite3.Error,)
    types = _typed(0)
    readers: ClassVar[Mapping[str, Reader]] = {
        **dict.fromkeys(("date", "datetime", "timestamp"), text_of),
        **dict.fromkeys(("decimal", "epoch", "epoch-ms"), bytes.decode),
    }

    def __init__(self, connection: sqlite3.Connection, shown: str) -> None:
        super().__init__(connection, shown)
        self._sqlite = connection

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        marks = ", ".join("?" * len(names))
        query = f"INSERT INTO {identifier(batch.table)} ({', '.join(names)}) VALUES ({marks})"
        done = self._sqlite.executemany(query, batch.values(self.readers))
        self.took(batch, done.rowcount)

    def widen(self, table: str, field: Field) -> None:
        """Do nothing: a column of SQLite holds numbers of either kind."""


@final
class _DuckDb(SqlTables):
    """Rows come in as Arrow; the file is open only while a batch is written."""

    types = _typed(1)
    holds_structs = True
    most = 100_000
    unique = ""  # an index would have to fit in memory
    indexed = False
    catalogue = SqlTables.catalogue.replace("table_name = {}", "lower(table_name) = lower({})")

    def __init__(self, connection: duckdb.DuckDBPyConnection, shown: str) -> None:
        import duckdb

        super().__init__(connection, shown)
        self.errors = (duckdb.Error,)
        self._duck = connection

    def type_of(self, field: Field) -> str:
        return _duck_type(field.nested) if field.kind == "nested" else super().type_of(field)

    def commit(self, batch: Batch) -> None:
        import duckdb

        try:
            super().commit(batch)
        except StorageError as error:
            if not isinstance(error.__cause__, duckdb.OutOfMemoryException):
                raise
            self._duck.execute("RESET memory_limit")  # to what it takes for itself: most of all
            super().commit(batch)

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        table, key, listed = identifier(batch.table), names[0], ", ".join(names)
        run = self._duck.execute
        self._duck.register("_batch", batch.arrow())
        if batch.known and not batch.versions:  # there is no index that would refuse it
            there = f"SELECT {key} FROM {table} WHERE {key} IN (SELECT {key} FROM _batch) LIMIT 1"
            if (found := run(there).fetchone()) is not None:
                raise self.changed(f"{batch.table} has a row of the key {found[0]!r} already")
        run(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM _batch")
        self._duck.unregister("_batch")

    def described(self, query: str) -> Sequence[str]:
        return [str(kind) for _, kind, *_ in self._duck.execute(f"DESCRIBE {query}").fetchall()]

    def remove(self, table: str, key: str, keys: Sequence[Key]) -> None:
        self._duck.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT unnest(?))", [keys])


def _duck_type(shape: Nested) -> str:
    if isinstance(shape, list):
        return f"{_duck_type(shape[0])}[]"
    if shape and isinstance(shape, dict):
        members = (f"{identifier(name)} {_duck_type(one)}" for name, one in shape.items())
        return f"STRUCT({', '.join(members)})"
    return _TYPES.get(str(shape), ("", "JSON" if shape == {} else "VARCHAR"))[1]


@final
class _Postgres(SqlTables):
    """Rows come in by COPY."""

    types = _typed(2)
    mark = "%s"
    most = 1600
    takes_arrow = True
    locked = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection, shown: str) -> None:
        import psycopg

        super().__init__(cast("SqlConnection", connection), shown)
        self.errors = (psycopg.Error,)
        self._postgres = connection

    def described(self, query: str) -> Sequence[str]:
        found = self._postgres.execute(f"{query} LIMIT 0".encode())
        return [one.type_display for one in found.description or ()]

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        query = f"COPY {identifier(batch.table)} ({', '.join(names)}) FROM STDIN"
        with self._postgres.cursor() as cursor:
            if batch.arrays is None:
                with cursor.copy(query.encode()) as copy:
                    for row in batch.values():
                        copy.write_row(row)
            else:
                with cursor.copy(f"{query} (FORMAT csv, ENCODING 'UTF8')".encode()) as copy:
                    copy.write(_csv_of(batch.arrow()))
            self.took(batch, cursor.rowcount)


def _csv_of(table: pa.Table) -> bytes:
    """Return rows as CSV in which texts are quoted and nulls are not."""
    import pyarrow as pa
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    return bytes(sink.getvalue())


def open_sqlite(address: str) -> Destination:
    """Open ``sqlite://FILE``, which is made where there is none."""
    path = path_of(address)
    try:
        # Whole, since :memory: would be in no file.
        connection = sqlite3.connect(path.absolute(), isolation_level=None, timeout=30.0)
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    return _Sqlite(connection, str(path))


def write_sqlite(
    rows: Iterable[Row], columns: Sequence[Column], path: Path, *, unique: bool = True
) -> None:
    """Fill the empty file ``path`` with the table ``record``. Booleans are 0 and 1.

    With ``unique`` the first column is the primary key.

    Raises:
        InputError: More columns than a SQLite table can have.
        StorageError: The disk is full or broken.
    """
    if len(columns) > _Sqlite.most:
        raise InputError(
            f"{len(columns)} columns, but a SQLite table holds {_Sqlite.most}: "
            "export without --flatten, or to jsonl or parquet"
        )
    fields = [Field((), column.name, column.kind) for column in columns]
    table = Batch(
        table="record", before=None, after=b"", fields=fields, rows=(), versions=not unique
    )
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            # The file is a temporary that is synced as a whole when it is complete.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            filled = _Sqlite(database, str(path))
            filled.indexed = False
            filled.shape(table)
            for some in portions(rows, len, _CELLS):
                batch = dataclasses.replace(table, rows=some)
                filled.insert(batch, [identifier(column.name) for column in columns])
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise StorageError(f"export to sqlite: {error}; nothing was left there") from error


def open_duckdb(address: str) -> Destination:
    """Open ``duckdb://FILE``, which is made where there is none."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("duckdb://", "duckdb", "duckdb") from error
    import_arrow("duckdb://")
    path = path_of(address)
    try:
        # What it would fetch from the network is not for us to fetch.
        asked: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "memory_limit": _MEMORY,
            "threads": 1,
        }
        return _DuckDb(duckdb.connect(str(path.absolute()), config=asked), str(path))
    except duckdb.Error as error:
        raise StorageError(f"{path}: {' '.join(str(error).split())}") from error


def open_postgres(address: str) -> Destination:
    """Open ``postgresql://USER@HOST/DATABASE``, as libpq reads it."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("postgresql://", "psycopg", "postgres") from error
    try:
        connection = psycopg.connect(address, autocommit=True, application_name="penstock")
    except psycopg.Error as error:
        kind = InputError if isinstance(error, psycopg.ProgrammingError) else StorageError
        raise kind(f"{hide(address)}: {' '.join(str(error).split())}") from error
    return _Postgres(connection, hide(address))
