"""What a stream needs of every store: a group with its cursor, gaps, deletions; all or nothing."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.pipeline.result import Deletion, Entry, Failing, LandedGap, Landing, Mark
from penstock.store import LocalStore, WritableStore, open_readonly

OpenStore = Callable[[], WritableStore]


def land(store: WritableStore, *entries: Entry) -> None:
    store.settle(entries, lambda _: None)
    store.flush()


def kept(store: WritableStore) -> list[object]:
    return [record.key for record in store.records()]


def test_messages_their_cursor_and_a_gap_become_safe_together(open_store: OpenStore) -> None:
    safe: list[int] = []
    with open_store() as store:
        gap = LandedGap("17", "40", "cursor-too-old", 23)
        store.settle([gap, Landing(41, b"1"), Landing(42, b"2"), Mark("cursor", "42")], safe.append)
        store.flush()
        assert sum(safe) == 4
    with open_store() as store:
        (written,) = store.gaps()
        assert (written.number, written.since, written.until) == (1, "17", "40")
        assert (written.reason, written.count) == ("cursor-too-old", 23)
        assert written.at > 1.7e9
        assert (kept(store), store.mark("cursor")) == ([41, 42], "42")
        status = store.status()
        assert (status.landed, status.gaps, status.missed) == (2, 1, 23)


def test_what_comes_again_lands_once_beside_what_is_new(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, *(Landing(n, b"1") for n in range(600)), Mark("cursor", "599"))
        land(
            store,
            *(Landing(n, b"2") for n in range(590, 700)),
            LandedGap("a", None, "no-resume"),
            Mark("cursor", "699"),
        )
        assert (store.again, kept(store)) == (10, list(range(700)))
        assert (store.get(599), store.get(600)) == (b"1", b"2")
        assert store.mark("cursor") == "699"
        assert [gap.until for gap in store.gaps()] == [None]
        assert store.status().landed == 700


def test_the_same_message_twice_in_a_group_lands_once(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, Landing("a", b"1"), Landing("b", b"2"), Landing("a", b"3"))
        assert (kept(store), store.get("a"), store.again) == (["a", "b"], b"1", 1)


def test_gaps_come_in_order_however_many(open_store: OpenStore) -> None:
    with open_store() as store:
        for start in range(0, 600, 100):
            land(
                store,
                *(LandedGap(str(n), str(n + 1), "limit", 2) for n in range(start, start + 100)),
            )
        assert [gap.since for gap in store.gaps()] == [str(n) for n in range(600)]
        assert (store.status().gaps, store.status().missed) == (600, 1200)


def test_a_deleted_record_is_gone_for_good(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, *(Landing(n, b'{"secret":%d}' % n) for n in range(5)), Failing(9, "E", "m"))
        land(store, Deletion(3), Deletion(9), Mark("cursor", "x"))
        assert (store.state(3), store.get(3), kept(store)) == ("deleted", None, [0, 1, 2, 4])
        status = store.status()
        assert (status.landed, status.deleted, status.failed) == (4, 2, 0)
        assert (list(store.failures()), list(store.claim([3, 9, 10]))) == ([], [10])
        land(store, Landing(3, b'"again"'), Landing(11, b"{}"), Deletion(3))
        assert (kept(store), store.again) == ([0, 1, 2, 4, 11], 0)
        assert store.status().deleted == 2
    with open_store() as store:
        assert (kept(store), store.state(3), store.verify()) == ([0, 1, 2, 4, 11], "deleted", 5)


@pytest.mark.parametrize("first", ["landing", "deletion"])
def test_a_deletion_in_the_same_group_wins(open_store: OpenStore, first: str) -> None:
    entries: list[Entry] = [Landing(1, b"{}"), Deletion(1)]
    with open_store() as store:
        land(store, *(entries if first == "landing" else entries[::-1]), Landing(2, b"{}"))
        assert (kept(store), store.state(1), store.verify()) == ([2], "deleted", 1)


def test_a_deletion_may_come_before_its_message(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, Deletion("late"))
        land(store, Landing("late", b"{}"), Landing("other", b"{}"))
        assert (kept(store), store.state("late")) == (["other"], "deleted")


# The local store's own


def test_a_deleted_record_is_not_on_the_disk_any_more(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        land(store, Landing(1, b'"my secret"'), Landing(2, b"7"), Landing(3, b'"mine"'))
        land(store, Deletion(1), Deletion(2))
        lines = (tmp_path / "segment-000001.jsonl").read_bytes()
        assert b"my secret" not in lines
        assert b'"body":0}' in lines
        assert b'"mine"' in lines
        assert [line[:7] for line in lines.splitlines()] == [b'{"key":'] * 3


def test_what_a_crash_left_to_erase_is_erased_at_the_next_opening(tmp_path: Path) -> None:
    segment = tmp_path / "segment-000001.jsonl"
    with LocalStore(tmp_path) as store:
        land(store, Landing(1, b'"my secret"'), Landing(2, b"2"))
    before = segment.read_bytes()
    with LocalStore(tmp_path) as store:
        land(store, Deletion(1))
    segment.write_bytes(before)  # as if the process had died after its commit
    with LocalStore(tmp_path) as store:
        assert b"my secret" not in segment.read_bytes()
        assert (kept(store), store.verify()) == ([2], 1)
        land(store, Landing(4, b"4"))
        land(store, Landing(5, b"5"))
        assert store._rows("SELECT count(*) FROM erasing") == [(1,)]  # noted, harmless, small


def test_a_store_of_format_1_is_read_and_goes_on(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        land(store, Landing(1, b"1"))
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("DROP TABLE gap")
        ledger.execute("DROP TABLE erasing")
        ledger.execute("PRAGMA user_version = 1")
    with open_readonly(tmp_path) as reader:
        assert (list(reader.gaps()), reader.status().gaps, reader.status().version) == ([], 0, 1)
    with LocalStore(tmp_path) as store:
        land(store, LandedGap("1", "2", "limit"), Deletion(1))
        assert (store.status().gaps, store.status().version, kept(store)) == (1, 2, [])


def test_a_group_the_disk_refuses_leaves_neither_cursor_nor_gap(tmp_path: Path) -> None:
    with suppress(StorageError), LocalStore(tmp_path) as store:
        land(store, Landing(1, b"1"), Mark("cursor", "1"))
        store._writing.execute("PRAGMA max_page_count = 1")
        entries = [Landing(n, b"x") for n in range(2, 5000)]
        with pytest.raises(StorageError, match="full"):
            land(store, LandedGap("1", "2", "limit"), *entries, Mark("cursor", "2"))
    with open_readonly(tmp_path) as reader:
        assert [record.key for record in reader.records()] == [1]
        assert (reader.mark("cursor"), list(reader.gaps())) == ("1", [])


def test_gaps_are_told_and_exported(tmp_path: Path) -> None:
    path = tmp_path / "tweets"
    with LocalStore(path) as store:
        land(
            store,
            Landing(1, b"{}"),
            LandedGap("1", "9", "limit", 7),
            LandedGap("9", None, "no-resume"),
        )
    told = penstock("status", path).stdout
    assert "gaps" in told
    assert "at least 7 messages" in told
    assert json.loads(penstock("status", path, "--json").stdout)["gaps"] == 2
    lines = penstock("export", path, "--to", "csv", "-o", "-", "--gaps").stdout.splitlines()
    assert lines[0] == "key,since,until,reason,count,at"
    assert lines[1].startswith("1,1,9,limit,7,")
    assert lines[2].startswith("2,9,,no-resume,,")
    both = penstock("export", path, "--to", "csv", "-o", "-", "--gaps", "--failed")
    assert (both.returncode, both.stderr.count("\n")) == (2, 1)


def penstock(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
