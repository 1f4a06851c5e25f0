"""A table kept up to date with a store: goes on from the position that the destination holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, final
from zlib import crc32

import msgspec

from penstock.destinations.child_tables import Levels, Unfolded, columns_of, name_of, unfolded
from penstock.destinations.ports import Batch, Destination
from penstock.errors import InputError
from penstock.pipeline import Key, LandedRecord
from penstock.store import Cells, Field, Item, Layout, StoreReader, fields, free_name, portions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Keeper"]

_ROWS, _BYTES = 10_000, 4 << 20  # what a batch holds at most
_SPAN = (("valid_from", "timestamp"), ("valid_to", "timestamp"))
_NAME = 60  # bytes of a column's name; PostgreSQL cuts at 63
_RESERVED = {"_penstock", "."}  # where the databases keep the states
_encode = msgspec.json.Encoder().encode


@final
class _Child(msgspec.Struct, frozen=True, array_like=True):
    """A table of lists: where they are in a record, its name, its columns."""

    levels: Levels
    name: str
    fields: tuple[Field, ...]


@final
class _State(msgspec.Struct, frozen=True):
    """What a destination keeps beside the rows of a table."""

    store: str
    position: str
    deleted: int
    flatten: bool
    fields: tuple[Field, ...]
    versions: bool = False
    children: tuple[_Child, ...] | None = None
    structs: bool = False
    last: tuple[Key, int] | None = None  # the key of the last record taken, and its checksum


@final
class _Rows:
    """What becomes one batch, and the position behind it."""

    def __init__(self, position: str, last: LandedRecord | None = None) -> None:
        self.position = position
        self.last = last and (last.key, crc32(last.body))
        self.cells: list[list[bytes | None]] = []
        self.arrays: Mapping[str, pa.Array] | None = None  # then the cells are the keys alone
        self.since: dict[Key, bytes] = {}  # when the first version of each key came
        self.children: dict[Levels, dict[Key, list[list[bytes | None]]]] = {}
        self._spots: dict[Key, int] = {}

    def add(self, key: Key, row: list[bytes | None], moment: bytes, *, versions: bool) -> None:
        """Take a row; a later one of the same key ends the earlier, or takes its place."""
        self.since.setdefault(key, moment)
        for rows in self.children.values():
            rows.pop(key, None)
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
        children: Show lists as rows of tables beside it, such as ``users__tags``, with the key and
            the position, and nested objects as columns ``a.b.c``.
        structs: Show objects and lists as structs and lists, in columns whose types grow; False:
            as JSON. Unset: as the table was begun, and a new one with structs where it can be.
        given: The kinds that the user asked for, by the field's dotted name.

    Raises:
        InputError: The destination cannot hold versions, structs, or tables beside a table; or
            no table can have this name.
        said: Told once of each column that holds what another of its field cannot.
    """

    def __init__(  # noqa: PLR0913 - each is one choice of the caller, all but two with a default
        self,
        destination: Destination,
        table: str,
        *,
        flatten: bool = False,
        versions: bool = False,
        children: bool = False,
        structs: bool | None = None,
        given: Mapping[str, str] | None = None,
        said: Callable[[str], object] = str,
    ) -> None:
        self._destination = destination
        self._table = table
        self._flatten = flatten or children
        self._versions = versions
        if not table or "\0" in table or table in _RESERVED or ".." in table.split("/"):
            raise InputError(f"table {table!r}: no table can have this name; name another")
        if versions and not destination.holds_versions:
            raise InputError(
                "versions are kept in a database: sqlite://, duckdb:// or postgresql://; "
                "other places hold the newest one"
            )
        if children and (versions or not getattr(destination, "holds_children", False)):
            raise InputError(
                "nested tables are for sqlite://, duckdb://, postgresql:// and Parquet datasets, "
                "and for the newest version of each record"
            )
        holds_structs = getattr(destination, "holds_structs", False)
        if structs and not (holds_structs and not children):
            raise InputError("structs are for duckdb:// and Parquet datasets, without child tables")
        self._wanted = structs
        self._structs = holds_structs and not children and structs is not False
        self._given = given or {}
        self._said = said
        self._state: _State | None = None
        self._before: bytes | None = None
        self._layout = self._laid_out()
        self._children: dict[Levels, tuple[str, Layout]] | None = {} if children else None

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
            self._learn(store)
            self._say_unknown()
            nothing = None if self._children is None else ()
            begun = (name, "", 0, self._flatten, (), self._versions, nothing, self._structs)
            return _State(*begun)
        try:
            state = msgspec.json.decode(self._before, type=_State)
        except msgspec.DecodeError as error:
            words = f"the table {self._table} belongs to another one, or its state was changed"
            raise InputError(f"{words}: name another table") from error
        if state.store != name:
            raise InputError(
                f"the table {self._table} is kept up to date with another store: name another table"
            )
        if state.last and store.deletions() == state.deleted:
            _refuse_earlier(store, self._table, *state.last)
        for what, kept, wanted in (
            ("nested tables", state.children is not None, self._children is not None),
            ("flattening", state.flatten, self._flatten),
            ("versions", state.versions, self._versions),
            ("structs", state.structs, state.structs if self._wanted is None else self._wanted),
        ):
            if kept != wanted:
                given = "without" if wanted else "with"
                raise InputError(f"the table {self._table} was begun {given} {what}: keep to it")
        self._structs = state.structs
        self._layout = self._laid_out(state.fields)
        for child in state.children or ():
            self._child(child.levels, child.name, child.fields)
        self._state = state
        return state

    def _learn(self, store: StoreReader) -> None:
        """Make the columns of all tables from what has landed."""
        self._layout = self._laid_out()
        if self._children is None:
            self._layout.learn(self._item(record) for record, *_ in self._landed(store, ""))
            return
        self._children = {}
        for record, *_ in self._landed(store, ""):
            key = _encode(record.key)
            for levels, _, cells in self._unfolded(record):
                layout = self._child(levels) if levels else self._layout
                layout.see(key, cells)
        self._layout.begin()
        for _, layout in (self._children or {}).values():
            layout.begin(self._layout.fields[0].kind)

    def _say_unknown(self) -> None:
        """Say which of the names that the user gave kinds for no record has."""
        tables = [((), self._layout)] + [
            (levels, layout) for levels, (_, layout) in (self._children or {}).items()
        ]
        known = {
            ".".join(chain.from_iterable((*levels, one.path)))
            for levels, layout in tables
            for one in layout.fields
        }
        for name in self._given if len(known) > 1 else ():
            if name not in known:
                self._said(f"{self._table}: the schema names {name}, which no record has by now")

    def _laid_out(self, fields: Sequence[Field] = ()) -> Layout:
        span = _SPAN if self._versions else ()
        layout = Layout(fields, self._given, _NAME, span, nested=self._structs)
        layout.objects_grow = getattr(self._destination, "objects_grow", True)
        return layout

    def _child(self, levels: Levels, name: str = "", fields: Sequence[Field] = ()) -> Layout:
        """Return the columns of a table of lists, which is made where there is none yet."""
        children = self._children
        assert children is not None  # else there are no lists to be unfolded
        if levels not in children:
            taken = {self._table.lower(), *(one.lower() for one, _ in children.values())}
            name = name or free_name(name_of(self._table, levels), taken, str.lower)
            prefix = "".join(f"{'.'.join(path)}." for path in levels)
            wanted = {
                one.removeprefix(prefix): kind
                for one, kind in self._given.items()
                if one.startswith(prefix)
            }
            children[levels] = name, Layout(fields, wanted, _NAME, columns_of(levels))
        return children[levels][1]

    def _unfolded(self, record: LandedRecord) -> Iterator[Unfolded]:
        cells = self._cells(record)
        return iter([((), (), cells)]) if self._children is None else unfolded(cells)

    def _item(self, record: LandedRecord) -> Item:
        """Return a record for columns: as it came, where Arrow may read many at once."""
        return _encode(record.key), self._cells(record) if self._flatten else record.body

    def _cells(self, record: LandedRecord) -> Cells:
        return fields(record.body, flatten=self._flatten)

    def _landed(self, store: StoreReader, after: str) -> Iterator[tuple[LandedRecord, float, str]]:
        """Yield records, each with when it landed, where that matters, and the position behind."""
        if self._versions:
            return store.versions(after)
        return ((record, 0.0, position) for record, position in store.follow(after))

    def _batches(self, store: StoreReader, after: str) -> Iterator[_Rows]:
        landed = self._landed(store, after)
        for part in portions(landed, lambda one: len(one[0].body), _BYTES, _ROWS):
            rows = _Rows(part[-1][2], part[-1][0])
            if self._versions or self._children is not None:
                for record, at, _ in part:
                    moment = _encode(datetime.fromtimestamp(at, UTC))
                    span = (moment, None) if self._versions else ()
                    self._add(rows, record, moment, span)
            else:
                self._add_all(rows, [record for record, *_ in part])
            yield rows

    def _add_all(self, rows: _Rows, records: Sequence[LandedRecord]) -> None:
        """Take records that are a row each; of several of one key the last one."""
        last = {record.key: record for record in records}
        rows.since = dict.fromkeys(last, b"")
        items = [self._item(record) for record in last.values()]
        at_once = self._structs or getattr(self._destination, "takes_arrow", False)
        rows.arrays = self._layout.arrays(items) if at_once else None
        if rows.arrays is not None:
            rows.cells = [[key] for key, _ in items]
            return
        for part in self._layout.portions(items):
            rows.cells += [self._layout.row(key, cells) for key, cells in part]

    def _add(
        self, rows: _Rows, record: LandedRecord, moment: bytes, span: tuple[bytes | None, ...]
    ) -> None:
        """Take a record, and the items of its lists."""
        key = _encode(record.key)
        for levels, positions, cells in self._unfolded(record):
            if not levels:
                row = self._layout.row(key, cells, span)
                rows.add(record.key, row, moment, versions=self._versions)
                continue
            layout = self._child(levels)
            if not layout.fields:
                layout.begin(self._layout.fields[0].kind)
            row = layout.row(key, cells, [_encode(one) for one in positions])
            rows.children.setdefault(levels, {}).setdefault(record.key, []).append(row)

    def _commit(
        self,
        state: _State,
        rows: _Rows,
        deleted: int,
        *,
        gone: Sequence[Key],
        ended: Sequence[tuple[Key, bytes]] = (),
    ) -> _State:
        after = msgspec.structs.replace(
            state,
            position=rows.position,
            deleted=deleted,
            last=rows.last,
            fields=tuple(self._layout.fields),
            children=self._child_fields(),
        )
        told = _encode(after)
        main = _batch(self._table, self._layout, rows.cells, len(state.fields))
        self._destination.commit(
            replace(
                main,
                before=self._before,
                after=told,
                gone=gone,
                ended=ended,
                versions=self._versions,
                children=self._child_batches(state, rows, gone),
                arrays=rows.arrays,
            )
        )
        self._say(self._table, self._layout)
        for name, layout in (self._children or {}).values():
            self._say(name, layout)
        self._before, self._state = told, after
        return after

    def _child_fields(self) -> tuple[_Child, ...] | None:
        if self._children is None:
            return None
        tables = self._children.items()
        return tuple(_Child(at, name, tuple(one.fields)) for at, (name, one) in tables)

    def _child_batches(self, state: _State, rows: _Rows, gone: Sequence[Key]) -> list[Batch]:
        known = {child.levels: len(child.fields) for child in state.children or ()}
        parts = []
        for levels, (name, layout) in (self._children or {}).items():
            items = list(chain.from_iterable(rows.children.get(levels, {}).values()))
            part = _batch(name, layout, items, known.get(levels, 0))
            parts.append(replace(part, gone=gone if levels in known else (), versions=True))
        return parts

    def _say(self, table: str, layout: Layout) -> None:
        for one in layout.apart:
            self._said(
                f"{table}.{one.name} holds the values of {'.'.join(one.path)} that are "
                f"{one.kind} and do not fit its first column"
            )
        layout.widened, layout.apart = [], []

    def _known_keys(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys that the table can have, as its column has them."""
        kind = self._layout.fields[0].kind if self._layout.fields else "none"
        if kind == "digits":
            return [_encode(key).decode() for key in keys]
        wanted = {"text": str, "long": int}.get(kind)
        return [key for key in keys if type(key) is wanted]


def _refuse_earlier(store: StoreReader, table: str, key: Key, proof: int) -> None:
    """Refuse a store that was put back to an earlier state: its positions mean other records."""
    body = store.get(key)
    if (body is None or crc32(body) != proof) and not store.replaced([key]):
        raise InputError(
            f"the store does not have the record {key!r} that the table {table} has taken last: "
            "it was restored or repaired; drop the table to have it written again"
        )


def _batch(table: str, layout: Layout, rows: list[list[bytes | None]], known: int) -> Batch:
    for row in rows:
        row.extend([None] * (len(layout.fields) - len(row)))
    return Batch(
        table=table,
        before=None,
        after=b"",
        fields=tuple(layout.fields),
        rows=rows,
        widened=tuple(layout.widened),
        known=known,
    )
