"""Power losses: what a store, its exports and its backups promised is there in every state left."""

import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.power_loss import Operation, recorded
from tests.store.replay import LIFE, look, states

from penstock.errors import PenstockError

STATES = int(os.environ.get("PENSTOCK_POWER_LOSSES", "500"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("cc") is None,
        reason="what a process writes is recorded on Linux, where there is a C compiler",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a life is recorded and looked at: in memory, where there is such a place."""
    memory = Path("/dev/shm")
    named = tmp_path_factory.mktemp("power")
    folder = memory / f"{named.parent.name}-{named.name}" if memory.is_dir() else named
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def life(folder: Path) -> list[Operation]:
    return recorded(folder, LIFE, "3")


def look_at_all(folder: Path, life: list[Operation], count: int, rng: random.Random) -> None:
    for moment, files, promised in states(life, count, rng):
        try:
            look(folder / "left", files, promised, rng)
        except Exception as error:
            error.add_note(moment)
            raise


def test_a_power_loss_at_any_moment_breaks_no_promise(folder: Path, life: list[Operation]) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    look_at_all(folder, life, STATES, random.Random(seed))


@pytest.mark.parametrize("name", ["segment", "ledger"])
def test_a_sync_that_is_left_out_is_found(folder: Path, life: list[Operation], name: str) -> None:
    less = [done for done in life if done.what != "s" or name not in done.path]
    with pytest.raises((AssertionError, PenstockError)):
        look_at_all(folder, less, 100, random.Random(1))
