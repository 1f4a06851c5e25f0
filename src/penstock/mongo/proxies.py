"""The proxies themselves: one class for each of PyMongo's, its methods made from the table."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.collection import Collection
from pymongo.synchronous.cursor import Cursor
from pymongo.synchronous.database import Database

from penstock.mongo.find_arguments import FIND_NAMES
from penstock.mongo.find_cursor import FindCursor, FindCursorAsync
from penstock.mongo.operations import OPERATIONS
from penstock.mongo.proxy import BOUND, PROXIES, Proxy, proxy_of, unwrapped, wrapped
from penstock.mongo.proxy_methods import method
from penstock.mongo.rules import bound_to
from penstock.mongo.sessions import SessionAsync, ThreadSession
from penstock.mongo.settings import Core

__all__ = ["made"]


class Client(Proxy):
    """A client: PyMongo's own ``Database(client, ...)`` finds itself in it."""

    __slots__ = ()

    def __init__(self, real: object, core: Core) -> None:
        super().__init__(real, core)
        core.client = weakref.ref(self)

    def _takes(self, name: str) -> bool:
        # PyMongo compares the clients of sessions by ``is``: its inner methods are called on this.
        return (name.startswith("_") and name != "__class__") or super()._takes(name)

    def start_session(self, *args: Any, **kwargs: Any) -> Any:
        """Return a session; see PyMongo's."""
        session = wrapped(self._real.start_session(*args, **kwargs), self._core)
        session._client = self
        return session

    def _get_bound_session(self) -> Any:
        # Asked by PyMongo's inner methods, which are called on this: the session is the proxy's.
        return BOUND.get() if self._real._get_bound_session() else None

    def __enter__(self) -> Any:
        self._real.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._real.__exit__(*error)

    async def __aenter__(self) -> Any:
        await self._real.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        return await self._real.__aexit__(*error)


def made(level: str, original: type, base: type[Proxy]) -> None:
    """Make the proxy for ``original`` and register it.

    Its methods are those of the table that this PyMongo has and ``base`` does not define itself.
    """
    space: dict[str, object] = {"__slots__": (), "__doc__": original.__doc__}
    for name in OPERATIONS[level]:
        own = getattr(original, name, None)
        if inspect.isfunction(own) and not hasattr(base, name):
            space[name] = method(level, name, own)
    PROXIES[original] = type(original.__name__, (base,), space)


_BEFORE_SESSION = FIND_NAMES.index("session")


class Named(Proxy):
    """A database or collection: another one hangs below each of its names."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise what PyMongo says of a method that does not exist."""
        return self._real(*args, **kwargs)


class Finds(Named):
    """A collection, whose ``find`` sends nothing yet."""

    __slots__ = ()

    def find(self, *args: Any, **kwargs: Any) -> Any:
        """Return a cursor that goes on where it is cut off."""
        if len(args) > _BEFORE_SESSION:
            args, kwargs = (), {**dict(zip(FIND_NAMES, args, strict=False)), **kwargs}
        if not kwargs.get("session"):
            kwargs |= bound_to(self._real)
        session = kwargs.get("session")
        plain = {key: unwrapped(value) for key, value in kwargs.items()}
        real = self._real.find(*args, **plain)
        proxy: Any = proxy_of(type(real))
        cursor = proxy(real, self._core, self._real, args, plain)
        if session is not None:
            cursor._sitting = session
        return cursor


made("client", MongoClient, Client)
made("client", AsyncMongoClient, Client)
made("database", Database, Named)
made("database", AsyncDatabase, Named)
made("collection", Collection, Finds)
made("collection", AsyncCollection, Finds)
made("cursor", Cursor, FindCursor)
made("cursor", AsyncCursor, FindCursorAsync)
made("session", ClientSession, ThreadSession)
made("session", AsyncClientSession, SessionAsync)
