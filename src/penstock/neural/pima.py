"""The Pima Indians Diabetes data, from a file of the reader's own, checked by its hash.

Penstock does not ship it: its licence is unclear. Debian's package r-cran-mlbench has the same
values in the same order; ``examples/pima_from_debian.py`` makes the file from it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.errors import BadData

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PIMA_SHA256", "read_pima"]

PIMA_SHA256 = "6bfe5d0f379d17a0e0819b996407e3c09bf80febd4287f2ed212190dfff154af"
"""Of the 768 lines in the order of the UCI repository, without a header."""


def read_pima(path: Path) -> tuple[Floats, Integers]:
    """Return the features, shape (768, 8), and the labels 0 and 1, shape (768,).

    The order of the rows decides the post's split, so only that very file will do. Zeros that
    stand for missing values are left in, as the post leaves them.

    Raises:
        BadData: The file cannot be read, or is another one.
    """
    import hashlib

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != PIMA_SHA256:
        raise BadData(
            f"{path} is not the UCI file of 768 rows in its own order "
            f"(sha256 {PIMA_SHA256[:12]}...): make it with examples/pima_from_debian.py"
        )
    table = np.loadtxt(io.BytesIO(content), delimiter=",")
    return table[:, :-1], table[:, -1].astype(np.int64)
