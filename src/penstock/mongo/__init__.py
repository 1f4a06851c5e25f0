"""MongoDB that rides out failover: a proxy over PyMongo, safe writes, read preferences.

``connect(uri)`` returns a client, ``resilient(client)`` wraps one; what is reached through it has
PyMongo's own names and types. Needs the extra ``mongo``, imported when it is first used.

>>> operation("collection", "update_many").kind
<Kind.MULTI: 'M'>
>>> ReadFrom.of("secondaryPreferred staleness=120").staleness
120.0
"""

from __future__ import annotations

# ruff: noqa: F405 - what the driver's list has is there
import importlib
import importlib.util
from typing import TYPE_CHECKING

from penstock.errors import MissingExtra
from penstock.mongo.address import is_address, place_in, says
from penstock.mongo.durability import DURABILITY, Durability
from penstock.mongo.operations import OPERATIONS, Kind, Operation, operation
from penstock.mongo.read_from import ReadFrom
from penstock.mongo.settings import Counters

if TYPE_CHECKING:
    from penstock.mongo.driver import *  # noqa: F403 - its list says which

__all__ = [
    "DRILL_FAULTS",
    "DURABILITY",
    "OPERATIONS",
    "Counters",
    "DictCollection",
    "Durability",
    "Kind",
    "MongoGaveUp",
    "NotRetryable",
    "Operation",
    "ReadFrom",
    "connect",
    "connect_any_server",
    "counters",
    "is_address",
    "maybe_applied",
    "operation",
    "place_in",
    "reading_from",
    "resilient",
    "run_drill",
    "says",
]

if not TYPE_CHECKING:  # a name that is not there is found by the type checker

    def __getattr__(name: str) -> object:
        # What needs PyMongo is loaded when it is first used; modules are found by their import.
        if name.startswith("__") or importlib.util.find_spec(f"{__name__}.{name}") is not None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if importlib.util.find_spec("pymongo") is None:
            raise MissingExtra("MongoDB", "pymongo", "mongo")
        return getattr(importlib.import_module(f"{__name__}.driver"), name)
