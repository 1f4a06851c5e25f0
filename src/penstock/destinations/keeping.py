"""A table kept up to date with a store: goes on from the position that the destination holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import final

import msgspec

from penstock.destinations.ports import Batch, Destination
from penstock.errors import InputError
from penstock.pipeline import Key, LandedRecord
from penstock.store import Cells, Field, Layout, StoreReader, fields

__all__ = ["Keeper"]

_ROWS, _BYTES = 10_000, 8 << 20  # what a batch holds at most
_NAME = 60  # bytes of a column's name; PostgreSQL cuts at 63
_encode = msgspec.json.Encoder().encode


@final
class _State(msgspec.Struct, frozen=True):
    """What a destination keeps beside the rows of a table."""

    store: str
    position: str
    deleted: int
    flatten: bool
    fields: tuple[Field, ...]


@final
class Keeper:
    """Keeps one table of a destination up to date with a store, each record exactly once.

    The position reached is committed in the destination, together with the rows: whatever ends
    either side, at whatever moment, the next call goes on behind the last row that is there.

    Args:
        destination: Where the table is.
        table: Its name; it is made with the first record.
        flatten: Show nested objects as columns ``a.b.c`` instead of as JSON.
        given: The kinds that the user asked for, by the field's dotted name.
        said: Told once of each column that holds what another of its field cannot.
    """

    def __init__(
        self,
        destination: Destination,
        table: str,
        *,
        flatten: bool = False,
        given: Mapping[str, str] | None = None,
        said: Callable[[str], object] = str,
    ) -> None:
        self._destination = destination
        self._table = table
        self._flatten = flatten
        self._given = given
        self._said = said
        self._state: _State | None = None
        self._before: bytes | None = None
        self._layout = Layout()

    def catch_up(self, store: StoreReader) -> int:
        """Take over what has landed and what was deleted up to now; return how many records.

        Raises:
            InputError: The table belongs to another store, or was not made by this.
            StorageError: The destination or the store cannot be read or written. What was
                committed stays; calling again goes on there.
        """
        state = self._state or self._loaded(store)
        status, gone, taken = store.status(), [], 0
        if status.deleted != state.deleted:
            gone = self._known_keys(store.deleted())
        for rows, position in self._batches(store, state.position):
            state = self._commit(state, rows, gone, position, status.deleted)
            taken, gone = taken + len(rows), []
        if gone or (status.deleted != state.deleted and self._before):
            self._commit(state, [], gone, state.position, status.deleted)
        return taken

    def _loaded(self, store: StoreReader) -> _State:
        """Return where the table stands; where there is none yet, learn what it has to hold."""
        self._before = self._destination.state(self._table)
        name = repr(store.status().started)
        if self._before is None:
            self._layout = Layout(given=self._given, longest=_NAME)
            self._layout.learn((_encode(one.key), self._cells(one)) for one in store.records())
            return _State(name, "", 0, self._flatten, ())
        state = msgspec.json.decode(self._before, type=_State)
        if state.store != name:
            raise InputError(
                f"the table {self._table} is kept up to date with another store: name another table"
            )
        if state.flatten != self._flatten:
            given = "without" if self._flatten else "with"
            raise InputError(f"the table {self._table} was begun {given} flattening: keep to it")
        self._layout = Layout(state.fields, self._given, _NAME)
        self._state = state
        return state

    def _batches(
        self, store: StoreReader, after: str
    ) -> Iterator[tuple[list[list[bytes | None]], str]]:
        rows: list[list[bytes | None]] = []
        size, position = 0, after
        for record, position in store.follow(after):
            rows.append(self._layout.row(_encode(record.key), self._cells(record)))
            size += len(record.body)
            if len(rows) >= _ROWS or size >= _BYTES:
                yield rows, position
                rows, size = [], 0
        if rows:
            yield rows, position

    def _commit(
        self,
        state: _State,
        rows: list[list[bytes | None]],
        gone: list[Key],
        position: str,
        deleted: int,
    ) -> _State:
        layout = self._layout
        for row in rows:
            row.extend([None] * (len(layout.fields) - len(row)))
        after = _State(state.store, position, deleted, self._flatten, tuple(layout.fields))
        told = _encode(after)
        self._destination.commit(
            Batch(
                table=self._table,
                before=self._before,
                after=told,
                fields=after.fields,
                rows=rows,
                gone=gone,
                widened=tuple(layout.widened),
                known=len(state.fields),
            )
        )
        for one in layout.apart:
            self._said(
                f"{self._table}.{one.name} holds the values of {'.'.join(one.path)} that are "
                f"{one.kind} and do not fit its first column"
            )
        layout.widened, layout.apart = [], []
        self._before, self._state = told, after
        return after

    def _cells(self, record: LandedRecord) -> Cells:
        return fields(record.body, flatten=self._flatten)

    def _known_keys(self, keys: Iterator[Key]) -> list[Key]:
        """Return the keys that the table can have, as its column has them."""
        kind = self._layout.fields[0].kind if self._layout.fields else "none"
        if kind == "digits":
            return [_encode(key).decode() for key in keys]
        wanted = {"text": str, "long": int}.get(kind)
        return [key for key in keys if type(key) is wanted]
