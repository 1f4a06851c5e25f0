"""Export: what landed as CSV, Parquet, SQLite or JSON Lines, its schema inferred."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, final, get_args

import msgspec

from penstock.destinations.arrow_files import write_arrow, write_parquet
from penstock.destinations.databases import write_sqlite
from penstock.destinations.target import appearing
from penstock.destinations.text_files import Row, write_csv, write_jsonl
from penstock.errors import InputError, StorageError
from penstock.pipeline import Key, Landing
from penstock.store import (
    Cells,
    Column,
    Failure,
    FieldPath,
    Item,
    Layout,
    StoredGap,
    StoreReader,
    arrow_reader,
    fields,
    kind_of,
    published,
)

__all__ = ["Column", "Exported", "Format", "Progress", "export"]

Format: TypeAlias = Literal["csv", "parquet", "sqlite", "jsonl", "arrow"]
Progress: TypeAlias = Callable[[int, int], object]
"""Called with (records done, records to do in all passes), every 1,000 records and at the end."""

Content: TypeAlias = Literal["records", "versions", "failed", "gaps"]
_EVERY = 1000
_SINCE = ("_valid_from",)
_ARROW = {"parquet", "arrow"}
_LONGEST = 1 << 16  # bytes of a column's name in SQLite, where Name and name are the same
_encode = msgspec.json.Encoder().encode


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote.

    Attributes:
        output: The file, or ``-`` for the standard output.
        rows: How many records.
        columns: The columns of the table, the key first.
        damaged: Records that were left out since they are damaged.
    """

    output: str
    rows: int
    columns: tuple[Column, ...]
    damaged: int = 0


