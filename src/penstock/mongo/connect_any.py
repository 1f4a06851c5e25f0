"""A client of whatever server there is: a set, a cluster, or one that is neither."""

from __future__ import annotations

from typing import Any, TypeAlias

from pymongo import MongoClient
from pymongo.collection import Collection as _Collection

from penstock.mongo.client_options import chosen_options, uncovered
from penstock.mongo.connection import connect, resilient

__all__ = ["Client", "Collection", "connect_any", "repeatable"]

Client: TypeAlias = MongoClient[dict[str, Any]]
Collection: TypeAlias = _Collection[dict[str, Any]]


def connect_any(uri: str, *, deadline: float = 60.0) -> tuple[Client, bool]:
    """Return a resilient client of what is at ``uri``, and whether it is a set (or a cluster).

    For those who can do with a standalone server, which :func:`connect` refuses: their writes must
    be harmless when they happen twice, since such a server keeps no transaction numbers.

    Raises:
        InputError: The address or the server cannot be used; one line says why.
        MongoGaveUp: Nobody answered within the deadline.
    """
    with uncovered(uri):
        chosen: dict[str, Any] = {**chosen_options(uri, "fast", None, {}), "retryWrites": False}
        plain: Client = MongoClient(uri, **chosen)
        client = resilient(plain, deadline=deadline, idempotent=True)
        hello = client.admin.command("hello")
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        client.close()
        return connect(uri, deadline=deadline), True
    return client, False


def repeatable(collection: Collection, deadline: float | None = None) -> Collection:
    """Return ``collection`` for operations that do no harm when they happen twice."""
    return resilient(collection, deadline=deadline, idempotent=True)
