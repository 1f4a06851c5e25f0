"""Live backups: a store that a process lands in without a pause, copied again and again.

python benchmarks/store/backups.py [COPIES]. Every second copy is a new one, the others go into the
one before. Each is verified, opened for writing, and compared: no hole, nothing lost.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from penstock.pipeline import Deletion, Entry, Landing
from penstock.store import LocalStore, backup_store, verify_store

EVERY = 50  # one key of so many is deleted again


def work(path: Path) -> None:
    """Land until standard input ends."""
    with LocalStore(path, segment_bytes=200_000) as store:
        for key in itertools.count():
            entries: list[Entry] = [Landing(key, b'"%b"' % (b"x" * (key % 997)))]
            if key % EVERY == EVERY - 1:
                entries.append(Deletion(key - 7))
            store.settle(entries, lambda _: None)
            if key % 20 == 19:
                time.sleep(0.1)  # it grows in step with the copies, whatever the machine
            if key == EVERY:
                store.flush()
                print("landing", flush=True)


def copied(source: Path, target: Path) -> int:
    """Back up, verify, and open a copy of the copy; return how many records it has."""
    done = backup_store(source, target)
    seen = verify_store(target)
    assert not seen.damages, seen
    opened = target.with_name("opened")
    shutil.rmtree(opened, ignore_errors=True)
    shutil.copytree(target, opened)
    with LocalStore(opened) as store:
        keys = {int(record.key) for record in store.records()}
        gone = {key for key in range(max(keys) + 1) if key not in keys}
        assert all(key % EVERY == EVERY - 8 for key in gone), gone
    assert done.landed == len(keys)
    return done.landed


def main() -> None:
    copies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    failed = landed = 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "store"
        command = [sys.executable, __file__, "work", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            writer.stdout.readline()
            for number in range(copies):
                target = Path(name) / "copy"
                if number % 2 == 0:
                    shutil.rmtree(target, ignore_errors=True)
                try:
                    landed = copied(path, target)
                except Exception as error:  # noqa: BLE001 - counted, and the next one is made
                    failed += 1
                    print(f"copy {number}: {error!r}", flush=True)
            assert writer.poll() is None
            writer.kill()
        print(f"{copies - failed} of {copies} live backups open and verify; {landed:,} records")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(Path(sys.argv[2]))
    else:
        main()
