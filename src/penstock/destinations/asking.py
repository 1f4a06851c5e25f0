"""SQL over what landed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from penstock.errors import InputError
from penstock.store import LiveRecords, StoreReader, connect_duckdb, free_name

if TYPE_CHECKING:
    import duckdb

__all__ = ["Answer", "answering", "ask"]

_ROWS = 1000

Answer = tuple[list[str], Iterator[tuple[object, ...]]]
"""The names of the columns, each another one, and the rows."""


def ask(store: StoreReader, sql: str, *, flatten: bool = False) -> Iterator[dict[str, object]]:
    """Answer SQL over the table ``records``, what has landed up to now: a dictionary a row.

    The records are read as the answer needs them: nothing is copied, and memory stays bounded.
    Of columns of one name the second is named ``a_2``.

    Raises:
        InputError: DuckDB does not understand the SQL, or cannot carry it out.
        MissingExtra: duckdb or pyarrow is not installed.
        StorageError: A record is damaged.
    """
    with answering(store, sql, flatten=flatten) as (names, rows):
        for row in rows:
            yield dict(zip(names, row, strict=True))


@contextmanager
def answering(store: StoreReader, sql: str, *, flatten: bool) -> Iterator[Answer]:
    """Give the columns and rows that answer SQL, as :func:`ask` has it."""
    with closing(connect_duckdb("query")) as connection:
        import duckdb

        records = LiveRecords(store, flatten=flatten)
        connection.register("records", records)
        try:
            found = connection.execute(_the_last(connection, sql))
            taken: set[str] = set()
            names = [free_name(str(column[0]), taken) for column in found.description or ()]
            yield names, _rows(found)
        except duckdb.Error as error:
            if records.error is not None:
                raise records.error from error
            raise InputError(f"query: {' '.join(str(error).split())}") from error


def _the_last(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Perform all statements but the last one, which is the question; return that."""
    import duckdb

    statements = connection.extract_statements(sql)
    if not statements:
        raise InputError("query: there is no SQL in it: write 'SELECT ... FROM records'")
    for one in statements[:-1]:
        if one.type == duckdb.StatementType.SELECT:
            raise InputError("query: there are several questions: ask one at a time")
        connection.execute(one)
    return statements[-1]


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[object, ...]]:
    while rows := found.fetchmany(_ROWS):
        yield from rows
