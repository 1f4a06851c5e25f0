"""How a resilient client is had: made from an address, or around one that is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Literal, TypeVar, overload

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.cursor import Cursor

from penstock.errors import InputError
from penstock.events import Event, Events
from penstock.mongo import proxies as _proxies  # noqa: F401 - fills the table of proxies
from penstock.mongo.address import says
from penstock.mongo.client_options import chosen_options, uncovered
from penstock.mongo.proxy import Proxy, proxy_of
from penstock.mongo.read_from import ReadFrom
from penstock.mongo.rules import client_of
from penstock.mongo.server_check import is_set
from penstock.mongo.settings import ClientCounters, Core, Settings

__all__ = ["connect", "counters", "reading_from", "resilient"]

T = TypeVar("T")

_OPENED = (Cursor, AsyncCursor, ClientSession, AsyncClientSession)


def resilient(
    thing: T,
    *,
    deadline: float | None = None,
    idempotent: bool | None = None,
    events: Events | None = None,
    on_retry: Callable[[Event], object] | None = None,
) -> T:
    """Return ``thing`` behind the proxy: it and all that is reached through it ride out failover.

    Args:
        thing: A client, database or collection of PyMongo, for threads or for asyncio; or one
            that is resilient already, which then keeps what is not given here.
        deadline: Seconds for each operation, 60 by default; at most the client's ``timeoutMS``.
        idempotent: Your word that repeating any operation through it does no harm.
        events: Where each retry is told.
        on_retry: Called with each retry.

    Raises:
        InputError: It is nothing that can be wrapped.

    >>> from pymongo import MongoClient
    >>> client = resilient(MongoClient("mongodb://localhost", connect=False), deadline=30)
    >>> isinstance(client, MongoClient), client.shop.orders.name
    (True, 'orders')
    """
    core = thing._core if isinstance(thing, Proxy) else Core(Settings())
    before = core.settings
    settings = dataclasses.replace(
        before,
        deadline=before.deadline if deadline is None else deadline,
        idempotent=before.idempotent if idempotent is None else idempotent,
        events=before.events if events is None else events,
    )
    if on_retry is not None:
        settings.events.subscribe(on_retry)
    real = thing._real if isinstance(thing, Proxy) else thing
    proxy: Any = None if isinstance(real, _OPENED) else proxy_of(type(real))
    if proxy is None:
        raise InputError(
            f"resilient({type(real).__name__}): give it a client, database or collection of "
            "PyMongo (for Motor: AsyncMongoClient, which PyMongo has itself now)"
        )
    core = core.with_settings(settings)
    core.limit = client_of(real).options.timeout or inf
    made: T = proxy(real, core)
    return made


@overload
def connect(
    uri: str,
    *,
    asynchronous: Literal[False] = ...,
    durability: str | None = ...,
    read_from: ReadFrom | str | Mapping[str, object] | None = ...,
    deadline: float = ...,
    events: Events | None = ...,
    on_retry: Callable[[Event], object] | None = ...,
    **options: object,
) -> MongoClient[dict[str, Any]]: ...


@overload
def connect(
    uri: str,
    *,
    asynchronous: Literal[True],
    durability: str | None = ...,
    read_from: ReadFrom | str | Mapping[str, object] | None = ...,
    deadline: float = ...,
    events: Events | None = ...,
    on_retry: Callable[[Event], object] | None = ...,
    **options: object,
) -> AsyncMongoClient[dict[str, Any]]: ...


def connect(  # noqa: PLR0913 - each is a choice of its own, with a default that suits most
    uri: str,
    *,
    asynchronous: bool = False,
    durability: str | None = None,
    read_from: ReadFrom | str | Mapping[str, object] | None = None,
    deadline: float = 60.0,
    events: Events | None = None,
    on_retry: Callable[[Event], object] | None = None,
    **options: object,
) -> MongoClient[dict[str, Any]] | AsyncMongoClient[dict[str, Any]]:
    """Return a client of the replica set at ``uri`` that rides out failover.

    A client for threads first asks a member who it is, and waits for an answer until the deadline;
    one for asyncio is made at once and tells what is wrong when it is first used.

    Args:
        uri: ``mongodb://host,host,host/?replicaSet=name`` or ``mongodb+srv://...``. What it says
            holds; what it leaves open is set here.
        asynchronous: Return an ``AsyncMongoClient``.
        durability: A word of :data:`DURABILITY`; ``safe`` unless the URI says otherwise.
        read_from: Which members answer reads, see :class:`ReadFrom`; the primary by default.
        deadline: Seconds for each operation.
        events: Where each retry is told.
        on_retry: Called with each retry.
        options: Options of ``MongoClient``, by PyMongo's names.

    Raises:
        InputError: The address, a choice or the server cannot be used; one line says why.
        MongoGaveUp: Nobody answered within the deadline.
    """
    chosen = chosen_options(uri, durability, read_from, options)
    if not says(uri, "serverSelectionTimeoutMS"):
        chosen = {"serverSelectionTimeoutMS": int(1000 * deadline), **chosen}
    kind: Any = AsyncMongoClient if asynchronous else MongoClient
    with uncovered(uri):
        plain = kind(uri, **chosen)
    client: MongoClient[dict[str, Any]] = resilient(
        plain, deadline=deadline, events=events, on_retry=on_retry
    )
    if not asynchronous:
        try:
            with uncovered(uri):
                is_set(client, durability or "safe", single=False)
        except BaseException:
            client.close()
            raise
    return client


def reading_from(thing: T, preference: ReadFrom | str | Mapping[str, object]) -> T:
    """Return ``thing``, a database or collection, with its reads answered by ``preference``.

    >>> from pymongo import MongoClient
    >>> orders = resilient(MongoClient("mongodb://localhost", connect=False)).shop.orders
    >>> reading_from(orders, "nearest").read_preference.mongos_mode
    'nearest'
    """
    anything: Any = thing
    changed: T = anything.with_options(read_preference=ReadFrom.of(preference).pymongo())
    return changed


def counters(thing: object) -> ClientCounters:
    """Return what the client that ``thing`` came from went through so far.

    Raises:
        InputError: It is not resilient.
    """
    if not isinstance(thing, Proxy):
        raise InputError(f"counters({type(thing).__name__}): give it what resilient() returned")
    return thing._core.counters()
