"""Power losses: many states of a store, each opened, compared with the promises, verified.

python -m benchmarks.store.power_losses [STATES] [ROUNDS] [SEED], in the root of the repository.

A store's life (groups, failures, deletions, checkpoints, exports, backups) is recorded call by
call. Each state drops, tears and reorders what was not synced by then. It needs Linux and a C
compiler. Prints how many states there were and which promises were broken.
"""

from __future__ import annotations

import collections
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.store.power_loss import recorded
from tests.store.replay import LIFE, look, states


def main() -> None:
    count, rounds, seed = [*map(int, sys.argv[1:]), *(20_000, 5, 1)[len(sys.argv) - 1 :]]
    rng, begun = random.Random(seed), time.perf_counter()
    broken: collections.Counter[str] = collections.Counter()
    number = 0
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        operations = recorded(folder, LIFE, str(rounds))
        for moment, files, promised in states(operations, count, rng):
            number += 1
            try:
                look(folder / "left", files, promised, rng)
            except Exception as error:  # noqa: BLE001 - counted, and the next state is looked at
                broken[f"{type(error).__name__}: {error}"[:100]] += 1
                print(f"state {number} of seed {seed}, {moment}: {error!r}", flush=True)
    seconds = time.perf_counter() - begun
    print(f"{number:,} states of {len(operations):,} operations, {seconds:.0f} s (seed {seed})")
    print(f"broken: {sum(broken.values())}", *broken.most_common(), sep="\n  ")


if __name__ == "__main__":
    main()
