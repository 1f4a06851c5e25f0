"""What needs PyMongo: our own names that do, and those of the driver that the rooms above use."""

from __future__ import annotations

from bson import DBRef, Int64, encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import InsertOne, MongoClient, UpdateOne, timeout
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidName,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from penstock.mongo.client_options import refuse_weaker
from penstock.mongo.connect_any import Client, collection_of, repeatable
from penstock.mongo.connect_any import Collection as DictCollection
from penstock.mongo.connect_any import connect_any as connect_any_server
from penstock.mongo.connection import connect, counters, reading_from, resilient
from penstock.mongo.dev import DevSet, SetStatus
from penstock.mongo.drill import FAULTS as DRILL_FAULTS
from penstock.mongo.drill import DrillReport
from penstock.mongo.drill import drill as run_drill
from penstock.mongo.error_kinds import reason_of
from penstock.mongo.errors import MongoGaveUp, NotRetryable, maybe_applied
from penstock.mongo.server_check import is_set
from penstock.mongo.status import ClusterStatus, cluster_status

__all__ = [
    "DRILL_FAULTS",
    "BSONError",
    "BulkWriteError",
    "Client",
    "ClientSession",
    "ClusterStatus",
    "Collection",
    "DBRef",
    "DevSet",
    "DictCollection",
    "DrillReport",
    "DuplicateKeyError",
    "InsertOne",
    "Int64",
    "InvalidName",
    "MongoClient",
    "MongoGaveUp",
    "NotRetryable",
    "OperationFailure",
    "PyMongoError",
    "RawBSONDocument",
    "ReadConcern",
    "SetStatus",
    "Timestamp",
    "UpdateOne",
    "cluster_status",
    "collection_of",
    "connect",
    "connect_any_server",
    "counters",
    "encode",
    "is_set",
    "maybe_applied",
    "reading_from",
    "reason_of",
    "refuse_weaker",
    "repeatable",
    "resilient",
    "run_drill",
    "timeout",
]
