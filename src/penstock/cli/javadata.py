"""``penstock javadata``: look into, check and convert files of Java's DataOutputStream."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast, final

import click

from penstock.errors import InputError, PenstockError, StorageError
from penstock.javadata import (
    DAMAGED,
    HEAD,
    WRAPPINGS,
    InnerRows,
    Schema,
    core_line,
    from_plain,
    guess_schema,
    hint,
    parse_schema,
    to_plain,
    unwrapped,
)

if TYPE_CHECKING:
    from penstock.javadata import LoneSurrogates

__all__ = ["javadata"]

Row = tuple[object, ...]
STDIN = Path("-")
SCHEMA_HELP = (
    "The layout: text as 'id: int, name: utf', a file of such text, FILE.py:NAME or MODULE:NAME of "
    "a NamedTuple, or 'guess' for records of one size."
)


@click.group()
def javadata() -> None:
    """Look into, check and convert files written by Java's DataOutputStream."""


@final
@dataclass(frozen=True, slots=True)
class Input:
    """A file of Java data and how to read it.

    Attributes:
        file: Its path, or ``-``.
        text: The schema, as given.
        unwrap: What it is compressed or wrapped with.
        as_is: Read it even if it looks like something else.
        skip: Bytes before the first record.
        count: Records to read; None for all to the end.
        rows: The array whose rows are meant, of the one record that the file is.
    """

    file: Path
    text: str
    unwrap: str | None
    as_is: bool
    skip: int
    count: int | None
    rows: str | None


