"""``penstock stream``: a stream watched live; and how ``penstock run`` lands one."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import click
from rich.console import Console

from penstock.assembly.lag import lag
from penstock.assembly.reading import read_any
from penstock.assembly.stream_run import StreamRun, StreamSummary
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.streams import StreamPlan, build_stream, plan_stream
from penstock.cli.progress import log_to, span
from penstock.cli.stopping import stoppable
from penstock.cli.stream_view import StreamMeter, showing
from penstock.errors import InputError, Stopped
from penstock.events import Events
from penstock.streaming import Gap, Item, Message, Notice

__all__ = ["DURATION", "plan_table", "run_stream_file", "stream"]

_LOOK = 0.25
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@final
class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs only
    """A time span as people write it: ``90``, ``90s``, ``10m``, ``1.5h``, ``2d``."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it in seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no time span; write 90s, 10m, 1.5h or 2d", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


DURATION = Duration()


@click.command()
@click.argument("file", type=click.Path())
@click.option("--for", "seconds", type=DURATION, help="Stop after a time, such as 10m.")
@click.option("--max-messages", type=click.IntRange(1), help="Stop after so many messages.")
def stream(file: str, *, seconds: float | None, max_messages: int | None) -> None:
    """Watch the stream of FILE live: rate, lag, reconnects, gaps and the last messages.

    Nothing lands and no cursor moves: penstock run does that. Where the output is no terminal,
    every message is a line of it, and gaps and notices are lines on standard error.
    """
    described = read_any(file)
    if not isinstance(described, StreamFile):
        raise InputError(f"{file} has no [stream]: penstock run harvests it")
    plan_stream(described, Path(file).parent)
    events = Events()
    with stoppable(), build_stream(described, events=events) as source:
        meter = StreamMeter(Path(file).stem, lambda: (source.counters, source.status))
        show = _on_screen(meter, described.stream.time)
        live = Console().is_terminal
        until = None if seconds is None else time.monotonic() + seconds
        left = max_messages
        with showing(meter, events, quiet=not live):
            for items in source.batches(_LOOK):
                left = _shown(items, left, show if live else _as_lines)
                if left == 0 or (until is not None and time.monotonic() >= until):
                    break
        if live:
            click.echo(meter.line(), err=True)


Show = Callable[[Item[bytes]], None]


def _shown(items: Sequence[Item[bytes]], left: int | None, show: Show) -> int | None:
    """Show items while messages are wanted, and return how many still are."""
    for item in items:
        show(item)
        if left is not None and isinstance(item, Message):
            left -= 1
            if left == 0:
                break
    sys.stdout.flush()
    return left


def _on_screen(meter: StreamMeter, path: str | None) -> Show:
    def show(item: Item[bytes]) -> None:
        match item:
            case Message():
                if path is not None:
                    meter.lag = lag(item.body, path, time.time())
                meter.last.append(_printable(item.body[:500].decode("utf-8", "replace")))
            case Notice():
                meter.last.append(_printable(f"{item.kind}: {item.text}"))
            case Gap():
                meter.last.append(_gap(item))

    return show


def _printable(text: str) -> str:
    """Return ``text`` as one line that no terminal takes for a command."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _as_lines(item: Item[bytes]) -> None:
    if isinstance(item, Message):
        sys.stdout.buffer.write(item.body.replace(b"\n", b" ") + b"\n")
    elif isinstance(item, Gap):
        click.echo(f"penstock: {_gap(item)}", err=True)
    else:
        click.echo(f"penstock: {item.kind}: {item.text}", err=True)


def _gap(gap: Gap) -> str:
    count = "" if gap.count is None else f", {gap.count:,} messages"
    return f"gap from {gap.since} to {gap.until or 'who knows'}: {gap.reason}{count}"


def run_stream_file(  # noqa: PLR0913 - one parameter an option of the command
    file: str,
    described: StreamFile,
    *,
    seconds: float | None,
    messages: int | None,
    as_json: bool,
    quiet: bool,
    log: str | None,
) -> None:
    """Land a stream until it ends or is stopped, and say what came of it.

    Raises:
        Stopped: By Ctrl-C or SIGTERM, after the summary was printed.
    """
    work = StreamRun(described, Path(file).parent)
    meter = StreamMeter(Path(file).stem, work.look)
    with stoppable(), work.opened() as store:
        try:
            with log_to(log, work.events), showing(meter, work.events, quiet=quiet or as_json):
                work.go(store, seconds=seconds, messages=messages)
        except Stopped as error:
            store.flush()
            summary = work.summary(store)
            _tell(summary, as_json=as_json)
            raise Stopped(
                f"{error}; {summary.landed:,} messages and the cursor are safe in the store; "
                "run again to go on"
            ) from error
        summary = work.summary(store)
    _tell(summary, as_json=as_json)
    if summary.failed:
        raise SystemExit(1)


def _tell(summary: StreamSummary, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary)))
        return
    missed = f", at least {summary.missed:,} messages" if summary.missed else ""
    notices = "".join(f", {kind} {count:,}" for kind, count in sorted(summary.notices.items()))
    lines = [
        (
            f"{summary.new:,} landed in {span(summary.seconds)} ({summary.landed:,} in all, "
            f"{summary.duplicates:,} came again, {summary.reconnects:,} reconnects, "
            f"{summary.keepalives:,} heartbeats{notices})"
        ),
        f"gaps:  {summary.gaps:,}{missed}",
        f"data:  {summary.store}",
        f"next:  penstock export {shlex.quote(summary.store)} --to jsonl -o messages.jsonl",
    ]
    if summary.gaps:
        lines.append(f"       penstock export {summary.store} --gaps --to csv -o gaps.csv")
    if summary.unidentified:
        lines.append(
            f"note:  {summary.unidentified:,} messages had no id and landed under a hash of their "
            "bytes; set stream.id"
        )
    click.echo("\n".join(lines))


def plan_table(file: str, planned: StreamPlan) -> str:
    """Return the plan of a stream in words."""
    store = "none: this file is to watch" if planned.store is None else planned.store
    if planned.store is not None:
        store += " (goes on there)" if planned.exists else " (will be made)"
    rows = [
        ("stream", planned.stream),
        ("preset", planned.preset),
        ("framing", planned.framing or "as the content type says"),
        ("id", planned.id or "the event's id, or a hash of the message"),
        ("resumes", planned.resumes),
        ("store", store),
    ]
    text = "\n".join(f"  {name:<11} {value}" for name, value in rows)
    notes = "".join(f"\n  note        {warning}" for warning in planned.warnings)
    return f"{file}: fine\n{text}{notes}"
