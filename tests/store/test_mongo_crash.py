"""A run is killed with `kill -9`, and a primary under it: every key still lands exactly once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pymongo
import pytest
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import MongoStore, open_mongo

WORKER = Path(__file__).with_name("worker.py")
KILLS = 4
USERS = 1200
AT_ONCE = 8


def run_and_kill(address: str, group: int, reports: int) -> int:
    """Start a worker, kill it after some of its reports, and return the last number it said."""
    command = [sys.executable, str(WORKER), address, "1000000", str(group)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(reports)]
        worker.kill()
        lines += worker.stdout.readlines()
    assert worker.returncode == -signal.SIGKILL
    return max((int(line) for line in lines if line.strip().isdigit()), default=0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_many_moments_nothing_is_lost_or_twice(mongo: Mongo) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, before, marked = random.Random(seed), 0, -1
    for _ in range(KILLS):
        group, reports = rng.choice([1, 2, 10, 50]), rng.choice([0, 1, 2, 5, 20])
        reported = run_and_kill(mongo.with_database, group, reports)
        with MongoStore(mongo.with_database) as store:
            keys = sorted(int(record.key) for record in store.records())
            keys = sorted(keys + [int(failure.key) for failure in store.failures()])
            # Settled in order, so what is safe is a beginning of the keys, without holes. Each
            # key reports two entries: itself and its mark, which is safe after it, and may not be
            # where it was not reported.
            assert keys == [*range(len(keys))]
            assert len(keys) >= before + -(-reported // 2)
            mark = int(store.mark("last") or -1)
            marked = max(marked, before + reported // 2 - 1 if reported > 1 else -1)
            assert marked <= mark <= len(keys) - 1
            before = len(keys)
    with open_mongo(mongo.with_database) as reader:
        assert reader.verify() == reader.status().landed


PIPELINE = """
store = "env:STORE"
[source]
kind = "range"
stop = {users}
[api]
base = "{url}"
concurrency = {at_once}
[request]
path = "/users/{{key}}.json"
[lock]
lease = 4
"""


def start(folder: Path, store: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "run", "users.toml", "--quiet", "--json"],
        cwd=folder,
        env={"STORE": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_landed(mongo: Mongo, count: int, run: subprocess.Popen[str]) -> None:
    with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
        records = client[mongo.database].records
        until(lambda: records.estimated_document_count() >= count, run)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_harvest_and_its_primary_are_killed_and_every_key_lands_once(
    failing_mongo: Mongo, tmp_path: Path
) -> None:
    settings = SimulatorSettings(users=USERS, limit=0, latency=0.01)
    with Simulator(settings) as server:
        text = PIPELINE.format(users=USERS, url=server.url, at_once=AT_ONCE)
        (tmp_path / "users.toml").write_text(text)
        with start(tmp_path, failing_mongo.with_database) as run:
            wait_until_landed(failing_mongo, USERS // 5, run)
            run.kill()
        with start(tmp_path, failing_mongo.with_database) as run:
            wait_until_landed(failing_mongo, USERS // 2, run)
            failing_mongo.dev.kill("primary")
            output, trouble = run.communicate()
        assert (run.returncode, trouble) == (0, "")
        summary = json.loads(output)
        served = server.truth(ids=True)["ids"]
    assert (summary["landed"], summary["failed"], summary["retries"]) == (USERS, 0, 0)
    # What was on its way when the run was killed was fetched again, and nothing else.
    again = {key: times for key, times in served.items() if times != 1}
    assert set(again.values()) <= {2}
    assert len(again) <= AT_ONCE
    with open_mongo(failing_mongo.with_database) as reader:
        assert sorted(int(record.key) for record in reader.records()) == [*range(USERS)]
