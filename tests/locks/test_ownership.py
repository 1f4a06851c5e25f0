"""A lock belongs to whom it was given: over forks, ended threads and tasks, other threads."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.errors import InputError
from penstock.locks import Held, LockerRoom, LockTimeout

CHILD = """
import os, sys
from penstock.locks import LockerRoom, NotHeld
room = LockerRoom(sys.argv[1])
with room.lock_and_release("job", timeout=5) as held:
    pid = os.fork()
    if pid == 0:
        if sys.argv[2] == "leave":
            sys.exit(0)
        if sys.argv[2] == "close":
            room.close()
        for give_back in (held.release, lambda: room.release("job")):
            try:
                give_back()
            except NotHeld:
                continue
            os._exit(9)
        with room.lock_and_release("other", timeout=5):  # the child's own
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    held.check()
    print(code, room.status("job").locked, LockerRoom(sys.argv[1]).try_lock("job"))
print(room.status("job").locked)
"""


@pytest.mark.parametrize("how", ["leave", "release", "close"])
def test_a_forked_child_neither_releases_its_parents_lock_nor_hangs(store: str, how: str) -> None:
    command = [sys.executable, "-c", CHILD, store, how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.stdout == "0 True None\nFalse\n", ended.stderr


def in_thread(work: Callable[[], object]) -> object:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_that_has_the_ident_of_one_that_ended_is_another(room: LockerRoom) -> None:
    held = in_thread(lambda: room.lock("x"))
    assert isinstance(held, Held)
    again = [in_thread(lambda: room.lock("x", timeout=0, reentrant=True)) for _ in range(5)]
    assert all(isinstance(one, LockTimeout) for one in again)
    held.release()


def test_a_task_that_has_the_id_of_one_that_ended_is_another(room: LockerRoom) -> None:
    async def lock() -> Held:
        return room.lock("x", timeout=0, reentrant=True)

    async def work() -> None:
        held = await asyncio.create_task(lock())
        for _ in range(3):
            gc.collect()
            with pytest.raises(LockTimeout):
                await asyncio.create_task(lock())
        held.release()

    asyncio.run(work())


def test_a_lock_is_handed_to_another_thread_by_a_call(room: LockerRoom) -> None:
    held = room.lock("x")

    def work() -> tuple[bool, bool]:
        held.take_over()
        again = room.lock("x", timeout=0, reentrant=True)
        again.release()
        return again is held, room.status("x").locked

    assert in_thread(work) == (True, True)
    with pytest.raises(LockTimeout):
        room.lock("x", timeout=0, reentrant=True)
    held.release()
    assert not room.status("x").locked


def test_a_block_entered_here_may_be_left_in_another_thread(room: LockerRoom) -> None:
    block = room.lock_and_release("x")
    with contextlib.ExitStack() as stack:
        stack.enter_context(block)
        assert in_thread(stack.pop_all().close) is None
    assert not room.status("x").locked
    places = room.semaphore("s", 2)
    in_thread(places.__enter__)
    in_thread(places.__enter__)
    assert len(room.status("s").holders) == 2
    for _ in range(2):
        in_thread(lambda: places.__exit__(None, None, None))
    assert not room.status("s").locked


def test_a_block_entered_in_one_task_may_be_left_in_another(room: LockerRoom) -> None:
    async def work() -> None:
        block = room.lock_and_release("x")
        await asyncio.create_task(block.__aenter__())
        assert room.status("x").locked
        await asyncio.create_task(block.__aexit__(None, None, None))

    asyncio.run(work())
    assert not room.status("x").locked


def test_cancelled_waiters_make_no_noise(room: LockerRoom) -> None:
    noise: list[dict[str, Any]] = []

    async def wait() -> None:
        async with room.lock_and_release("x"):
            raise AssertionError

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        with room.lock_and_release("x"):
            waiting = [asyncio.create_task(wait()) for _ in range(5)]
            while len(room.status("x").waiters) < 5:
                await asyncio.sleep(0)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        while (now := room.status("x")).waiters or now.locked:
            await asyncio.sleep(0)  # the lock may just be handed to one that gives it back
        gc.collect()

    asyncio.run(work())
    assert noise == []


def test_a_room_over_a_client_that_one_has(mongo: Mongo) -> None:
    weak = mongo.uri + "&w=1&readPreference=secondary"
    with pymongo.MongoClient[dict[str, Any]](weak) as client:
        with (
            LockerRoom(client=client, database=mongo.database) as room,
            room.lock_and_release("x", owner="ada") as held,
        ):
            assert room.status("x").token == held.token
            assert room.status("x").owner == "ada"
        primary = client.get_database(
            mongo.database, read_preference=pymongo.ReadPreference.PRIMARY
        )
        assert primary.locks.count_documents({}) == 1  # the client is still open
    with pytest.raises(InputError, match="give it a MongoClient"):
        LockerRoom(client=7)
    with pytest.raises(InputError, match="no store or host beside it"):
        LockerRoom("here", client=7)


@pytest.mark.parametrize(
    "more", ["retryWrites=true&w=majority", "journal=true", "readConcernLevel=majority"]
)
def test_an_address_that_says_what_is_promised_is_accepted(mongo: Mongo, more: str) -> None:
    with LockerRoom(f"{mongo.uri}&{more}", database=mongo.database) as room:
        assert room.lock("x").token > 0


@pytest.mark.parametrize("more", ["w=1", "w=0", "journal=false", "readConcernLevel=local"])
def test_an_address_that_says_less_is_refused_by_the_option(mongo: Mongo, more: str) -> None:
    with pytest.raises(InputError, match=f"(?i){more} is less than what is promised"):
        LockerRoom(f"{mongo.uri}&{more}", database=mongo.database)


def test_the_originals_locks_are_shown_refused_and_taken_over(mongo: Mongo) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongo.uri, tz_aware=True) as client:
        locks = client[mongo.database].locks
        now = client.admin.command("hello")["localTime"].replace(tzinfo=dt.UTC)
        locks.insert_many(
            [
                {"_id": "free", "locked": False, "owner": None, "timestamp": now},
                {"_id": "held", "locked": True, "owner": "bob", "timestamp": now},
                {"_id": "else", "n": 1},
            ]
        )
        with LockerRoom(mongo.uri, database=mongo.database) as room:
            seen = {one.name: (one.locked, one.owner) for one in room.locks()}
            assert seen == {"free": (False, None), "held": (True, "bob")}
            with pytest.raises(InputError, match="penstock lock migrate"):
                room.try_lock("free")
            assert room.migrate() == (["free"], ["held"])
            assert room.lock("free").token > 0
            assert room.status("held").timestamp == now
            assert room.migrate(force=True) == (["held"], [])
            assert room.lock("held").token > 0
            assert room.migrate() == ([], [])
        assert locks.find_one({"_id": "else"}) == {"_id": "else", "n": 1}


AMONG_THREADS = """
import os, signal, sys, threading
from penstock.locks import LockerRoom
room, is_over = LockerRoom(sys.argv[1]), threading.Event()
def lock_often(name):
    while not is_over.is_set():
        with room.lock_and_release(name):
            pass
