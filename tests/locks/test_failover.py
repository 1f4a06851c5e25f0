"""Locks in MongoDB while its primary is killed or steps down; and writes that come too late."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.errors import InputError
from penstock.locks import LockerRoom, LockLost, fenced_update
from penstock.locks.mongo_backend import MongoLocks
from penstock.mongo import connect
from penstock.mongo.dev import DevSet

from .conftest import Process
from .history import Stay, violation


def stays_of(worker: Process) -> tuple[list[Stay], dict[str, object]]:
    stays = []
    while (said := worker.heard())["did"] == "one":
        moments = [float(str(said[key])) for key in ("asked", "got", "giving", "gave")]
        stays.append(Stay(int(str(said["token"])), *moments))
    return stays, said


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "step_down"])
def test_a_lost_primary_under_contention_costs_time_and_nothing_else(
    failing_mongo: Mongo, fault: str
) -> None:
    workers = [Process(failing_mongo.with_database) for _ in range(3)]
    try:
        for worker in workers:
            worker.say("cycle", "x", 40)
        stays = [workers[0].heard() for _ in range(5)]  # it is under way
        getattr(failing_mongo.dev, fault)("primary")
        found = [stays_of(worker) for worker in workers]
        for _, said in found:
            assert "error" not in said, said
        tokens = [int(str(said["token"])) for said in stays]
        history = [stay for one, _ in found for stay in one]
        assert len(history) + len(tokens) == 120
        assert violation(history) is None
        assert len({stay.token for stay in history} | set(tokens)) == 120
    finally:
        for worker in workers:
            worker.__exit__()


@pytest.mark.slow
def test_a_holder_keeps_its_lock_through_a_failover(failing_mongo: Mongo) -> None:
    with LockerRoom(failing_mongo.with_database) as room:
        with room.lock_and_release("x", lease=10) as held:
            before = held.lease.until
            failing_mongo.dev.kill("primary")
            failing_mongo.dev.heal()
            while held.lease.until == before:
                held.check()
        assert not room.status("x").locked


WRITER = """
import sys
from penstock.errors import PenstockError
from penstock.locks import LockerRoom, fenced_update
from penstock.mongo import connect
uri, database = sys.argv[1:]
target = connect(uri)[database].target
held = LockerRoom(uri, database=database).lock("x", owner="late", lease=3.0)
fenced_update(target, {"_id": 1}, {"$set": {"by": "late"}}, held.token, upsert=True)
print(held.token, flush=True)
sys.stdin.readline()
try:
    fenced_update(target, {"_id": 1}, {"$set": {"by": "late again"}}, held.token)
except PenstockError as error:
    print(type(error).__name__, flush=True)
"""


def test_what_a_paused_holder_writes_after_its_lease_is_refused(mongo: Mongo) -> None:
    """It does not check, on purpose: only the target stands between it and the data."""
    words = [sys.executable, "-c", WRITER, mongo.uri, mongo.database]
    pipe = subprocess.PIPE
    client = connect(mongo.uri)
    target = client[mongo.database].target
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as late:
        assert late.stdout is not None
        assert late.stdin is not None
        token = int(late.stdout.readline())
        late.send_signal(signal.SIGSTOP)
        with (
            LockerRoom(mongo.uri, database=mongo.database) as room,
            room.lock_and_release("x", owner="next") as held,
        ):
            assert held.token > token
            assert fenced_update(target, {"_id": 1}, {"$set": {"by": "next"}}, held.token)
            late.send_signal(signal.SIGCONT)
            late.stdin.write("go on\n")
            late.stdin.flush()
            assert late.stdout.readline() == "LockLost\n"
            assert target.find_one() == {"_id": 1, "by": "next", "fence": held.token}
    client.close()


def test_fenced_updates_of_every_shape(mongo: Mongo) -> None:
    client = connect(mongo.uri)
    target = client[mongo.database].target
    assert not fenced_update(target, {"_id": 1}, {"$set": {"n": 1}}, 5)
    assert fenced_update(target, {"_id": 1}, {"$set": {"n": 1}}, 5, upsert=True)
    assert fenced_update(target, {"_id": 1}, {"$inc": {"n": 1}}, 5)
    assert fenced_update(target, {"n": 2}, [{"$set": {"n": {"$add": ["$n", 1]}}}], 7)
    assert target.find_one() == {"_id": 1, "n": 3, "fence": 7}
    for upsert in (False, True):
        with pytest.raises(LockLost, match="its token is 7, ours 6"):
            fenced_update(target, {"_id": 1}, {"$set": {"n": 0}}, 6, upsert=upsert)
    target.insert_one({"_id": 2, "n": 1})  # from before there was a lock
    assert fenced_update(target, {"_id": 2}, {"$inc": {"n": 1}}, 1)
    for wrong in ({"n": 1}, {}, {"$set": {"fence": 9}}, {"$unset": {"fence": 1}}):
        with pytest.raises(InputError, match="fenced_update"):
            fenced_update(target, {"_id": 1}, wrong, 9)
    assert target.find_one({"_id": 1}) == {"_id": 1, "n": 3, "fence": 7}
    client.close()


def test_the_post_takes_host_database_and_collection(mongo: Mongo) -> None:
    host = mongo.uri.removeprefix("mongodb://")
    with LockerRoom(host=host, database=mongo.database, collection="mine") as locker:
        with locker.lock_and_release("my_lock", owner="gustav", timeout=2):
            assert f"{mongo.database}.mine" in repr(locker)
        backend = locker._backend
        assert isinstance(backend, MongoLocks)
        assert [d["_id"] for d in backend._locks.find()] == ["my_lock"]
    named = mongo.uri.replace("/?", f"/{mongo.database}.theirs?")
    with LockerRoom(named) as other:
        assert f"{mongo.database}.theirs" in repr(other)
        assert not other.status("my_lock").locked
    for wrong in ({}, {"store": "a", "host": "b"}, {"store": "redis://x"}):
        with pytest.raises(InputError, match=r"LockerRoom: name|redis"):
            LockerRoom(**wrong)  # type: ignore[arg-type]


def test_the_stream_is_one_for_all_waiters_and_ends_with_the_last(mongo: Mongo) -> None:
    with LockerRoom(mongo.with_database) as room:
        backend = room._backend
        assert isinstance(backend, MongoLocks)
        with room.lock_and_release("free"):
            assert backend._ears.opened == 0  # who need not wait opens none
        done = []

        def work(name: str) -> None:
            for _ in range(5):
                with room.lock_and_release(name):
                    done.append(name)

        threads = [threading.Thread(target=work, args=(n,)) for n in "aabbcc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 30
        assert backend._ears.opened <= 1
        assert room.tally.unheard == 0


def test_a_standalone_server_works_by_polling_and_says_so(tmp_path: Path) -> None:
    with (
        DevSet.start(tmp_path / "alone", nodes=1, standalone=True) as alone,
        LockerRoom(alone.uri) as room,
        LockerRoom(alone.uri) as other,
    ):
        assert "poll" in repr(room)
        held = room.lock("x", owner="ada")
        got = []
        waiter = threading.Thread(target=lambda: got.append(other.lock("x", owner="bob")))
        waiter.start()
        until(lambda: room.status("x").waiters)
        held.release()
        waiter.join()
        assert got[0].token > held.token
        assert room.status("x").owner == "bob"
        got[0].release()
