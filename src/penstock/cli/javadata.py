"""``penstock javadata``: look into, check and convert files of Java's DataOutputStream."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import itertools
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from penstock.errors import InputError, StorageError
from penstock.javadata.plain import to_plain
from penstock.javadata.schema import Schema, parse_schema
from penstock.javadata.sniff import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.javadata.arrow import LoneSurrogates

__all__ = ["javadata"]

Row = tuple[object, ...]
SCHEMA_HELP = (
    "The layout: text as 'id: int, name: utf', a file of such text, FILE.py:NAME or MODULE:NAME of "
    "a NamedTuple, or 'guess' for records of one size."
)


@click.group()
def javadata() -> None:
    """Look into, check and convert files written by Java's DataOutputStream."""


def schema_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every command reading a Java file has."""
    for option in (
        click.option(
            "--as-is", is_flag=True, help="Read it even if it looks like gzip or the like."
        ),
        click.option("--gzip", "gunzip", is_flag=True, help="The file is compressed with gzip."),
        click.option("--schema", "text", required=True, metavar="S", help=SCHEMA_HELP),
    ):
        command = option(command)
    return command


FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
LONE = click.option(
    "--lone-surrogates",
    "lone",
    type=click.Choice(["error", "replace", "binary"]),
    default="error",
    show_default=True,
    help="What to do with text that Arrow cannot hold.",
)


@javadata.command()
@FILE
@schema_option
@click.option("-n", "--records", "count", default=10, show_default=True, help="How many records.")
def head(file: Path, text: str, count: int, *, gunzip: bool, as_is: bool) -> None:
    """Print the first records of FILE as JSON, one a line."""
    with opened(file, gunzip=gunzip, as_is=as_is) as source:
        schema = schema_of(text, file, gunzip=gunzip)
        for row in itertools.islice(schema.records(source), count):
            click.echo(as_json(row))


@javadata.command()
@FILE
@schema_option
def dump(file: Path, text: str, *, gunzip: bool, as_is: bool) -> None:
    """Print all records of FILE as JSON, one a line."""
    with opened(file, gunzip=gunzip, as_is=as_is) as source:
        for row in schema_of(text, file, gunzip=gunzip).records(source):
            sys.stdout.write(as_json(row) + "\n")


@javadata.command()
@FILE
@schema_option
def check(file: Path, text: str, *, gunzip: bool, as_is: bool) -> None:
    """Say whether FILE fits the schema to its last byte, and how many records it has."""
    with opened(file, gunzip=gunzip, as_is=as_is) as source:
        schema = schema_of(text, file, gunzip=gunzip)
        count = sum(1 for _ in schema.records(source))
        click.echo(f"{file}: {count:,} records, every byte read\nschema: {schema}")


@javadata.command("to-parquet")
@FILE
@schema_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Else FILE.parquet."
)
@LONE
def to_parquet(
    file: Path, text: str, output: Path | None, lone: LoneSurrogates, *, gunzip: bool, as_is: bool
) -> None:
    """Write the records of FILE to a Parquet file, in constant memory."""
    target = output or file.with_name(file.name + ".parquet")
    with opened(file, gunzip=gunzip, as_is=as_is) as source:
        schema = schema_of(text, file, gunzip=gunzip)
        count = schema.to_parquet(source, target, on_lone_surrogate=lone)
        click.echo(f"{target}: {count:,} records")


@javadata.command("from-parquet")
@FILE
@click.option("--schema", "text", required=True, metavar="S", help=SCHEMA_HELP)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Else FILE.bin."
)
def from_parquet(file: Path, text: str, output: Path | None) -> None:
    """Write the rows of a Parquet FILE as Java data."""
    target = output or file.with_name(file.name + ".bin")
    with translated(file):
        count = schema_of(text, None).from_parquet(file, target)
        click.echo(f"{target}: {count:,} records")


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Make what goes wrong with ``file`` one line."""
    try:
        yield
    except InputError as error:
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        raise InputError(f"{file}: {error}{notes}") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{file}: {error}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        kind = (
            InputError if isinstance(error, FileNotFoundError | PermissionError) else StorageError
        )
        raise kind(f"{error.filename or file}: {error.strerror or error}") from error


@contextmanager
def opened(file: Path, *, gunzip: bool, as_is: bool) -> Iterator[BinaryIO]:
    """Open ``file``; refuse one that only looks like Java data."""
    with translated(file), file.open("rb") as plain:
        looks = None if as_is or gunzip else hint(plain.peek(4)[:4])
        if looks:
            raise InputError(f"{looks} (--as-is reads it all the same)")
        yield cast("BinaryIO", gzip.GzipFile(fileobj=plain)) if gunzip else plain


def schema_of(text: str, file: Path | None, *, gunzip: bool = False) -> Schema[Row]:
    """Return the schema that the option means."""
    if text == "guess":
        return guessed(file, gunzip=gunzip)
    module, _, name = text.rpartition(":")
    if name.isidentifier() and (module.endswith(".py") or importable(module)):
        return Schema(declared(module, name))
    path = Path(text)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    return parse_schema(path.read_text(encoding="utf-8") if is_file else text)


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
    if not module.endswith(".py"):
        return cast("type[Row]", attribute(importlib.import_module(module), module, name))
    path = Path(module)
    if not path.is_file():
        raise InputError(f"{path}: no such file to take {name} from")
    # Type hints are resolved through sys.modules, so the file must be found there by its name.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # a .py file always has a loader
    assert spec.loader is not None
    loaded = sys.modules.setdefault(path.stem, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(loaded)
    return cast("type[Row]", attribute(loaded, module, name))


def attribute(module: object, where: str, name: str) -> object:
    found = getattr(module, name, None)
    if found is None:
        raise InputError(f"{where} has no {name}")
    return found


def guessed(file: Path | None, *, gunzip: bool) -> Schema[Row]:
    """Guess from the beginning of the file, and say what was guessed."""
    from penstock.javadata.guess import SAMPLE, guess

    if file is None:
        raise InputError("--schema guess needs a file of Java data to guess from")
    size = None if gunzip else file.stat().st_size
    with gzip.open(file) if gunzip else file.open("rb") as source:
        schema = parse_schema(guess(source.read(SAMPLE), size))
    click.echo(f"guessed: {schema}", err=True)
    return schema


def as_json(row: Row) -> str:
    """Return a record as one line of JSON; bytes as hex, NaN and infinities as text."""
    return json.dumps(to_plain(row), allow_nan=False)
