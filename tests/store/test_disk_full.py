"""A disk without room: an error, nothing half, and going on once there is room again."""

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import InputError, StorageError
from penstock.pipeline.result import Landing
from penstock.store import LocalStore, open_readonly

WORKER = Path(__file__).with_name("worker.py")


def run(path: Path, group: int, limit: int | None) -> tuple[int, int, str]:
    """Land 2,000 keys; return the exit code, the entries reported safe, and what was said."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # its file has no room either

    command = [sys.executable, str(WORKER), str(path), "2000", str(group)]
    worker = subprocess.run(
        command, preexec_fn=limited, capture_output=True, text=True, check=False
    )
    numbers = [int(line) for line in worker.stdout.split() if line.isdigit()]
    return worker.returncode, max(numbers, default=0), worker.stderr


def settled(path: Path) -> int:
    with LocalStore(path) as store:
        assert store.verify() == store.status().landed
        return store.status().landed + store.status().failed


# The small limits stop the first segment or the making of the ledger, the larger the log of it.
@pytest.mark.parametrize("limit", [4_000, 9_000, 17_000, 50_000, 150_000, 300_000])
@pytest.mark.parametrize("group", [1, 100])
def test_no_room_is_an_error_and_loses_nothing(tmp_path: Path, group: int, limit: int) -> None:
    path = tmp_path / "store"
    code, safe, words = run(path, group, limit)
    assert code == 4, words
    assert words.count("\n") == 1
    assert str(path) in words
    done = settled(path)
    assert safe // 2 <= done < 2000
    assert run(path, group, None) == (0, 2 * (2000 - done), "")
    assert settled(path) == 2000


EVERY_LIMIT = """
import os, resource, signal, sys
from pathlib import Path
from penstock.errors import StorageError
from penstock.pipeline.result import Landing
from penstock.store import LocalStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
reached, hard = 0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in range(40_000, 62_000, 499):
    path = Path(sys.argv[1]) / str(limit)
    safe = []
    try:
        with LocalStore(path, segment_bytes=30_000) as store:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            for key in store.claim(range(90)):
                store.settle([Landing(key, b'"%b"' % (b"x" * 1000))], safe.append, group=9)
                if key % 9 == 8:
                    store.flush()
    except StorageError:
        reached += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    with LocalStore(path, segment_bytes=30_000) as store:
        done = store.verify()
        assert sum(safe) <= done < sum(safe) + 10, (limit, sum(safe), done)
        assert [record.key for record in store.records()] == list(range(done)), limit
        for key in store.claim(range(90)):
            store.settle([Landing(key, b"0")], safe.append)
        store.flush()
        assert store.verify() == 90, limit
print(reached)
"""


def test_wherever_the_disk_is_full_nothing_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-c", EVERY_LIMIT, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.stderr == ""
    assert int(child.stdout) > 30


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 600 kB of room."""
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "penstock-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only a root that may mount has small disks; limits on files are tested above")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_really_full_disk(small_disk: Path) -> None:
    path = small_disk / "store"
    code, safe, words = run(path, 50, None)
    assert code == 4
    assert "No space left" in words or "full" in words
    assert words.count("\n") == 1
    remount(small_disk, "size=30m")
    assert safe // 2 <= settled(path) < 2000
    assert run(path, 50, None)[0] == 0
    assert settled(path) == 2000


def test_a_store_on_a_read_only_disk_can_be_read(small_disk: Path) -> None:
    path = small_disk / "store"
    with LocalStore(path) as store:
        store.settle([Landing(1, b"{}")], lambda _: None)
    remount(small_disk, "ro")
    with open_readonly(path) as reader:
        assert (reader.verify(), reader.get(1)) == (1, b"{}")
    with pytest.raises(InputError, match="Read-only"):
        LocalStore(path)


def test_a_run_waits_for_room_and_goes_on(small_disk: Path) -> None:
    path = small_disk / "store"
    ballast = small_disk / "ballast"
    said: list[str] = []

    class Hear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            ballast.unlink(missing_ok=True)  # somebody makes room

    hear = Hear()
    logging.getLogger("penstock.store").addHandler(hear)
    try:
        with LocalStore(path, wait_for_room=60.0) as store:
            ballast.write_bytes(bytes(300_000))
            store.settle([Landing(1, b'"%b"' % (b"x" * 350_000))], lambda _: None)
            store.flush()
            assert store.verify() == 1
    finally:
        logging.getLogger("penstock.store").removeHandler(hear)
    assert "waiting for room" in said[0]
    assert "going on" in said[-1]


def test_without_room_for_long_it_is_an_error(small_disk: Path) -> None:
    store = LocalStore(small_disk / "store", wait_for_room=0.01)
    store.settle([Landing(1, b'"%b"' % (b"x" * 900_000))], lambda _: None)
    with pytest.raises(StorageError):
        store.flush()
    with pytest.raises(StorageError):
        store.close()
