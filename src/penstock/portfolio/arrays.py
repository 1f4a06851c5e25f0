"""The array types of this room, and NumPy or one clear line that says how to get it."""

from __future__ import annotations

from typing import TypeAlias, cast

from penstock.errors import MissingExtra

try:
    import numpy as np
except ImportError as error:
    raise MissingExtra("penstock.portfolio", "numpy", "portfolio") from error

__all__ = ["Dates", "Floats", "np", "product"]

Floats: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""An array of float64; its shape stands in the docstring of whoever takes or gives it."""

Dates: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]
"""A vector of moments, ascending, without repetition."""


def product(left: Floats, right: Floats) -> Floats:
    """Return ``left @ right``, whose type NumPy leaves open."""
    return cast("Floats", left @ right)
