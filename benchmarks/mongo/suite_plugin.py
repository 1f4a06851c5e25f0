"""A plugin for pytest: PyMongo's own suite gets resilient clients where it makes its own.

Loaded by suite.py with ``-p suite_plugin``; it wraps where ``PENSTOCK_SUITE`` is ``proxy``.
"""

from __future__ import annotations

import os

from penstock.mongo import MongoClient, resilient

_DEADLINE = 5.0


def _wrap(home: type, name: str) -> None:
    """Have what ``home.name`` returns wrapped; None, for no server, stays."""
    kind = vars(home)[name]
    plain = getattr(kind, "__func__", kind)

    def made(*args: object, **kwargs: object) -> MongoClient[dict[str, object]] | None:
        client = plain(*args, **kwargs)
        return None if client is None else resilient(client, deadline=_DEADLINE)

    setattr(home, name, classmethod(made) if isinstance(kind, classmethod) else made)


def pytest_configure() -> None:
    """Wrap the suite's factories before its tests are collected."""
    if os.environ.get("PENSTOCK_SUITE") != "proxy":
        return
    import test  # the suite's own package, in the folder it runs in

    _wrap(test.ClientContext, "_connect")
    for name in ("_unmanaged_async_mongo_client", "_async_mongo_client"):
        _wrap(test.PyMongoTestCase, name)
