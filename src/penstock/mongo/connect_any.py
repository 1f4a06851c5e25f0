"""A client of whatever server there is: a set, a cluster, or one that is neither."""

from __future__ import annotations

from typing import Any, TypeAlias

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection as _Collection
from pymongo.read_concern import ReadConcern

from penstock.mongo.address import said
from penstock.mongo.client_options import chosen_options, uncovered
from penstock.mongo.connection import resilient

__all__ = ["Client", "DictCollection", "collection_of", "connect_any_server", "repeatable"]

Client: TypeAlias = MongoClient[dict[str, Any]]
DictCollection: TypeAlias = _Collection[dict[str, Any]]


def connect_any_server(uri: str, *, deadline: float = 60.0) -> Client:
    """Return a resilient client of what is at ``uri``: a set, a cluster, or a single server.

    For those who can do with a standalone server, which :func:`connect` refuses: their writes must
    be harmless when they happen twice, since such a server keeps no transaction numbers.

    Raises:
        InputError: The address cannot be used; one line says why.
    """
    with uncovered(uri):
        options: dict[str, Any] = chosen_options(uri, None, None, {})
        plain: Client = MongoClient(uri, **options)
    # Who gave a time to find a server has said how long to wait for one.
    patience = int(said(uri).get("serverselectiontimeoutms", 0)) / 1000
    return resilient(plain, deadline=min(deadline, patience or deadline))


def collection_of(client: Client, database: str, name: str, *, safe: bool) -> DictCollection:
    """Return a collection for operations that do no harm when they happen twice.

    Args:
        client: From :func:`connect_any_server`, or a plain one.
        database: Its name.
        name: The collection's.
        safe: Write to the journals of a majority and read what it has, whatever the client says;
            else as a single server can: its memory.
    """
    found: DictCollection = client[database].get_collection(
        name,
        write_concern=WriteConcern("majority", j=True) if safe else WriteConcern(1, j=False),
        read_concern=ReadConcern("majority" if safe else "local"),
        read_preference=ReadPreference.PRIMARY,
    )
    return repeatable(found)


def repeatable(collection: DictCollection, deadline: float | None = None) -> DictCollection:
    """Return ``collection`` for operations that do no harm when they happen twice."""
    return resilient(collection, deadline=deadline, idempotent=True)
