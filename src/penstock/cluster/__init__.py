"""Beyond one process: a budget that processes share, and workers that share a run.

All truth is in a place that everybody reaches: a directory of this machine, or MongoDB.
"""

from penstock.cluster.beats import Beats
from penstock.cluster.blocks import Blocks, Land, Leased, parse_shard, sharded
from penstock.cluster.budget import SharedBudget
from penstock.cluster.launchers import Ended, Launch, Launcher, Work
from penstock.cluster.permits import Answered, Granted, Holder, Shared, Want, begin, step
from penstock.cluster.places import BUDGETS, Decide, OpenPlace, Place, budget_place
from penstock.cluster.processes import Make, Processes

__all__ = [
    "BUDGETS",
    "Answered",
    "Beats",
    "Blocks",
    "Decide",
    "Ended",
    "Granted",
    "Holder",
    "Land",
    "Launch",
    "Launcher",
    "Leased",
    "Make",
    "OpenPlace",
    "Place",
    "Processes",
    "Shared",
    "SharedBudget",
    "Want",
    "Work",
    "begin",
    "budget_place",
    "parse_shard",
    "sharded",
    "step",
]
