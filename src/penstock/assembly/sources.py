"""Where keys come from, as iterables that can be counted without being drawn."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, cast, final

import msgspec

from penstock.assembly.java_files import java_keys
from penstock.assembly.kinds import SOURCES, Kind, Section, Site, build
from penstock.assembly.sections import (
    CsvSource,
    DatesSource,
    GridSource,
    JavaDataSource,
    JsonlSource,
    KeyPaths,
    LinesSource,
    PagesSource,
    RangeSource,
    ResourcesSource,
    StdinSource,
    StoreSource,
)
from penstock.errors import InputError
from penstock.http import Api, Get, dig
from penstock.pipeline import Key, load
from penstock.store import open_readonly, store_place


def keys(source: Section, folder: Path) -> Iterable[Key]:
    """Return the keys of a source that needs no service, or its feed.

    Relative paths start at ``folder``.

    Raises:
        InputError: A file is missing, or a column or field is not there; says which line.
    """
    return cast("Iterable[Key]", build(SOURCES, source, Site(folder), "source"))


def count(source: Section, folder: Path) -> int | None:
    """Return how many keys there are, where that can be known without a call.

    Raises:
        InputError: As :func:`keys` does.
    """
    if isinstance(source, PagesSource):
        return None
    found = keys(source, folder)
    return len(found) if isinstance(found, Sized) else None


@final
class _Counted:
    """The keys of a file: read each time it is gone through, and once more to be counted."""

    def __init__(self, read: Callable[[], Iterator[Key]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Key]:
        return self._read()

    def __len__(self) -> int:
        return sum(1 for _ in self._read())


def _range(source: RangeSource, _site: Site) -> range:
    if source.stop < source.start:
        raise InputError(f"source.stop = {source.stop}: it is before start = {source.start}")
    return range(source.start, source.stop, source.step)


def _of_dates(source: DatesSource, _site: Site) -> list[Key]:
    if source.stop is not None and source.stop < source.start:
        raise InputError(f"source.stop = {source.stop}: it is before start = {source.start}")
    stop = source.stop or datetime.now(UTC).date()
    days = (source.start + timedelta(n) for n in range((stop - source.start).days + 1))
    if source.step == "day":
        return [day.isoformat() for day in days]
    return list(dict.fromkeys(day.strftime("%Y-%m") for day in days))


def _of_grid(source: GridSource, _site: Site) -> list[Key]:
    if not source.lists or "key" in source.lists:
        raise InputError("source.lists: at least one list, and none is called key")
    return [compound(values) for values in itertools.product(*source.lists.values())]


def _of_store(source: StoreSource, site: Site) -> Iterator[Key]:
    place = store_place(source.path)
    with open_readonly(site.folder / place if isinstance(place, Path) else place) as store:
        for record in store.records():
            if source.field is None:
                yield record.key
            else:
                yield _key_at(record.body, source.field, f"{source.path}: key {record.key!r}")


def compound(values: Iterable[object]) -> str:
    """Return the key that several values are: their JSON list, as of rows with several keys.

    >>> compound(["de", 7])
    '["de",7]'
    """
    return msgspec.json.encode(list(values)).decode()


def names(source: Section) -> tuple[str, ...]:
    """Return what the values of a source's compound keys are called, () where keys are plain."""
    if isinstance(source, GridSource):
        return tuple(source.lists)
    found = next((getattr(source, n) for n in ("column", "field", "key") if hasattr(source, n)), "")
    return tuple(found) if isinstance(found, list) else ()


def _of_lines(source: LinesSource, site: Site) -> Iterable[Key]:
    return _counted(source.path, site, _lines)


def _of_csv(source: CsvSource, site: Site) -> Iterable[Key]:
    return _counted(source.path, site, lambda path: _column(path, source))


def _of_jsonl(source: JsonlSource, site: Site) -> Iterable[Key]:
    return _counted(source.path, site, lambda path: _field(path, source.field))


def _counted(path: str, site: Site, read: Callable[[Path | str], Iterator[Key]]) -> Iterable[Key]:
    if path.startswith(("http://", "https://")):
        return read(path)  # not counted: that would be a call
    return _Counted(lambda: read(site.folder / path))


def _of_java(source: JavaDataSource, site: Site) -> _Counted:
    return _Counted(lambda: java_keys(source, site.folder))


def _of_stdin(_source: StdinSource, _site: Site) -> Iterator[Key]:
    return _stripped(sys.stdin)


def _of_pages(_source: Section, _site: Site) -> Iterable[Key]:
    raise InputError("pages come from the service: they are run by the pipeline")


RANGE = Kind("range", RangeSource, _range)
LINES = Kind("lines", LinesSource, _of_lines)
CSV = Kind("csv", CsvSource, _of_csv)
JSONL = Kind("jsonl", JsonlSource, _of_jsonl)
JAVADATA = Kind("javadata", JavaDataSource, _of_java)
STDIN = Kind("stdin", StdinSource, _of_stdin)
PAGES = Kind("pages", PagesSource, _of_pages)
RESOURCES = Kind("resources", ResourcesSource, _of_pages)
DATES = Kind("dates", DatesSource, _of_dates)
GRID = Kind("grid", GridSource, _of_grid)
STORE = Kind("store", StoreSource, _of_store)


@contextmanager
def _opened(path: Path | str) -> Iterator[IO[str]]:
    try:
        raw: IO[bytes] = io.BytesIO(_fetched(path)) if isinstance(path, str) else path.open("rb")
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        file = io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file (named in [source])") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text: {error.reason}") from error
        except csv.Error as error:
            raise InputError(f"{path} cannot be read as CSV: {error}") from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path} is damaged or cut: {error}") from error


def _fetched(url: str) -> bytes:
    base, slash, path = url.partition("://")[2].partition("/")
    api = Api(f"{url.partition('://')[0]}://{base}", headers={"Accept": "*/*"}, decode="bytes")
    return api.call(Get(slash + path)).body


def _stripped(lines: Iterable[str]) -> Iterator[Key]:
    for line in lines:
        key = line.strip()
        if key and not key.startswith("#"):
            yield key


def _lines(path: Path | str) -> Iterator[Key]:
    with _opened(path) as file:
        yield from _stripped(file)


def _column(path: Path | str, source: CsvSource) -> Iterator[Key]:
    with _opened(path) as file:
        reader = csv.DictReader(file, delimiter=source.delimiter)
        known = list(reader.fieldnames or [])
        columns = [source.column] if isinstance(source.column, str) else source.column
        for column in columns:
            if known.count(column) > 1:
                raise InputError(f"{path}: two columns are called {column!r}")
            if column not in known:
                there = ", ".join(known) or "none: the file is empty"
                raise InputError(f"{path}: no column {column!r}; there are: {there}")
        for row in reader:
            for column in columns:
                if row[column] is None:
                    raise InputError(f"{path}:{reader.line_num}: the line has no {column!r}")
            values = [row[column].strip() for column in columns]
            if any(values):
                yield values[0] if isinstance(source.column, str) else compound(values)


def _field(path: Path | str, field: KeyPaths) -> Iterator[Key]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _key_at(line.encode(), field, f"{path}:{number}")


def _key_at(text: bytes, field: KeyPaths, where: str) -> Key:
    try:
        value = load(text)
    except msgspec.DecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    fields = [field] if isinstance(field, str) else field
    found = [dig(value, one) for one in fields]
    keys = [key for key in found if isinstance(key, str | int) and not isinstance(key, bool)]
    if len(keys) < len(fields):
        raise InputError(f"{where}: no text or whole number at {field!r}")
    return keys[0] if isinstance(field, str) else compound(keys)
