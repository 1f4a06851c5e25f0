"""``penstock demo``: a harvest against a server that limits and fails, proved by its counts."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import click

from penstock.assembly import Run, Summary, read_text
from penstock.cli.output import JSON, tell
from penstock.cli.progress import RunView, showing, span
from penstock.cli.stopping import stoppable
from penstock.errors import InputError
from penstock.events import Event
from penstock.simulator import (
    SimulatorProcess,
    SimulatorSettings,
    read_mix,
    simulator_process,
    user_json,
)
from penstock.store import open_readonly

__all__ = ["demo"]

_RESERVE = 20
_LIMIT = 500
_WINDOW = 5.0
_MIX = "420=1,500=2,503=2,520=1,error=1,reset-before=1,reset-after=1,truncate=1,drip=1"

_PIPELINE = """\
# The pipeline that `penstock demo` runs. The limit is not in it: it is learned from the server.
[source]
kind = "range"
stop = {users}

[api]
base = "{url}"
concurrency = 50

[request]
path = "/users/{{key}}.json"

[retry]
attempts = 8
base = 0.2
failed = "error"        # this API puts some errors into a 200

[budget]
reserve = {reserve}            # never spent: kept for other programs that use the same key

[store]
path = "store"
"""

_CLUSTER = """
[cluster]
scheduler = "local:{workers}"   # so many processes call; one of them is killed on the way
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the server counted, held against what has landed."""

    items: int
    landed: int
    failed: int
    lost: int
    duplicated: int
    overspent: int
    retries: int
    too_many_requests: int
    seconds: float


@click.command()
@click.option("--store", "folder", metavar="DIR", help="Keep the data there (replaced).")
@click.option("--users", default=2000, help="How many to harvest.")
@click.option("--seed", default=1, help="Seed of the server's faults.")
@click.option("--workers", type=click.IntRange(2), help="Call with so many processes; one dies.")
@JSON
@click.option("--quiet", is_flag=True, help="Show no progress.")
def demo(
    folder: str | None, users: int, seed: int, workers: int | None, *, as_json: bool, quiet: bool
) -> None:
    """Harvest users from a simulated API that limits, fails and disconnects.

    The server allows 500 calls per 5 seconds, says so only in its headers, and answers every tenth
    call with a fault. At the end its own counts are held against what has landed. With --workers
    several processes share what is allowed, and one of them is killed on the way.
    """
    if users < 1:
        raise InputError("demo: --users is 1 or more")
    place = _place(folder)
    settings = SimulatorSettings(
        users=users, limit=_LIMIT, window=_WINDOW, faults=0.1, seed=seed, mix=read_mix(_MIX)
    )
    with stoppable(), simulator_process(settings) as server:
        if not as_json:
            click.echo(
                f"A server at {server.url} has {users:,} users. It allows {_LIMIT} calls in"
                f" {_WINDOW:g} s, of which {_RESERVE} are to be left alone, and every tenth call"
                " fails in one of nine ways.\n",
                err=True,
            )
        summary, killed = _harvest(server, place, users, workers, quiet=quiet)
        proof = _prove(server, settings, place / "store", summary)
    told = asdict(proof)
    if workers:
        told |= {"workers": workers, "killed": killed}
    tell(told, _told(told, place), as_json=as_json)
    if proof.lost or proof.duplicated or proof.overspent:
        raise SystemExit(4)
    if proof.failed:
        raise SystemExit(1)


def _place(folder: str | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="penstock-demo-"))
    place = Path(folder)
    if place.exists():
        if not (place / "pipeline.toml").is_file() and any(place.iterdir()):
            raise InputError(f"{place} holds other files: name a new directory for the demo")
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def _harvest(
    server: SimulatorProcess, place: Path, users: int, workers: int | None, *, quiet: bool
) -> tuple[Summary, int]:
    """Return what came of it, and how many workers were killed."""
    text = _PIPELINE.format(users=users, url=server.url, reserve=_RESERVE)
    if workers:
        text += _CLUSTER.format(workers=workers)
    path = place / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    work = Run(read_text(text, str(path)), place, path=path)
    killed: set[int] = set()

    def strike(_event: Event) -> None:
        if workers and not killed and work.look().progress.done >= users / 3:
            victim = multiprocessing.active_children()[0]
            killed.add(victim.pid or 0)
            victim.kill()

    work.events.subscribe(strike)
    with work.opened() as store, showing(RunView("users", work.look), work.events, quiet=quiet):
        return work.go(store), len(killed)


def _prove(
    server: SimulatorProcess, settings: SimulatorSettings, store: Path, summary: Summary
) -> Proof:
    """Hold the server's counts and users against the store, record by record."""
    truth = server.truth()
    lines = right = 0
    seen: set[object] = set()
    with open_readonly(store) as reader:
        for record in reader.records():
            lines += 1
            seen.add(record.key)
            right += record.body == user_json(settings.seed, int(record.key))
        failed = reader.status().failed
    spent = [window for key in truth["per_key"].values() for window in key["windows"]]
    over = [window["accepted"] + window["rejected"] - (_LIMIT - _RESERVE) for window in spent]
    return Proof(
        items=settings.users,
        landed=len(seen),
        failed=failed,
        lost=truth["users"] - failed - min(right, truth["served"]),
        duplicated=lines - len(seen),
        overspent=sum(max(0, more) for more in over),
        retries=summary.retries,
        too_many_requests=sum(key["rejected"] for key in truth["per_key"].values()),
        seconds=summary.seconds,
    )


_ROWS = {
    "items": "users on the server",
    "landed": "landed, equal byte for byte",
    "failed": "failed",
    "lost": "lost",
    "duplicated": "landed twice",
    "overspent": "calls into the reserve",
    "too_many_requests": "refused for lack of quota",
    "retries": "calls repeated after a fault",
    "workers": "processes that called",
    "killed": "of them killed on the way",
}


def _told(proof: Mapping[str, float], place: Path) -> str:
    rows = [(words, proof[name]) for name, words in _ROWS.items() if name in proof]
    table = "\n".join(f"  {words:<30} {value:>7,}" for words, value in rows)
    store = place / "store"
    return (
        f"Harvested in {span(proof['seconds'])}. What the server counted, against what landed:\n"
        f"{table}\n\n"
        f"data:  {store}/segment-000001.jsonl\n"
        f"next:  penstock status {store}\n"
        f"       penstock export {store} --to csv --flatten -o users.csv\n"
        f"       cat {place / 'pipeline.toml'}   # what ran: change it to harvest a real API"
    )
