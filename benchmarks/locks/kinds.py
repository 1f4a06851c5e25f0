"""The locks that are compared, each as two functions: get it, give it back."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Pair = tuple[Callable[[], object], Callable[[], object]]
NAME = "bench"


def ours(store: str) -> Pair:
    from penstock.locks import LockerRoom

    room = LockerRoom(store)
    held = []
    pair = lambda: held.append(room.lock(NAME)), lambda: held.pop().release()
    TALLIES.append(lambda: room.tally.unheard)
    return pair


TALLIES: list[Callable[[], int]] = []


def penstock_mongo(places: dict[str, str]) -> Pair:
    return ours(places["mongo"])


def penstock_sqlite(places: dict[str, str]) -> Pair:
    return ours(f"{places['folder']}/penstock")


def majority_write(places: dict[str, str]) -> Pair:
    """The floor: one majority write to a document of its own, and nothing to give back."""
    from penstock.mongo import connect

    mine = connect(places["mongo"]).bench[f"w{os.getpid()}"]
    mine.insert_one({"_id": 1, "n": 0})
    return lambda: mine.update_one({"_id": 1}, {"$inc": {"n": 1}}), lambda: None


def old_locker_room(places: dict[str, str]) -> Pair:
    """The design of 2014 in today's driver: the client's clock, a poll each 0.1 s, any owner."""
    from penstock.mongo import DuplicateKeyError, connect

    locks = connect(places["mongo"]).bench.old
    with contextlib.suppress(DuplicateKeyError):
        locks.insert_one({"_id": NAME, "locked": False})

    def lock() -> None:
        while True:
            new = {"locked": True, "owner": os.getpid(), "timestamp": datetime.now(UTC)}
            if locks.find_one_and_update({"_id": NAME, "locked": False}, {"$set": new}) is not None:
                return
            time.sleep(0.1)

    return lock, lambda: locks.update_one({"_id": NAME}, {"$set": {"locked": False}})


def naive_mongo(places: dict[str, str]) -> Pair:
    """What one writes in ten minutes: find_one_and_update with an expiry, a poll each 10 ms."""
    from penstock.mongo import DuplicateKeyError, connect

    locks = connect(places["mongo"]).bench.naive
    me = uuid.uuid4().hex

    def lock() -> None:
        while True:
            now = datetime.now(UTC)
            free = {"_id": NAME, "until": {"$lt": now}}
            mine = {"$set": {"by": me, "until": now + timedelta(seconds=30)}}
            try:
                locks.find_one_and_update(free, mine, upsert=True)
            except DuplicateKeyError:
                time.sleep(0.01)
            else:
                return

    def release() -> None:
        locks.update_one(
            {"_id": NAME, "by": me}, {"$set": {"until": datetime.fromtimestamp(0, UTC)}}
        )

    return lock, release


def kazoo(places: dict[str, str]) -> Pair:
    from kazoo.client import KazooClient

    client = KazooClient(hosts=places["zookeeper"])
    client.start()
    lock = client.Lock("/bench", uuid.uuid4().hex)
    return lock.acquire, lock.release


def redis_py(places: dict[str, str]) -> Pair:
    import redis

    lock = redis.Redis(port=int(places["redis"])).lock("bench-redis-py", timeout=30)
    return lock.acquire, lock.release


def python_redis_lock(places: dict[str, str]) -> Pair:
    import redis
    import redis_lock

    client = redis.StrictRedis(port=int(places["redis"]))
    held = []

    def lock() -> None:
        held.append(redis_lock.Lock(client, "bench-python-redis-lock", expire=30))
        held[-1].acquire()

    return lock, lambda: held.pop().release()


def pottery(places: dict[str, str]) -> Pair:
    import redis
    from pottery import Redlock

    masters = {redis.Redis(port=int(port)) for port in places["masters"].split(",")}
    lock = Redlock(key="bench-pottery", masters=masters, auto_release_time=30)
    return lock.acquire, lock.release


def file_lock(places: dict[str, str]) -> Pair:
    from filelock import FileLock

    lock = FileLock(f"{places['folder']}/filelock")
    return lock.acquire, lock.release


def fasteners(places: dict[str, str]) -> Pair:
    import fasteners as module

    lock = module.InterProcessLock(f"{places['folder']}/fasteners")
    return lock.acquire, lock.release


def diskcache(places: dict[str, str]) -> Pair:
    import diskcache as module

    folder = Path(places["folder"]) / "diskcache"
    lock = module.Lock(module.Cache(str(folder)), "bench")
    return lock.acquire, lock.release


def in_process(store: str, seconds: float, threads: int = 32, turns: int = 1000) -> float:
    """Return hand-overs a second among threads of one process that share a room.

    They begin again for so many ``seconds``; those that wait then are served as well, and counted.
    """
    from penstock.locks import LockerRoom

    room = LockerRoom(store, in_process=turns)
    begun, counts = time.monotonic(), [0] * threads

    def work(number: int) -> None:
        while time.monotonic() < begun + seconds:
            with room.lock_and_release(f"{NAME}-threads", owner="threads"):
                counts[number] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.monotonic() - begun
    room.close()
    return sum(counts) / took


SHARED = {
    "one majority write": majority_write,
    "penstock, MongoDB": penstock_mongo,
    "original's design": old_locker_room,
    "naive find_one_and_update": naive_mongo,
    "ZooKeeper (kazoo)": kazoo,
    "redis-py Lock": redis_py,
    "python-redis-lock": python_redis_lock,
    "pottery, 3 masters": pottery,
}
LOCAL = {
    "penstock, SQLite": penstock_sqlite,
    "filelock": file_lock,
    "fasteners": fasteners,
    "diskcache": diskcache,
}
KINDS = {**SHARED, **LOCAL}
