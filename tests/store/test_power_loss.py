"""Power losses: what a store, its exports and its backups promised is there in every state left."""

import os
import random
import shutil
import sys
from pathlib import Path

import pytest
from tests.store.power_loss import recorded
from tests.store.replay import LIFE, look, states

STATES = int(os.environ.get("PENSTOCK_POWER_LOSSES", "500"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="what a process writes is recorded on Linux, where there is a C compiler",
)
def test_a_power_loss_at_any_moment_breaks_no_promise(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    memory = Path("/dev/shm")
    folder = memory / tmp_path.name if memory.is_dir() else tmp_path
    folder.mkdir(exist_ok=True)
    try:
        for moment, files, promised in states(recorded(folder, LIFE, "3"), STATES, rng):
            try:
                look(folder / "left", files, promised, rng)
            except Exception as error:
                error.add_note(f"seed {seed}, {moment}")
                raise
    finally:
        shutil.rmtree(folder)
