"""Many processes on one run, in MongoDB: shards with counts of their own, and blocks of workers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pymongo
import pytest
from tests.cluster.workers import FILE, ended, started
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.assembly import Run, read_any
from penstock.cluster import Blocks, Land, parse_shard
from penstock.errors import InputError
from penstock.locks import LockerRoom, LockLost
from penstock.pipeline import Key, LandedRecord
from penstock.simulator import SimulatorSettings, simulator_process
from penstock.store import MongoStore, open_readonly


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
        until(lambda: simulator.truth()["served"] >= 5, first)
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


@pytest.mark.slow
def test_keys_that_were_lost_of_blocks_that_are_done_are_fetched_again(
    mongo: Mongo, tmp_path: Path
) -> None:
    """Half of the records were restored: each worker said that all was done, with exit code 0."""
    file = tmp_path / "users.toml"
    uri = mongo.with_database
    with simulator_process(SimulatorSettings(users=30, limit=0)) as simulator:
        file.write_text(FILE.format(stop=30, base=simulator.url))
        assert ended(started("work", file, uri))["new"] == 30
        with pymongo.MongoClient[dict[str, object]](uri) as client:
            client[mongo.database]["records"].delete_many({"_id": {"$in": [3, 25]}})
        assert ended(started("work", file, uri))["new"] == 2
        assert ended(started("work", file, uri))["new"] == 0
        file.write_text(FILE.format(stop=31, base=simulator.url).replace("31", "30") + "\n")
    with open_readonly(uri) as store:
        assert sorted(record.key for record in store.records()) == list(range(30))


def land_all(store: MongoStore) -> Land:
    def land(keys: Sequence[Key], check: Callable[[int], None]) -> bool:
        store.settle([LandedRecord(key, b"1") for key in store.claim(keys)], lambda _count: None)
        check(len(keys))
        return True

    return land


class Killed(BaseException):
    """As ``kill -9`` does, it lets nobody put back what he has taken."""


def work_until_killed(
    uri: str, database: str, keys: range, land: Callable[[MongoStore], Land]
) -> bool:
    """Return whether all was done, in blocks of six, by a worker that may be killed."""
    with MongoStore(uri) as store, LockerRoom(uri, database=database) as room:
        blocks = Blocks(keys, 6, store=store, room=room, name="run", scope="here", lease=30.0)
        note, killed = blocks._note, False

        def landing(part: Sequence[Key], check: Callable[[int], None]) -> bool:
            nonlocal killed
            try:
                return land(store)(part, check)
            except Killed:
                killed = True
                raise

        blocks._note = lambda *told: None if killed else note(*told)  # type: ignore[method-assign]
        try:
            return blocks.work(landing)
        except Killed:
            return False


def test_a_poison_key_ends_as_a_dead_letter_and_no_key_beside_it(mongo: Mongo) -> None:
    """Whoever takes its block up dies: the whole block became dead letters."""

    def land(store: MongoStore) -> Land:
        def landing(keys: Sequence[Key], check: Callable[[int], None]) -> bool:
            if 7 in keys:
                raise Killed
            return land_all(store)(keys, check)

        return landing

    uri = mongo.with_database
    done = [work_until_killed(uri, mongo.database, range(12), land) for _ in range(6)]
    assert done == [False] * 5 + [True]
    with open_readonly(uri) as reader:
        status = reader.status()
        failed = {failure.key: failure.error for failure in reader.failures()}
    assert status.landed == 11
    assert failed == {7: "PoisonKey"}


def test_a_block_that_goes_forward_is_not_poison_however_often_its_workers_are_killed(
    mongo: Mongo,
) -> None:
    """Machines that are taken away are not the fault of a key."""

    def land(store: MongoStore) -> Land:
        def landing(keys: Sequence[Key], check: Callable[[int], None]) -> bool:
            for key in store.claim(keys):
                store.settle([LandedRecord(key, b"1")], lambda _count: None)
                store.flush()
                check(1)
                raise Killed
            return True

        return landing

    uri = mongo.with_database
    done = [work_until_killed(uri, mongo.database, range(6), land) for _ in range(7)]
    assert done == [False] * 6 + [True]
    with open_readonly(uri) as reader:
        status = reader.status()
    assert (status.landed, status.failed) == (6, 0)


def test_a_worker_that_lost_its_block_writes_nothing(mongo: Mongo) -> None:
    uri = mongo.with_database
    mine = MongoStore(uri)
    with (
        MongoStore(uri) as others,
        LockerRoom(uri, database=mongo.database) as room,
    ):
        parts = {"room": room, "name": "run", "scope": "here", "lease": 5.0}

        def land(keys: Sequence[Key], _check: Callable[[int], None]) -> bool:
            room.force("run block 0")  # as if we had stood still past the lease
            taker = Blocks(range(3), 3, store=others, **parts)  # type: ignore[arg-type]
            assert taker.work(land_all(others))
            mine.settle([LandedRecord(key, b"2") for key in keys], lambda _count: None)
            mine.flush()
            return True

        blocks = Blocks(range(3), 3, store=mine, **parts)  # type: ignore[arg-type]
        assert blocks.work(land)
        assert (blocks.lost, mine.new, others.new) == (1, 0, 3)
        mine.close()  # nothing of it is written, and nothing is wrong
    with open_readonly(uri) as reader:
        assert [record.body for record in reader.records()] == [b"1"] * 3


def test_a_worker_that_lost_its_block_takes_it_up_again_where_its_taker_dies(mongo: Mongo) -> None:
    """Keys that were under way in it then were taken for those of others, and never done."""
    uri = mongo.with_database
    with (
        MongoStore(uri) as store,
        LockerRoom(uri, database=mongo.database) as room,
    ):
        blocks = Blocks(range(3), 3, store=store, room=room, name="run", scope="here", lease=5.0)
        losses = [1]

        def land(keys: Sequence[Key], check: Callable[[int], None]) -> bool:
            if losses:
                losses.pop()
                assert list(store.claim(keys)) == [0, 1, 2]
                raise LockLost("we stood still")
            return land_all(store)(keys, check)

        assert blocks.work(land)
        assert (blocks.lost, store.new) == (1, 3)


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


@pytest.mark.parametrize(
    "shard", ["0/2", "3/2", "2", "a/b", "1/0", "1/99999999999999999999", "1/²", "-1/2"]
)
def test_a_shard_that_is_none_is_one_line(shard: str) -> None:
    with pytest.raises(InputError, match="write K/N"):
        parse_shard(shard)
