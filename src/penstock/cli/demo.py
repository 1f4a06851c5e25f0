"""``penstock demo``: a harvest against a server that limits and fails, proved by its counts."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import click

from penstock.assembly import Run, Summary, read_text
from penstock.cli.progress import RunView, showing, span
from penstock.cli.stopping import stoppable
from penstock.errors import InputError
from penstock.simulator import (
    SimulatorProcess,
    SimulatorSettings,
    read_mix,
    simulator_process,
    user_json,
)
from penstock.store import LocalStore, open_readonly

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
@click.option("--store", "folder", metavar="DIR", help="Keep the data there (made anew).")
@click.option("--users", default=2000, show_default=True, help="How many to harvest.")
@click.option("--seed", default=1, show_default=True, help="Seed of the server's faults.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def demo(folder: str | None, users: int, seed: int, *, as_json: bool, quiet: bool) -> None:
    """Harvest users from a simulated API that limits, fails and disconnects.

    The server allows 500 calls per 5 seconds, says so only in its headers, and answers every tenth
    call with a fault. At the end its own counts are held against what has landed.
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
        summary = _harvest(server, place, users, quiet=quiet)
        proof = _prove(server, settings, place / "store", summary)
    if as_json:
        click.echo(json.dumps(asdict(proof)))
    else:
        click.echo(_told(proof, place))
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


def _harvest(server: SimulatorProcess, place: Path, users: int, *, quiet: bool) -> Summary:
    text = _PIPELINE.format(users=users, url=server.url, reserve=_RESERVE)
    (place / "pipeline.toml").write_text(text, encoding="utf-8")
    file = read_text(text, str(place / "pipeline.toml"))
    work = Run(file, place)
    with (
        LocalStore(work.place) as store,
        showing(RunView("users", work.look), work.events, quiet=quiet),
    ):
        return work.go(store)


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


def _told(proof: Proof, place: Path) -> str:
    rows = [
        ("users on the server", f"{proof.items:,}"),
        ("landed, equal byte for byte", f"{proof.landed:,}"),
        ("failed", f"{proof.failed:,}"),
        ("lost", f"{proof.lost:,}"),
        ("landed twice", f"{proof.duplicated:,}"),
        ("calls into the reserve", f"{proof.overspent:,}"),
        ("refused for lack of quota", f"{proof.too_many_requests:,}"),
        ("calls repeated after a fault", f"{proof.retries:,}"),
    ]
    table = "\n".join(f"  {name:<30} {value:>7}" for name, value in rows)
    store = place / "store"
    return (
        f"Harvested in {span(proof.seconds)}. What the server counted, against what landed:\n"
        f"{table}\n\n"
        f"data:  {store}/segment-000001.jsonl\n"
        f"next:  penstock status {store}\n"
        f"       penstock export {store} --to csv --flatten -o users.csv\n"
        f"       cat {place / 'pipeline.toml'}   # what ran: change it to harvest a real API"
    )
