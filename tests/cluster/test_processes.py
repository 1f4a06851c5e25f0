"""Several processes of this machine that call, and one that lands."""

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.waiting import until

from penstock import Api, Get, Pipeline
from penstock.cluster import Processes
from penstock.errors import ExecutorFailed, InputError
from penstock.events import Events
from penstock.http import Request
from penstock.pipeline import Key
from penstock.simulator import SimulatorProcess, SimulatorSettings, simulator_process
from penstock.store import LocalStore

FILE = """
store = "users"
[source]
kind = "range"
stop = {stop}
[api]
base = "{base}"
concurrency = 5
[request]
path = "/users/{{key}}.json"
[budget]
reserve = 10
[cluster]
scheduler = "local:2"
"""


def made(url: str, poison: int, _events: Events) -> tuple[Api, Callable[[Key], Request]]:
    def request(key: Key) -> Request:
        if poison in (key, -1):
            os.kill(os.getpid(), signal.SIGKILL)
        return Get(f"/users/{key}.json")

    if poison == -2:
        raise InputError("no such thing")
    return Api(url), request


def same(key: Key) -> Key:
    return key


def landed(simulator: SimulatorProcess, store: LocalStore, poison: int, count: int = 40) -> None:
    processes = Processes(functools.partial(made, simulator.url, poison), 2)
    Pipeline(range(count)).fetch(processes, same, concurrency=8).land(store)


@pytest.mark.slow
def test_a_key_that_kills_its_process_is_a_dead_letter_and_no_other_is(tmp_path: Path) -> None:
    with (
        simulator_process(SimulatorSettings(users=40, limit=0)) as simulator,
        LocalStore(tmp_path / "store") as store,
    ):
        landed(simulator, store, poison=7)
        status = store.status()
        assert [(f.key, f.error) for f in store.failures()] == [(7, "PoisonKey")]
    assert (status.landed, status.failed) == (39, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("poison", "error", "message"),
    [(-1, ExecutorFailed, "die whatever they call"), (-2, InputError, "no such thing")],
)
def test_what_is_no_keys_fault_ends_the_run_and_leaves_the_keys(
    tmp_path: Path, poison: int, error: type[Exception], message: str
) -> None:
    with (
        simulator_process(SimulatorSettings(users=3, limit=0)) as simulator,
        LocalStore(tmp_path / "store") as store,
    ):
        with pytest.raises(error, match=message):
            landed(simulator, store, poison, count=3)
        assert store.status().failed == 0


@pytest.mark.slow
def test_a_file_with_workers_lands_each_key_once_though_one_is_killed(tmp_path: Path) -> None:
    """In a directory, with one reserve for all, and nothing left of the workers."""
    file = tmp_path / "users.toml"
    settings = SimulatorSettings(users=150, limit=100, window=2.0, latency=0.02)
    with simulator_process(settings) as simulator:
        file.write_text(FILE.format(stop=150, base=simulator.url))
        words = [sys.executable, "-m", "penstock", "run", str(file), "--json", "--quiet"]
        run = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        until(lambda: simulator.truth()["served"] >= 20, run)
        tasks = Path(f"/proc/{run.pid}/task")
        children = [pid for task in tasks.glob("*/children") for pid in task.read_text().split()]
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        workers = [pid for pid, line in lines.items() if b"spawn_main" in line]
        os.kill(workers[0], signal.SIGKILL)
        out, _ = run.communicate(timeout=120)
        truth = simulator.truth()
    assert run.returncode == 0
    assert json.loads(out)["landed"] == 150
    assert truth["served_total"] - 150 <= 5
    (key,) = truth["per_key"].values()
    assert key["rejected"] == 0
    assert (key["lowest_remaining"] or 0) >= 10
