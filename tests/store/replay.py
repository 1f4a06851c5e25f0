"""Whether a store keeps its promises after a power loss: one state after the other is looked at."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.store.power_life import body
from tests.store.power_loss import Disk, Operation

from penstock.store import LocalStore, repair_store, verify_store
from penstock.store.verification import verify

PROMISED = "promised"


LIFE = Path(__file__).with_name("power_life.py")


def states(
    operations: list[Operation], count: int, rng: random.Random
) -> Iterator[tuple[str, dict[str, bytes], dict[str, object]]]:
    """Yield crash states at moments spread over all operations, each with what was promised."""
    disk = Disk()
    promised: dict[str, object] = {}
    share = count / len(operations)
    due = 0.0
    for number, done in enumerate(operations):
        if done.path == PROMISED:
            promised = json.loads(done.data) if done.data else promised
        else:
            disk.do(done)
        due += share
        while due >= 1:
            due -= 1
            yield f"operation {number}", disk.crashed(rng), promised


def look(
    folder: Path, files: dict[str, bytes], promised: dict[str, object], rng: random.Random
) -> None:
    """Open what is left, compare it with the promises, and go on.

    Raises:
        AssertionError: A promise was broken.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "store").mkdir(parents=True, exist_ok=True)
    safe, gone = promised.get("safe", []), promised.get("gone", [])
    assert isinstance(safe, list)
    assert isinstance(gone, list)
    with LocalStore(folder / "store", segment_bytes=4000) as store:
        records = {record.key: record.body for record in store.records()}
        failed = {failure.key for failure in store.failures()}
        assert all(text == body(int(key)) for key, text in records.items())
        assert not records.keys() & failed
        assert {*safe} <= records.keys() | failed, {*safe} - records.keys() - failed
        assert not {*gone} & (records.keys() | failed)
        assert all(store.state(key) == "deleted" for key in gone)
        assert len(list(store.gaps())) >= int(str(promised.get("gaps", 0)))
        assert list(store.claim(safe)) == []
    assert not verify(folder / "store").damages
    whole_export(folder / "out" / "x.csv", int(str(promised.get("exports", 0))))
    if promised.get("backups") and rng.random() < 0.2:
        kept(folder / "backup")


def whole_export(path: Path, promised: int) -> None:
    """Compare an export with those that were made: it is one of them, and none before the last."""
    if not path.exists():
        assert not promised
        return
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["text"] == "x" * (int(row["key"]) * 7919 % 700) for row in rows)
    assert rows[-1]["key"] == str(len(rows) // 15 * 20 - 1)
    assert len(rows) // 15 >= promised, len(rows)


def kept(path: Path) -> None:
    """See that a backup is whole, one that a power loss fell into after a repair."""
    if verify_store(path).damages:
        assert not repair_store(path).put_back
        assert not verify_store(path).damages
