"""SQL over what landed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from penstock.errors import InputError
from penstock.store import LiveRecords, StoreReader, connect_duckdb

__all__ = ["ask"]

_ROWS = 1000


def ask(store: StoreReader, sql: str, *, flatten: bool = False) -> Iterator[dict[str, object]]:
    """Answer SQL over the table ``records``, what has landed up to now: a dictionary a row.

    The records are read as the answer needs them: nothing is copied, and memory stays bounded.

    Raises:
        InputError: DuckDB does not understand the SQL, or cannot carry it out.
        MissingExtra: duckdb or pyarrow is not installed.
        StorageError: A record is damaged.
    """
    with closing(connect_duckdb("query")) as connection:
        import duckdb

        records = LiveRecords(store, flatten=flatten)
        connection.register("records", records)
        try:
            found = connection.execute(sql)
            names = [column[0] for column in found.description or ()]
            while rows := found.fetchmany(_ROWS):
                for row in rows:
                    yield dict(zip(names, row, strict=True))
        except duckdb.Error as error:
            if records.error is not None:
                raise records.error from error
            raise InputError(f"query: {' '.join(str(error).split())}") from error
