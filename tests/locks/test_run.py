"""`penstock run` under its lock: one run at a time, and a paused one lands nothing any more."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.waiting import until

from penstock.errors import InputError
from penstock.locks import LockerRoom
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import open_readonly

RUN = [sys.executable, "-m", "penstock.cli.main", "run"]
USERS = 400


def pipeline(folder: Path, url: str, more: str = "") -> Path:
    file = folder / "users.toml"
    file.write_text(
        f'[source]\nkind = "range"\nstop = {USERS}\n[api]\nbase = "{url}"\nconcurrency = 2\n'
        f'[request]\npath = "/users/{{key}}.json"\n[store]\npath = "store"\n{more}',
        encoding="utf-8",
    )
    return file


def start(file: Path) -> subprocess.Popen[str]:
    words = [*RUN, str(file), "--json", "--quiet"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def landed(store: Path) -> int:
    """Return how many are safe; a store that is just being made has none."""
    try:
        with open_readonly(store) as reader:
            return reader.status().landed
    except InputError:
        return 0


def paused_between_writes(run: subprocess.Popen[str], store: Path) -> None:
    """Stop a run where it does not hold SQLite's own lock, which nobody can take from it."""
    while True:
        run.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.pid, os.WSTOPPED)
        try:
            for name in ("ledger.sqlite", "locks/locks.sqlite"):
                with closing(sqlite3.connect(store / name, timeout=0)) as ledger:
                    ledger.execute("BEGIN IMMEDIATE")
                    ledger.execute("ROLLBACK")
        except sqlite3.OperationalError:
            run.send_signal(signal.SIGCONT)
        else:
            return


def test_a_run_that_stood_still_past_its_lease_is_replaced_and_lands_nothing(
    tmp_path: Path,
) -> None:
    with Simulator(SimulatorSettings(users=USERS, limit=0, latency=0.02)) as server:
        file = pipeline(tmp_path, server.url, "[lock]\nlease = 5.0\ntimeout = 60.0\n")
        store = tmp_path / "store"
        first = start(file)
        until(lambda: landed(store) > 20)
        paused_between_writes(first, store)
        stood_at = landed(store)
        second = start(file)
        until(lambda: landed(store) > stood_at)
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate()
        assert first.returncode == 3
        assert "taken this store over" in said or "is lost" in said
        assert said.count("\n") == 1, said
        out, _ = second.communicate()
        assert second.returncode == 0
        assert json.loads(out.splitlines()[-1])["landed"] == USERS
    with open_readonly(store) as reader:
        assert reader.verify() == USERS
        keys = [record.key for record in reader.records()]
    assert sorted(keys, key=int) == list(range(USERS))


def test_a_second_run_is_told_who_has_the_lock(tmp_path: Path) -> None:
    with Simulator(SimulatorSettings(users=USERS, limit=0, latency=0.05)) as server:
        file = pipeline(tmp_path, server.url)
        first = start(file)
        store = tmp_path / "store"
        until(lambda: landed(store) > 0)
        second = start(file)
        _, said = second.communicate()
        assert second.returncode == 3
        assert "is in use by process" in said
        assert f"pid {first.pid}" in said
        first.terminate()
        first.communicate()
    with LockerRoom(str(store / "locks")) as room:
        assert not room.status("run").locked


def test_two_pipelines_that_name_one_lock_take_turns(tmp_path: Path) -> None:
    """So that two harvests of one service never spend its quota together."""
    room_place = tmp_path / "quota"
    with (
        Simulator(SimulatorSettings(users=USERS, limit=0)) as server,
        LockerRoom(str(room_place)) as room,
    ):
        file = pipeline(tmp_path, server.url, f'[lock]\nstore = "{room_place}"\nname = "api"\n')
        with room.lock_and_release("api", owner="another harvest"):
            run = start(file)
            _, said = run.communicate()
            assert run.returncode == 3
            assert "another harvest" in said
        run = start(file)
        run.communicate()
        assert run.returncode == 0


@pytest.mark.parametrize("more", ["[lock]\nenabled = false\n", ""])
def test_locks_that_were_deleted_do_not_lock_anybody_out(tmp_path: Path, more: str) -> None:
    """Their tokens begin anew, but above what the store has seen."""
    with Simulator(SimulatorSettings(users=USERS, limit=0)) as server:
        file = pipeline(tmp_path, server.url, more)
        for _ in range(2):
            run = start(file)
            run.communicate()
            assert run.returncode == 0
            for left in (tmp_path / "store" / "locks").glob("locks.sqlite*"):
                left.unlink()


def test_a_stream_has_one_run_too(tmp_path: Path) -> None:
    with Simulator(SimulatorSettings()) as server:
        file = tmp_path / "s.toml"
        url = f"{server.url}/stream/sse;messages=50"
        file.write_text(
            f'[stream]\nurl = "{url}"\npreset = "sse"\n[store]\npath = "store"\n', encoding="utf-8"
        )
        first = start(file)
        until(lambda: landed(tmp_path / "store") == 50)
        second = start(file)
        _, said = second.communicate()
        assert second.returncode == 3
        assert "holds the lock 'run'" in said
        assert said.count("\n") == 1
        first.terminate()
        first.communicate()
        assert first.returncode == 3
