"""NumPy and pyarrow, or one clear line that says how to get them."""

from __future__ import annotations

from penstock.errors import MissingExtra

try:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingExtra("Arrow and Parquet", "numpy and pyarrow", "javadata") from error

__all__ = ["np", "npt", "pa", "pq"]
