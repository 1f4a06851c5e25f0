"""Where data lands and what has been done.

>>> import tempfile
>>> from penstock.pipeline import Landing
>>> from penstock.store import LocalStore
>>> with LocalStore(tempfile.mkdtemp()) as store:
...     store.settle([Landing(7, b'{"name":"Ada"}')], durable=lambda count: None)
...     store.flush()
...     list(store.records())
[LandedRecord(key=7, body=b'{"name":"Ada"}')]
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
