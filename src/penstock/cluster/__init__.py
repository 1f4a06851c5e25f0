"""Beyond one process: a budget that processes share, and workers that share a run.

All truth is in a place that everybody reaches: a directory of this machine, or MongoDB.
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
