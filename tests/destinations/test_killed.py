"""Exactly once: killed at every moment between two steps, then gone on with."""

import json
import subprocess
import sys
from pathlib import Path

from tests.destinations.conftest import Place

from penstock.pipeline import Deletion, LandedRecord
from penstock.store import LocalStore


def record(key: int) -> dict[str, object]:
    return {"n": key, f"c{key // 3}": key, "tags": [key, -key]}


def test_no_row_is_lost_or_doubled_by_kill_9(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "store"
    killed = 0
    for start in (0, 4):
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
    assert killed >= 8
    keys = [row["key"] for row in place.read()]
    assert sorted(keys, key=str) == sorted(set(range(8)) - {1, 5}, key=str)
    if place.address.partition(":")[0] not in {"csv", "jsonl"}:
        tags = sorted(f"{row['key']}.{row['position']}" for row in place.read("users__tags"))
        assert tags == sorted(f"{key}.{spot}" for key in keys for spot in (0, 1))
