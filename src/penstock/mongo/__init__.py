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
from penstock.mongo.address import is_address as is_address
from penstock.mongo.address import place_in as place_in
from penstock.mongo.address import says as says
from penstock.mongo.durability import DURABILITY as DURABILITY
from penstock.mongo.durability import Durability as Durability
from penstock.mongo.operations import OPERATIONS as OPERATIONS
from penstock.mongo.operations import Kind as Kind
from penstock.mongo.operations import Operation as Operation
from penstock.mongo.operations import operation as operation
from penstock.mongo.read_from import ReadFrom as ReadFrom
from penstock.mongo.settings import Counters as Counters

if TYPE_CHECKING:
    from penstock.mongo.connect_any import Client as Client
    from penstock.mongo.connect_any import Collection as DictCollection
    from penstock.mongo.connect_any import collection_of as collection_of
    from penstock.mongo.connect_any import connect_any as connect_any_server
    from penstock.mongo.connect_any import is_set as is_set
    from penstock.mongo.connect_any import repeatable as repeatable
    from penstock.mongo.connection import connect as connect
    from penstock.mongo.connection import counters as counters
    from penstock.mongo.connection import reading_from as reading_from
    from penstock.mongo.connection import resilient as resilient
    from penstock.mongo.dev import DevSet as DevSet
    from penstock.mongo.dev import SetStatus as SetStatus
    from penstock.mongo.drill import FAULTS as DRILL_FAULTS
    from penstock.mongo.drill import DrillReport as DrillReport
    from penstock.mongo.drill import drill as run_drill
    from penstock.mongo.driver import BSONError as BSONError
    from penstock.mongo.driver import BulkWriteError as BulkWriteError
    from penstock.mongo.driver import ClientSession as ClientSession
    from penstock.mongo.driver import Collection as Collection
    from penstock.mongo.driver import DBRef as DBRef
    from penstock.mongo.driver import DuplicateKeyError as DuplicateKeyError
    from penstock.mongo.driver import InsertOne as InsertOne
    from penstock.mongo.driver import Int64 as Int64
    from penstock.mongo.driver import InvalidName as InvalidName
    from penstock.mongo.driver import MongoClient as MongoClient
    from penstock.mongo.driver import OperationFailure as OperationFailure
    from penstock.mongo.driver import PyMongoError as PyMongoError
    from penstock.mongo.driver import RawBSONDocument as RawBSONDocument
    from penstock.mongo.driver import ReadConcern as ReadConcern
    from penstock.mongo.driver import Timestamp as Timestamp
    from penstock.mongo.driver import UpdateOne as UpdateOne
    from penstock.mongo.driver import encode as encode
    from penstock.mongo.driver import reason_of as reason_of
    from penstock.mongo.driver import refuse_weaker as refuse_weaker
    from penstock.mongo.driver import timeout as timeout
    from penstock.mongo.errors import MongoGaveUp as MongoGaveUp
    from penstock.mongo.errors import NotRetryable as NotRetryable
    from penstock.mongo.errors import maybe_applied as maybe_applied
    from penstock.mongo.status import ClusterStatus as ClusterStatus
    from penstock.mongo.status import cluster_status as cluster_status

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

# What other rooms need of this one, and of PyMongo, which they do not import themselves.
_FOR_ROOMS = {
    "BSONError": "driver",
    "BulkWriteError": "driver",
    "ClientSession": "driver",
    "Collection": "driver",
    "DBRef": "driver",
    "DuplicateKeyError": "driver",
    "InsertOne": "driver",
    "Int64": "driver",
    "InvalidName": "driver",
    "MongoClient": "driver",
    "OperationFailure": "driver",
    "PyMongoError": "driver",
    "RawBSONDocument": "driver",
    "ReadConcern": "driver",
    "Timestamp": "driver",
    "UpdateOne": "driver",
    "encode": "driver",
    "reason_of": "driver",
    "refuse_weaker": "driver",
    "timeout": "driver",
    "Client": "connect_any",
    "DictCollection": "connect_any:Collection",
    "collection_of": "connect_any",
    "connect_any_server": "connect_any:connect_any",
    "is_set": "connect_any",
    "repeatable": "connect_any",
    "ClusterStatus": "status",
    "cluster_status": "status",
    "DevSet": "dev",
    "SetStatus": "dev",
    "DrillReport": "drill",
    "DRILL_FAULTS": "drill:FAULTS",
    "run_drill": "drill:drill",
}

__all__ = [  # noqa: PLE0604 - the table is the list
    "DRILL_FAULTS",
    "DURABILITY",
    "OPERATIONS",
    "Counters",
    "DictCollection",
    "Durability",
    "Kind",
    "Operation",
    "ReadFrom",
    "connect_any_server",
    "operation",
    "run_drill",
    *_HOMES,
]


_find = later(__name__, _HOMES | _FOR_ROOMS)


if not TYPE_CHECKING:  # a name that is not there is found by the type checker

    def __getattr__(name: str) -> object:
        if (name in _HOMES or name in _FOR_ROOMS) and importlib.util.find_spec("pymongo") is None:
            raise MissingExtra("MongoDB", "pymongo", "mongo")
        return _find(name)
