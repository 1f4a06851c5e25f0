"""What commands print: words, a table or a JSON object, in one way for all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import click
from rich.table import Table

from penstock.cli.screen import console

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["JSON", "note", "table", "tell"]

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def tell(
    facts: Mapping[str, object] | DataclassInstance, shown: str | Table, *, as_json: bool
) -> None:
    """Print ``facts`` as a JSON object, or what people read instead."""
    if as_json:
        fields = facts if isinstance(facts, Mapping) else dataclasses.asdict(facts)
        click.echo(json.dumps(fields))
    elif isinstance(shown, Table):
        console().print(shown)
    else:
        click.echo(shown)


def note(words: str) -> None:
    """Say something beside the answer, on standard error."""
    click.echo(f"note: {words}", err=True)


def table(
    columns: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    title: str | None = None,
    right: Collection[str] = (),
) -> Table:
    """Return a table; the columns in ``right`` are numbers."""
    drawn = Table(title=title, title_justify="left")
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        drawn.add_row(*row)
    return drawn
