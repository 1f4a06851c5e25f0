"""The Pima file, from where the reader says or from Debian, and small data that is always there."""

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
    if not CACHED.exists():
        CACHED.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            [sys.executable, ROOT / "examples/pima_from_debian.py", CACHED],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            says = f"no Pima data (set PENSTOCK_PIMA): {made.stderr.strip().splitlines()[-1]}"
            if os.environ.get("CI"):
                pytest.fail(says)
            pytest.skip(says)
    return CACHED


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
