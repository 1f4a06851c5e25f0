"""`kill -9` at many moments, and going on: nothing reported safe is lost, nothing is twice."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.pipeline.result import Failing, Landing
from penstock.store import LocalStore, open_readonly
from penstock.store.segments import segment_path

WORKER = Path(__file__).with_name("worker.py")
KILLS = 50


def landed_or_failed(store: LocalStore) -> list[int]:
    keys = [int(record.key) for record in store.records()]
    return sorted(keys + [int(failure.key) for failure in store.failures()])


def run_and_kill(path: Path, group: int, rng: random.Random) -> int:
    """Start a worker, kill it after some of its reports, and return the last number it said."""
    command = [sys.executable, str(WORKER), str(path), "1000000", str(group)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        # Some die while they open the store, the others anywhere in a group.
        lines = [worker.stdout.readline() for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 8, 20]))]
        worker.kill()
        lines += worker.stdout.readlines()
    assert worker.returncode == -signal.SIGKILL
    numbers = [int(line) for line in lines if line.endswith("\n") and line.strip().isdigit()]
    return max(numbers, default=0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_many_moments_nothing_is_lost_or_twice(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    path = tmp_path / "store"
    before = 0
    for _ in range(KILLS):
        reported = run_and_kill(path, rng.choice([1, 2, 10, 50]), rng)
        if reported:
            # Reading needs no repair first: what is behind the safe part is not looked at.
            with open_readonly(path) as reader:
                status = reader.status()
                assert status.landed + status.failed >= before + -(-reported // 2)
        with LocalStore(path) as store:
            keys = landed_or_failed(store)
            # Settled in order, so what is safe is a beginning of the keys, without holes. Each
            # key reports two entries: itself and its mark.
            assert keys == [*range(len(keys))]
            assert len(keys) >= before + -(-reported // 2)
            assert store.mark("last") == (str(keys[-1]) if keys else None)
            # records() above has compared every line with its row already.
            assert store.status().landed + store.status().failed == len(keys)
            for number in range(1, store.status().segments + 1):
                size = segment_path(path, number).stat().st_size
                assert size == segment_size(store, number)
            assert not segment_path(path, store.status().segments + 1).exists()
            before = len(keys)
    with open_readonly(path) as reader:
        assert reader.verify() == reader.status().landed > KILLS


def segment_size(store: LocalStore, number: int) -> int:
    ((size,),) = store._rows("SELECT size FROM segment WHERE number = ?", (number,))
    return int(size)


def test_a_reader_beside_a_run_sees_committed_data_only(tmp_path: Path) -> None:
    path = tmp_path / "store"
    command = [sys.executable, str(WORKER), str(path), "4000", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "open\n"
        looks = 0
        for line in worker.stdout:
            if looks < 25:
                with open_readonly(path) as store:
                    landed = store.status().landed + store.status().failed
                    assert landed >= int(line) // 2
                    assert store.verify() >= landed * 9 // 10 - 1
                looks += 1
        assert looks > 3
    assert worker.returncode == 0
    with open_readonly(path) as store:
        assert store.status().landed + store.status().failed == 4000


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        store.settle([Landing(1, b"1")], lambda _: None)
    first = segment_path(tmp_path, 1)
    safe = first.read_bytes()
    first.write_bytes(safe + b'{"key":2,"at":1.0,"bo')
    segment_path(tmp_path, 2).write_bytes(b'{"key":3')
    with LocalStore(tmp_path) as store:
        assert first.read_bytes() == safe
        assert not segment_path(tmp_path, 2).exists()
        assert list(store.claim([1, 2, 3])) == [2, 3]
        store.settle([Landing(2, b"2"), Failing(3, "E", "m")], lambda _: None)
        store.flush()
        assert store.verify() == 2


def test_a_reader_ignores_a_torn_tail(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        store.settle([Landing(1, b"1")], lambda _: None)
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(b'{"key":2,"at":1.0,"body":2}\n{"ke')
    with open_readonly(tmp_path) as reader:
        assert [record.key for record in reader.records()] == [1]
        assert reader.verify() == 1
