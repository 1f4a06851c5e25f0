"""A client of whatever server there is: a set, a cluster, or one that is neither."""

from __future__ import annotations

from typing import Any, TypeAlias

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection as _Collection
from pymongo.read_concern import ReadConcern

from penstock.errors import InputError
from penstock.mongo.client_options import chosen_options, number_said, strictly_read, uncovered
from penstock.mongo.connection import resilient
from penstock.mongo.read_from import ReadFrom
from penstock.mongo.server_check import verdict

__all__ = [
    "Client",
    "DictCollection",
    "collection_of",
    "connect_any_server",
    "is_set",
    "repeatable",
]

Client: TypeAlias = MongoClient[dict[str, Any]]
DictCollection: TypeAlias = _Collection[dict[str, Any]]


def connect_any_server(uri: str, *, deadline: float = 60.0) -> Client:
    """Return a resilient client of what is at ``uri``: a set, a cluster, or a single server.

    For those who can do with a standalone server, which :func:`connect` refuses: their writes must
    be harmless when they happen twice, since such a server keeps no transaction numbers.

    Raises:
        InputError: The address cannot be used; one line says why.
    """
    with uncovered(uri), strictly_read():
        options: dict[str, Any] = chosen_options(uri, None, None, {})
        plain: Client = MongoClient(uri, **options)
    # Who gave a time to find a server has said how long to wait for one.
    said = number_said(uri, "serverSelectionTimeoutMS")
    return resilient(plain, deadline=min(deadline, said / 1000) if said else deadline)


def is_set(client: Client) -> bool:
    """Ask whether ``client`` leads to a set or a cluster: else a single server answers.

    Raises:
        InputError: It cannot be used; one line says why.
        MongoGaveUp: Nobody answered within the client's deadline.
    """
    hello = client.admin.command("hello", read_preference=ReadFrom("nearest").pymongo())
    if not hello.get("setName") and hello.get("msg") != "isdbgrid":
        return False
    if wrong := verdict(hello, majority=True):
        raise InputError(wrong)
    return True


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
