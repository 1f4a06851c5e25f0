"""Files of Java's DataOutputStream at both ends of a pipeline: keys out, records in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, final

import msgspec

from penstock.assembly.room_sections import JavaDataUse
from penstock.assembly.sections import JavaDataSource
from penstock.errors import InputError
from penstock.http import dig
from penstock.pipeline import Key, LandedRecord, Used
from penstock.store import StoreReader
from penstock.whole import check_target, whole_file

if TYPE_CHECKING:
    from penstock.javadata import Schema

Row = tuple[object, ...]


def read_schema(text: str, folder: Path) -> Schema[Row]:
    """Return the schema that ``text`` is, or that stands in the file of this name in ``folder``.

    Raises:
        InputError: It cannot be understood.
    """
    from penstock.javadata import parse_schema

    path = folder / Path(text).expanduser()
    try:
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the schema is not UTF-8 text: {error.reason}") from error
    except (OSError, ValueError):
        pass  # no name of a file: too long, or with a line break in it
    return parse_schema(text)


def java_keys(source: JavaDataSource, folder: Path) -> Iterator[Key]:
    """Yield the key of each record of a file, in constant memory.

    Raises:
        InputError: The file is missing, does not fit the schema, or a record has no such key.
    """
    from penstock.javadata import DAMAGED, records, to_plain

    schema = read_schema(source.schema, folder)
    path = folder / Path(source.path).expanduser()
    try:
        with _opened(path, source) as file:
            for number, record in enumerate(records(file, schema)):
                yield _key(dig(to_plain(record, schema), source.field), number, source.field)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file (named in [source])") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, EOFError, *DAMAGED) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


@contextmanager
def _opened(path: Path, source: JavaDataSource) -> Iterator[BinaryIO]:
    """Open the file; what only looks like Java data is refused unless ``gzip`` says what it is."""
    from penstock.javadata import HEAD, hint, unwrapped

    with path.open("rb") as plain:
        looks = hint(plain.peek(HEAD)[:HEAD]) if source.gzip is None else None
        if looks:
            raise InputError(f"{looks}; gzip = true unpacks it, gzip = false reads it as it is")
        yield unwrapped(plain, "gzip" if source.gzip else None)


def _key(found: object, number: int, field: str) -> Key:
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise InputError(f"record {number}: no text or whole number at {field!r}")
    return found


def write_java_file(landed: Iterable[LandedRecord], path: Path, schema: Schema[Row]) -> int:
    """Write records as Java data, a file that appears whole or not at all; return how many.

    A field of the schema is the record's member of that name; ``key`` is the record's key where
    the record has none of that name. Bytes are hex, as ``penstock javadata dump`` prints them.

    Raises:
        InputError: A record does not fit the schema; names its key and the field.
        StorageError: The disk does not take it; what was at ``path`` is still there.

    >>> from penstock.javadata import parse_schema
    >>> schema = parse_schema("key: int, name: utf")
    >>> write_java_file([LandedRecord(7, b'{"name":"Ada","more":1}')], Path("users.bin"), schema)
    1
    >>> schema.decode(Path("users.bin").read_bytes())
    [Record(key=7, name='Ada')]
    >>> Path("users.bin").unlink()
    """
    count = 0
    with whole_file(path) as file:
        for one in landed:
            file.write(_encoded(one, schema))
            count += 1
    return count


def _encoded(one: LandedRecord, schema: Schema[Row]) -> bytes:
    from penstock.javadata import from_plain

    record = msgspec.json.decode(one.body)
    if isinstance(record, dict):
        record.setdefault("key", one.key)
    row = from_plain(record, schema, f"record {one.key!r}")
    try:
        return schema.encode([row])
    except InputError as error:  # it knows the row as number 0
        reading = str(error).replace("record 0", f"record {one.key!r}", 1)
        raise InputError(reading) from error


@final
class JavaFile:
    """All that has landed as a file of Java data, written again at the end of a run."""

    def __init__(self, section: JavaDataUse, folder: Path) -> None:
        self._schema = read_schema(section.schema, folder)
        self._path = folder / Path(section.path).expanduser()
        check_target(self._path)
        self.describes = f"javadata: all records, at the end, into {section.path}"

    def catch_up(self, store: StoreReader) -> None:
        """Wait: the file is made whole, at the end."""

    def finish(self, store: StoreReader) -> Used:
        """Write the file."""
        count = write_java_file(store.records(), self._path, self._schema)
        return Used("javadata", f"{count:,} records in {self._path}", count)
