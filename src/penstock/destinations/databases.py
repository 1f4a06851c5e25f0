"""SQLite, DuckDB and PostgreSQL as places for tables that are kept up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast, final

from penstock.address import hide
from penstock.destinations.ports import Batch, Destination, Reader
from penstock.destinations.sql import Connection, SqlTables, identifier
from penstock.destinations.target import path_of
from penstock.errors import MissingExtra, StorageError
from penstock.store import arrow_table, import_arrow, text_of

if TYPE_CHECKING:
    import duckdb
    import psycopg

__all__ = ["open_duckdb", "open_postgres", "open_sqlite"]


@final
class _Sqlite(SqlTables):
    """Times and exact decimals are the text they came as, booleans 0 and 1."""

    types: ClassVar[Mapping[str, str]] = {
        "bool": "BOOLEAN",
        "int": "INTEGER",
        "long": "INTEGER",
        "float": "REAL",
    }
    begin = "BEGIN IMMEDIATE"
    catalogue = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({})"
    errors = (sqlite3.Error,)
    readers: ClassVar[Mapping[str, Reader]] = {
        "date": text_of,
        "datetime": text_of,
        "timestamp": text_of,
        "decimal": bytes.decode,
        "epoch": bytes.decode,
        "epoch-ms": bytes.decode,
    }

    def __init__(self, connection: sqlite3.Connection, shown: str) -> None:
        super().__init__(connection, shown)
        self._sqlite = connection

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        marks = ", ".join("?" * len(names))
        query = f"INSERT INTO {identifier(batch.table)} ({', '.join(names)}) VALUES ({marks})"
        self._sqlite.executemany(query, batch.values(self.readers))

    def widen(self, table: str, column: str) -> None:
        """Do nothing: a column of SQLite holds numbers of either kind."""


@final
class _DuckDb(SqlTables):
    """Rows come in as Arrow; the file is open only while a batch is written."""

    types: ClassVar[Mapping[str, str]] = {
        "bool": "BOOLEAN",
        "int": "BIGINT",
        "long": "BIGINT",
        "float": "DOUBLE",
        "json": "JSON",
        "date": "DATE",
        "datetime": "TIMESTAMP",
        "timestamp": "TIMESTAMPTZ",
        "decimal": "DECIMAL(38, 9)",
        "epoch": "TIMESTAMPTZ",
        "epoch-ms": "TIMESTAMPTZ",
    }
    unique = ""  # an index would have to fit in memory
    indexed = False

    def __init__(self, connection: duckdb.DuckDBPyConnection, shown: str) -> None:
        import duckdb

        super().__init__(connection, shown)
        self.errors = (duckdb.Error,)
        self._duck = connection

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        self._duck.register("_batch", arrow_table(batch.typed, batch.rows))
        listed = ", ".join(names)
        self._duck.execute(
            f"INSERT INTO {identifier(batch.table)} ({listed}) SELECT {listed} FROM _batch"
        )
        self._duck.unregister("_batch")


@final
class _Postgres(SqlTables):
    """Rows come in by COPY."""

    types: ClassVar[Mapping[str, str]] = {
        "bool": "BOOLEAN",
        "int": "BIGINT",
        "long": "BIGINT",
        "float": "DOUBLE PRECISION",
        "json": "JSONB",
        "raw": "JSON",
        "date": "DATE",
        "datetime": "TIMESTAMP",
        "timestamp": "TIMESTAMPTZ",
        "decimal": "NUMERIC",
        "epoch": "TIMESTAMPTZ",
        "epoch-ms": "TIMESTAMPTZ",
    }
    mark = "%s"
    most = 1600
    locked = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection, shown: str) -> None:
        import psycopg

        super().__init__(cast("Connection", connection), shown)
        self.errors = (psycopg.Error,)
        self._postgres = connection

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        query = f"COPY {identifier(batch.table)} ({', '.join(names)}) FROM STDIN"
        with self._postgres.cursor() as cursor, cursor.copy(query.encode()) as copy:
            for row in batch.values():
                copy.write_row(row)


def open_sqlite(address: str) -> Destination:
    """Open ``sqlite://FILE``, which is made where there is none."""
    path = path_of(address)
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    return _Sqlite(connection, str(path))


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
            "autoinstall_known_extensions": False
        }
        return _DuckDb(duckdb.connect(str(path), config=asked), str(path))
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
        raise StorageError(f"{hide(address)}: {' '.join(str(error).split())}") from error
    return _Postgres(connection, hide(address))
