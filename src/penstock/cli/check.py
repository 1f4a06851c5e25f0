"""``penstock check``: a pipeline file validated, and what it would do, without a call."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from penstock.assembly import Plan, StreamFile, plan, plan_stream, read_any
from penstock.cli.progress import span
from penstock.cli.stream import plan_table

__all__ = ["check"]


@click.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
def check(file: str, *, as_json: bool) -> None:
    """Validate FILE and show its plan: what is called, how often, and how long it takes.

    No call is made. A bad file ends with exit code 2 and a line that says where and what.
    """
    described = read_any(file)
    if isinstance(described, StreamFile):
        watched = plan_stream(described, Path(file).parent)
        told = {"file": file, **dataclasses.asdict(watched)}
        click.echo(json.dumps(told) if as_json else plan_table(file, watched))
        return
    planned = plan(described, Path(file).parent)
    if as_json:
        click.echo(json.dumps({"file": file, **dataclasses.asdict(planned)}))
    else:
        click.echo(_table(file, planned))


def _table(file: str, planned: Plan) -> str:
    items = "known when it runs" if planned.items is None else f"{planned.items:,} keys"
    if planned.seconds is None:
        needed = "not known: no limit in the file, or no number of items"
    elif planned.seconds == 0:
        needed = "one window of the limit is enough"
    else:
        needed = f"at least {span(planned.seconds)}, by the limits in the file"
    store = "goes on there" if planned.exists else "will be made"
    if planned.exists is None:
        store = "goes on there, or will be made"
    rows = [
        ("source", f"{planned.source}, {items}"),
        ("first call", planned.example),
        ("at once", f"{planned.concurrency} calls"),
        ("takes", needed),
        *(("stage", stage) for stage in planned.stages),
        ("store", f"{planned.store} ({store})"),
        *([] if planned.free is None else [("free room", f"{planned.free / 1e9:,.1f} GB")]),
        *(("use", use) for use in planned.uses),
    ]
    text = "\n".join(f"  {name:<11} {value}" for name, value in rows)
    notes = "".join(f"\n  note        {warning}" for warning in planned.warnings)
    return f"{file}: fine\n{text}{notes}"
