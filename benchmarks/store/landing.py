"""What landing one record costs, beside the same records as rows of a SQLite database.

python benchmarks/store/landing.py [ITEMS] [DIRECTORY]

CPU time is user and system of the whole process, all threads. "as it comes" is claim, one settle
an item and the writing thread at full speed (groups grow while the disk is busy); "each group"
waits for every group before the next, the dearest case. Memory is the peak of the process.
"""

from __future__ import annotations

import itertools
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from penstock.pipeline.result import Landing
from penstock.store import LocalStore

BODY = b'{"name":"%b"}' % (b"x" * 1010)  # 1 KB and a little


def landed(directory: Path, keys: Iterable[int | str], group: int) -> None:
    with LocalStore(directory) as store:
        for key in store.claim(keys):
            store.settle([Landing(key, BODY)], ignored, group=group)


def landed_in_groups(directory: Path, keys: Iterable[int | str], group: int) -> None:
    with LocalStore(directory) as store:
        claimed = store.claim(keys)
        while entries := [Landing(key, BODY) for key in itertools.islice(claimed, group)]:
            store.settle(entries, ignored, group=group)
            store.flush()


def rows_with_bodies(directory: Path, keys: Iterable[int | str], group: int) -> None:
    directory.mkdir()
    database = sqlite3.connect(directory / "rows.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE item (key PRIMARY KEY, body) WITHOUT ROWID")
    source = iter(keys)
    while rows := [(key, BODY) for key in itertools.islice(source, group)]:
        database.execute("BEGIN")
        database.executemany("INSERT INTO item VALUES (?, ?)", rows)
        database.execute("COMMIT")
    database.close()


def ignored(count: int) -> None:
    """Take the report and do nothing with it."""


def measure(
    name: str, land: Callable[[Path, Iterable[int | str], int], None], group: int, count: int
) -> float:
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        land(Path(folder) / "store", range(count), group)
        cpu = (time.process_time() - cpu) / count * 1e6
        wall = time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:38} {group:5} {cpu:9.1f} {count / wall:12,.0f} {peak:8.0f}")
    return cpu


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    print(f"{'what':38} {'group':>5} {'us CPU':>9} {'items/s':>12} {'peak MB':>8}")
    for group in (25, 100):
        ours = measure("penstock, as it comes", landed, group, count)
        strict = measure("penstock, each group", landed_in_groups, group, count)
        rows = measure("SQLite rows with bodies, each group", rows_with_bodies, group, count)
        print(f"group {group}: SQLite rows cost {rows / ours:.1f}x and {rows / strict:.1f}x ours")


if __name__ == "__main__":
    main()
