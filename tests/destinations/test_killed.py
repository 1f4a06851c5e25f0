"""Exactly once: killed at every moment between two steps, then gone on with."""

import json
import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.destinations.conftest import Place, postgres_rows, postgres_server
from tests.waiting import until

from penstock.destinations import Keeper, keeping, open_destination
from penstock.errors import StorageError
from penstock.pipeline import Deletion, LandedRecord
from penstock.store import LocalStore, open_readonly

KILLS = int(os.environ.get("PENSTOCK_KILLS", "8"))  # moments at least, of each destination


def record(key: int) -> dict[str, object]:
    return {"n": key, f"c{key // 3}": key, "tags": [key, -key]}


def test_no_row_is_lost_or_doubled_by_kill_9(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "store"
    killed, start = 0, -4
    while killed < KILLS or start <= 0:
        start += 4
        with LocalStore(path) as store:
            records: list[LandedRecord | Deletion] = [
                LandedRecord(key, json.dumps(record(key)).encode())
                for key in range(start, start + 4)
            ]
            gone = [Deletion(1), Deletion(5)] if start else []
            store.settle([*records, *gone], lambda _count: None)
        words = [sys.executable, "-m", "tests.destinations.killed", str(path), place.address]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        moments, code = map(int, done.stdout.split())
        assert code == 0, done.stderr
        killed += moments
    print(f"{place.address.partition(':')[0]}: killed at {killed} moments")
    keys = [row["key"] for row in place.read()]
    assert sorted(keys, key=str) == sorted(set(range(start + 4)) - {1, 5}, key=str)
    if place.address.partition(":")[0] not in {"csv", "jsonl"}:
        tags = sorted(f"{row['key']}.{row['position']}" for row in place.read("users__tags"))
        assert tags == sorted(f"{key}.{spot}" for key in keys for spot in (0, 1))


def test_no_row_is_lost_or_doubled_where_the_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_ROWS", 2)
    over, lost = threading.Event(), list[StorageError]()
    with postgres_server() as server, LocalStore(tmp_path / "store") as store:

        def follow() -> None:
            while not over.is_set():
                try:
                    with (
                        open_readonly(tmp_path / "store") as reader,
                        closing(open_destination(server.address)) as destination,
                    ):
                        keeper = Keeper(destination, "users")
                        while not over.wait(0.001):
                            keeper.catch_up(reader)
                except StorageError as error:
                    lost.append(error)

        def rows() -> list[int]:
            try:
                found = postgres_rows(server.address, "users")
            except psycopg.errors.UndefinedTable:
                return []
            return sorted(int(str(row["key"])) for row in found)

        store.settle([LandedRecord(0, b'{"n":0}')], str)
        store.flush()
        follower = threading.Thread(target=follow)
        follower.start()
        try:
            for start in range(1, 121, 40):
                part = [LandedRecord(key, b'{"n":%d}' % key) for key in range(start, start + 40)]
                store.settle(part, str)
                store.flush()
                server.kill()
                server.start()
            until(lambda: len(rows()) >= 121)
        finally:
            over.set()
            follower.join()
        assert rows() == list(range(121))
    assert lost
