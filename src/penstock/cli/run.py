"""``penstock run`` and ``penstock retry-failed``: a pipeline file from its source to its store."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

import click

from penstock.address import is_address
from penstock.assembly import (
    Part,
    PipelineFile,
    Run,
    StreamFile,
    StreamsFile,
    Summary,
    Used,
    lead,
    locating,
    missing_values,
    parts,
    read_any,
    read_several,
    rejoining,
    scheduler_of,
    store_named,
    with_workers,
)
from penstock.cli.observed import Shown, counted, observed, show_page, shown_options
from penstock.cli.output import JSON, note, tell
from penstock.cli.progress import RunView, View, span
from penstock.cli.side_by_side import side_by_side
from penstock.cli.stopping import stoppable
from penstock.cli.stream import DURATION
from penstock.cli.stream_view import StreamView, Troubles
from penstock.cluster import parse_shard
from penstock.errors import GaveUp, InputError, PermanentError, Stopped, StoreInUse
from penstock.locks import LockLost
from penstock.pipeline import Key
from penstock.store import StoreReader, WritableStore, open_store
from penstock.streaming import Counters, StreamStatus
from penstock.telemetry import Metrics

__all__ = ["acknowledge", "failed_keys", "retry_failed", "run", "work"]


@click.command()
@click.argument("file", type=click.Path())
@shown_options
@click.option("--for", "seconds", type=DURATION, help="A stream: stop after a time, such as 10m.")
@click.option("--max-messages", type=click.IntRange(1), help="A stream: stop after so many.")
@click.option("--refresh", is_flag=True, help="Fetch again what has landed, however new it is.")
@click.option("--restart", is_flag=True, help="Read pages or a stream from their beginning again.")
@click.option("--shard", metavar="K/N", help="Do the K-th of N parts of the keys, from 1.")
@click.option("--workers", type=click.IntRange(1), help="Call with so many processes.")
def run(  # noqa: PLR0913 - one parameter an option of the command
    file: str,
    *,
    seconds: float | None,
    max_messages: int | None,
    restart: bool,
    refresh: bool,
    shard: str | None,
    workers: int | None,
    **shown: Unpack[Shown],
) -> None:
    """Harvest what FILE describes into its store.

    Run again after any interruption: it goes on where it stopped, and never fetches again what is
    in the store. A [stream] has no end of its own: Ctrl-C, --for or --max-messages end it, and
    leave a cursor to go on from. --restart forgets how far pages or a stream were read, and which
    request fetched the keys; what has landed stays, and lands once.

    Exit codes: 0 all landed, 1 some keys failed (see penstock status; those acknowledged do not
    count), a use left records out, rows may be missing or messages of a stream are (a note says
    why), 2 bad input, 3 stopped, 4 storage or server gave up.
    """
    described = read_several(file)
    if isinstance(described, PipelineFile) and (seconds is not None or max_messages is not None):
        raise InputError(f"{file} has no [stream]: --for and --max-messages end a stream")

    def go(work: Run, store: WritableStore) -> Summary:
        return work.go(
            store, seconds=seconds, messages=max_messages, restart=restart, refresh=refresh
        )

    if isinstance(described, StreamsFile):
        if shard is not None or workers is not None:
            raise InputError(f"{file} has streams: --shard and --workers are for keys")
        _run_streams(file, described, go, shown)
        return
    part = None if shard is None else parse_shard(shard)
    if workers is not None:
        described = with_workers(described, workers)
    leads, joins = scheduler_of(described) is not None, described.cluster.scheduler == "none"
    if (joins or leads) and (refresh or restart or seconds or max_messages):
        raise InputError(
            "--refresh, --restart, --for and --max-messages are for one process, not for workers"
        )

    if leads:
        _run_all(file, described, lead, shown, shard=part, opened=Run.led)
    elif joins:
        _join(file, described, shown, part)
    else:
        _run_all(file, described, go, shown, shard=part)


def _run_streams(
    file: str,
    described: StreamsFile,
    go: Callable[[Run, WritableStore], Summary],
    shown: Shown,
) -> None:
    """Run the streams of a file side by side, and end with the exit code of all."""
    folder = Path(file).parent
    runs = {part.name: Run(part.file, folder, path=file) for part in parts(described)}
    wanted = shown["metrics"] or shown["metrics_file"]
    metrics = {name: Metrics(stream=name) for name in runs} if wanted else {}

    def one(name: str, work: Run) -> Summary:
        watched = partial(observed, several=True, metrics=metrics.get(name))
        with work.notifying(f"{Path(file).stem} {name}", note):
            return _run(name, work, partial(go, work), shown, work.opened(), watched)

    with stoppable(), ExitStack() as held:
        if metrics:
            held.enter_context(counted(shown, *metrics.values()))
        if shown["dashboard"]:
            held.enter_context(show_page(*runs.values()))
        summaries, errors = side_by_side(runs, one)
    for name, summary in summaries.items():
        if not shown["as_json"]:
            click.echo(f"{name}:")
            _tell(summary, as_json=False)
    if shown["as_json"]:
        told = {name: summary.fields() for name, summary in summaries.items()}
        click.echo(json.dumps({"streams": told}))
    if errors:
        worst = max(errors, key=lambda error: error.exit_code)
        if isinstance(worst, Stopped):
            raise Stopped(f"{worst}; what was received is safe; run again to go on")
        raise SystemExit(worst.exit_code)
    _end(list(summaries.values()))


@click.command()
@click.argument("file", type=click.Path())
@shown_options
def work(file: str, **shown: Unpack[Shown]) -> None:
    """Join the run of FILE from this machine, together with other workers.

    Each takes blocks of keys that nobody else works on, until all are done. A worker that dies is
    taken over within a lease. The store is in MongoDB, and every worker reads the same keys. A
    stream has one worker at a time: the others wait, and one of them takes over when it dies.

    Exit codes: as of penstock run.
    """
    _join(file, read_any(file), shown)


def _join(
    file: str,
    described: PipelineFile | StreamFile | StreamsFile,
    shown: Shown,
    shard: tuple[int, int] | None = None,
) -> None:
    """Work until all is done, also where this process stands still and is taken for dead."""

    def once() -> None:
        _run_all(file, described, Run.work, shown, shard=shard, opened=Run.joined)

    rejoining(once, note)


@click.command("retry-failed")
@click.argument("file", type=click.Path())
@click.argument("keys", nargs=-1)
@click.option("--status", type=int, multiple=True, help="Only what failed so, such as 403.")
@click.option(
    "--accept", is_flag=True, help="Take them as they are: they no longer count as failed."
)
@shown_options
def retry_failed(
    file: str,
    keys: tuple[str, ...],
    *,
    status: tuple[int, ...],
    accept: bool,
    **shown: Unpack[Shown],
) -> None:
    """Try the failed KEYS of a pipeline again, or all of them.

    FILE is the pipeline file: its failed keys are fetched at once. Where FILE is a store, they are
    put back to do, and the next run takes them up. With --accept they are settled without a record
    instead, and later runs no longer end with exit code 1 for them.
    """
    place = store_named(file)
    if is_address(place) or Path(place).is_dir():
        with open_store(place) as store:
            chosen = _told(failed_keys(store, keys, status), keys)
            count = store.accept(chosen) if accept else store.retry_failed(chosen)
        what = "accepted as they are" if accept else "to do again: run their pipeline"
        facts = {"accepted" if accept else "put_back": count}
        tell(facts, f"{count:,} keys are {what}", as_json=shown["as_json"])
        return
    described = read_several(file)
    if not isinstance(described, PipelineFile) and not described.stage:
        raise InputError(f"{file} is a stream: what failed of it is not JSON, and comes only once")

    def go(work: Run, store: WritableStore) -> Summary:
        chosen = _told(failed_keys(store, keys, status), keys)
        if accept:
            store.accept(chosen)
        if accept or (status and not chosen):
            return replace(work.summary(store), complete=True)
        return work.retry(store, [str(key) for key in chosen] if status else keys)

    _run_all(file, described, go, shown)


def _told(chosen: list[Key], names: Sequence[str]) -> list[Key]:
    """Return the keys that were chosen, and say which of the names are none of them."""
    for name in sorted(set(names) - {str(key) for key in chosen}):
        note(f"key {name} is not failed here")
    return chosen


@click.command()
@click.argument("store", type=click.Path())
@click.argument("keys", nargs=-1)
@click.option("--status", type=int, help="Only what failed with this HTTP status.")
@JSON
def acknowledge(store: str, keys: tuple[str, ...], *, status: int | None, as_json: bool) -> None:
    """Accept that the failed KEYS of STORE failed, or all that are failed now.

    They stay failed and can be tried again, but no longer make each later run end with 1. What
    fails after that is to be acknowledged again.
    """
    with open_store(store_named(store)) as opened:
        failed = failed_keys(opened, keys, () if status is None else (status,))
        if unknown := set(keys) - {str(key) for key in failed}:
            first = min(unknown)
            raise InputError(f"{first!r} is not a failed key of {store}: see penstock status")
        count = opened.acknowledge(failed)
    tell({"acknowledged": count}, f"{count:,} failed keys are acknowledged", as_json=as_json)


def failed_keys(store: StoreReader, wanted: Sequence[str], status: Sequence[int] = ()) -> list[Key]:
    """Return the failed keys, or those of them that are wanted: 7 on a command line is 7 or "7"."""
    names = set(wanted)
    return [
        failure.key
        for failure in store.failures()
        if (not names or str(failure.key) in names) and (not status or failure.status in status)
    ]


def _run_all(
    file: str,
    described: PipelineFile | StreamFile | StreamsFile,
    go: Callable[[Run, WritableStore], Summary],
    shown: Shown,
    *,
    shard: tuple[int, int] | None = None,
    opened: Callable[[Run], AbstractContextManager[WritableStore]] = Run.opened,
) -> None:
    """Run all pipelines of a file, parents first, and end with the exit code of all."""
    summaries: dict[str, Summary] = {}
    runs: list[Run] = []
    refused: list[str] = []
    with ExitStack() as held:
        with locating(file):
            several = parts(described)
            _refuse_unset(several)
        for part in several:
            like = runs[-1] if runs else None
            folder, above = Path(file).parent, part.parent
            with locating(file, part.name):
                work = Run(part.file, folder, parent=above, like=like, shard=shard, path=file)
            runs.append(work)
            if like is None:
                held.enter_context(stoppable())
                held.enter_context(work.notifying(Path(file).stem, note, runs))
            try:
                summary = _run(file, work, partial(go, work), shown, opened(work))
            except (PermanentError, GaveUp) as error:
                if not part.name or (isinstance(error, GaveUp) and error.status is None):
                    raise  # nobody answers, and so it would be for the others
                note(f"{part.name}: {error}")
                refused.append(part.name)
                continue
            summaries[part.name] = summary
            if not shown["as_json"] or not part.name:
                click.echo(f"{part.name}:") if part.name else None
                _tell(summary, as_json=shown["as_json"])
        _tell_resources(summaries, as_json=shown["as_json"])
        if refused:
            names = ", ".join(refused)
            raise GaveUp(f"not all of it came of {names}; what landed is safe", attempts=0)
        _end(list(summaries.values()))


def _refuse_unset(several: Sequence[Part]) -> None:
    """Refuse a file of several before the first call: half of a harvest was not asked for."""
    unset = (one for part in several if part.name for one in missing_values(part.file))
    if lacking := "; ".join(dict.fromkeys(problem for at, problem in unset if at[0] == "source")):
        raise InputError(f"{lacking}: export it, or take out the resources that need it")


def _tell_resources(summaries: Mapping[str, Summary], *, as_json: bool) -> None:
    if as_json and "" not in summaries:
        told = {name: summary.fields() for name, summary in summaries.items()}
        click.echo(json.dumps({"resources": told}))


def _end(summaries: Sequence[Summary]) -> None:
    """End with the exit code of all."""
    if not all(summary.is_stream or summary.complete for summary in summaries):
        raise SystemExit(3)
    for summary in summaries:
        never_live = summary.state != "new" and not (summary.lives or summary.ended)
        if summary.is_stream and never_live:
            raise GaveUp(f"the stream was never live: {summary.last_reason}", attempts=0)
        if summary.lost:
            note(
                f"{summary.store}: messages are missing for good, in {summary.lost:,} gaps "
                '(penstock export --gaps); where that is as it should be, gaps = "accept"'
            )
    if any(_is_lacking(summary) for summary in summaries):
        raise SystemExit(1)


def _is_lacking(summary: Summary) -> bool:
    left_out = any(used.left_out for used in summary.uses)
    return bool(summary.failed > summary.acknowledged or summary.doubts or summary.lost or left_out)


def _run(
    file: str,
    work: Run,
    go: Callable[[WritableStore], Summary],
    shown: Shown,
    opened: AbstractContextManager[WritableStore],
    watched: Callable[..., AbstractContextManager[None]] | None = None,
) -> Summary:
    """Run ``go`` with progress and return what came of it."""
    as_json = shown["as_json"]
    if work.is_stream and as_json:
        shown["quiet"] = True
    if work.is_stream:
        name = "" if watched is None else file
        work.events.subscribe(Troubles(lambda: work.look().status, name))
    with opened as store:
        try:
            with (watched or observed)(_view(file, work), work, store, shown):
                return go(store)
        except Stopped as error:
            if work.is_worker and isinstance(error, LockLost | StoreInUse):
                raise  # it joins again
            store.flush()
            summary = work.summary(store)
            if summary.is_stream:
                _tell(summary, as_json=as_json)
            raise Stopped(f"{error}; {_safe(summary)}; run again to go on") from error


def _view(file: str, work: Run) -> View:
    title = Path(file).stem
    if not work.is_stream:
        return RunView(title, work.look)

    def look() -> tuple[Counters, StreamStatus]:
        seen = work.look()
        return seen.counters, seen.status

    return StreamView(title, look)


def _safe(summary: Summary) -> str:
    if summary.is_stream:
        return f"{summary.landed:,} messages and the cursor are safe in the store"
    return f"{summary.landed:,} landed and {summary.failed:,} failed are safe in the store"


def _tell(summary: Summary, *, as_json: bool) -> None:
    words = _of_stream(summary) if summary.is_stream else _sentence(summary)
    tell(summary.fields(), words, as_json=as_json)
    for warning in summary.warnings:
        note(warning)


def _of_stream(summary: Summary) -> str:
    missed = f", at least {summary.missed:,} messages" if summary.missed else ""
    notices = "".join(f", {kind} {count:,}" for kind, count in sorted(summary.notices.items()))
    store = shlex.quote(summary.store)
    lines = [
        (
            f"{summary.new:,} landed in {span(summary.seconds)} ({summary.landed:,} in all, "
            f"{summary.duplicates:,} came again, {summary.reconnects:,} reconnects, "
            f"{summary.keepalives:,} heartbeats{notices})"
        ),
        *_lost(summary),
        f"gaps:  {summary.gaps:,}{missed}",
        f"data:  {summary.store}",
        *(_used(used) for used in summary.uses),
        f"next:  penstock export {store} --to jsonl -o messages.jsonl",
    ]
    if summary.gaps:
        lines.append(f"       penstock export {store} --gaps --to csv -o gaps.csv")
    if summary.unidentified:
        lines.append(
            f"note:  {summary.unidentified:,} messages had no id and landed under a hash of their "
            "bytes; set stream.id"
        )
    return "\n".join(lines)


def _lost(summary: Summary) -> list[str]:
    """Return what a reader should know before the rest: what is not there, and why."""
    lines = []
    if summary.failed:
        lines.append(f"failed: {summary.failed:,} messages (penstock status says why)")
    if summary.changed:
        lines.append(
            f"changed: {summary.changed:,} messages came again with other content and were left "
            'out; on_same = "keep" lands them, too'
        )
    if summary.unfinished:
        lines.append(f"cut:   {summary.unfinished:,} messages were cut off with their connection")
    if summary.last_reason and summary.state != "live":
        lines.append(f"last:  {summary.last_reason}")
    return lines


def _sentence(summary: Summary) -> str:
    absent = f", {summary.absent:,} absent" if summary.absent else ""
    counts = (
        f"{summary.landed:,} in all, {_failed(summary)}, {summary.pending:,} pending"
        f"{absent}; {summary.retries:,} retries, {summary.too_many_requests:,} refused for quota"
    )
    store = shlex.quote(summary.store)
    lines = [
        f"{summary.new:,} landed in {span(summary.seconds)} ({counts})",
        f"data:  {summary.store}",
        *(_used(used) for used in summary.uses),
        f"next:  penstock export {store} --to csv -o records.csv",
    ]
    if summary.failed > summary.acknowledged:
        lines.append(f"       penstock status {store}   # why keys failed")
    if not summary.complete:
        lines.append("       stopped: the budget allows no more now; run again to go on")
    return "\n".join(lines)


def _failed(summary: Summary) -> str:
    seen = f" ({summary.acknowledged:,} acknowledged)" if summary.acknowledged else ""
    return f"{summary.failed:,} failed{seen}"


def _used(used: Used) -> str:
    left_out = f" ({used.left_out:,} records left out: see --log)" if used.left_out else ""
    return f"use:   {used.kind}: {used.text}{left_out}"