threads = [threading.Thread(target=lock_often, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for _ in range(8):
    if (pid := os.fork()) == 0:
        signal.alarm(25)
        with room.lock_and_release("a"):
            os._exit(0)
    print(os.waitpid(pid, 0)[1], end=" ")
is_over.set()
"""


def test_a_child_forked_while_threads_lock_is_not_kept_waiting(tmp_path: Path) -> None:
    """It inherited what SQLite's memory said of a lock that a thread of its parent had then."""
    command = [sys.executable, "-c", AMONG_THREADS, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.stdout == "0 " * 8, ended.stderr


LEFT_BEHIND = """
import os, signal, sys
from penstock.locks import LockerRoom
room = LockerRoom(sys.argv[1])
room.status("a")
(told, tell), (asked, ask) = os.pipe(), os.pipe()
if (pid := os.fork()) == 0:
    signal.alarm(250)
    room.status("a")
    os.write(tell, b"1")
    os.read(asked, 1)
    room.lock("a")
    os.write(tell, b"2")
    signal.pause()
os.read(told, 1)
room.close()
with LockerRoom(sys.argv[1]) as other:
    os.write(ask, b"1")
    os.read(told, 1)
    print(other.status("a").locked, other.try_lock("a"), end=" ")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print(other.status("a").locked)
"""


def test_what_a_child_holds_is_seen_when_its_parent_has_left(tmp_path: Path) -> None:
    """The parent's last connection took the log away into which the child went on writing."""
    command = [sys.executable, "-c", LEFT_BEHIND, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.stdout == "True None False\n", ended.stderr
