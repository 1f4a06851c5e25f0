"""Where keys come from, as iterables that can be counted without being drawn."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast, final

import msgspec

from penstock.assembly.java_files import java_keys
from penstock.assembly.kinds import SOURCES, Kind, Section, Site, build
from penstock.assembly.sections import (
    CsvSource,
    JavaDataSource,
    JsonlSource,
    LinesSource,
    PagesSource,
    RangeSource,
    StdinSource,
)
from penstock.errors import InputError
from penstock.http.body import dig
from penstock.pipeline import Key

__all__ = ["count", "keys"]


def keys(source: Section, folder: Path) -> Iterable[Key]:
    """Return the keys of a source that needs no service; relative paths start at ``folder``.

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
    return range(source.start, source.stop, source.step)


def _of_lines(source: LinesSource, site: Site) -> _Counted:
    return _Counted(lambda: _lines(site.folder / source.path))


def _of_csv(source: CsvSource, site: Site) -> _Counted:
    return _Counted(lambda: _column(site.folder / source.path, source))


def _of_jsonl(source: JsonlSource, site: Site) -> _Counted:
    return _Counted(lambda: _field(site.folder / source.path, source.field))


def _of_java(source: JavaDataSource, site: Site) -> _Counted:
    return _Counted(lambda: java_keys(source, site.folder))


def _of_stdin(_source: StdinSource, _site: Site) -> Iterator[Key]:
    return _stripped(sys.stdin)


def _of_pages(_source: PagesSource, _site: Site) -> Iterable[Key]:
    raise InputError("pages come from the service: they are run by the pipeline")


RANGE = Kind("range", RangeSource, _range)
LINES = Kind("lines", LinesSource, _of_lines)
CSV = Kind("csv", CsvSource, _of_csv)
JSONL = Kind("jsonl", JsonlSource, _of_jsonl)
JAVADATA = Kind("javadata", JavaDataSource, _of_java)
STDIN = Kind("stdin", StdinSource, _of_stdin)
PAGES = Kind("pages", PagesSource, _of_pages)


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file (named in [source])") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text: {error.reason}") from error


def _stripped(lines: Iterable[str]) -> Iterator[Key]:
    for line in lines:
        key = line.strip()
        if key and not key.startswith("#"):
            yield key


def _lines(path: Path) -> Iterator[Key]:
    with _opened(path) as file:
        yield from _stripped(file)


def _column(path: Path, source: CsvSource) -> Iterator[Key]:
    with _opened(path) as file:
        reader = csv.DictReader(file, delimiter=source.delimiter)
        names = list(reader.fieldnames or [])
        if source.column not in names:
            known = ", ".join(names) or "none: the file is empty"
            raise InputError(f"{path}: no column {source.column!r}; there are: {known}")
        for row in reader:
            key = row[source.column]
            if key is None:
                raise InputError(f"{path}:{reader.line_num}: the line has no {source.column!r}")
            if key.strip():
                yield key.strip()


def _field(path: Path, field: str) -> Iterator[Key]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                key = dig(msgspec.json.decode(line), field)
            except msgspec.DecodeError as error:
                raise InputError(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise InputError(f"{path}:{number}: no text or whole number at {field!r}")
            yield key
