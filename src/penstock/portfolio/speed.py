"""When the compiled inner loops are used: never needed, sometimes faster, always the same bits."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from penstock.errors import MissingExtra
from penstock.portfolio.arrays import np

__all__ = ["loops", "warm_up"]

_KERNELS = "penstock.portfolio.kernels"
_WORTH_WAITING = 3e9  # floating operations that NumPy needs longer for than numba to be imported


def loops(operations: float) -> ModuleType | None:
    """Return the compiled loops if they are loaded, or installed and worth loading, else None.

    Args:
        operations: Rough number of floating operations ahead.
    """
    if _KERNELS in sys.modules:
        return sys.modules[_KERNELS]
    if operations < _WORTH_WAITING or importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module(_KERNELS)


def warm_up() -> None:
    """Import numba and compile the inner loops now, so that later calls are fast from the first.

    Takes a second, the first time on a machine a dozen; the results are the same with and without.

    Raises:
        MissingExtra: numba is not installed.
    """
    try:
        kernels = importlib.import_module(_KERNELS)
    except ImportError as error:
        raise MissingExtra("compiled loops", "numba", "portfolio-fast") from error
    small, flat = np.zeros((2, 2)), np.zeros(2)
    kernels.scan(np.zeros(4), 2, np.ones(3), np.empty(3))
    kernels.step(
        small, 0, flat, small, np.zeros((3, 2)), np.zeros((3, 2, 2)), np.empty((2, 2, 2)), 1.0
    )
    kernels.exchange(small, flat, flat, 0, 2, 0)
