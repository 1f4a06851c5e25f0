"""What only the store of one machine does: kernel news, forks, its file, its epochs."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.waiting import until

from penstock.errors import InputError, StorageError
from penstock.locks import Held, LockerRoom, LockLost, LockTimeout
from penstock.locks.database import Database
from penstock.locks.fifo_notify import tell
from penstock.locks.process_identity import has_ended, myself
from penstock.locks.sqlite_backend import Embedded
from penstock.locks.state import LockRequest, LockState, QueuePlace

from .conftest import Process


def queued(room: LockerRoom, waiters: int) -> bool:
    """Return whether one holds it and so many wait."""
    found = room.status("x")
    return found.locked and len(found.waiters) == waiters


@pytest.mark.parametrize("killed", [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]])
def test_holders_and_waiters_killed_at_any_place_in_the_queue(
    folder: str, killed: list[int]
) -> None:
    """Leases are an hour: only the kernel's word lets the last one in."""
    with LockerRoom(folder) as room:
        queue = [Process(folder) for _ in range(3)]
        try:
            for n, one in enumerate(queue):
                one.say("lock", "x", 60, 3600)
                until(partial(queued, room, n))
            got: list[Held] = []
            last = threading.Thread(target=lambda: got.append(room.lock("x", lease=3600)))
            last.start()
            until(lambda: len(room.status("x").waiters) == 3)
            for n in killed:
                queue[n].kill()
            for n in range(3):
                if n not in killed:
                    assert "token" in queue[n].heard()
                    assert queue[n].do("release", "x") == {"did": "release"}
            last.join()
            assert got[0].token == room.status("x").token
            got[0].release()
            assert room.tally.unheard == 0
        finally:
            for one in queue:
                one.__exit__()


def test_one_of_a_semaphores_holders_dies_and_its_place_is_taken(folder: str) -> None:
    code = (
        "import sys\nfrom penstock.locks import LockerRoom\n"
        "room = LockerRoom(sys.argv[1])\n"
        "room.semaphore('pool', 2, lease=3600).__enter__()\nprint('in', flush=True)\n"
        "sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, folder]
    pipe = subprocess.PIPE
    with LockerRoom(folder) as room:
        inside = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
        try:
            for one in inside:
                assert one.stdout is not None
                one.stdout.readline()
            done = threading.Event()

            def wait() -> None:
                with room.semaphore("pool", 2):
                    done.set()

            waiter = threading.Thread(target=wait)
            waiter.start()
            until(lambda: len(room.status("pool").waiters) == 1)
            inside[1].kill()
            waiter.join()
            assert done.is_set()
        finally:
            for one in inside:
                one.kill()
                one.communicate()


def test_a_forked_child_has_a_room_of_its_own(folder: str) -> None:
    with LockerRoom(folder) as room, room.lock_and_release("x", owner="parent") as held:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            said = b""
            try:
                held.check()
            except LockLost:
                said += b"not mine "
            try:
                room.lock("x", owner="child", timeout=0)
            except LockTimeout:
                said += b"busy "
            with room.lock_and_release("y", owner="child"):
                said += room.status("y").owner.encode()  # type: ignore[union-attr] # it is held
            os.write(writes, said)
            os._exit(0)
        os.close(writes)
        os.waitpid(child, 0)
        assert os.read(reads, 100) == b"not mine busy child"
        os.close(reads)
        held.check()
        assert room.status("x").owner == "parent"


def test_after_the_machine_started_anew_nobody_holds_and_tokens_go_on(folder: str) -> None:
    with LockerRoom(folder) as room:
        room.lock("x").release()
        before = room.lock("x").token
    with closing(sqlite3.connect(Path(folder) / "locks.sqlite")) as file:
        file.execute("UPDATE fact SET value = 'another start' WHERE name = 'boot'")
        file.commit()
    with LockerRoom(folder) as room:
        assert not room.status("x").locked
        first = room.lock("x")
        assert first.token > before
        assert first.token >> 26 > before >> 26  # whatever the file had lost of that minute
        first.release()
        assert room.lock("new").token >> 26 == first.token >> 26
    with LockerRoom(folder) as room:  # and only once
        assert room.lock("x").token == first.token + 1


@pytest.mark.parametrize("way", ["file", "directory", "in place", "lost", "lock lost"])
def test_a_restored_older_copy_gives_no_token_twice(tmp_path: Path, way: str) -> None:
    folder, copy = tmp_path / "locks", tmp_path / "copy"

    def tokens(*names: str) -> list[int]:
        found = []
        with LockerRoom(folder) as room:
            for name in names * 2:
                with room.lock_and_release(name) as held:
                    found.append(held.token)
        return found

    first = tokens("x")
    shutil.copytree(folder, copy)
    given = tokens("x", "y")
    assert given == sorted({*first, *given} - {*first})
    file = folder / "locks.sqlite"
    if way == "lost":
        shutil.rmtree(folder)
    elif way == "directory":
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)
    elif way == "in place":
        for path in (path for path in copy.iterdir() if path.is_file()):
            shutil.copyfile(path, folder / path.name)
    elif way == "file":
        file.unlink()
        shutil.copyfile(copy / file.name, file)
    else:
        with closing(sqlite3.connect(file)) as locks, locks:
            locks.execute("DELETE FROM lock WHERE name = 'y'")
    assert min(tokens("x", "y")) > max(given)


