"""``penstock export``: what landed as a table that other programs read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from penstock.assembly import store_named
from penstock.store import Format, open_readonly
from penstock.store import export as export_store
from penstock.store.exporting import Progress as Report

__all__ = ["export"]


@click.command()
@click.argument("store", type=click.Path())
@click.option("--to", "to", type=click.Choice(get_args(Format)), required=True, help="The format.")
@click.option("-o", "--output", required=True, help="The file; - is the standard output.")
@click.option("--flatten", is_flag=True, help="Show nested objects as columns a.b.c.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--failed", is_flag=True, help="Write what failed and why instead of what landed.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
def export(  # noqa: PLR0913 - one parameter an option
    store: str,
    to: Format,
    output: str,
    *,
    flatten: bool,
    force: bool,
    failed: bool,
    as_json: bool,
) -> None:
    """Write what has landed in STORE to a file; its columns are inferred.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. The file
    appears whole or not at all. A run may go on in the store meanwhile.
    """
    # Said on stderr where the data itself goes to stdout.
    aside = output == "-"
    with open_readonly(store_named(store)) as reader, _progress() as report:
        done = export_store(
            reader, to, output, flatten=flatten, force=force, failed=failed, progress=report
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)), err=aside)
    elif not aside:
        click.echo(f"{done.rows:,} rows of {len(done.columns)} columns in {done.output}")


@contextmanager
def _progress() -> Iterator[Report]:
    """Show a bar on stderr where somebody looks at it."""
    console = Console(stderr=True)
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("export", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