FILE = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
SCHEMA = click.option("--schema", "text", required=True, metavar="S", help=SCHEMA_HELP)
NUMBER = click.IntRange(min=0)
INPUT = (
    FILE,
    SCHEMA,
    click.option("--gzip", "gunzip", is_flag=True, help="The same as --unwrap gzip."),
    click.option(
        "--unwrap", type=click.Choice(list(WRAPPINGS)),
        help="What the data is compressed with; object: blocks of an ObjectOutputStream."
    ),
    click.option("--as-is", is_flag=True, help="Read it even if it looks like gzip or the like."),
    click.option("--skip", type=NUMBER, default=0, metavar="BYTES", help="Bytes of a header."),
    click.option("--count", type=NUMBER, help="Read so many records, and leave what follows."),
    click.option(
        "--rows", metavar="FIELD",
        help="The file is one record: read this array of it; body.rows is one inside a record.",
    ),
)  # fmt: skip
LONE = click.option(
    "--lone-surrogates",
    "lone",
    type=click.Choice(["error", "replace", "binary"]),
    default="error",
    help="What to do with text that Arrow cannot hold.",
)
OUTPUT = click.Path(dir_okay=False, path_type=Path)


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command that reads a Java file has; it gets it as an Input."""

    @wraps(command)
    def called(*, gunzip: bool, **options: Any) -> None:
        given = Input(**{field.name: options.pop(field.name) for field in fields(Input)})
        command(replace(given, unwrap="gzip") if gunzip else given, **options)

    for option in reversed(INPUT):
        called = option(called)
    return called


@javadata.command()
@reads
@click.option("-n", "--records", "most", type=NUMBER, default=10, help="How many records.")
def head(given: Input, most: int) -> None:
    """Print the first records of FILE as JSON, one a line."""
    with opened(given) as source:
        schema, rows = records_of(given, source)
        for row in itertools.islice(rows, most):
            click.echo(as_json(row, schema))


@javadata.command()
@reads
def dump(given: Input) -> None:
    """Print all records of FILE as JSON, one a line."""
    with opened(given) as source:
        schema, rows = records_of(given, source)
        for row in rows:
            sys.stdout.write(as_json(row, schema) + "\n")


@javadata.command()
@reads
def check(given: Input) -> None:
    """Say whether FILE fits the schema to its last byte, and how many records it has."""
    with opened(given) as source:
        schema, rows = records_of(given, source)
        count = sum(1 for _ in rows)
        read = "as many as wanted" if given.count is not None else "every byte read"
        click.echo(f"{given.file}: {count:,} records, {read}\nschema: {schema}")


@javadata.command("to-parquet")
@reads
@click.option("-o", "--output", type=OUTPUT, help="Else FILE.parquet.")
@LONE
def to_parquet(given: Input, output: Path | None, lone: LoneSurrogates) -> None:
    """Write the records of FILE to a Parquet file, in constant memory."""
    if output is None and given.file == STDIN:
        raise InputError("to-parquet -: say where to with -o")
    target = output or given.file.with_name(given.file.name + ".parquet")
    with opened(given) as source:
        if given.rows is None and given.count is None:
            count = schema_of(given, source).to_parquet(source, target, on_lone_surrogate=lone)
        else:
            schema, rows = records_of(given, source)
            count = schema.rows_to_parquet(rows, target, on_lone_surrogate=lone)
        click.echo(f"{target}: {count:,} records")


@javadata.command("from-parquet")
@FILE
@SCHEMA
@click.option("-o", "--output", type=OUTPUT, help="Else FILE.bin.")
def from_parquet(file: Path, text: str, output: Path | None) -> None:
    """Write the rows of a Parquet FILE as Java data."""
    if file == STDIN:
        raise InputError("from-parquet -: Parquet is read from its end; give a file")
    target = output or file.with_name(file.name + ".bin")
    with translated(file):
        count = schema_named(text).from_parquet(file, target)
        click.echo(f"{target}: {count:,} records")


@javadata.command("from-json")
@FILE
@SCHEMA
@click.option("-o", "--output", type=OUTPUT, required=True, help="Where to write.")
def from_json(file: Path, text: str, output: Path) -> None:
    """Write JSON lines, as dump prints them, as Java data."""
    schema = schema_named(text)

    def rows(lines: BinaryIO) -> Iterator[Row]:
        number = 0
        for at, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line, object_pairs_hook=members, parse_float=finite)
            except (ValueError, RecursionError) as error:
                raise InputError(f"line {at}: no JSON: {error}") from error
            yield from_plain(values, schema, f"record {number}")
            number += 1

    with translated(file), binary(file) as lines:
        count = schema.write_records(rows(lines), output)
        click.echo(f"{output}: {count:,} records")


def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; of two members of one name, either would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def finite(number: str) -> float:
    """Return a number of JSON, which no double may turn to infinity."""
    if math.isinf(value := float(number)):
        raise ValueError(f"{number:.40} is beyond the largest double")
    return value


@javadata.command()
def core() -> None:
    """Say what reads and writes: the native core or pure Python, and why."""
    click.echo(core_line())


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Make what goes wrong with ``file`` one line."""
    try:
        yield
    except InputError as error:
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        said = f"{error}".removeprefix(f"{file}: ")
        raise InputError(f"{file}: {said}{notes}") from error
    except (EOFError, *DAMAGED) as error:
        raise InputError(f"{file}: damaged: {error}") from error
    except (MemoryError, OverflowError, RecursionError) as error:
        raise InputError(f"{file}: too large or too deep for this schema: {error}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        damaged = error.errno is None  # an unpacker's: BadGzipFile and the like
        kind = (
            InputError
            if damaged or isinstance(error, FileNotFoundError | PermissionError)
            else StorageError
        )
        raise kind(f"{error.filename or file}: {error.strerror or error}") from error


def binary(file: Path) -> BinaryIO:
    """Open a file, or standard input for ``-``."""
    return open(0, "rb", closefd=False) if file == STDIN else file.open("rb")


@contextmanager
def opened(given: Input) -> Iterator[BinaryIO]:
    """Open the file; refuse one that only looks like Java data."""
    with translated(given.file), binary(given.file) as plain:
        looks = None if given.as_is or given.unwrap else hint(plain.peek(HEAD)[:HEAD])  # type: ignore[attr-defined]
        if looks:
            raise InputError(f"{looks} (--as-is reads it all the same)")
        source = unwrapped(plain, given.unwrap)
        skipped = 0
        while skipped < given.skip and (data := source.read(min(given.skip - skipped, 1 << 20))):
            skipped += len(data)
        if skipped < given.skip:
            raise InputError(f"--skip {given.skip}: there are {skipped} bytes")
        yield source


def records_of(given: Input, source: BinaryIO) -> tuple[Schema[Row], Iterator[Row]]:
    """Return the records that the options mean, and their schema."""
    schema = schema_of(given, source)
    if given.rows is None:
        return schema, iter(schema.records(source, count=given.count))
    inner = InnerRows(schema, given.rows)
    return inner.schema, inner.records(source)


def schema_of(given: Input, source: BinaryIO) -> Schema[Row]:
    """Return the schema that the option means, guessed from the data if it says so."""
    if given.text != "guess":
        return schema_named(given.text)
    if not getattr(source, "seekable", bool)():
        raise InputError("--schema guess reads the beginning twice: give a file, not a pipe")
    schema = guess_schema(source)
    click.echo(f"guessed: {schema}", err=True)
    return schema


def schema_named(text: str) -> Schema[Row]:
    """Return the schema of a text, a file of such text, or a NamedTuple."""
    module, _, name = text.rpartition(":")
    if name.isidentifier() and (module.endswith(".py") or importable(module)):
        return Schema(declared(module, name))
    path = Path(text)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file and ":" not in text:
        raise InputError(f"--schema {text}: neither a file that is there nor a schema as 'id: int'")
    try:
        return parse_schema(path.read_text(encoding="utf-8-sig") if is_file else text)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the schema is not UTF-8 text: {error.reason}") from error


def importable(module: str) -> bool:
    """Return whether ``module`` names a module, without importing it."""
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def declared(module: str, name: str) -> type[Row]:
    """Return the NamedTuple ``name`` of a Python file or an importable module."""
    try:
        loaded = (
            loaded_from(Path(module)) if module.endswith(".py") else importlib.import_module(module)
        )
    except PenstockError:
        raise
    except Exception as error:  # whatever that module does when it is imported
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{module} cannot be imported: {said}") from error
    found = getattr(loaded, name, None)
    if found is None:
        raise InputError(f"{module} has no {name}")
    return cast("type[Row]", found)


def loaded_from(path: Path) -> object:
    """Import a Python file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file to take a NamedTuple from")
    # Type hints are resolved through sys.modules, so the file must be found there by its name.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # a .py file always has a loader
    assert spec.loader is not None
    loaded = sys.modules.setdefault(path.stem, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(loaded)
    return loaded


def as_json(row: Row, schema: Schema[Row]) -> str:
    """Return a record as one line of JSON; bytes as hex, NaN and infinities as text."""
    return json.dumps(to_plain(row, schema), allow_nan=False)
