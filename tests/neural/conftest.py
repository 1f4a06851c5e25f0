"""The Pima file, from where the reader says or from Debian, and small data that is always there."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.neural import Examples, Scaler, chronological_split, classify, read_pima

ROOT = Path(__file__).parents[2]
CACHED = ROOT / ".cache" / "neural" / "pima.csv"


@pytest.fixture(scope="session")
def pima_csv() -> Path:
    """Return the file: PENSTOCK_PIMA, or made from Debian's package, once a checkout."""
    given = os.environ.get("PENSTOCK_PIMA")
    if given:
        return Path(given)
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    with (CACHED.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt-get works for one test process at a time
        trouble = "" if CACHED.exists() else _make()
    if trouble:
        if os.environ.get("CI"):
            pytest.fail(trouble)
        pytest.skip(trouble)
    return CACHED


def _make() -> str:
    """Make the file; return why that failed, or nothing."""
    command = [sys.executable, str(ROOT / "examples/pima_from_debian.py"), str(CACHED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    return f"no Pima data (set PENSTOCK_PIMA): {done.stderr.strip().splitlines()[-1]}"


@pytest.fixture(scope="session")
def pima(pima_csv: Path) -> dict[str, Examples]:
    """Return the post's three data sets."""
    features, labels = read_pima(pima_csv)
    examples, _ = classify(Scaler.fit(features)(features), labels)
    train, rest = chronological_split(examples, 0.7)
    valid, test = chronological_split(rest, 0.7)
    return {"train": train, "valid": valid, "test": test}


@pytest.fixture(scope="session")
def xor() -> Examples:
    """Return 100 rows of exclusive or, classes 0 and 1."""
    bits = np.random.default_rng(5).integers(0, 2, (100, 2))
    return classify(bits.astype(float), bits.sum(axis=1) % 2)[0]
