"""Dask as what starts workers: they come and go, the scheduler dies, and nothing is lost."""

from pathlib import Path

import pytest
from tests.cluster.dask import Dask
from tests.cluster.workers import FILE, ended, started
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.assembly import last_beats
from penstock.simulator import SimulatorSettings, simulator_process
from penstock.store import open_readonly

USERS = 120


def written(folder: Path, base: str, scheduler: str) -> Path:
    file = folder / "users.toml"
    text = FILE.format(stop=USERS, base=base)
    file.write_text(text.replace("[cluster]", f'[cluster]\nscheduler = "{scheduler}"'))
    return file


@pytest.mark.slow
def test_workers_come_and_go_and_each_key_lands_once(mongo: Mongo, tmp_path: Path) -> None:
    uri = mongo.with_database
    settings = SimulatorSettings(users=USERS, limit=0, latency=0.2)
    with simulator_process(settings) as simulator, Dask(uri) as dask:
        dask.join()
        run = started("run", written(tmp_path, simulator.url, dask.address), uri)
        until(lambda: simulator.truth()["served"] >= 10, run)
        dask.join()
        dask.workers[0].kill()
        summary = ended(run)
        truth = simulator.truth()
    assert (summary["landed"], summary["new"], summary["failed"]) == (USERS, USERS, 0)
    assert summary["complete"]
    assert truth["served"] == USERS
    assert truth["served_total"] - USERS <= 5  # what was under way in the one that was killed


@pytest.mark.slow
def test_a_scheduler_that_dies_is_said_and_nothing_is_lost(mongo: Mongo, tmp_path: Path) -> None:
    """With an executor of Dask every key still to do became a dead letter."""
    uri = mongo.with_database
    settings = SimulatorSettings(users=USERS, limit=0, latency=0.3)
    with simulator_process(settings) as simulator, Dask(uri) as dask:
        dask.join()
        file = written(tmp_path, simulator.url, dask.address)
        run = started("run", file, uri)
        until(lambda: simulator.truth()["served"] >= 10, run)
        dask.scheduler.kill()
        out, complaint = run.communicate(timeout=60)
        assert (run.returncode, out) == (4, "")
        assert f"the Dask scheduler at {dask.address} is gone" in complaint
        assert "run again to go on" in complaint
        dask.workers[0].kill()
        summary = ended(started("work", file, uri))
        truth = simulator.truth()
    assert (summary["landed"], summary["failed"], summary["pending"]) == (USERS, 0, 0)
    assert truth["served"] == USERS
    assert truth["served_total"] - USERS <= 5


@pytest.mark.slow
def test_workers_go_on_when_whoever_started_them_is_killed(mongo: Mongo, tmp_path: Path) -> None:
    uri = mongo.with_database
    settings = SimulatorSettings(users=USERS, limit=0, latency=0.1)
    with simulator_process(settings) as simulator, Dask(uri) as dask:
        dask.join()
        file = written(tmp_path, simulator.url, dask.address)
        run = started("run", file, uri)
        until(lambda: simulator.truth()["served"] >= 10, run)
        run.kill()
        run.communicate()
        until(lambda: simulator.truth()["served"] == USERS, dask.workers[0])
        summary = ended(started("run", file, uri))
        truth = simulator.truth()
    assert (summary["landed"], summary["failed"]) == (USERS, 0)
    assert truth["served_total"] == USERS


@pytest.mark.slow
def test_who_stops_the_run_stops_its_workers(mongo: Mongo, tmp_path: Path) -> None:
    uri = mongo.with_database
    settings = SimulatorSettings(users=USERS * 9, limit=0, latency=0.1)
    with simulator_process(settings) as simulator, Dask(uri) as dask:
        dask.join()
        file = written(tmp_path, simulator.url, dask.address)
        file.write_text(file.read_text().replace(f"stop = {USERS}", f"stop = {USERS * 9}"))
        run = started("run", file, uri)
        until(lambda: simulator.truth()["served"] >= 10, run)
        run.terminate()
        _, complaint = run.communicate()
        assert run.returncode == 3
        assert "run again to go on" in complaint
        until(lambda: not last_beats(uri), dask.workers[0])
        truth = simulator.truth()
    assert truth["served"] < USERS * 9
    with open_readonly(uri) as store:
        assert store.status().failed == 0


@pytest.mark.slow
def test_what_every_worker_ends_with_ends_the_run(mongo: Mongo, tmp_path: Path) -> None:
    """Such as a variable that is not set on their machines."""
    uri = mongo.with_database
    with Dask("") as dask:
        dask.join()
        run = started("run", written(tmp_path, "http://127.0.0.1:1", dask.address), uri)
        out, complaint = run.communicate(timeout=60)
    assert (run.returncode, out) == (2, "")
    assert "MONGO" in complaint


def test_no_scheduler_is_one_line(mongo: Mongo, tmp_path: Path) -> None:
    file = written(tmp_path, "http://127.0.0.1:1", "tcp://127.0.0.1:1")
    run = started("run", file, mongo.with_database)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 4
    assert "tcp://127.0.0.1:1: no Dask scheduler answers" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint
