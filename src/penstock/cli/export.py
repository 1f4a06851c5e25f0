"""``penstock export``: what landed as a table that other programs read, or kept up to date."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast, get_args

import click

from penstock.address import hide, is_address, is_reference, look_up
from penstock.assembly import resource_store, resources_in, store_named
from penstock.cli.bar import bar
from penstock.cli.keep import Wanted, keep
from penstock.cli.output import tell
from penstock.cli.stopping import stoppable
from penstock.destinations import Content, Exported, Format, refuse_existing, wants_structs
from penstock.destinations import export as export_store
from penstock.errors import InputError
from penstock.registry import did_you_mean
from penstock.store import open_readonly

__all__ = ["export"]

_NESTED = ("structs", "tables", "json")
TARGETS = (*get_args(Format), "javadata")


class ExportTarget(click.ParamType[str]):
    """A format of files, or the address of a destination."""

    name = "format or address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or the address that an environment variable or a file holds."""
        if value in TARGETS or is_address(value):
            return value
        if is_reference(value):
            return look_up(value)
        return self.fail(
            f"{value!r} is not one of {', '.join(TARGETS)}, nor an address such as duckdb://FILE: "
            + did_you_mean(value, TARGETS)
        )


class _Export(click.Command):
    """The command; the word behind ``--nested`` may be left out, which means ``structs``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Have ``--nested=WORD``, however it was written."""
        words: list[str] = []
        for word in args:
            if word in _NESTED and words[-1:] == ["--nested=structs"]:
                words[-1] = f"--nested={word}"
            else:
                short = {"--nested": "--nested=structs", "--nested-tables": "--nested=tables"}
                words.append(short.get(word, word))
        return super().parse_args(ctx, words)


@click.command(cls=_Export)
@click.argument("store", type=click.Path())
@click.option(
    "--to", "to", type=ExportTarget(), required=True, help="The format, or SCHEME://PLACE."
)
@click.option("-o", "--output", help="The file; - is the standard output.")
@click.option("--table", metavar="NAME", help="An address: the table. [default: record]")
@click.option("--follow", is_flag=True, help="An address: go on with what lands, until Ctrl-C.")
@click.option("--schema", metavar="S", help="Types as NAME: KIND, ..., or a file; see the docs.")
@click.option("--flatten", is_flag=True, help="Show nested objects as columns a.b.c.")
@click.option(
    "--nested",
    type=click.Choice(_NESTED),
    metavar="AS",
    help="Objects and lists as structs (parquet, arrow, duckdb, buckets: the default), as json, or,"
    " for an address, as tables: lists are rows of tables beside it.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--failed", is_flag=True, help="Write what failed and why instead of what landed.")
@click.option("--gaps", is_flag=True, help="Write what a stream missed instead of what landed.")
@click.option("--versions", is_flag=True, help="Write every version of a record, not the newest.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged records out, and count them.")
@click.option(
    "--safe-csv", is_flag=True, help="csv: put ' before texts that a spreadsheet would compute."
)
@click.option("--resource", metavar="NAME", help="One of the resources of a file with several.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
@stoppable()
def export(  # noqa: PLR0913 - each is an option of its own
    store: str,
    to: str,
    output: str | None,
    table: str | None,
    schema: str | None,
    *,
    resource: str | None,
    nested: Literal["structs", "tables", "json"] | None,
    **flags: bool,
) -> None:
    """Write what has landed in STORE to a file, or keep a table up to date with it.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. A file appears
    whole or not at all; its columns are inferred. A run may go on in the store meanwhile. A file
    of Java data (--to javadata) has the fields of --schema instead, each a member of the record.

    With an address, such as --to duckdb://users.duckdb, the table takes over what it has not yet:
    it remembers how far it is. Schemes: csv, jsonl, sqlite, duckdb, parquet (PATHs), postgresql,
    s3, gs, abfss, python. env:NAME or file:PATH may hold the address.

    Exit code 1: damaged records were left out (--skip-damaged).
    """
    content = _content({name: flags[name] for name in ("failed", "gaps", "versions")})
    place = _place(store, resource)
    if is_address(to):
        files = ("force", "failed", "gaps", "skip_damaged", "safe_csv")
        given = {**{name: flags[name] for name in files}, "output": output}
        _refuse(given, f"is for files; {hide(to)} is kept up to date")
        kept = {name: flags[name] for name in ("flatten", "versions", "follow", "as_json")}
        keep(place, to, Wanted(table or "record", schema, nested=nested, **kept))
        return
    as_tables = nested == "tables"
    for_tables = {"table": table, "follow": flags["follow"], "nested tables": as_tables}
    _refuse(for_tables, f"needs an address: --to {to}:// or another scheme")
    if output is None:
        raise click.MissingParameter(param_type="option", param_hint="-o")
    if to == "javadata":
        _to_javadata(place, output, schema, flags | {"nested": nested is not None})
        return
    if schema is not None:
        raise InputError(f"--schema is for --to javadata; the columns of {to} are inferred")
    with open_readonly(place) as reader, bar("exporting") as report:
        done = export_store(
            reader,
            cast("Format", to),
            output,
            content=content,
            force=flags["force"],
            progress=report,
            nested=wants_structs(nested),
            **{name: flags[name] for name in ("flatten", "skip_damaged", "safe_csv")},
        )
    _tell(done, store, flags)


def _place(store: str, resource: str | None) -> str:
    place = store_named(store)
    if resource is None and (there := resources_in(place)):
        raise InputError(f"{store} holds several stores: add --resource {'|'.join(there)}")
    return resource_store(place, resource)


def _tell(done: Exported, store: str, flags: dict[str, bool]) -> None:
    """Say what was written: on stderr where the data itself went to stdout."""
    aside = done.output == "-"
    if flags["as_json"]:
        told = dataclasses.asdict(done)
        if not flags["skip_damaged"]:
            del told["damaged"]
        click.echo(json.dumps(told), err=aside)
    elif not aside:
        click.echo(f"{done.rows:,} rows of {len(done.columns)} columns in {done.output}")
    if done.damaged:
        words = f"{done.damaged:,} damaged records were left out: see penstock verify {store}"
        click.echo(f"penstock: {words}", err=True)
        raise SystemExit(1)


def _content(options: dict[str, bool]) -> Content:
    chosen = [name for name, given in options.items() if given]
    if len(chosen) > 1:
        raise InputError(f"--{chosen[0]} or --{chosen[1]}: export one at a time")
    return cast("Content", chosen[0] if chosen else "records")


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name in [name for name, given in options.items() if given]:
        raise InputError(f"--{name.replace('_', '-')} {why}")


def _to_javadata(place: str, output: str, schema: str | None, flags: dict[str, bool]) -> None:
    from penstock.assembly import read_schema, write_java_file

    if schema is None:
        raise InputError("--to javadata needs --schema, such as 'id: int, name: utf'")
    others = ("flatten", "nested", "failed", "gaps", "versions", "skip_damaged", "safe_csv")
    why = "is not for --to javadata: its fields are those of --schema"
    _refuse({name: flags[name] for name in others}, why)
    if output == "-":
        raise InputError("export to javadata needs a file: give -o FILE")
    refuse_existing(Path(output), force=flags["force"])
    with open_readonly(place) as reader:
        count = write_java_file(reader.records(), Path(output), read_schema(schema, Path()))
    facts = {"output": output, "rows": count}
    tell(facts, f"{count:,} records in {output}", as_json=flags["as_json"])
