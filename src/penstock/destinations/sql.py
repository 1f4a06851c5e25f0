"""Tables in databases that speak SQL: rows, columns and position in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol

from penstock.destinations.ports import Batch, Reader
from penstock.errors import InputError, StorageError
from penstock.pipeline import Key
from penstock.store import READERS, Field

__all__ = ["SqlConnection", "SqlTables", "identifier"]

_CHUNK = 500
_STATES = '"_penstock"'


class SqlCursor(Protocol):
    """What a statement gives back."""

    def fetchone(self) -> tuple[object, ...] | None: ...


class SqlConnection(Protocol):
    """What the drivers have in common."""

    def execute(self, query: str, parameters: Sequence[object] = ..., /) -> SqlCursor:
        """Perform a statement."""

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""


class SqlTables:
    """The destination over a connection; a dialect sets what differs, and how rows come in.

    Attributes:
        types: The type of a column, by what it holds; others are ``TEXT``.
        mark: What stands for a parameter.
        begin: The statement that begins a transaction.
        most: Columns that a table can have.
        catalogue: The query for a table of a given name.
        locked: What keeps others from the row of a state until the end of the transaction.
        unique: What is said of the column of keys.
        indexed: Whether a table of versions has an index by key.
        readers: What makes values of some kinds in a way of its own.
    """

    types: ClassVar[Mapping[str, str]]
    readers: ClassVar[Mapping[str, Reader]] = {}
    holds_versions = holds_children = True
    holds_structs = False
    indexed = True
    mark = "?"
    begin = "BEGIN"
    most = 2000
    catalogue = (
        "SELECT 1 FROM information_schema.tables"
        " WHERE table_schema = current_schema() AND table_name = {}"
    )
    locked = ""
    unique = " PRIMARY KEY"
    errors: tuple[type[Exception], ...] = ()

    def __init__(self, connection: SqlConnection, shown: str) -> None:
        self._connection = connection
        self._shown = shown

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""
        self._connection.close()

    def state(self, table: str) -> bytes | None:
        """Return the state of a table as the last batch left it; None where there is none."""
        with self._translated():
            there = self._exists(table)
            known = self._known(table) if self._exists("_penstock") else None
        if there and known is None:
            raise InputError(_foreign(self._shown, table))
        return known if there else None

    def commit(self, batch: Batch) -> None:
        """Make a batch true in one transaction, if the state is what it goes on from."""
        with self._translated(), self._transaction():
            self._move_on(batch)
            self._write(batch)
            for child in batch.children:
                if not child.known:
                    self._take(child.table, batch.table)
                self._write(child)

    def _write(self, batch: Batch) -> None:
        if len(batch.typed) > self.most:
            raise InputError(
                f"{len(batch.typed)} columns, but a table of {self._shown} holds {self.most}: "
                "keep it without flattening, or in duckdb:// or a Parquet dataset"
            )
        self.shape(batch)
        if batch.gone:
            self.remove(identifier(batch.table), identifier(batch.fields[0].name), batch.gone)
        if batch.ended:
            self._end(batch)
        if batch.rows:
            self.insert(batch, [identifier(one.name) for _, one in batch.typed])

    def _take(self, table: str, parent: str) -> None:
        """Have room for a table of lists, also where an earlier one of ours is left."""
        run, mark, owner = self._connection.execute, self.mark, f"lists of {parent}"
        if self._exists(table):
            if self._known(table) != owner.encode():
                raise InputError(_foreign(self._shown, table))
            run(f"DROP TABLE {identifier(table)}")
        run(f"DELETE FROM {_STATES} WHERE name = {mark}", [table])
        run(f"INSERT INTO {_STATES} VALUES ({mark}, {mark})", [table, owner])

    def insert(self, batch: Batch, names: Sequence[str]) -> None:
        """Bring the rows in."""
        raise NotImplementedError

    def _exists(self, table: str) -> bool:
        found = self._connection.execute(self.catalogue.format(self.mark), [table])
        return found.fetchone() is not None

    def _known(self, table: str) -> bytes | None:
        query = f"SELECT state FROM {_STATES} WHERE name = {self.mark}{self.locked}"
        found = self._connection.execute(query, [table]).fetchone()
        return None if found is None else str(found[0]).encode()

    def _move_on(self, batch: Batch) -> None:
        """Write the new state, if the old one is what this process goes on from."""
        run, mark = self._connection.execute, self.mark
        run(f"CREATE TABLE IF NOT EXISTS {_STATES} (name TEXT PRIMARY KEY, state TEXT NOT NULL)")
        if batch.before is None:
            run(f"DELETE FROM {_STATES} WHERE name = {mark}", [batch.table])
            run(
                f"INSERT INTO {_STATES} VALUES ({mark}, {mark})",
                [batch.table, batch.after.decode()],
            )
            return
        if self._known(batch.table) != batch.before:
            raise StorageError(
                f"{self._shown}: another process keeps {batch.table} up to date, or changed its "
                "state; nothing was written: call again"
            )
        query = f"UPDATE {_STATES} SET state = {mark} WHERE name = {mark}"
        run(query, [batch.after.decode(), batch.table])

    def shape(self, batch: Batch) -> None:
        """Make the table of a batch, or the columns that it has more."""
        table = identifier(batch.table)
        columns = [
            (spot, f"{identifier(one.name)} {self.type_of(one)}") for spot, one in batch.typed
        ]
        if not batch.known:
            (_, key), *others = columns
            unique = "" if batch.versions else self.unique
            made = ", ".join([key + unique, *(column for _, column in others)])
            self._connection.execute(f"CREATE TABLE {table} ({made})")
            if batch.versions and self.indexed:
                index = identifier(f"{batch.table}_by_key")
                name = identifier(batch.fields[0].name)
                self._connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({name})")
            return
        self._expect(table, batch)
        for spot, column in columns:
            if spot >= batch.known:
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        for spot, one in batch.typed:
            if spot < batch.known and one.name in batch.widened:
                self.widen(table, one)

    def _expect(self, table: str, batch: Batch) -> None:
        """Refuse columns that somebody has changed: they may round what comes, or cut it."""
        there = [
            (identifier(one.name), self.type_of(one))
            for spot, one in batch.typed
            if spot < batch.known and one.name not in batch.widened
        ]
        made = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in there)
        names = ", ".join(name for name, _ in there)
        wanted = self.described(f"SELECT {made}")
        found = self.described(f"SELECT {names} FROM {table}") if wanted else ()
        for (name, _), is_now, was in zip(there, found, wanted, strict=bool(wanted)):
            if is_now != was:
                raise self.changed(f"the column {name} of {table} is {is_now}, it was made {was}")

    def took(self, batch: Batch, count: int) -> None:
        """Refuse a table that has not taken all rows, as a trigger of somebody's can have it."""
        if count != len(batch.rows):
            raise self.changed(f"{batch.table} took {count} of {len(batch.rows)} rows")

    def described(self, query: str) -> Sequence[str]:
        """Return the types of the columns that a query has; none where they do not matter."""
        return ()

    def type_of(self, field: Field) -> str:
        """Return the type of a column."""
        return self.types.get(field.kind, "TEXT")

    def widen(self, table: str, field: Field) -> None:
        """Let a column hold what it has come to hold."""
        self._connection.execute(
            f"ALTER TABLE {table} ALTER COLUMN {identifier(field.name)} TYPE {self.type_of(field)}"
        )

    def beside(self, name: str) -> str:
        """Return a name as it stands in a statement that has parameters."""
        return name.replace("%", "%%") if self.mark == "%s" else name

    def remove(self, table: str, key: str, keys: Sequence[Key]) -> None:
        """Delete the rows of these keys."""
        name = self.beside(table)
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            marks = ", ".join([self.mark] * len(some))
            self._connection.execute(f"DELETE FROM {name} WHERE {key} IN ({marks})", some)

    def _end(self, batch: Batch) -> None:
        """Say of versions until when they held."""
        read = self.readers.get("timestamp", READERS["timestamp"])
        key, _, until = (identifier(field.name) for field in batch.fields[:3])
        table = self.beside(identifier(batch.table))
        for start in range(0, len(batch.ended), _CHUNK):
            some = batch.ended[start : start + _CHUNK]
            marks = ", ".join([f"({self.mark}, {self.mark})"] * len(some))
            self._connection.execute(
                f"WITH ended (k, moment) AS (VALUES {marks}) UPDATE {table}"
                f" SET {until} = moment FROM ended WHERE {key} = k AND {until} IS NULL",
                [value for one, moment in some for value in (one, read(moment))],
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute(self.begin)
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        self._connection.execute("COMMIT")

    def _roll_back(self) -> None:
        """Undo, where the connection still takes a statement; a lost one has ended it."""
        try:
            self._connection.execute("ROLLBACK")
        except self.errors:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self.changed(" ".join(str(error).split())) from error

    def changed(self, words: str) -> StorageError:
        """Return the error of a table that does not take a batch."""
        return StorageError(
            f"{self._shown}: {words}; what was committed before is there: call again; a table "
            "that somebody has changed is written again once it is dropped"
        )


def _foreign(shown: str, table: str) -> str:
    return (
        f"{shown} has a table {table} that was not made by penstock: name another one, or drop it"
    )


def identifier(name: str) -> str:
    """Return a name as SQL quotes it."""
    # A NUL would end the statement for SQLite's parser.
    return '"' + name.replace('"', '""').replace("\0", "\\0") + '"'
