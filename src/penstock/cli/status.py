"""``penstock status``: where a store stands, also while a run lands in it."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import UTC, datetime

import click
from rich.table import Table

from penstock.assembly import Heartbeat, last_beats, resource_store, resources_in, store_named
from penstock.cli.output import table
from penstock.cli.progress import span
from penstock.cli.screen import console
from penstock.cli.stream import DURATION
from penstock.errors import StorageError
from penstock.store import StoreStatus, open_readonly

__all__ = ["status"]

_SKEW = 60.0  # seconds by which clocks of two machines may differ


@click.command()
@click.argument("store", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--resource", metavar="NAME", help="One of the resources of a file with several.")
@click.option("--max-age", type=DURATION, help="Exit code 1 if nothing landed for so long: 2h.")
@click.option("--max-failed", type=click.IntRange(0), help="Exit code 1 if more keys are failed.")
def status(
    store: str,
    *,
    as_json: bool,
    resource: str | None,
    max_age: float | None,
    max_failed: int | None,
) -> None:
    """Show what has landed in STORE, what failed and why, and what is still to do.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. Nothing is
    locked, so it may be asked while a run goes on. With --max-age and --max-failed it is a check
    of health; acknowledged failures do not count. Exit codes: 1 not healthy, 4 a run would refuse
    the store.
    """
    place = store_named(store)
    if resource is None and (names := resources_in(place)):
        _of_all(place, names, max_age, max_failed, as_json=as_json)
        return
    with open_readonly(resource_store(place, resource)) as reader:
        now = reader.status()
    ill = _ill(now, max_age, max_failed)
    beats = last_beats(resource_store(place, resource))
    if as_json:
        told = {"unhealthy": ill, "workers": [_worker(beat) for beat in beats]}
        click.echo(json.dumps({**dataclasses.asdict(now), **told}))
        raise SystemExit(4 if now.problem else bool(ill))
    out = console()
    out.print(_summary(now))
    if now.failures:
        out.print(_failures(now))
    if beats:
        out.print(_workers(beats))
    if now.problem:
        raise StorageError(now.problem)
    _end(now.path, ill)


def _end(path: str, ill: list[str]) -> None:
    """Say what is not as it should be, and end with 1 if anything is."""
    for words in ill:
        click.echo(f"penstock: {path}: {words}", err=True)
    raise SystemExit(bool(ill))


def _ill(now: StoreStatus, max_age: float | None, max_failed: int | None) -> list[str]:
    """Return what is not as it should be, each in words."""
    words = []
    clock, failed = time.time(), now.failed - now.acknowledged
    age = clock - (now.landed_at or now.started)  # as long as nothing has landed: since it began
    if max_age is not None and age > max_age:
        words.append(f"nothing landed for {span(age)} (--max-age {span(max_age)})")
    if max_age is not None and (ahead := now.updated - clock) > _SKEW:
        words.append(
            f"last written {span(ahead)} from now: a clock is wrong, so its age is not known"
        )
    if max_failed is not None and failed > max_failed:
        words.append(f"{failed:,} keys are failed (--max-failed {max_failed:,})")
    return words


def _of_all(
    place: str, names: list[str], max_age: float | None, max_failed: int | None, *, as_json: bool
) -> None:
    found: dict[str, StoreStatus] = {}
    for name in names:
        with open_readonly(resource_store(place, name)) as reader:
            found[name] = reader.status()
    ill = {name: _ill(now, max_age, max_failed) for name, now in found.items()}
    if as_json:
        told = {
            name: {**dataclasses.asdict(now), "unhealthy": ill[name]} for name, now in found.items()
        }
        click.echo(json.dumps({"resources": told}))
    else:
        screen = console()
        for now in found.values():
            screen.print(_summary(now))
            if now.failures:
                screen.print(_failures(now))
    for now in found.values():
        if now.problem:
            raise StorageError(now.problem)
    _end(place, [f"{name}: {words}" for name, mine in ill.items() for words in mine])


def _summary(now: StoreStatus) -> Table:
    rows = [
        ("landed", f"{now.landed:,}"),
        ("failed", f"{now.failed:,}" + _seen(now.acknowledged)),
        ("pending", "not known" if now.pending is None else f"{now.pending:,}"),
        ("expected", "not known" if now.expected is None else f"{now.expected:,}"),
        ("size", _size(now.bytes) + _segments(now.segments)),
        ("started", _moment(now.started)),
        ("last activity", _moment(now.updated)),
        ("verified", "never" if now.verified is None else _moment(now.verified)),
        ("free room", "not known" if now.free is None else _size(now.free)),
    ]
    if now.absent:
        rows.append(("absent", f"{now.absent:,}"))
    if now.deleted:
        rows.append(("deleted", f"{now.deleted:,}"))
    if now.gaps:
        missed = f", at least {now.missed:,} messages" if now.missed else ""
        rows.append(("gaps", f"{now.gaps:,}{missed} (penstock export --gaps)"))
    drawn = table(("", "value"), rows, title=now.path, right=("value",))
    drawn.show_header = False
    return drawn


def _failures(now: StoreStatus) -> Table:
    rows = [
        (kind.error, str(kind.status or ""), f"{kind.count:,}" + _seen(kind.acknowledged))
        for kind in now.failures
    ]
    return table(("error", "status", "keys"), rows, title="failed", right=("status", "keys"))


def _worker(beat: Heartbeat) -> dict[str, object]:
    now = time.time()
    return {**dataclasses.asdict(beat), "age": now - beat.at, "lost": beat.lost(now)}


def _workers(beats: list[Heartbeat]) -> Table:
    now = time.time()
    counts = ("block", "landed", "failed", "items/s", "permits", "last seen")
    rows = [
        (
            f"{beat.host} {beat.pid}",
            "" if beat.block is None else f"{beat.block:,}",
            f"{beat.landed:,}",
            f"{beat.failed:,}",
            f"{beat.rate:.0f}",
            f"{beat.permits:,}",
            f"{span(max(0.0, now - beat.at))} ago{' (lost)' if beat.lost(now) else ''}",
        )
        for beat in beats
    ]
    return table(("process", *counts), rows, title="at work", right=counts)


def _seen(count: int) -> str:
    return f" ({count:,} acknowledged)" if count else ""


def _segments(count: int) -> str:
    """Return how many files hold it; a database does not say.

    >>> _segments(2), _segments(0)
    (' in 2 segments', '')
    """
    return f" in {count} segment{'s'[: count != 1]}" if count else ""


def _size(count: int) -> str:
    """Return a number of bytes as people read it.

    >>> _size(999), _size(1_234_567)
    ('999 B', '1.2 MB')
    """
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def _moment(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return f"{seconds!r}, which is not a time"  # the ledger of somebody else
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
