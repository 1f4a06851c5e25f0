"""Many processes on one run, in MongoDB: shards with counts of their own, and blocks of workers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.real.mongod import Mongo

from penstock.assembly import Run, read_any
from penstock.cluster import Blocks, Land, parse_shard
from penstock.errors import InputError
from penstock.locks import LockerRoom, LockLost
from penstock.pipeline import Key, LandedRecord
from penstock.simulator import SimulatorSettings, simulator_process
from penstock.store import MongoStore, open_readonly

FILE = """
store = "env:MONGO"
[source]
kind = "range"
stop = {stop}
[api]
base = "{base}"
concurrency = 5
[request]
path = "/users/{{key}}.json"
[cluster]
block = 20
lease = 1.0
"""


def started(command: str, file: Path, uri: str, *options: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "penstock", command, str(file), "--json", "--quiet", *options]
    environment = {**os.environ, "MONGO": uri}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    summary: dict[str, Any] = json.loads(out)
    return summary


@pytest.mark.slow
def test_shards_land_side_by_side_and_each_counts_its_own(mongo: Mongo, tmp_path: Path) -> None:
    """They threw each other out, and reported what all of them had landed."""
    file = tmp_path / "users.toml"
    with simulator_process(SimulatorSettings(users=61, limit=0)) as simulator:
        file.write_text(FILE.format(stop=61, base=simulator.url))
        uri = mongo.with_database
        shards = [started("run", file, uri, "--shard", f"{n}/2") for n in (1, 2)]
        summaries = [ended(shard) for shard in shards]
        assert simulator.truth()["served_more_than_once"] == {}
    assert [summary["new"] for summary in summaries] == [31, 30]
    with open_readonly(uri) as store:
        status = store.status()
    assert (status.landed, status.expected, status.pending) == (61, 61, 0)


@pytest.mark.slow
def test_a_killed_workers_block_is_taken_over(mongo: Mongo, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    with simulator_process(SimulatorSettings(users=80, limit=0, latency=0.1)) as simulator:
        file.write_text(FILE.format(stop=80, base=simulator.url))
        uri = mongo.with_database
        first = started("work", file, uri)
        while simulator.truth()["served"] < 5:
            assert first.poll() is None
        others = [started("work", file, uri) for _ in range(2)]
        first.kill()
        first.communicate()
        summaries = [ended(other) for other in others]
        truth = simulator.truth()
    assert truth["served"] == 80
    assert truth["served_total"] - 80 <= 2 * 5
    with open_readonly(uri) as store:
        status = store.status()
    assert (status.landed, status.failed, status.pending) == (80, 0, 0)
    assert 0 < sum(summary["new"] for summary in summaries) <= 80


def land_all(store: MongoStore) -> Land:
    def land(keys: Sequence[Key], check: Callable[[], None]) -> bool:
        store.settle([LandedRecord(key, b"1") for key in store.claim(keys)], lambda _count: None)
        check()
        return True

    return land


def test_a_poison_block_ends_as_dead_letters_of_that_name(mongo: Mongo) -> None:
    """Whoever takes it up dies: it is not passed on for ever."""
    uri = mongo.with_database
    died = 0
    for _ in range(7):
        with MongoStore(uri) as store, LockerRoom(uri, database=mongo.database) as room:
            blocks = Blocks(
                range(6), 3, store=store, room=room, name="run", scope="here", lease=1.0
            )

            def land(
                keys: Sequence[Key], check: Callable[[], None], store: MongoStore = store
            ) -> bool:
                if 4 in keys:
                    raise SystemError  # as if it were killed: nothing is put back
                return land_all(store)(keys, check)

            blocks._put_back = lambda *_: None  # type: ignore[method-assign]
            try:
                assert blocks.work(land)
            except SystemError:
                died += 1
    assert died == 5
    with open_readonly(uri) as reader:
        status = reader.status()
        failed = {failure.key: failure.error for failure in reader.failures()}
    assert status.landed == 3
    assert failed == dict.fromkeys((3, 4, 5), "PoisonBlock")


def test_a_worker_that_lost_its_block_writes_nothing(mongo: Mongo) -> None:
    uri = mongo.with_database
    mine = MongoStore(uri)
    with (
        MongoStore(uri) as others,
        LockerRoom(uri, database=mongo.database) as room,
    ):
        parts = {"room": room, "name": "run", "scope": "here", "lease": 5.0}

        def land(keys: Sequence[Key], _check: Callable[[], None]) -> bool:
            room.force("run block 0")  # as if we had stood still past the lease
            taker = Blocks(range(3), 3, store=others, **parts)  # type: ignore[arg-type]
            assert taker.work(land_all(others))
            mine.settle([LandedRecord(key, b"2") for key in keys], lambda _count: None)
            mine.flush()
            return True

        with pytest.raises((LockLost, Exception)) as lost:
            Blocks(range(3), 3, store=mine, **parts).work(land)  # type: ignore[arg-type]
        assert type(lost.value).__name__ in {"StoreInUse", "LockLost"}
        with pytest.raises(Exception, match="taken this store over"):
            mine.close()
    with open_readonly(uri) as reader:
        assert [record.body for record in reader.records()] == [b"1"] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"env:MONGO"', '"users"'), "a directory, which one process writes"),
        (('kind = "range"\nstop = 9', 'kind = "stdin"'), "stdin is for one run"),
    ],
)
def test_what_cannot_be_shared_is_one_line(
    tmp_path: Path, change: tuple[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGO", "mongodb://127.0.0.1:1/users")
    file = tmp_path / "users.toml"
    file.write_text(FILE.format(stop=9, base="http://127.0.0.1:1").replace(*change))
    with pytest.raises(InputError, match=message), Run(read_any(str(file)), tmp_path).joined():
        pass


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_shard_that_is_none_is_one_line(shard: str) -> None:
    with pytest.raises(InputError, match="write K/N"):
        parse_shard(shard)
