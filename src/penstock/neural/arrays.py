"""The array types of this room, and NumPy or one clear line that says how to get it."""

from __future__ import annotations

from typing import TypeAlias

from penstock.errors import MissingExtra

try:
    import numpy as np
    import numpy.typing as npt
except ImportError as error:
    raise MissingExtra("penstock.neural", "numpy", "neural") from error

__all__ = ["Bools", "Floats", "Integers"]

# Single precision runs put float32 arrays here too: the alias names the reference precision.
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
