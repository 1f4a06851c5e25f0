"""``penstock run`` and ``penstock retry-failed``: a pipeline file from its source to its store."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from penstock.assembly import Run, StreamFile, Summary, Used, read_any, read_file, store_named
from penstock.cli.progress import Meter, log_to, progress, span
from penstock.cli.stopping import stoppable
from penstock.cli.stream import DURATION, run_stream_file
from penstock.errors import InputError, Stopped
from penstock.mongo.address import is_address
from penstock.pipeline import Key
from penstock.store import StoreReader, open_store

__all__ = ["finish", "retry_failed", "run", "run_file"]

JSON = click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")
LOG = click.option("--log", metavar="FILE", help="Append every event to FILE as a JSON line.")


@click.command()
@click.argument("file", type=click.Path())
@JSON
@QUIET
@LOG
@click.option("--for", "seconds", type=DURATION, help="A stream: stop after a time, such as 10m.")
@click.option("--max-messages", type=click.IntRange(1), help="A stream: stop after so many.")
def run(
    file: str,
    *,
    as_json: bool,
    quiet: bool,
    log: str | None,
    seconds: float | None,
    max_messages: int | None,
) -> None:
    """Harvest what FILE describes into its store.

    Run again after any interruption: it goes on where it stopped, and never fetches again what is
    in the store. A [stream] has no end of its own: Ctrl-C, --for or --max-messages end it, and
    leave a cursor to go on from.

    Exit codes: 0 all landed, 1 some keys failed (see penstock status), a use left records out or
    rows may be missing (a note says why), 2 bad input, 3 stopped, 4 storage or server gave up.
    """
    described = read_any(file)
    if isinstance(described, StreamFile):
        run_stream_file(
            file,
            described,
            seconds=seconds,
            messages=max_messages,
            as_json=as_json,
            quiet=quiet,
            log=log,
        )
        return
    if seconds is not None or max_messages is not None:
        raise InputError(f"{file} has no [stream]: --for and --max-messages end a stream")
    summary = run_file(file, None, quiet=quiet, log=log)
    finish(summary, as_json=as_json)


@click.command("retry-failed")
@click.argument("file", type=click.Path())
@click.argument("keys", nargs=-1)
@JSON
@QUIET
@LOG
def retry_failed(
    file: str, keys: tuple[str, ...], *, as_json: bool, quiet: bool, log: str | None
) -> None:
    """Try the failed KEYS of a pipeline again, or all of them.

    FILE is the pipeline file: its failed keys are fetched at once. Where FILE is a store, they are
    put back to do, and the next run takes them up.
    """
    place = store_named(file)
    if is_address(place) or Path(place).is_dir():
        with open_store(place) as store:
            count = store.retry_failed(_failed_keys(store, keys))
        if as_json:
            click.echo(json.dumps({"put_back": count}))
        else:
            click.echo(f"{count:,} keys are to do again: run their pipeline")
        return
    if isinstance(read_any(file), StreamFile):
        raise InputError(f"{file} is a stream: what failed of it was no JSON, and comes only once")
    finish(run_file(file, keys, quiet=quiet, log=log), as_json=as_json)


def _failed_keys(store: StoreReader, wanted: Sequence[str]) -> list[Key]:
    """Return the failed keys, or those of them that are wanted: 7 on a command line is 7 or "7"."""
    names = set(wanted)
    return [f.key for f in store.failures() if not names or str(f.key) in names]


def run_file(file: str, retry: Sequence[str] | None, *, quiet: bool, log: str | None) -> Summary:
    """Run a pipeline file with progress; ``retry`` names failed keys to run instead."""
    folder = Path(file).parent
    work = Run(read_file(file), folder)
    with stoppable(), work.opened() as store:
        only = None
        if retry is not None:
            only = _failed_keys(store, retry)
            store.retry_failed(only)
        status = store.status()
        meter = Meter(status.expected, status.landed + status.failed)
        work.on_expected(meter.expect)
        try:
            with (
                log_to(log, work.events),
                progress(work.events, meter, Path(file).stem, quiet=quiet),
            ):
                return work.go(store, only)
        except Stopped as error:
            store.flush()
            raise Stopped(f"{error}; {_safe(store)}; run again to go on") from error


def _safe(store: StoreReader) -> str:
    status = store.status()
    return f"{status.landed:,} landed and {status.failed:,} failed are safe in the store"


def finish(summary: Summary, *, as_json: bool) -> None:
    """Print the summary and end with its exit code."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary)))
    else:
        click.echo(_sentence(summary))
    for notice in summary.notices:
        click.echo(f"note: {notice}", err=True)
    if not summary.complete:
        raise SystemExit(3)
    if summary.failed or summary.doubts or any(used.left_out for used in summary.uses):
        raise SystemExit(1)


def _sentence(summary: Summary) -> str:
    counts = (
        f"{summary.landed:,} in all, {summary.failed:,} failed, {summary.pending:,} pending; "
        f"{summary.retries:,} retries, {summary.too_many_requests:,} refused for quota"
    )
    store = shlex.quote(summary.store)
    lines = [
        f"{summary.new:,} landed in {span(summary.seconds)} ({counts})",
        f"data:  {summary.store}",
        *(_used(used) for used in summary.uses),
        f"next:  penstock export {store} --to csv -o records.csv",
    ]
    if summary.failed:
        lines.append(f"       penstock status {store}   # why keys failed")
    if not summary.complete:
        lines.append("       stopped: the budget allows no more now; run again to go on")
    return "\n".join(lines)


def _used(used: Used) -> str:
    left_out = f" ({used.left_out:,} records left out: see --log)" if used.left_out else ""
    return f"use:   {used.kind}: {used.text}{left_out}"
