"""Verify, and the ledger made again: bytes a second of CPU, seconds for so many records.

python benchmarks/store/verify.py [RECORDS] [BYTES], of records of so many bytes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from penstock.pipeline import Landing
from penstock.store import LocalStore, repair_store, verify_store


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of CPU and of the wall that a call takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    records, size = [*map(int, sys.argv[1:]), *(200_000, 1000)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        path = Path(name) / "store"
        with LocalStore(path) as store:
            for start in range(0, records, 1000):
                text = b'"%b"' % (b"x" * (size - 2))
                keys = range(start, min(start + 1000, records))
                store.settle([Landing(key, text) for key in keys], lambda _: None)
        total = sum(file.stat().st_size for file in path.glob("segment-*"))
        cpu, wall = seconds(lambda: verify_store(path))
        print(
            f"verify: {total / cpu / 1e6:,.0f} MB/s of CPU, {total / wall / 1e6:,.0f} by the clock"
        )
        (path / "ledger.sqlite").unlink()
        cpu, wall = seconds(lambda: repair_store(path))
        print(f"ledger again, {records:,} records: {cpu:.1f} s of CPU, {wall:.1f} by the clock")
        assert verify_store(path).lines == records


if __name__ == "__main__":
    main()
