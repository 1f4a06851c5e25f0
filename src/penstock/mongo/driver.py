"""The driver's own words, for the rooms above: they import no PyMongo themselves.

To be imported after something that says what is missing, such as :func:`penstock.mongo.connect`.
"""

from __future__ import annotations

from bson import DBRef, Int64, encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import (
    ASCENDING,
    DESCENDING,
    IndexModel,
    InsertOne,
    MongoClient,
    UpdateOne,
    timeout,
)
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidName,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from penstock.mongo.client_options import refuse_weaker
from penstock.mongo.connection import resilient
from penstock.mongo.error_kinds import reason_of

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "BSONError",
    "BulkWriteError",
    "ClientSession",
    "Collection",
    "DBRef",
    "Database",
    "DuplicateKeyError",
    "IndexModel",
    "InsertOne",
    "Int64",
    "InvalidName",
    "MongoClient",
    "OperationFailure",
    "PyMongoError",
    "RawBSONDocument",
    "ReadConcern",
    "Timestamp",
    "UpdateOne",
    "encode",
    "reason_of",
    "refuse_weaker",
    "resilient",
    "timeout",
]
