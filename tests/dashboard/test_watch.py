"""What a look at a store says, and does not say: stores that go, come and lie, and clocks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.assembly import Heartbeat
from penstock.dashboard import Watch
from penstock.locks import LockerRoom
from penstock.pipeline import LandedRecord
from penstock.store import LocalStore
from penstock.testing.store_contract import land

BEAT = "lock-beat.json"


def made(place: Path, count: int) -> Path:
    with LocalStore(place) as store:
        store.expect(10)
        land(store, *(LandedRecord(number, b"{}") for number in range(count)))
    return place


def beat(place: Path, **facts: object) -> None:
    said = {"pid": 1, "host": "elsewhere", "at": time.time(), **facts}
    (place / BEAT).write_text(json.dumps(said))


def test_a_store_that_is_deleted_moved_or_replaced_is_not_shown_as_it_was(tmp_path: Path) -> None:
    place = made(tmp_path / "s", 3)
    with contextlib.closing(Watch(place)) as watch:
        assert watch.look()["landed"] == 3
        shutil.rmtree(place)
        gone = watch.look()
        assert (gone["state"], "landed" in gone) == ("unreadable", False)
        made(place, 5)
        assert watch.look()["landed"] == 5
        made(tmp_path / "other", 7)
        place.rename(tmp_path / "old")
        (tmp_path / "other").rename(place)
        seen = watch.look()
        assert (seen["landed"], seen["rate"], seen["state"]) == (7, 0.0, "idle")
        place.rename(tmp_path / "moved")
        assert watch.look()["state"] == "unreadable"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_machine_whose_clock_is_an_hour_off_is_not_lost(tmp_path: Path, hours: int) -> None:
    """And neither seen for good: what counts is whether it says something new."""
    place, moment = made(tmp_path / "s", 1), time.time() + 3600 * hours
    with contextlib.closing(Watch(place)) as watch:
        beat(place, at=moment)
        assert watch.look()["state"] == "running"
        beat(place, at=moment + 1)
        assert watch.look()["state"] == "running"
        watch._signs._renewed = (moment + 1, time.monotonic() - 60)
        assert watch.look()["state"] == "lost"


def test_a_beat_that_was_old_before_anybody_looked_is_of_a_lost_run(tmp_path: Path) -> None:
    place = made(tmp_path / "s", 1)
    beat(place)
    os.utime(place / BEAT, (time.time() - 60, time.time() - 60))
    with contextlib.closing(Watch(place)) as watch:
        assert watch.look()["state"] == "lost"


def test_another_process_of_the_same_number_is_not_the_run(tmp_path: Path) -> None:
    one = Heartbeat(pid=os.getpid(), host=socket.gethostname(), at=time.time())
    assert not one.lost(time.time())
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    beat(made(tmp_path / "s", 1), host=socket.gethostname(), process=f"{os.getpid()}.1.{namespace}")
    with contextlib.closing(Watch(tmp_path / "s")) as watch:
        assert watch.look()["state"] == "lost"


def fifo(file: Path) -> None:
    os.mkfifo(file)


def link(file: Path) -> None:
    (file.parent / "aim").write_text("{}")
    file.symlink_to(file.parent / "aim")


def huge(file: Path) -> None:
    with file.open("wb") as out:
        out.truncate(1 << 32)


def text(words: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(words)


@pytest.mark.parametrize(
    "make",
    [fifo, link, huge, text("{"), text("[]"), text('{"pid": "x"}'), text('{"pid": 1e400}')],
)
def test_a_beat_that_is_something_else_is_none(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    with contextlib.closing(Watch(made(tmp_path / "s", 1))) as watch:
        assert watch.look()["state"] == "idle"
        make(tmp_path / "s" / BEAT)
        assert (watch.look()["state"], watch.look()["beat"]) == ("idle", None)


def test_a_ledger_of_somebody_else_is_said(tmp_path: Path) -> None:
    with contextlib.closing(Watch(made(tmp_path / "s", 1))) as watch:
        assert watch.look()["landed"] == 1
        with contextlib.closing(sqlite3.connect(tmp_path / "s" / "ledger.sqlite")) as ledger:
            ledger.execute("UPDATE fact SET value = '<b>' WHERE name = 'expected'")
            ledger.commit()
        watch._again = 0
        seen = watch.look()
        assert (seen["state"], "not ours" in str(seen["problem"])) == ("unreadable", True)


def test_locks_are_shown_with_who_holds_them_and_what_cannot_be_read_is_said(
    tmp_path: Path,
) -> None:
    place = made(tmp_path / "s", 1)
    with contextlib.closing(Watch(place)) as watch:
        assert watch.look()["locks"] == []
        with LockerRoom(place / "locks") as room, room.lock_and_release("report", owner="<b>me"):
            locks = json.dumps(watch.look()["locks"])
            assert '"name": "report"' in locks
            assert '"owner": "<b>me"' in locks
        assert watch.look()["locks"] == []
    (place / "locks" / "locks.sqlite").write_text("something else" * 100)
    with contextlib.closing(Watch(place)) as watch:
        seen = watch.look()
        assert (seen["landed"], "locks.sqlite" in str(seen["unlocked"])) == (1, True)


def test_a_store_at_rest_has_no_growing_chart(tmp_path: Path) -> None:
    seconds = iter(range(1000, 2000))
    with contextlib.closing(Watch(made(tmp_path / "s", 1), lambda: next(seconds))) as watch:
        looks = [watch.look() for _ in range(5)]
        assert looks[-1]["points"] == [(1000, 0.0, None)]
