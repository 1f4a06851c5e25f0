"""Typed columns that grow: which column each value of a record goes to, batch after batch.

A value that its field's column cannot hold gets a column beside it, ``price__text``; nothing is
bent to fit, and nothing becomes null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, Inexact, localcontext
from typing import TYPE_CHECKING, TypeAlias, cast, final

import msgspec

from penstock.errors import InputError
from penstock.store.blocks import PAIRED, read_block
from penstock.store.cells import Cells, FieldPath, fields, text_of
from penstock.store.in_portions import portions
from penstock.store.nested import Nested, fitted, grows, nested_of, wider
from penstock.store.shape import Shape, free_name, kind_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["GIVEN", "READERS", "Field", "Item", "Layout", "Value", "read_given", "typed_kind"]

Value: TypeAlias = str | int | float | datetime | date | Decimal | None

Item: TypeAlias = tuple[bytes, Cells | bytes]
"""A key, and a record: its cells, or as it came."""

_MOMENT = re.compile(
    rb'"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?"'
)
# What no database's JSON type has to take; a number, or what looks like one in a text.
_HUGE = re.compile(rb"(?:^|[\[:,\s])-?\d[\d.]*[eE][+-]?\d{3,}")
_BEYOND = {0.0, math.inf, -math.inf}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SYSTEM = ("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid")  # columns of PostgreSQL's own
_BYTES = 1 << 18  # of cells that are looked at together: more would not stay in the cache
_BLOCK = 2 << 20  # of records that are read all at once
_PLACES = 9  # digits behind the point of a decimal column, of 38


def typed_kind(cell: bytes) -> str:
    r"""Return the kind of a JSON value, times too; ``raw`` is text that databases refuse.

    >>> [typed_kind(b'"%b"' % text) for text in (b"2024-05-01", b"2024-05-01T10:00:00Z", b"May")]
    ['date', 'timestamp', 'text']
    >>> typed_kind(rb'"\u0000"'), typed_kind(b'"2024-02-30"')
    ('raw', 'text')
    """
    kind = kind_of(cell)
    if kind == "text":
        if b"\\u" in cell and not _plain(cell):
            return "raw"
        return _moment_kind(cell) if cell[5:6] == b"-" else kind
    if kind == "json":
        return "raw" if _HUGE.search(cell) or (b"\\u" in cell and not _plain(cell)) else kind
    if kind in {"digits", "float"} and _HUGE.search(cell) and float(cell) in _BEYOND:
        return "raw"
    return kind


def _plain(cell: bytes) -> bool:
    """Return whether all escapes stand for text that every database holds."""
    if not PAIRED.search(cell):
        return True
    try:
        text = msgspec.json.encode(msgspec.json.decode(cell))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return b"\\u0000" not in text


def _moment_kind(cell: bytes) -> str:
    found = _MOMENT.fullmatch(cell)
    if not found:
        return "text"
    try:
        datetime.fromisoformat(cell[1:-1].decode()).astimezone(UTC)
    except (ValueError, OverflowError):
        return "text"
    return "date" if not found[1] else "timestamp" if found[2] else "datetime"


def _since_1970(cell: bytes, scale: int) -> datetime:
    micro = Decimal(cell.decode()) * scale
    if micro != int(micro):
        raise ValueError("finer than a microsecond")
    return _EPOCH + timedelta(microseconds=int(micro))


def _decimal(cell: bytes) -> Decimal:
    with localcontext(prec=38) as context:
        context.traps[Inexact] = True
        return Decimal(cell.decode()).quantize(Decimal(1).scaleb(-_PLACES))


READERS: Mapping[str, Callable[[bytes], Value]] = {
    "null": bytes.decode,
    "bool": lambda cell: cell == b"true",
    "int": int,
    "long": int,
    "float": float,
    "text": text_of,
    "digits": bytes.decode,
    "json": bytes.decode,
    "raw": bytes.decode,
    "date": lambda cell: date.fromisoformat(cell[1:-1].decode()),
    "datetime": lambda cell: datetime.fromisoformat(cell[1:-1].decode()),
    "timestamp": lambda cell: datetime.fromisoformat(cell[1:-1].decode()).astimezone(UTC),
    "decimal": _decimal,
    "epoch": lambda cell: _since_1970(cell, 1_000_000),
    "epoch-ms": lambda cell: _since_1970(cell, 1000),
}
"""What makes a value of a cell, by the kind of its column."""

GIVEN = (
    *("bool", "int", "float", "text", "json", "date", "datetime", "timestamp"),
    *("decimal", "epoch", "epoch-ms"),
)
"""What a schema may ask for."""

_BY_VALUE = {"decimal", "epoch", "epoch-ms"}  # whether one fits is seen by reading it
_TAKES: Mapping[str, set[str]] = {
    "long": {"int", "long"},
    "float": {"int", "float"},
    "digits": {"int", "long", "float", "digits"},
    "text": {"text", "date", "datetime", "timestamp"},
    "json": {"bool", "int", "long", "float", "text", "digits", "json"}
    | {"date", "datetime", "timestamp", "nested"},
}
_NO_STRUCT: tuple[Nested, ...] = ("json", {})


def read_given(text: str) -> dict[str, str]:
    """Return the kinds that a schema asks for, by the field's dotted name.

    >>> read_given("created: epoch, price: decimal")
    {'created': 'epoch', 'price': 'decimal'}

    Raises:
        InputError: It is not written like that, or there is no such kind.
    """
    given: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.replace("\n", ",").split(","))):
        name, colon, kind = (word.strip() for word in part.rpartition(":"))
        if not colon or not name or kind not in GIVEN:
            raise InputError(
                f"schema {part!r}: write NAME: KIND, such as 'created: epoch'; the kinds are "
                + ", ".join(GIVEN)
            )
        if given.setdefault(name, kind) != kind:
            raise InputError(f"schema: {name} is to be {given[name]} and {kind}: write one")
    return given


class Field(msgspec.Struct, frozen=True, array_like=True):
    """One column: the path of its values, its name, what it holds (``null``: nothing yet).

    What is ``nested`` has a shape: that of its structs and lists.
    """

    path: FieldPath
    name: str
    kind: str
    shape: object = None

    @property
    def nested(self) -> Nested:
        """The type of its structs and lists."""
        return cast("Nested", self.shape)

    @property
    def read(self) -> Callable[[bytes], object]:
        """What makes a value of one of its cells."""
        if self.kind != "nested":
            return READERS[self.kind]
        return lambda cell: fitted(msgspec.json.decode(cell), self.nested)


def _weight(record: Item) -> int:
    """Return about how many bytes a record takes."""
    if isinstance(record[1], bytes):
        return len(record[1])
    return sum(map(len, record[1].values())) + 64 * len(record[1])


def _bodies(records: Sequence[Item]) -> list[bytes]:
    """Return records as they came, or none where they are cells already."""
    return [one for _, one in records if isinstance(one, bytes)]


@final
class Layout:
    """The columns of a table, the key first, and where each value goes.

    Args:
        fields: The columns there are; empty for a new table.
        given: The kinds that the user asked for, by dotted name.
        longest: Bytes that a name has at most, for databases, which take ``Name`` and ``name``
            for the same; 0: as they come.
        leading: Names and kinds of what each row has after its key.
        kind: What says which kind a value is of.
        nested: Have structs and lists, where a type holds all values; else JSON.

    Attributes:
        fields: The columns, new ones at the end.
        widened: Names of columns whose type has come to hold more than it did.
        apart: Columns that hold what another of the same field cannot.
        objects_grow: Whether an object in a column may get an object that it did not have.

    >>> layout = Layout()
    >>> layout.row(b"1", {("size",): b"2"}), layout.row(b"2", {("size",): b'"big"'})
    ([b'1', b'2'], [b'2', None, b'"big"'])
    >>> [(field.name, field.kind) for field in layout.fields]
    [('key', 'long'), ('size', 'int'), ('size__text', 'text')]
    """

    def __init__(
        self,
        fields: Sequence[Field] = (),
        given: Mapping[str, str] | None = None,
        longest: int = 0,
        leading: Sequence[tuple[str, str]] = (),
        *,
        kind: Callable[[bytes], str] = typed_kind,
        nested: bool = False,
    ) -> None:
        self.fields: list[Field] = []
        self._leading = leading
        self._longest = longest
        self._fold: Callable[[str], str] = str.lower if longest else str
        self._kind_of = kind
        self._nested = nested
        self.objects_grow = True
        self._shapes: dict[FieldPath, Nested] = {}
        self._taken: set[str] = set(_SYSTEM) if longest else set()
        self._at: dict[FieldPath, list[int]] = {}  # where the columns of a field are
        self.widened: list[str] = []
        self.apart: list[Field] = []
        self._given = {tuple(name.split(".")): kind for name, kind in (given or {}).items()}
        self._spots: dict[tuple[FieldPath, str], int] = {}
        self._keys, self._shape = Shape(), Shape(kind)
        self._odd: dict[tuple[FieldPath, str], None] = {}
        for field in fields:
            self._append(field)
            self._keep_to(field)
        self._read = {
            path: READERS[kind] for path, kind in self._given.items() if kind in _BY_VALUE
        }

    def _keep_to(self, field: Field) -> None:
        """Refuse another kind than the one that was asked for when the table was begun."""
        held, wanted = field.kind, self._given.get(field.path, field.kind)
        is_first = held in _BY_VALUE or field.name == ".".join(field.path)
        if is_first and held not in {wanted, "null"} and (wanted, held) != ("int", "long"):
            raise InputError(f"{field.name} is kept as {held}, not as {wanted}: use another table")
        if held in _BY_VALUE:
            self._given[field.path] = held

    def learn(self, records: Iterable[Item]) -> None:
        """Make the columns of a new table so that they hold all of ``records``."""
        for block in self.blocks(records):
            kinds = self._shape.kinds()
            known = {
                at: self._shapes[at] if self._as_struct(at, kind) == "nested" else kind
                for at, kind in kinds.items()
            }
            if self._read_all(block, known) is not None:
                for key, _ in block:
                    self._keys.learn({("key",): key})
                continue
            for part in self.portions(block):
                for key, cells in part:
                    self.see(key, cells)
        self.begin()

    def arrays(self, records: Sequence[Item]) -> dict[str, pa.Array] | None:
        """Return the values of columns, by their names, where all records at once can be read.

        A column that has none is left out, and so is that of the keys, which are checked.
        """
        if not self.fields:
            return None
        first: dict[FieldPath, Field] = {}
        for one in self.fields[1:]:
            first.setdefault(one.path, one)
        wanted = {at: one.nested if one.kind == "nested" else one.kind for at, one in first.items()}
        found = self._read_all(records, wanted)
        if found is None:
            return None
        for key, _ in records:
            self._check(key)
        return {first[name,].name: values for name, values in found.items()}

    def _read_all(
        self, records: Sequence[Item], wanted: Mapping[FieldPath, Nested]
    ) -> dict[str, pa.Array] | None:
        bodies = _bodies(records)
        if self._read or len(bodies) < len(records) or any(len(path) != 1 for path in wanted):
            return None
        return read_block(bodies, {name: kind for (name,), kind in wanted.items()})

    def blocks(self, records: Iterable[Item]) -> Iterator[list[Item]]:
        """Divide records into as many as are best read at once."""
        return portions(records, _weight, _BLOCK)

    def portions(self, records: Iterable[Item]) -> Iterator[list[tuple[bytes, Cells]]]:
        """Divide records into as many as are best looked at together, as cells."""
        cells = (
            (key, fields(one, flatten=False) if isinstance(one, bytes) else one)
            for key, one in records
        )
        return portions(cells, _weight, _BYTES)

    def see(self, key: bytes, cells: Cells) -> None:
        """Take note of a record; :meth:`begin` makes the columns."""
        self._keys.learn({("key",): key})
        for path, cell in cells.items():
            kind = self._kind_of(cell)
            self._shape.widen(path, kind)
            if self._nested and kind == "json" and self._shapes.get(path) != "json":
                self._shapes[path] = wider(self._shapes.get(path, "null"), nested_of(cell))
            if path in self._read:
                self._odd[path, self._kind(path, cell)] = None

    def begin(self, key: str = "") -> None:
        """Make the columns of a new table so that they hold all that was seen.

        Args:
            key: What the column of keys holds; unset: what was seen.
        """
        found = self._shape.kinds()
        kind = key or self._keys.kinds().get(("key",), "long")
        self._begin(kind, {".".join(path) for path in found})
        for path, kind in found.items():
            if path not in self._read:
                wanted = (
                    kind if kind == "null" else self._given.get(path, self._as_struct(path, kind))
                )
                self._add(path, wanted)
        for path, kind in [*self._odd, *((path, "raw") for path in self._shape.raw)]:
            self._find(path, kind)
        self.apart = []

    def _as_struct(self, path: FieldPath, kind: str) -> str:
        if kind != "json" or not self._nested or self._shape.is_mixed(path):
            return kind
        return "json" if self._shapes.get(path, "json") in _NO_STRUCT else "nested"

    def _append(self, field: Field) -> int:
        spot = len(self.fields)
        self.fields.append(field)
        self._taken.add(self._fold(field.name))
        if spot:
            self._at.setdefault(field.path, []).append(spot)
        if field.kind == "nested":
            self._shapes[field.path] = field.nested
        elif field.kind == "json":
            self._shapes.setdefault(field.path, "json")
        return spot

    def _begin(self, kind: str, others: Collection[str] = ()) -> None:
        taken = set(map(self._fold, others))
        kind = {"int": "long", "long": "long", "text": "text"}.get(kind, "digits")
        for wanted, held in ("key", kind), *self._leading:
            name = wanted
            while name in taken:
                name = f"_{name}"
            self._append(Field((), name, held))

    def row(
        self, key: bytes, cells: Cells, leading: Sequence[bytes | None] = ()
    ) -> list[bytes | None]:
        """Return the cells in the order of the columns, which grow where they have to.

        Raises:
            InputError: The key does not fit the column of keys.
        """
        if not self.fields:
            self._begin(kind_of(key))
        self._check(key)
        row: list[bytes | None] = [key, *leading]
        row += [None] * (len(self.fields) - len(row))
        for path, cell in cells.items():
            spot = self._spot(path, self._kind(path, cell))
            row += [None] * (len(self.fields) - len(row))
            row[spot] = cell
        return row

    def columns(self, records: Sequence[tuple[bytes, Cells]]) -> list[tuple[bytes | None, ...]]:
        """Return the cells of many records, column by column; the columns grow where they have to.

        Raises:
            InputError: A key does not fit the column of keys.
        """
        rows = [self.row(key, cells) for key, cells in records]
        for row in rows:
            row.extend([None] * (len(self.fields) - len(row)))
        return list(zip(*rows, strict=True))

    def _spot(self, path: FieldPath, kind: str) -> int:
        spot = self._spots.get((path, kind))
        if spot is None:
            spot = self._spots[path, kind] = self._find(path, kind)
        return spot

    def _check(self, key: bytes) -> None:
        kind = self.fields[0].kind
        if kind != "digits" and (kind == "text") != key.startswith(b'"'):
            raise InputError(
                f"the key {key.decode()} does not fit the column {self.fields[0].name}, which holds"
                f" {'texts' if kind == 'text' else 'whole numbers'}: begin another table"
            )

    def _kind(self, path: FieldPath, cell: bytes) -> str:
        """Return the kind that the user asked for, where this value can be read as that."""
        kind = self._kind_of(cell)
        if kind == "json" and self._nested and path not in self._given:
            return self._fit(path, cell)
        if path not in self._read or kind not in {"int", "long", "float", "digits"}:
            return kind
        try:
            self._read[path](cell)
        except (ArithmeticError, ValueError):
            return kind
        return self._given[path]

    def _fit(self, path: FieldPath, cell: bytes) -> str:
        """Return ``nested`` where the structs of a field hold a value, or come to; else ``json``.

        >>> layout = Layout(nested=True)
        >>> for text in (b'{"x":1}', b'{"y":2}', b'{"x":[]}'):
        ...     row = layout.row(b"1", {("at",): text})
        >>> [(one.name, one.shape) for one in layout.fields[1:]], layout.widened
        ([('at', {'x': 'int', 'y': 'int'}), ('at__json', None)], ['at'])
        """
        known = self._shapes.get(path, "null")
        if known == "json":
            return known
        new = wider(known, nested_of(cell))
        if known == "null":
            self._shapes[path] = "json" if new in _NO_STRUCT else new
            return "json" if new in _NO_STRUCT else "nested"
        if not grows(known, new, objects=self.objects_grow):
            return "json"
        if new != known:
            (spot,) = (at for at in self._at[path] if self.fields[at].kind == "nested")
            self._shapes[path] = new
            self.fields[spot] = msgspec.structs.replace(self.fields[spot], shape=new)
            self.widened.append(self.fields[spot].name)
        return "nested"

    def _find(self, path: FieldPath, kind: str) -> int:
        """Return the column for values of a kind: one that takes it, a wider one, or a new one."""
        spots = self._at.get(path, [])
        for spot in spots:
            held = self.fields[spot].kind
            if kind == "null" or kind in _TAKES.get(held, {held}):
                return spot
        for spot in spots:
            wider = {("int", "float"): "float", ("int", "long"): "long"}
            found = wider.get((self.fields[spot].kind, kind))
            if found and path not in self._given:
                self.fields[spot] = msgspec.structs.replace(self.fields[spot], kind=found)
                if found == "float":
                    self.widened.append(self.fields[spot].name)
                return spot
        return self._add(path, kind)

    def _add(self, path: FieldPath, kind: str) -> int:
        known = [self.fields[spot] for spot in self._at.get(path, [])]
        wanted = self._given.get(path, kind)
        if not known and kind in _TAKES.get(wanted, {wanted}):
            kind = wanted
        empty = next((field for field in known if field.kind == "null"), None)
        apart = kind not in {wanted, "null"} or any(field.kind != "null" for field in known)
        name = ".".join(path) or "_"
        if apart:
            name = self._free(f"{name}__{kind}")
        else:
            name = self._free(name) if empty is None else empty.name
        field = Field(path, name, kind, self._shapes[path] if kind == "nested" else None)
        if apart:
            self.apart.append(field)
        return self._append(field)

    def _free(self, name: str) -> str:
        """Return a name that no column has."""
        if self._longest:
            name = name.replace("\0", "\\0").encode()[: self._longest].decode(errors="ignore")
        return free_name(name, self._taken, self._fold)
