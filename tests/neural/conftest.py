"""The Pima file, from where the reader says or from Debian, and small data that is always there."""

from pathlib import Path

import numpy as np
import pytest
from tests.ready import ready

from penstock.neural import Examples, Scaler, chronological_split, classify, read_pima


@pytest.fixture(scope="session")
def pima_csv() -> Path:
    """Return the file of tests/ready.py."""
    return ready("Pima data")


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
