"""``penstock export``: what landed as a table that other programs read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import click

from penstock.assembly import store_named
from penstock.cli.bar import bar
from penstock.destinations import Format, refuse_existing
from penstock.destinations import export as export_store
from penstock.errors import InputError
from penstock.store import StoreReader, open_readonly

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
@click.option("--skip-damaged", is_flag=True, help="Leave damaged records out, and count them.")
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
    skip_damaged: bool,
    as_json: bool,
) -> None:
    """Write what has landed in STORE to a file; its columns are inferred.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. The file
    appears whole or not at all. A run may go on in the store meanwhile. A file of Java data
    (--to javadata) has the fields of --schema instead, each a member of the record. Exit code 1:
    damaged records were left out (--skip-damaged).
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
    with open_readonly(store_named(store)) as reader, bar("exporting") as report:
        done = export_store(
            reader,
            to,
            output,
            flatten=flatten,
            force=force,
            failed=failed,
            gaps=gaps,
            skip_damaged=skip_damaged,
            progress=report,
        )
    if as_json:
        told = dataclasses.asdict(done)
        if not skip_damaged:
            del told["damaged"]
        click.echo(json.dumps(told), err=aside)
    elif not aside:
        click.echo(f"{done.rows:,} rows of {len(done.columns)} columns in {done.output}")
    if done.damaged:
        words = f"{done.damaged:,} damaged records were left out: see penstock verify {store}"
        click.echo(f"penstock: {words}", err=True)
        raise SystemExit(1)


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
