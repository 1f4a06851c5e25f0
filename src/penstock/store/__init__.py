"""Where data lands and what has been done.

>>> import tempfile
>>> from penstock.pipeline.result import Landing
>>> with LocalStore(tempfile.mkdtemp()) as store:
...     store.settle([Landing(7, b'{"name":"Ada"}')], durable=lambda count: None)
...     store.flush()
...     list(store.records())
[Landing(key=7, body=b'{"name":"Ada"}')]
"""

from penstock.store.exporting import Column, Exported, Format, export
from penstock.store.local import LocalStore
from penstock.store.reading import StoreReader, open_readonly
from penstock.store.values import Failure, FailureCount, State, StoredGap, StoreStatus

__all__ = [
    "Column",
    "Exported",
    "Failure",
    "FailureCount",
    "Format",
    "LocalStore",
    "State",
    "StoreReader",
    "StoreStatus",
    "StoredGap",
    "export",
    "open_readonly",
]