def test_a_clock_set_back_gives_no_token_twice(folder: str) -> None:
    with LockerRoom(folder) as room:
        room.lock("x").release()
    with closing(sqlite3.connect(Path(folder) / "locks.sqlite")) as file, file:
        file.execute("UPDATE lock SET state = '{\"token\":9007199254740000}'")
    with LockerRoom(folder) as room:
        assert room.lock("x").token == 9007199254740001


def test_a_process_is_known_by_more_than_its_number() -> None:
    pid, started, namespace = myself().split(".")
    assert not has_ended(myself())
    assert has_ended(f"{pid}.{int(started) + 1}.{namespace}")
    assert not has_ended(f"{pid}.{int(started) + 1}.{int(namespace) + 1}")  # who knows, from here
    assert not has_ended("what is this")


def test_a_word_for_somebody_earlier_is_passed_over(folder: str) -> None:
    """An ear is used again: what came too late for its last wait must not end the next."""
    backend = Embedded(folder)
    place = QueuePlace(id="late", owner="late", lease=30)
    with backend.waiter() as ear:
        reply = backend.apply("x", LockRequest(kind="try", place=place))
        assert tell(Path(folder) / "wake", reply.state.holders[0], ear.address)
        assert ear.wait(reply, "another", 0.05) is None
        ear.nudge()
        assert ear.wait(reply, "another", 60) == frozenset()
    backend.close()
    backend.close()


def test_what_killed_processes_left_is_swept_up(folder: str) -> None:
    with Process(folder) as one:
        one.do("lock", "x")
        (left,) = (Path(folder) / "wake").iterdir()
        with LockerRoom(folder):
            assert left.exists()
        one.kill()
        with LockerRoom(folder):
            assert not left.exists()


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        LockerRoom(str(tmp_path / "file"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "locks.sqlite").write_text("no database" * 100)
    with pytest.raises(InputError, match="not a penstock lock store"):
        LockerRoom(str(tmp_path / "text"))
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / "locks.sqlite")) as file:
        file.execute("CREATE TABLE theirs (x)")
    with pytest.raises(InputError, match="made by another program"):
        LockerRoom(str(tmp_path / "other"))
    with LockerRoom(tmp_path / "newer"):
        pass
    with closing(sqlite3.connect(tmp_path / "newer" / "locks.sqlite")) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer penstock"):
        LockerRoom(str(tmp_path / "newer"))


def test_a_row_of_something_else_is_told_by_name(folder: str) -> None:
    with LockerRoom(folder) as room:
        room.lock("x").release()
        with closing(sqlite3.connect(Path(folder) / "locks.sqlite")) as file:
            file.execute('UPDATE lock SET state = \'{"locked": true, "holders": 7}\'')
            file.commit()
        for act in (room.status, room.try_lock, room.force):
            with pytest.raises(InputError, match="the lock 'x' was written by something else"):
                act("x")


def test_a_database_that_cannot_be_written_is_told(folder: str) -> None:
    with LockerRoom(folder) as room:
        with closing(sqlite3.connect(Path(folder) / "locks.sqlite")) as file:
            file.execute("DROP TABLE lock")
        with pytest.raises(StorageError, match="no such table"):
            room.lock("x", timeout=0)


def test_a_transition_that_fails_changes_nothing_and_lets_the_next_one_in(folder: str) -> None:
    Embedded(folder).close()
    database = Database(Path(folder))

    def broken(_: LockState) -> LockState:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.change("x", broken)
    _, after = database.change("x", lambda state: LockState(token=state.token + 1))
    assert after.token == 1
    database.close()


@pytest.mark.parametrize("how", ["removed", "replaced", "folder"])
def test_locks_in_a_file_that_is_gone_are_held_by_nobody(tmp_path: Path, how: str) -> None:
    """The holder went on with the file that only it could see, and another got the same lock."""
    folder, another = tmp_path / "locks", tmp_path / "another"
    with LockerRoom(folder) as room:
        held = room.lock("x")
        if how == "folder":
            shutil.rmtree(folder)
        elif how == "removed":
            for file in folder.glob("locks.sqlite*"):
                file.unlink()
        else:
            LockerRoom(another).close()
            (another / "locks.sqlite").replace(folder / "locks.sqlite")
        for use in (held.release, lambda: room.lock("y", timeout=0), lambda: room.status("x")):
            with pytest.raises(StorageError, match="removed or replaced"):
                use()


def test_a_lease_is_not_renewed_in_a_file_that_is_gone(tmp_path: Path) -> None:
    lost = threading.Event()
    with LockerRoom(tmp_path / "locks") as room:
        held = room.lock("x", lease=0.5, lost=lambda _: lost.set())
        shutil.rmtree(tmp_path / "locks")
        assert lost.wait(60)
        assert held.lost
