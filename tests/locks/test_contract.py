"""What every store of locks promises: one suite, run for each of them."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from penstock.errors import InputError
from penstock.locks import Held, LockerRoom, LockLost, LockTimeout, NotHeld
from penstock.locks.acquisition import Attempt
from penstock.locks.request_options import LockOptions
from penstock.testing import LockContract
from penstock.testing.lock_contract import until, waiting

from .conftest import WORKER, Process, Start
from .history import Stay, violation


class TestLocks(LockContract):
    """The suite that others run too."""

    def test_waiters_are_told(self, room: LockerRoom) -> None:
        self.test_waiters_are_served_in_the_order_they_came(room)
        assert (room.tally.unheard, room.tally.told) == (0, 4)


def test_the_post(room: LockerRoom) -> None:
    """Everything the post shows, spelled as there."""
    locker = room
    with locker.lock_and_release("my_lock", owner="gustav", timeout=2):
        status = locker.status("my_lock")
        assert status["locked"] is True
        assert status["owner"] == "gustav"
        assert status["_id"] == "my_lock"
        assert isinstance(status["timestamp"], datetime)
        assert abs(status["timestamp"] - datetime.now(UTC)) < timedelta(minutes=5)

    @locker.lock_and_release("my_lock", owner="gustav", timeout=2)
    def important_function(what: int) -> int:
        assert locker.status("my_lock").locked
        return 2 * what

    assert important_function(21) == 42
    assert important_function.__name__ == "important_function"
    locker.lock("my_lock", timeout=2)
    assert locker.status("my_lock").locked
    locker.release("my_lock")
    assert not locker.status("my_lock").locked


def test_a_lock_that_never_was_is_free(room: LockerRoom) -> None:
    status = room.status("new")
    assert (status.locked, status.owner, status.timestamp, status.token) == (False, None, None, 0)
    assert dict(status)["locked"] is False
    assert len(status) == len(dict(status))
    with pytest.raises(KeyError):
        status["colour"]


def test_another_room_cannot_release_it(room: LockerRoom, store: str) -> None:
    with LockerRoom(store) as other, room.lock_and_release("x", owner="ada"):
        with pytest.raises(NotHeld, match="held by 'ada'"):
            other.release("x", owner="ada")
        assert other.status("x").locked


def test_who_gives_up_lets_those_behind_pass(room: LockerRoom) -> None:
    held = room.lock("x", owner="first")
    got: list[Held] = []
    want = LockOptions(name="x", owner="impatient", lease=30)
    attempt = Attempt(room._backend, want, room.tally)
    gave_up: list[object] = []
    impatient = threading.Thread(target=lambda: gave_up.append(attempt.run(math.inf)))
    patient = threading.Thread(target=lambda: got.append(room.lock("x", owner="patient")))
    impatient.start()
    until(lambda: len(room.status("x").waiters) == 1)
    patient.start()
    until(lambda: len(room.status("x").waiters) == 2)
    attempt.cancel()
    impatient.join()
    assert gave_up == [None]
    assert [w.owner for w in room.status("x").waiters] == ["patient"]
    held.release()
    patient.join()
    assert room.status("x").owner == "patient"
    got[0].release()


def test_a_killed_holder_is_followed_at_once_where_the_store_can_tell(
    room: LockerRoom, process: Start
) -> None:
    """With a lease of an hour, only the news of its death can let the next one in."""
    holder = process()
    first = holder.do("lock", "x", 60, 3600 if embedded(room) else 3)
    got: list[Held] = []
    waiter = threading.Thread(target=lambda: got.append(room.lock("x")))
    waiter.start()
    until(lambda: len(room.status("x").waiters) == 1)
    holder.kill()
    waiter.join()
    assert got[0].token > int(str(first["token"]))
    got[0].release()


def embedded(room: LockerRoom) -> bool:
    return "SQLite" in repr(room)


def test_who_does_not_wait_gets_the_lock_of_a_killed_holder_too(folder: str) -> None:
    with Process(folder) as holder, LockerRoom(folder) as room:
        holder.do("lock", "x", 60, 3600)
        assert room.try_lock("x") is None
        holder.kill()
        assert not room.status("x").locked
        got = room.try_lock("x")
        assert got is not None
        got.release()


def test_killed_waiters_are_passed_over(room: LockerRoom, process: Start) -> None:
    held = room.lock("x")
    dying = [process(), process()]
    for n, one in enumerate(dying):
        one.say("lock", "x", 60, 30 if embedded(room) else 1)
        until(waiting(room, n + 1))
    living = process()
    living.say("lock", "x")
    until(lambda: len(room.status("x").waiters) == 3)
    for one in dying:
        one.kill()
    held.release()
    assert living.heard()["token"] == room.status("x").token
    assert room.status("x").token > held.token
    assert living.do("release", "x") == {"did": "release"}


def test_a_paused_holder_is_followed_after_its_lease_and_knows_it(
    room: LockerRoom, process: Start
) -> None:
    holder = process()
    before = holder.do("lock", "x", 60, 2)
    holder.pause()
    with room.lock_and_release("x") as held:
        assert held.token > int(str(before["token"]))
        holder.go_on()
        assert holder.do("check", "x")["error"] == "LockLost"
        assert "lost" in holder.do("wait", "x")
        room.status("x")
        assert holder.do("release", "x") == {"did": "release"}  # of nothing: it holds no more
        held.check()
    assert not room.status("x").locked


def test_a_lease_is_renewed_while_its_holder_lives(room: LockerRoom) -> None:
    room._renewals.latest = 0.3
    with room.lock_and_release("x", lease=30) as held:
        first = held.lease.until
        until(lambda: held.lease.until > first + 0.4)
        held.check()
        assert 0 < held.left <= 30
        assert not held.lost


def test_lock_taken_by_force_is_lost(room: LockerRoom) -> None:
    told = threading.Event()
    reasons: list[str] = []

    def lost(reason: str) -> None:
        reasons.append(reason)
        told.set()

    room._renewals.latest = 0.3
    held = room.lock("x", owner="ada", lost=lost)
    assert room.force("x").locked is False
    told.wait()
    assert held.lost
    with pytest.raises(LockLost, match="force"):
        held.check()
    assert "force" in reasons[0]
    assert held.left == 0
    assert "lost" in repr(held)
    held.release()


def test_a_thread_that_would_wait_for_itself_is_told(room: LockerRoom) -> None:
    with room.lock_and_release("x"), pytest.raises(InputError, match="reentrant=True"):
        room.lock("x")


def test_who_lost_a_lock_may_ask_for_it_again(room: LockerRoom) -> None:
    told = threading.Event()
    room._renewals.latest = 0.3
    held = room.lock("x", lost=lambda _: told.set())
    room.force("x")
    told.wait()
    again = room.lock("x", timeout=20)
    assert again.token > held.token
    held.release()
    again.check()
    assert room.status("x").locked
    again.release()


def test_reentrant_is_for_the_same_thread_only(room: LockerRoom) -> None:
    with room.lock_and_release("x", reentrant=True):
        errors: list[BaseException] = []

        def other() -> None:
            try:
                room.lock("x", timeout=0, reentrant=True)
            except LockTimeout as error:
                errors.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(errors) == 1


def test_one_name_is_one_kind_of_lock(room: LockerRoom) -> None:
    with room.semaphore("pool", 3):
        with pytest.raises(InputError, match="a semaphore of 3, not as a plain lock"):
            room.lock("pool", timeout=0)
        with pytest.raises(InputError, match="a semaphore of 3, not as a semaphore of 4"):
            room.semaphore("pool", 4).__enter__()
        with pytest.raises(InputError, match="not as a read-write lock"):
            room.reading("pool").__enter__()
        assert room.status("pool").waiters == ()
    room.lock("pool", timeout=0).release()  # nobody holds or waits: it may become another kind


def test_several_in_one_order_end_without_deadlock(room: LockerRoom) -> None:
    done: list[int] = []

    def work(names: list[str]) -> None:
        for _ in range(5):
            with room.several(names) as held:
                assert set(held) == set(names)
                done.append(1)

    threads = [
        threading.Thread(target=work, args=(names,)) for names in (["a", "b", "c"], ["c", "b", "a"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 10
    assert not any(status.locked for status in room.locks())


def test_closing_releases_what_is_held(store: str, room: LockerRoom) -> None:
    with LockerRoom(store) as other:
        other.lock("x")
        assert room.status("x").locked
    assert not room.status("x").locked
    other.close()


def test_processes_at_once_never_hold_together_and_share_fairly(
    process: Start,
) -> None:
    """Their histories can be put in one line, and each got as many as it asked for."""
    workers = [process() for _ in range(4)]
    for worker in workers:
        worker.say("cycle", "x", 25)
    stays = []
    for worker in workers:
        while (said := worker.heard())["did"] == "one":
            moments = [float(str(said[key])) for key in ("asked", "got", "giving", "gave")]
            stays.append(Stay(int(str(said["token"])), *moments))
        assert said["unheard"] == 0
    assert len(stays) == 100
    assert violation(stays) is None


def test_words_that_cannot_be(room: LockerRoom) -> None:
    for name in ("", "x" * 513, "a\nb", "a\0b"):
        with pytest.raises(InputError, match="a lock's name"):
            room.lock(name)
    with pytest.raises(InputError, match="a lock's name is a text, not 7"):
        room.lock(7)  # type: ignore[arg-type]
    for timeout in (-1, float("nan"), "2", True):
        with pytest.raises(InputError, match="timeout="):
            room.lock("x", timeout=timeout)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="time zone"):
        room.lock("x", timeout=datetime.now())  # noqa: DTZ005 - the mistake that is meant
    for lease in (0, -1, 0.001, float("nan"), float("inf")):
        with pytest.raises(InputError, match="a lease is at least"):
            room.lock("x", lease=lease)
    with pytest.raises(InputError, match="a semaphore has 1 to"):
        room.semaphore("x", 0)
    with pytest.raises(InputError, match="an owner"):
        room.lock("x", owner="")
    with pytest.raises(InputError, match="at least one"):
        room.several([])
    assert [*room.locks()] == []


def test_what_is_no_number_is_refused_and_the_lock_can_be_used_afterwards(room: LockerRoom) -> None:
    """``lease=True`` was written into the lock, and then nobody could read it."""
    anything: Any = room
    for odd in (True, "2", b"2", Decimal(2), [2], float("nan"), float("-inf"), -1, 10**400):
        with pytest.raises(InputError):
            anything.lock("x", timeout=0, lease=odd)
        with pytest.raises(InputError):
            anything.semaphore("x", odd)
        with pytest.raises(InputError):
            anything.lock("x", timeout=0, above=odd)
        if odd != 10**400:
            with pytest.raises(InputError):
                anything.lock("x", timeout=odd)
    for odd in (2.0, True, "2"):
        with pytest.raises(InputError):
            LockerRoom(anything._backend, in_process=cast("int", odd))
    with pytest.raises(InputError, match="a list of the names"):
        room.several("xy")
    room.lock("x", timeout=10**400).release()
    token = room.lock("x", timeout=0).token
    assert type(token) is int  # not MongoDB's own kind
    assert room.lock("y", above=token + 5).token > token + 5


def test_the_default_owner_is_somebody_a_person_can_find(store: str) -> None:
    with LockerRoom(store, purpose="nightly report") as room, room.lock_and_release("x") as held:
        assert socket.gethostname() in held.owner
        assert f"pid {os.getpid()}" in held.owner
        assert "nightly report" in held.owner


def test_clocks_of_people_change_nothing(store: str) -> None:
    """Time is the store's: whoever believes it is another hour waits and holds like the others."""
    shifted = (
        "import sys, time\n"
        "real = time.time\n"
        "skew = float(sys.argv.pop())\n"
        "time.time = lambda: real() + skew\n"
        "exec(open(sys.argv.pop(1)).read())"
    )
    pipe = subprocess.PIPE
    workers = []
    for hours in (-1, 0, 1):
        words = [sys.executable, "-c", shifted, str(WORKER), store, str(3600 * hours)]
        workers.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True))
    try:
        said = []
        for one in workers:
            out, _ = one.communicate("lock x 60 30\nrelease x\nlock x 60 30\nrelease x\n")
            said += [line for line in out.splitlines() if "token" in line]
        assert len(said) == 6
        assert not any("error" in line for line in said)
    finally:
        for one in workers:
            one.kill()
            one.wait()