def export(  # noqa: PLR0913 - each is one choice of the caller, all but two with a default
    store: StoreReader,
    to: Format,
    output: str | Path,
    *,
    content: Content = "records",
    flatten: bool = False,
    nested: bool | None = None,
    force: bool = False,
    skip_damaged: bool = False,
    safe_csv: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write what has landed up to now to ``output``, which appears whole or not at all.

    The records are read twice, in constant memory: once to learn the columns, once to write. The
    columns are the union of all records' fields, in order of first appearance, after the key.

    Args:
        store: Where the records are; a run may go on in it.
        to: ``csv``, ``sqlite``, ``jsonl``, or ``parquet`` or ``arrow`` (they need
            ``penstock-data[parquet]``).
        output: The file, or ``-`` for the standard output (csv, jsonl and arrow, as a stream).
        content: The records; or every ``versions`` of them, with when it landed as
            ``_valid_from``; or what ``failed``; or the ``gaps`` of a stream.
        flatten: Show nested objects as columns ``a.b.c`` instead of as JSON.
        nested: In parquet and arrow, show objects and lists as structs and lists, which is what
            unset means there; False: as JSON text.
        force: Replace a file that exists.
        safe_csv: Put ``'`` before texts in CSV that a spreadsheet would take for formulas.
        skip_damaged: Leave out and count records that are damaged, instead of stopping.
        progress: Is told how far it is.

    Raises:
        InputError: ``output`` exists or cannot be made, the format is not known, or a record
            has a field ``_valid_from`` of its own.
        MissingExtra: The format's library is not installed.
        StorageError: A record is damaged, or the disk is full.
    """
    if to not in get_args(Format):
        raise InputError(f"export to {to!r}: the formats are {', '.join(get_args(Format))}")
    if str(output) == "-" and to not in {"csv", "jsonl", "arrow"}:
        raise InputError(f"export to {to} needs a file: give -o FILE")
    table = _Table(store, content, flatten=flatten, progress=progress)
    table.skips = skip_damaged
    table.safe_csv = safe_csv
    table.nested = to in _ARROW if nested is None else nested
    if safe_csv and to != "csv":
        raise InputError(f"safe_csv is for csv: {to} has no formulas")
    if skip_damaged and content == "versions":
        raise InputError("skip_damaged is for the records as they are now, not for versions")
    if nested and to not in _ARROW:
        raise InputError(f"nested is for parquet and arrow: {to} has no structs")
    if str(output) == "-":
        return table.write(to, sys.stdout.buffer, "-")
    with appearing(Path(output), force=force) as part:
        if to in {"csv", "jsonl"}:
            with part.open("wb") as file:
                return table.write(to, file, str(output))
        return table.write(to, part, str(output))


@final
class _Table:
    """What a store holds as rows, after one pass that learns their columns."""

    def __init__(
        self,
        store: StoreReader,
        content: Content,
        *,
        flatten: bool,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._content = content
        self._flatten = flatten
        self._progress = progress or _silent
        self._count = 0
        self._done = 0
        self.skips = self.safe_csv = self.nested = False
        self._damaged: set[Key | None] = set()
        status = store.status()
        counts = {"failed": status.failed, "gaps": status.gaps}
        self._total = 2 * counts.get(content, status.landed)

    def write(self, to: Format, output: Path | BinaryIO, shown: str) -> Exported:
        if to in _ARROW:
            columns, batches = arrow_reader(self._items, nested=self.nested)
            self._total = 2 * self._done
            write = write_parquet if to == "parquet" else write_arrow
            self._count = write(batches, output)
        else:
            columns = self._write_cells(to, output)
        self._progress(self._done, self._total)
        return Exported(
            output=shown, rows=self._count, columns=tuple(columns), damaged=len(self._damaged)
        )

    def _write_cells(self, to: Format, output: Path | BinaryIO) -> list[Column]:
        """Write what has its columns as they came, without times; return them."""
        layout = Layout(longest=_LONGEST if to == "sqlite" else 0, kind=kind_of)
        layout.learn(self._items())
        self._count = self._done
        # What lands meanwhile is left to the next export: its columns are not known here.
        self._total = 2 * self._done
        columns = [Column(one.name, published(one.kind)) for one in layout.fields]
        rows = self._rows([one.path for one in layout.fields[1:]])
        if isinstance(output, Path):
            write_sqlite(rows, columns, output, unique=self._content != "versions")
            return columns
        if to == "csv":
            write_csv(rows, columns, output, safe=self.safe_csv)
        else:
            write_jsonl(rows, [_encode(column.name) for column in columns], output)
        output.flush()
        return columns

    def _rows(self, paths: list[FieldPath]) -> Iterator[Row]:
        wanted, self._count, known = self._count, 0, frozenset(paths)
        for key, found in islice(self._items(), wanted):
            cells = fields(found, flatten=False) if isinstance(found, bytes) else found
            if not known.issuperset(cells):
                raise StorageError("records of other fields landed meanwhile: call again")
            # Counted again: a failure may have been put back to do since the first pass.
            self._count += 1
            yield [key, *map(cells.get, paths)]

    def _items(self) -> Iterator[Item]:
        for item in self._read():
            self._done += 1
            if self._done % _EVERY == 0:
                self._progress(self._done, self._total)
            yield item

    def _read(self) -> Iterator[Item]:
        if self._content == "failed":
            for failure in self._store.failures():
                yield _encode(failure.key), _cells(failure, but="key")
        elif self._content == "gaps":
            for gap in self._store.gaps():
                yield _encode(gap.number), _cells(gap, but="number")
        elif self._content == "versions":
            for record, at, _ in self._store.versions():
                yield _encode(record.key), _dated(record, at, flatten=self._flatten)
        else:
            for record in self._records():
                body = fields(record.body, flatten=True) if self._flatten else record.body
                yield _encode(record.key), body

    def _records(self) -> Iterator[Landing]:
        if not self.skips:
            return self._store.records()
        return self._store.whole_records(lambda damage: self._damaged.add(damage.key))


def _cells(value: Failure | StoredGap, *, but: str) -> Cells:
    values = asdict(value)
    del values[but]
    return {(name,): _encode(value) for name, value in values.items()}


def _dated(record: Landing, at: float, *, flatten: bool) -> Cells:
    cells = fields(record.body, flatten=flatten)
    if _SINCE in cells:
        raise InputError(f"the record {record.key!r} has a field {_SINCE[0]}: export without it")
    return {_SINCE: _encode(datetime.fromtimestamp(at, UTC)), **cells}


def _silent(done: int, total: int) -> None:
    """Tell nobody how far an export is."""
