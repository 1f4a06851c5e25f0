"""Where keys come from, as iterables that can be counted without being drawn."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, assert_never

import msgspec

from penstock.assembly.java_files import java_keys
from penstock.assembly.sections import (
    CsvSource,
    JavaDataSource,
    JsonlSource,
    LinesSource,
    PagesSource,
    RangeSource,
    SourceSection,
    StdinSource,
)
from penstock.errors import InputError
from penstock.http.body import dig
from penstock.pipeline import Key

__all__ = ["count", "keys"]


def keys(source: SourceSection, folder: Path) -> Iterable[Key]:
    """Return the keys of a source that needs no service; relative paths start at ``folder``.

    Raises:
        InputError: A file is missing, or a column or field is not there; says which line.
    """
    match source:
        case RangeSource():
            return range(source.start, source.stop, source.step)
        case LinesSource():
            return _lines(folder / source.path)
        case CsvSource():
            return _column(folder / source.path, source)
        case JsonlSource():
            return _field(folder / source.path, source.field)
        case JavaDataSource():
            return java_keys(source, folder)
        case StdinSource():
            return _stripped(sys.stdin)
        case PagesSource():
            raise InputError("pages come from the service: they are run by the pipeline")
        case _:
            assert_never(source)


def count(source: SourceSection, folder: Path) -> int | None:
    """Return how many keys there are, where that can be known without a call.

    Raises:
        InputError: As :func:`keys` does.
    """
    if isinstance(source, StdinSource | PagesSource):
        return None
    found = keys(source, folder)
    return len(found) if isinstance(found, range) else sum(1 for _ in found)


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
