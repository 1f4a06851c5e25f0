"""Who works on a run, on which block and how fast: for status, the dashboard and metrics."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.workers import FILE, started
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.assembly import last_beats
from penstock.assembly.heartbeat import beating
from penstock.cluster import Beats
from penstock.dashboard import Watch
from penstock.simulator import SimulatorSettings, simulator_process


def landed_on(page: dict[str, Any]) -> int:
    return sum(one["landed"] for one in page.get("workers", []))


@pytest.mark.slow
def test_status_and_dashboard_say_who_works(mongo: Mongo, tmp_path: Path) -> None:
    """Two workers that have spent a limit, and wait."""
    file, uri = tmp_path / "users.toml", mongo.with_database
    budget = f'[budget]\nname = "key"\nshared = "{uri}"\nlimits = [{{ count = 50, per = 3600 }}]\n'
    with simulator_process(SimulatorSettings(users=200, limit=50, window=3600)) as simulator:
        file.write_text(FILE.format(stop=200, base=simulator.url) + budget)
        workers = [started("work", file, uri) for _ in range(2)]
        watch = Watch(uri)
        until(lambda: landed_on(watch.look()) == 50, workers[0])
        page = watch.look()
        words = [sys.executable, "-m", "penstock", "status", uri]
        table = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        workers[0].kill()
        workers[0].communicate()
        told = json.loads(subprocess.check_output([*words, "--json"], text=True))["workers"]
        workers[1].terminate()
        workers[1].communicate()
    watch.close()
    pids = {worker.pid for worker in workers}
    assert {one["pid"] for one in page["workers"]} == pids  # type: ignore[attr-defined]
    assert page["state"] in {"running", "waiting"}
    assert "at work" in table
    assert all(str(pid) in table for pid in pids)
    assert {one["pid"]: one["lost"] for one in told} == {
        workers[0].pid: True,
        workers[1].pid: False,
    }
    assert len({one["block"] for one in told}) == 2
    assert sum(one["landed"] for one in told) == 50
    # Whoever ended well has taken it away.
    assert [beat.pid for beat in last_beats(uri)] == [workers[0].pid]


def test_one_that_says_nothing_is_lost_and_those_of_a_group_are_asked_to_stop(
    mongo: Mongo,
) -> None:
    uri = mongo.with_database
    beats = Beats(uri)
    facts = {"pid": 4_194_305, "group": "ours"}  # no machine has a process of that number
    assert not beats.say("one", facts)
    assert not beats.say("other", {**facts, "group": "another"})
    beats.stop("ours")
    assert beats.say("one", facts)
    assert not beats.say("other", {**facts, "group": "another"})
    found = last_beats(uri)
    assert [beat.worker for beat in found] == ["one", "other"]
    assert all(beat.lost(beat.at) for beat in found)
    beats.leave("one")
    assert [one["_id"] for one in beats.seen()] == ["other"]
    beats.close()


def test_a_beat_that_nobody_takes_is_not_in_the_way_of_landing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that began during an election ended after 10 s, where landing waits for a minute."""
    monkeypatch.setattr("penstock.cluster.beats._DEADLINE", 0.2)
    said: list[int] = []

    def facts() -> dict[str, object]:
        said.append(1)
        return {}

    with beating("mongodb://127.0.0.1:1/x?replicaSet=nobody", facts) as stop:
        until(lambda: len(said) > 1)  # it goes on trying
        assert not stop.is_set()
