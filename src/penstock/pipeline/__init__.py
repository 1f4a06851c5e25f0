"""Lazy stages over plain generators: batches, many calls at once, landing.

Each stage pulls from the one before, holds a bounded window and nothing else, and can be used alone
in a ``for`` loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import homes, later

if TYPE_CHECKING:
    from penstock.pipeline.async_steps import asynchronous
    from penstock.pipeline.batch import batches
    from penstock.pipeline.concurrent import Slots, fetch, fetch_chunks
    from penstock.pipeline.feeds import (
        AcknowledgedFeed,
        Feed,
        Lot,
        Position,
        RowFeed,
        position_in,
        source_of,
    )
    from penstock.pipeline.flow import Fetching as Fetching
    from penstock.pipeline.flow import Pipeline, Report
    from penstock.pipeline.json_text import (
        BAD_JSON,
        check_text,
        closes,
        elements,
        has_odd_numbers,
        is_json,
        load,
        members,
        without_halves,
    )
    from penstock.pipeline.landing import Counts, entry_of, land, reported
    from penstock.pipeline.ports import Api, Calls, Sizer, Store
    from penstock.pipeline.progress import Meter, Progress, Rate
    from penstock.pipeline.result import (
        Checkpoint,
        Deletion,
        Entry,
        FailedRecord,
        Gap,
        Key,
        LandedRecord,
        Result,
    )
    from penstock.pipeline.result import Failing as Failing
    from penstock.pipeline.result import Landing as Landing
    from penstock.pipeline.result import Mark as Mark
    from penstock.pipeline.stages import Stage, each, through
    from penstock.pipeline.uses import Use, Used
    from penstock.pipeline.workers import Workers as Workers
    from penstock.pipeline.workers import in_threads

# A name is loaded when it is first used: an ``Api`` needs few of them.
if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(
        __name__,
        homes(
            async_steps="asynchronous",
            batch="batches",
            concurrent="Slots fetch fetch_chunks",
            feeds="AcknowledgedFeed Feed Lot Position RowFeed position_in source_of",
            flow="Fetching Pipeline Report",
            json_text=(
                "BAD_JSON check_text closes elements has_odd_numbers is_json load members "
                "without_halves"
            ),
            landing="Counts entry_of land reported",
            ports="Api Calls Sizer Store",
            progress="Meter Progress Rate",
            result=(
                "Checkpoint Deletion Entry FailedRecord Failing Gap Key LandedRecord Landing "
                "Mark Result"
            ),
            stages="Stage each through",
            uses="Use Used",
            workers="Workers in_threads",
        ),
    )

__all__ = [
    "BAD_JSON",
    "AcknowledgedFeed",
    "Api",
    "Calls",
    "Checkpoint",
    "Counts",
    "Deletion",
    "Entry",
    "FailedRecord",
    "Feed",
    "Gap",
    "Key",
    "LandedRecord",
    "Lot",
    "Meter",
    "Pipeline",
    "Position",
    "Progress",
    "Rate",
    "Report",
    "Result",
    "RowFeed",
    "Sizer",
    "Slots",
    "Stage",
    "Store",
    "Use",
    "Used",
    "asynchronous",
    "batches",
    "check_text",
    "closes",
    "each",
    "elements",
    "entry_of",
    "fetch",
    "fetch_chunks",
    "has_odd_numbers",
    "in_threads",
    "is_json",
    "land",
    "load",
    "members",
    "position_in",
    "reported",
    "source_of",
    "through",
    "without_halves",
]
