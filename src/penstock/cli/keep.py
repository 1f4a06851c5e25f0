"""``penstock export --to ADDRESS``: a table that is kept up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal, final

import click

from penstock.address import hide, is_address
from penstock.cli.output import tell
from penstock.clock import Clock, SystemClock
from penstock.destinations import Keeper, open_destination, wants_structs
from penstock.errors import StorageError
from penstock.registry import beside
from penstock.store import StoreReader, open_readonly, read_given

__all__ = ["Wanted", "keep"]

_LOOK = 1.0  # seconds between looks for what has landed
_SILENT = 5.0  # seconds that reading a store in MongoDB may take before something is said
_PATIENCE = 10  # looks that may fail one after the other


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command that are for a table."""

    table: str
    schema: str | None
    _: KW_ONLY
    flatten: bool
    versions: bool = False
    nested: Literal["structs", "tables", "json"] | None = None
    follow: bool
    as_json: bool


def keep(store: str, address: str, wanted: Wanted, clock: Clock | None = None) -> None:
    """Bring a table up to date with a store; with ``follow``, until the process is ended."""
    given = read_given(_text(wanted.schema)) if wanted.schema else {}

    def said(words: str) -> None:
        click.echo(f"penstock: {words}", err=True)

    def look(reader: StoreReader) -> int:
        with (
            _patient(store, said),
            beside(Path()),
            closing(open_destination(address)) as destination,
        ):
            return Keeper(
                destination,
                wanted.table,
                flatten=wanted.flatten,
                versions=wanted.versions,
                children=wanted.nested == "tables",
                structs=wants_structs(wanted.nested),
                given=given,
                said=said,
            ).catch_up(reader)

    with open_readonly(store) as reader:
        taken = look(reader)
        _tell(taken, wanted, address)
        clock, failed = clock or SystemClock(), 0
        while wanted.follow:
            clock.sleep(_LOOK)
            try:
                taken = look(reader)
            except StorageError as error:
                failed += 1
                if failed == _PATIENCE:
                    raise
                said(f"{error}; trying again")
                continue
            failed = 0
            if taken:
                _tell(taken, wanted, address)


@contextmanager
def _patient(store: str, said: Callable[[str], object]) -> Iterator[None]:
    """Say why it may take long, where it does: reading waits for what others may have written."""
    words = (
        f"still reading {hide(store)}: if a program that wrote there was killed, its last records "
        "are waited for, up to two minutes"
    )
    timer = threading.Timer(_SILENT, said, [words])
    timer.daemon = True
    if is_address(store):
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _text(schema: str) -> str:
    path = Path(schema)
    return path.read_text() if ":" not in schema and path.is_file() else schema


def _tell(taken: int, wanted: Wanted, address: str) -> None:
    told = {"output": hide(address), "table": wanted.table, "rows": taken}
    words = f"{taken:,} more rows in {wanted.table} of {hide(address)}"
    tell(told, words, as_json=wanted.as_json)
