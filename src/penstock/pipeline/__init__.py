"""Lazy stages over plain generators: batches, many calls at once, landing.

Each stage pulls from the one before, holds a bounded window and nothing else, and can be used alone
in a ``for`` loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.pipeline.batches import batches
from penstock.pipeline.concurrent import Slots, fetch, fetch_chunks
from penstock.pipeline.json_text import is_json
from penstock.pipeline.landing import Counts, entry_of, land
from penstock.pipeline.ports import Api, Calls, Sizer, Store
from penstock.pipeline.result import Entry, Failing, Key, Landing, Mark, Result
from penstock.pipeline.stages import Stage, each, through

if TYPE_CHECKING:
    from penstock.pipeline.flow import Fetching as Fetching
    from penstock.pipeline.flow import Pipeline as Pipeline
    from penstock.pipeline.flow import Report as Report
    from penstock.pipeline.workers import in_threads as in_threads

# Threads and executors are loaded when they are first used: a single call needs none.
_HOMES = {"Fetching": "flow", "Pipeline": "flow", "Report": "flow", "in_threads": "workers"}

__all__ = [
    "Api",
    "Calls",
    "Counts",
    "Entry",
    "Failing",
    "Fetching",
    "Key",
    "Landing",
    "Mark",
    "Pipeline",
    "Report",
    "Result",
    "Sizer",
    "Slots",
    "Stage",
    "Store",
    "batches",
    "each",
    "entry_of",
    "fetch",
    "fetch_chunks",
    "in_threads",
    "is_json",
    "land",
    "through",
]

__getattr__ = later(__name__, _HOMES)
