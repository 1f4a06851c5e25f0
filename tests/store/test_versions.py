"""The same key again: the first record, the latest, or all of them; in every kind of store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.conftest import OpenStore

from penstock.pipeline import Deletion, FailedRecord, LandedRecord
from penstock.store import LocalStore, open_readonly
from penstock.store.repair import repair
from penstock.store.values import OnSame


def ignored(_count: int) -> None:
    """Nobody waits for it."""


def landed(store: LocalStore, *records: tuple[str | int, bytes]) -> None:
    store.settle([LandedRecord(key, body) for key, body in records], ignored)
    store.flush()


@pytest.mark.parametrize("on_same", ["first", "replace", "history"])
def test_the_same_key_again(open_store: OpenStore, on_same: OnSame) -> None:
    with open_store() as store:
        landed(store, (1, b'{"v":1}'), (2, b'{"v":1}'))  # type: ignore[arg-type] # any store
    with open_store() as store:
        store.keep(on_same)
        landed(store, (1, b'{"v":2}'), (2, b'{"v":1}'), (1, b'{"v":3}'), (3, b"3"))  # type: ignore[arg-type] # likewise
        latest = b'{"v":1}' if on_same == "first" else b'{"v":3}'
        assert store.get(1) == latest
        assert {one.key: one.body for one in store.records()} == {
            1: latest,
            2: b'{"v":1}',
            3: b"3",
        }
        assert sorted(one.key for one, _ in store.follow()) == [1, 2, 3]
        assert store.status().landed == 3
        assert store.verify() >= 3
        if on_same == "history":
            mine = [one.body for one, *_ in store.versions() if one.key == 1]
            assert mine == [b'{"v":1}', b'{"v":2}', b'{"v":3}']
            store.settle([Deletion(1)], ignored)
            store.flush()
            assert [one.key for one, *_ in store.versions()] == [2, 3]


def test_a_key_that_fails_when_fetched_again_keeps_its_record(open_store: OpenStore) -> None:
    with open_store() as store:
        store.keep("replace")
        landed(store, (1, b"1"))  # type: ignore[arg-type] # any store
        store.settle([FailedRecord(1, "GaveUp", "503")], ignored)
        store.flush()
        assert (store.get(1), store.stale, store.status().failed) == (b"1", 1, 0)


def test_what_is_old_is_claimed_again(open_store: OpenStore) -> None:
    with open_store() as store:
        landed(store, (1, b"1"))  # type: ignore[arg-type] # any store
    with open_store() as store:
        store.keep("replace")
        assert list(store.claim([1, 2])) == [2]
    with open_store() as store:
        store.keep("replace")
        store.refresh(float("inf"))
        assert list(store.claim([1, 2])) == [1, 2]
        landed(store, (1, b"1"))  # type: ignore[arg-type] # any store
        assert list(store.claim([1])) == []  # seen in this run


def test_what_is_absent_is_settled_and_has_not_failed(open_store: OpenStore) -> None:
    with open_store() as store:
        store.expect(3)
        gone = [FailedRecord(1, "Absent", "404", status=404), FailedRecord(2, "GaveUp", "503")]
        store.settle(gone, ignored)
        store.flush()
        now = store.status()
        assert (now.absent, now.failed, now.pending) == (1, 1, 1)
        assert [failure.key for failure in store.failures()] == [2]
        assert store.accept([2]) == 1
        assert (store.status().absent, store.status().failed) == (2, 0)
        assert store.retry_failed() == 0


def test_a_reader_sees_each_key_while_it_is_replaced(tmp_path: Path) -> None:
    with LocalStore(tmp_path / "s") as store:
        store.keep("replace")
        landed(store, *((key, b"1") for key in range(600)))
        with open_readonly(tmp_path / "s") as reader:
            rows = reader.records()
            first = next(rows)
            landed(store, *((key, b"2") for key in range(600)))
            assert [first.key, *(one.key for one in rows)] == list(range(600))


def test_a_store_of_versions_is_repaired(tmp_path: Path) -> None:
    with LocalStore(tmp_path / "s") as store:
        store.keep("history")
        landed(store, (1, b"1"), (2, b"2"))
        landed(store, (1, b"11"))
    (tmp_path / "s" / "ledger.sqlite").unlink()
    assert repair(tmp_path / "s").landed == 2
    with open_readonly(tmp_path / "s") as reader:
        assert reader.get(1) == b"11"
        assert [one.body for one, *_ in reader.versions()] == [b"1", b"2", b"11"]
        assert reader.verify() == 3


WORKER = """
import os, sys
from penstock.pipeline import LandedRecord
from penstock.store import LocalStore
with LocalStore(sys.argv[1]) as store:
    store.keep("replace")
    for n in range(int(sys.argv[2]), 10**6):
        entries = [LandedRecord(k, b'{"n":%d}' % n) for k in range(7)]
        store.settle(entries, lambda count, n=n: os.write(1, b"%d\\n" % n) if count else None)
"""


def test_killed_while_it_replaces(tmp_path: Path) -> None:
    """Never older than what was told to be safe, never two, whatever moment it dies at."""
    told = 0
    for _ in range(int(os.environ.get("PENSTOCK_KILLS", "3"))):
        command = [sys.executable, "-c", WORKER, str(tmp_path / "s"), str(told + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                told = int(line)
                if told % 37 == 36:
                    worker.send_signal(signal.SIGKILL)
                    break
            told = max([told, *(int(line) for line in worker.stdout if line.endswith(b"\n"))])
        with LocalStore(tmp_path / "s") as store:
            bodies = {one.key: one.body for one in store.records()}
            assert len(bodies) == 7
            assert len(set(bodies.values())) == 1  # a group is whole
            assert int(bodies[0][5:-1]) >= told
            store.verify()
