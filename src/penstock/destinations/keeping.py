"""A table kept up to date with a store: goes on from the position that the destination holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import final

import msgspec

from penstock.destinations.ports import Batch, Destination
from penstock.errors import InputError
from penstock.pipeline import Key, LandedRecord
from penstock.store import Cells, Field, Layout, StoreReader, fields

__all__ = ["Keeper"]

_ROWS, _BYTES = 10_000, 8 << 20  # what a batch holds at most
_SPAN = ("valid_from", "valid_to")
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
    versions: bool = False


@final
class _Rows:
    """What becomes one batch, and the position behind it."""

    def __init__(self, position: str) -> None:
        self.position = position
        self.cells: list[list[bytes | None]] = []
        self.since: dict[Key, bytes] = {}  # when the first version of each key came
        self._spots: dict[Key, int] = {}

    def add(self, key: Key, row: list[bytes | None], moment: bytes, *, versions: bool) -> None:
        """Take a row; a later one of the same key ends the earlier, or takes its place."""
        self.since.setdefault(key, moment)
        spot = self._spots.get(key)
        if spot is not None and not versions:
            self.cells[spot] = row
            return
        if spot is not None:
            self.cells[spot][2] = moment
        self._spots[key] = len(self.cells)
        self.cells.append(row)


@final
class Keeper:
    """Keeps one table of a destination up to date with a store, each record exactly once.

    The position reached is committed in the destination, together with the rows: whatever ends
    either side, at whatever moment, the next call goes on behind the last row that is there.

    Args:
        destination: Where the table is.
        table: Its name; it is made with the first record.
        flatten: Show nested objects as columns ``a.b.c`` instead of as JSON.
        versions: Keep every version of a record, with ``valid_from`` and ``valid_to``; else the
            newest one.
        given: The kinds that the user asked for, by the field's dotted name.

    Raises:
        InputError: The destination cannot hold versions.
        said: Told once of each column that holds what another of its field cannot.
    """

    def __init__(
        self,
        destination: Destination,
        table: str,
        *,
        flatten: bool = False,
        versions: bool = False,
        given: Mapping[str, str] | None = None,
        said: Callable[[str], object] = str,
    ) -> None:
        self._destination = destination
        self._table = table
        self._flatten = flatten
        self._versions = versions
        if versions and not destination.holds_versions:
            raise InputError(
                "versions are kept in a database: sqlite://, duckdb:// or postgresql://; "
                "other places hold the newest one"
            )
        self._given = given
        self._said = said
        self._state: _State | None = None
        self._before: bytes | None = None
        self._layout = self._laid_out()

    def catch_up(self, store: StoreReader) -> int:
        """Take over what has landed and what was deleted up to now; return how many records.

        Raises:
            InputError: The table belongs to another store, or was not made by this.
            StorageError: The destination or the store cannot be read or written. What was
                committed stays; calling again goes on there.
        """
        state = self._state or self._loaded(store)
        deleted, gone, taken = store.deletions(), list[Key](), 0
        again = bool(deleted and state.position)  # what was deleted may have come again since
        if deleted != state.deleted:
            gone = self._known_keys(store.deleted())
        for rows in self._batches(store, state.position):
            before = store.replaced(list(rows.since)) if state.position else set[Key]()
            ended = [(one, rows.since[key]) for key in before for one in self._known_keys([key])]
            if not self._versions:
                gone += [key for key, _ in ended]
                ended = []
            if again:
                gone += self._known_keys(rows.since.keys() - before)
            state = self._commit(state, rows, deleted, gone=gone, ended=ended)
            taken, gone = taken + len(rows.cells), []
        if gone or (deleted != state.deleted and self._before):
            self._commit(state, _Rows(state.position), deleted, gone=gone)
        return taken

    def _loaded(self, store: StoreReader) -> _State:
        """Return where the table stands; where there is none yet, learn what it has to hold."""
        self._before = self._destination.state(self._table)
        name = repr(store.status().started)
        if self._before is None:
            self._layout = self._laid_out()
            found = self._landed(store, "")
            self._layout.learn((_encode(one.key), self._cells(one)) for one, *_ in found)
            return _State(name, "", 0, self._flatten, (), self._versions)
        state = msgspec.json.decode(self._before, type=_State)
        if state.store != name:
            raise InputError(
                f"the table {self._table} is kept up to date with another store: name another table"
            )
        for what, kept, wanted in (
            ("flattening", state.flatten, self._flatten),
            ("versions", state.versions, self._versions),
        ):
            if kept != wanted:
                given = "without" if wanted else "with"
                raise InputError(f"the table {self._table} was begun {given} {what}: keep to it")
        self._layout = self._laid_out(state.fields)
        self._state = state
        return state

    def _laid_out(self, fields: Sequence[Field] = ()) -> Layout:
        return Layout(fields, self._given, _NAME, _SPAN if self._versions else ())

    def _landed(self, store: StoreReader, after: str) -> Iterator[tuple[LandedRecord, float, str]]:
        """Yield records, each with when it landed, where that matters, and the position behind."""
        if self._versions:
            return store.versions(after)
        return ((record, 0.0, position) for record, position in store.follow(after))

    def _batches(self, store: StoreReader, after: str) -> Iterator[_Rows]:
        rows, size = _Rows(after), 0
        for record, at, position in self._landed(store, after):
            moment = _encode(datetime.fromtimestamp(at, UTC))
            span = (moment, None) if self._versions else ()
            row = self._layout.row(_encode(record.key), self._cells(record), span)
            rows.add(record.key, row, moment, versions=self._versions)
            rows.position = position
            size += len(record.body)
            if len(rows.cells) >= _ROWS or size >= _BYTES:
                yield rows
                rows, size = _Rows(position), 0
        if rows.cells:
            yield rows

    def _commit(
        self,
        state: _State,
        rows: _Rows,
        deleted: int,
        *,
        gone: Sequence[Key],
        ended: Sequence[tuple[Key, bytes]] = (),
    ) -> _State:
        layout = self._layout
        for row in rows.cells:
            row.extend([None] * (len(layout.fields) - len(row)))
        after = msgspec.structs.replace(
            state, position=rows.position, deleted=deleted, fields=tuple(layout.fields)
        )
        told = _encode(after)
        self._destination.commit(
            Batch(
                table=self._table,
                before=self._before,
                after=told,
                fields=after.fields,
                rows=rows.cells,
                gone=gone,
                ended=ended,
                versions=self._versions,
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

    def _known_keys(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys that the table can have, as its column has them."""
        kind = self._layout.fields[0].kind if self._layout.fields else "none"
        if kind == "digits":
            return [_encode(key).decode() for key in keys]
        wanted = {"text": str, "long": int}.get(kind)
        return [key for key in keys if type(key) is wanted]
