"""``penstock export``: what landed as a table that other programs read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from penstock.assembly import store_named
from penstock.errors import InputError
from penstock.store import Format, StoreReader, open_readonly
from penstock.store import export as export_store
from penstock.store.exporting import Progress as Report
from penstock.store.exporting.target import refuse_existing

__all__ = ["export"]

Target: TypeAlias = Format | Literal["javadata"]
TARGETS = (*get_args(Format), "javadata")


@click.command()
@click.argument("store", type=click.Path())
@click.option("--to", "to", type=click.Choice(TARGETS), required=True, help="The format.")
@click.option("-o", "--output", required=True, help="The file; - is the standard output.")
@click.option("--schema", metavar="S", help="javadata: the layout, as text or a file of it.")
@click.option("--flatten", is_flag=True, help="Show nested objects as columns a.b.c.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--failed", is_flag=True, help="Write what failed and why instead of what landed.")
@click.option("--gaps", is_flag=True, help="Write what a stream missed instead of what landed.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
def export(  # noqa: PLR0913 - one parameter an option
    store: str,
    to: Target,
    output: str,
    schema: str | None,
    *,
    flatten: bool,
    force: bool,
    failed: bool,
    gaps: bool,
    as_json: bool,
) -> None:
    """Write what has landed in STORE to a file; its columns are inferred.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. The file
    appears whole or not at all. A run may go on in the store meanwhile. A file of Java data
    (--to javadata) has the fields of --schema instead, each a member of the record.
    """
    if to == "javadata":
        with open_readonly(store_named(store)) as reader:
            choices = {"flatten": flatten, "failed": failed}
            count = _to_javadata(reader, output, schema, choices, force=force)
        told = {"output": output, "rows": count}
        click.echo(json.dumps(told) if as_json else f"{count:,} records in {output}")
        return
    if schema is not None:
        raise InputError(f"--schema is for --to javadata; the columns of {to} are inferred")
    # Said on stderr where the data itself goes to stdout.
    aside = output == "-"
    with open_readonly(store_named(store)) as reader, _progress() as report:
        done = export_store(
            reader,
            to,
            output,
            flatten=flatten,
            force=force,
            failed=failed,
            gaps=gaps,
            progress=report,
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)), err=aside)
    elif not aside:
        click.echo(f"{done.rows:,} rows of {len(done.columns)} columns in {done.output}")


def _to_javadata(
    reader: StoreReader, output: str, schema: str | None, choices: dict[str, bool], *, force: bool
) -> int:
    from penstock.assembly import read_schema, write_java_file

    if schema is None:
        raise InputError("--to javadata needs --schema, such as 'id: int, name: utf'")
    for option in (name for name, chosen in choices.items() if chosen):
        raise InputError(f"--{option} is not for --to javadata: its fields are those of --schema")
    if output == "-":
        raise InputError("export to javadata needs a file: give -o FILE")
    refuse_existing(Path(output), force=force)
    return write_java_file(reader.records(), Path(output), read_schema(schema, Path()))


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
