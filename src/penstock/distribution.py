"""The package as it is installed: its name on the index, its version, how to get more of it.

The one place that knows them: pyproject.toml reads the version from here, errors and docs the name.
"""

from __future__ import annotations

__all__ = ["NAME", "UPGRADE", "__version__", "install"]

NAME = "penstock-data"
"""The distribution; the import and the command are ``penstock``, a name taken on the index."""

__version__ = "0.1.0"

UPGRADE = f"pip install --upgrade {NAME}"


def install(extra: str) -> str:
    """Return the command that adds an extra, whether a clone or the index was installed from.

    pip takes the extras of a distribution that is already there from that distribution itself.

    >>> install("parquet")
    "pip install 'penstock-data[parquet]'"
    """
    return f"pip install '{NAME}[{extra}]'"
