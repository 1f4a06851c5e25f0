"""SQL over what landed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from penstock.errors import InputError
from penstock.store import StoreReader, to_duckdb

__all__ = ["ask"]

_ROWS = 1000


def ask(store: StoreReader, sql: str, *, flatten: bool = False) -> Iterator[dict[str, object]]:
    """Answer SQL over the table ``records``, what has landed up to now: a dictionary a row.

    Raises:
        InputError: DuckDB does not understand the SQL, or cannot carry it out.
        MissingExtra: duckdb or pyarrow is not installed.
        StorageError: A record is damaged.
    """
    with closing(to_duckdb(store, flatten=flatten)) as connection:
        import duckdb

        try:
            found = connection.execute(sql)
            names = [column[0] for column in found.description or ()]
            while rows := found.fetchmany(_ROWS):
                for row in rows:
                    yield dict(zip(names, row, strict=True))
        except duckdb.Error as error:
            raise InputError(f"query: {' '.join(str(error).split())}") from error
