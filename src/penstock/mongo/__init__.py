"""MongoDB that rides out failover: a proxy over PyMongo, safe writes, read preferences.

``connect(uri)`` returns a client, ``resilient(client)`` wraps one; what is reached through it has
PyMongo's own names and types. Needs the extra ``mongo``, imported when it is first used.

>>> operation("collection", "update_many").kind
<Kind.MULTI: 'M'>
>>> ReadFrom.of("secondaryPreferred staleness=120").staleness
120.0
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from penstock.errors import MissingExtra
from penstock.later import later
from penstock.mongo.durability import DURABILITY as DURABILITY
from penstock.mongo.durability import Durability as Durability
from penstock.mongo.operations import OPERATIONS as OPERATIONS
from penstock.mongo.operations import Kind as Kind
from penstock.mongo.operations import Operation as Operation
from penstock.mongo.operations import operation as operation
from penstock.mongo.read_from import ReadFrom as ReadFrom
from penstock.mongo.settings import Counters as Counters

if TYPE_CHECKING:
    from penstock.mongo.connection import connect as connect
    from penstock.mongo.connection import counters as counters
    from penstock.mongo.connection import reading_from as reading_from
    from penstock.mongo.connection import resilient as resilient
    from penstock.mongo.errors import MongoGaveUp as MongoGaveUp
    from penstock.mongo.errors import NotRetryable as NotRetryable
    from penstock.mongo.errors import maybe_applied as maybe_applied

# What needs PyMongo is loaded when it is first used.
_HOMES = {
    "MongoGaveUp": "errors",
    "NotRetryable": "errors",
    "connect": "connection",
    "counters": "connection",
    "maybe_applied": "errors",
    "reading_from": "connection",
    "resilient": "connection",
}

__all__ = [  # noqa: PLE0604 - the table is the list
    "DURABILITY",
    "OPERATIONS",
    "Counters",
    "Durability",
    "Kind",
    "Operation",
    "ReadFrom",
    "operation",
    *_HOMES,
]


_find = later(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES and importlib.util.find_spec("pymongo") is None:
        raise MissingExtra("MongoDB", "pymongo", "mongo")
    return _find(name)
