"""Damages at rest: stores cut, swapped, edited, restored in part, each looked at and mended.

python -m benchmarks.store.damages [WAYS] [SEED], in the root of the repository. Prints how many
there were of each kind, and which of them destroyed a line or were not found, named or mended.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from pathlib import Path

from tests.store.test_repair import Stores, look_at


def main() -> None:
    count, seed = [*map(int, sys.argv[1:]), *(5_000, 1)[len(sys.argv) - 1 :]]
    begun = time.process_time()
    kinds: collections.Counter[str] = collections.Counter()
    broken: list[str] = []
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        stores = Stores(Path(name))
        for number in range(seed, seed + count):
            try:
                kinds.update(look_at(stores, str(number), Path(name) / "store").split(" and "))
            except Exception as error:  # noqa: BLE001 - counted, and the next one is looked at
                broken.append(f"{type(error).__name__}: {error}"[:300].replace("\n", " "))
                print(f"seed {number}: {broken[-1]}", flush=True)
    seconds = time.process_time() - begun
    print(*(f"{number:6,} {kind}" for kind, number in sorted(kinds.items())), sep="\n")
    print(f"{count:,} damaged stores, {len(broken)} broken, {seconds:.0f} s of CPU")


if __name__ == "__main__":
    main()
