"""kill -9 at random moments, then run again: what was lost, doubled, fetched again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from penstock.simulator import user_json
from penstock.store import open_readonly
from spine.figures import Figure, at_most
from spine.machine import CLIENTS, Bench, Trouble, child, run_client
from spine.simulated import Simulated, simulate

__all__ = ["crash"]

_ITEMS = 4_000
_CONCURRENCY = 50
_LATENCY = 0.005
_SEED = 1  # the simulator's default


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """One harvest that was killed once and run again to its end.

    Attributes:
        killed_at: Requests that the server had accepted when the kill had been done.
        again: Requests that the server accepted beyond one an item.
        lost: Items without a record.
        duplicated: Records beyond one an item, in the ledger's view and in the files themselves.
        damaged: Records that differ from what the server served.
    """

    killed_at: int
    again: int
    lost: int
    duplicated: int
    damaged: int


def crash(bench: Bench) -> Iterator[Figure]:
    """Each kill hits a harvest of its own, at a moment drawn from the whole of its run."""
    kills = 5 if bench.quick else 50
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    settings = {"users": _ITEMS, "limit": 0, "latency": _LATENCY}
    with simulate(bench, **settings) as server:
        seconds = run_client(
            bench, "penstock_harvest.py", server.url, _ITEMS, _CONCURRENCY, bench.folder("clean")
        )["seconds"]
        seen = [_killed_once(bench, server, seconds, rng) for _ in range(kills)]
    moments = sorted(one.killed_at for one in seen)
    yield Figure(
        what=f"kill -9 at {kills} random moments, then resumed: lost",
        value=sum(one.lost for one in seen),
        aim=at_most(0),
        note=f"of {kills} x {_ITEMS:,} items; moments drawn with seed {seed}",
    )
    yield Figure(
        what="  duplicated, in ledger or files",
        value=sum(one.duplicated for one in seen),
        aim=at_most(0),
        note=f"{sum(one.damaged for one in seen)} records differ from what was served",
    )
    worst = max(one.again for one in seen)
    yield Figure(
        what=f"  re-fetched by the worst kill (concurrency {_CONCURRENCY})",
        value=worst,
        aim=at_most(_CONCURRENCY),
        note=f"mean {sum(one.again for one in seen) / kills:.1f}; killed after "
        f"{moments[0]:,} to {moments[-1]:,} requests, median {moments[kills // 2]:,}",
    )


def _killed_once(bench: Bench, server: Simulated, seconds: float, rng: random.Random) -> Aftermath:
    while True:
        server.reset()
        store = bench.folder("killed")
        if _harvest_and_kill(bench, server, store, rng.uniform(0.0, seconds)):
            break  # else it was done before: another moment
    killed_at = server.truth()["accepted"]
    arguments = (server.url, _ITEMS, _CONCURRENCY, store)
    run_client(bench, "penstock_harvest.py", *arguments, complete=False)  # counted below
    return _looked_at(store, killed_at, server.truth()["accepted"])


def _harvest_and_kill(bench: Bench, server: Simulated, store: Path, after: float) -> bool:
    """Kill a harvest ``after`` so many seconds; return whether it was still at work."""
    script = str(CLIENTS / "penstock_harvest.py")
    program = [sys.executable, script, server.url, str(_ITEMS), str(_CONCURRENCY), str(store)]
    with child(bench.client_core, program, bench.folder("words") / "words") as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise Trouble("the harvest to be killed did not start")
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            time.sleep(10 * _LATENCY)  # what the server is still about to count belongs to it
            return True
        return False


def _looked_at(store: Path, killed_at: int, accepted: int) -> Aftermath:
    with open_readonly(store) as reader:
        records = [(record.key, record.body) for record in reader.records()]
    keys = Counter(key for key, _ in records)
    lines = sum(path.read_bytes().count(b"\n") for path in store.glob("segment-*.jsonl"))
    return Aftermath(
        killed_at=killed_at,
        again=accepted - _ITEMS,
        lost=sum(1 for key in range(_ITEMS) if key not in keys),
        duplicated=max(len(records), lines) - len(keys),
        damaged=sum(1 for key, body in records if not _as_served(key, body)),
    )


def _as_served(key: str | int, body: bytes) -> bool:
    served = msgspec.json.decode(user_json(_SEED, int(key)))
    return bool(msgspec.json.decode(body) == served)
