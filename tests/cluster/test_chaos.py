"""Workers and the primary that are killed or stand still at random moments, as real processes.

For four strikes; ``PENSTOCK_CHAOS=60`` makes it a minute.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.workers import FILE, ended, started
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.assembly import Signs
from penstock.simulator import SimulatorProcess, SimulatorSettings, simulator_process
from penstock.store import open_readonly

SECONDS, STRIKES = float(os.environ.get("PENSTOCK_CHAOS", "0")), 4
PATIENCE = 120 + 5 * SECONDS  # seconds for a worker to end
CONCURRENCY, LEASE, RATE = 5, 2.0, 40
LIMIT, RESERVE, WINDOW = 120, 20, 2.0
BUDGET = '[budget]\nname = "key"\nshared = "env:MONGO"\nreserve = {reserve}\n'


class Chaos:
    """Workers of one run, of which some end badly every now and then.

    Attributes:
        kills: How many were killed.
        stops: How many stood still past their lease.
        lost: How many blocks others lost where the store stood still, or this machine.
    """

    def __init__(self, file: Path, uri: str, count: int) -> None:
        self.file, self.uri = file, uri
        self.random = random.Random(17)
        self.workers = [started("work", file, uri) for _ in range(count)]
        self.gone: list[subprocess.Popen[str]] = []
        self.signs, self.pause = Signs(uri), threading.Event()
        self.kills = self.stops = self.lost = 0

    def again(self, worker: subprocess.Popen[str]) -> None:
        self.workers.remove(worker)
        self.gone.append(worker)
        self.workers.append(started("work", self.file, self.uri))

    def strike(self) -> None:
        """Kill one that works, or let it stand still until another has its block."""
        for worker in self.workers:
            if worker.poll():  # nobody did anything to it
                raise AssertionError(worker.communicate()[1])
        living = {beat.pid for beat in self.signs.seen() if beat.block is not None}
        chosen = [worker for worker in self.workers if worker.pid in living]
        if not chosen:
            return
        worker = self.random.choice(chosen)
        if not self.kills or self.random.random() < 0.7:
            worker.kill()
            self.kills += 1
        else:
            worker.send_signal(signal.SIGSTOP)
            self.stops += 1
            until(lambda: self.age(worker.pid) >= 2 * LEASE)
            worker.send_signal(signal.SIGCONT)
        self.again(worker)

    def age(self, pid: int) -> float:
        """Return for how long a worker has said nothing; where nobody can tell, it is long."""
        found = [beat.at for beat in self.signs.seen() if beat.pid == pid]
        return time.time() - max(found, default=0.0)

    def resumed(self) -> None:
        """Wait for those that stood still: they go on, with other blocks."""
        for worker in self.gone:
            worker.wait(PATIENCE)
            if worker.returncode != -signal.SIGKILL:
                self.lost += lost_by(ended(worker))

    def end(self) -> None:
        self.signs.close()
        for worker in (*self.workers, *self.gone):
            worker.kill()
            worker.communicate()


def lost_by(summary: dict[str, Any]) -> int:
    found = re.findall(r"(\d+) blocks went to other workers", " ".join(summary["warnings"]))
    return sum(map(int, found))


def prove(simulator: SimulatorProcess, uri: str, users: int, most_again: int) -> None:
    """Hold the server's own count against what landed."""
    truth = simulator.truth()
    with open_readonly(uri) as store:
        status = store.status()
        keys = [record.key for record in store.records()]
    assert sorted(keys) == list(range(users))  # each once
    assert (status.landed, status.failed, status.pending) == (users, 0, 0)
    assert truth["served"] == users
    assert truth["served_total"] - users <= most_again
    (key,) = truth["per_key"].values()
    assert key["rejected"] == 0
    assert (key["lowest_remaining"] or 0) >= RESERVE


@pytest.mark.slow
def test_each_key_lands_once_whoever_is_killed_or_stands_still(
    failing_mongo: Mongo, tmp_path: Path
) -> None:
    file, uri = tmp_path / "users.toml", failing_mongo.with_database
    dev, users = failing_mongo.dev, int(max(SECONDS, 7) * RATE)
    settings = SimulatorSettings(users=users, limit=LIMIT, window=WINDOW, latency=0.05)
    with simulator_process(settings) as simulator:
        file.write_text(
            FILE.format(stop=users, base=simulator.url) + BUDGET.format(reserve=RESERVE)
        )
        chaos = Chaos(file, uri, 3)
        try:
            start, primaries = time.monotonic(), [dev.kill, dev.step_down]
            while len(chaos.gone) < STRIKES or time.monotonic() - start < SECONDS:
                if simulator.truth()["served"] > users * 0.9:
                    break
                chaos.strike()
                chaos.pause.wait(0.02)
                if primaries and len(chaos.gone) > 1:
                    primaries.pop(0)()
            for worker in chaos.workers:  # those to whom nothing was done end well
                chaos.lost += lost_by(ended(worker, PATIENCE))
            chaos.resumed()
            summary = ended(started("work", file, uri), PATIENCE)
        finally:
            chaos.end()
        assert summary["complete"]
        most = chaos.kills + 2 * chaos.stops + chaos.lost
        prove(simulator, uri, users, most * CONCURRENCY)
    assert chaos.kills
