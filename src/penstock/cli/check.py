"""``penstock check``: a pipeline file validated, and what it would do, without a call."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from penstock.assembly import (
    PipelinePlan,
    StreamsFile,
    located,
    locating,
    parts,
    plan,
    read_several,
    try_part,
)
from penstock.cli.progress import span

__all__ = ["check"]


@click.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
@click.option(
    "--try", "trial", is_flag=True, help="Make one call a resource, and say what it shows."
)
def check(file: str, *, as_json: bool, trial: bool) -> None:
    """Validate FILE and show its plan: what is called, how often, and how long it takes.

    No call is made, but with --try one for each resource: what came, what its key, next page and
    limit are, and what would not match. A bad file ends with exit code 2 and a line that says where
    and what; a trial that shows something wrong with 1.
    """
    described, folder = read_several(file), Path(file).parent
    plans: dict[str, PipelinePlan] = {}
    with locating(file):
        several = parts(described)
    for part in several:
        with locating(file, part.name):
            found = plan(part.file, folder)
        notes = tuple(located(one, file, part.name) for one in found.warnings)
        plans[part.name] = replace(found, warnings=notes)
    if as_json and "" in plans:
        click.echo(json.dumps({"file": file, **plans[""].fields()}))
    elif as_json:
        told = {name: planned.fields() for name, planned in plans.items()}
        what = "streams" if isinstance(described, StreamsFile) else "resources"
        click.echo(json.dumps({"file": file, what: told}))
    else:
        for name, planned in plans.items():
            click.echo(_table(f"{file} [{name}]" if name else file, planned))
    if trial:
        tried = [try_part(part, folder) for part in several]
        for one in tried:
            click.echo("\n".join(one.lines()), err=as_json)
        if not all(one.fine for one in tried):
            raise SystemExit(1)


def _table(file: str, planned: PipelinePlan) -> str:
    rows = [
        *(_stream(planned) if planned.source == "stream" else _calls(planned)),
        *(("stage", stage) for stage in planned.stages),
        ("store", _store(planned)),
        *([] if planned.free is None else [("free room", f"{planned.free / 1e9:,.1f} GB")]),
        *(("use", use) for use in planned.uses),
    ]
    text = "\n".join(f"  {name:<11} {value}" for name, value in rows)
    notes = "".join(f"\n  note        {warning}" for warning in planned.warnings)
    return f"{file}: fine\n{text}{notes}"


def _calls(planned: PipelinePlan) -> list[tuple[str, str]]:
    items = "known when it runs" if planned.items is None else f"{planned.items:,} keys"
    if planned.seconds is None:
        needed = "not known: no limit in the file, or no number of items"
    elif planned.seconds == 0:
        needed = "one window of the limit is enough"
    else:
        needed = f"at least {span(planned.seconds)}, by the limits in the file"
    return [
        ("source", f"{planned.source}, {items}"),
        ("first call", planned.example),
        ("at once", f"{planned.concurrency} calls"),
        ("takes", needed),
    ]


def _stream(planned: PipelinePlan) -> list[tuple[str, str]]:
    return [
        ("stream", planned.stream),
        ("preset", planned.preset),
        ("framing", planned.framing or "as the content type says"),
        ("id", planned.id or "the event's id, or a hash of the message"),
        ("resumes", planned.resumes),
    ]


def _store(planned: PipelinePlan) -> str:
    if planned.store is None:
        return "none: this file is to watch"
    if planned.exists is None:
        return f"{planned.store} (goes on there, or will be made)"
    return f"{planned.store} ({'goes on there' if planned.exists else 'will be made'})"
