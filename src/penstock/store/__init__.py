"""Where data lands and what has been done.

>>> import tempfile
>>> from penstock.pipeline.result import Landing
>>> with LocalStore(tempfile.mkdtemp()) as store:
...     store.settle([Landing(7, b'{"name":"Ada"}')], durable=lambda count: None)
...     store.flush()
...     list(store.records())
[LandedRecord(key=7, body=b'{"name":"Ada"}')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.store.arrow import (
    arrow_reader,
    arrow_schema,
    arrow_table,
    import_arrow,
    read_arrow,
    to_duckdb,
)
from penstock.store.backup import BackedUp
from penstock.store.cells import Cells, FieldPath, fields, items, text_of
from penstock.store.fence import Fence
from penstock.store.layout import GIVEN, READERS, Field, Layout, Value, read_given, typed_kind
from penstock.store.local import LocalStore, prepare
from penstock.store.maintenance import backup_store, repair_store, verify_store
from penstock.store.portions import portions
from penstock.store.ports import StoreReader, WritableStore
from penstock.store.registry import (
    STORES,
    StoreKind,
    last_token,
    open_readonly,
    open_store,
    store_place,
)
from penstock.store.repair import Repaired
from penstock.store.shape import Column, Kind, Shape, free_name, kind_of, published
from penstock.store.values import Failure, FailureCount, OnSame, State, StoredGap, StoreStatus
from penstock.store.verification import Damage, Verified

if TYPE_CHECKING:
    from penstock.store.mongo import MongoStore as MongoStore
    from penstock.store.mongo_connection import translated as translated
    from penstock.store.mongo_reader import open_mongo as open_mongo

# What needs PyMongo is loaded when it is first used; exports have moved, for one release.
_HOMES = {
    "MongoStore": "mongo",
    "open_mongo": "mongo_reader",
    "translated": "mongo_connection",
    "Exported": ".destinations",
    "Format": ".destinations",
    "export": ".destinations",
}

__all__ = [
    "GIVEN",
    "READERS",
    "STORES",
    "BackedUp",
    "Cells",
    "Column",
    "Damage",
    "Failure",
    "FailureCount",
    "Fence",
    "Field",
    "FieldPath",
    "Kind",
    "Layout",
    "LocalStore",
    "MongoStore",
    "OnSame",
    "Repaired",
    "Shape",
    "State",
    "StoreKind",
    "StoreReader",
    "StoreStatus",
    "StoredGap",
    "Value",
    "Verified",
    "WritableStore",
    "arrow_reader",
    "arrow_schema",
    "arrow_table",
    "backup_store",
    "fields",
    "free_name",
    "import_arrow",
    "items",
    "kind_of",
    "last_token",
    "open_mongo",
    "open_readonly",
    "open_store",
    "portions",
    "prepare",
    "published",
    "read_arrow",
    "read_given",
    "repair_store",
    "store_place",
    "text_of",
    "to_duckdb",
    "translated",
    "typed_kind",
    "verify_store",
]

if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, _HOMES)
