"""Lazy stages over plain generators: batches, many calls at once, landing.

Each stage pulls from the one before, holds a bounded window and nothing else, and can be used alone
in a ``for`` loop.
"""

from penstock.pipeline.batches import batches
from penstock.pipeline.concurrent import Slots, fetch, fetch_chunks
from penstock.pipeline.flow import Fetching, Pipeline, Report
from penstock.pipeline.json_text import elements, is_json, load, members
from penstock.pipeline.landing import Counts, entry_of, land
from penstock.pipeline.ports import Api, Calls, Sizer, Store
from penstock.pipeline.result import Entry, Failing, Key, Landing, Mark, Result
from penstock.pipeline.stages import Stage, each, through
from penstock.pipeline.workers import in_threads

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
    "elements",
    "entry_of",
    "fetch",
    "fetch_chunks",
    "in_threads",
    "is_json",
    "land",
    "load",
    "members",
    "through",
]
