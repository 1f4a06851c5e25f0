"""The proxies themselves: one class for each of PyMongo's, its methods made from the table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
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

from penstock.mongo.find_cursor import FindCursor, FindCursorAsync
from penstock.mongo.operations import OPERATIONS
from penstock.mongo.proxy import BOUND, PROXIES, Proxy, unwrapped
from penstock.mongo.proxy_methods import method
from penstock.mongo.sessions import Session, SessionAsync

__all__ = ["made", "proxy_of"]


class Entered(Proxy):
    """One that is used in a ``with`` statement."""

    __slots__ = ()

    def __enter__(self) -> Any:
        self._real.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        return self._real.__exit__(kind, error, trace)


class EnteredAsync(Proxy):
    """One that is used in an ``async with`` statement."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        await self._real.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        return await self._real.__aexit__(kind, error, trace)


def made(
    level: str,
    original: type,
    base: type[Proxy] = Proxy,
    waits: Callable[[Any], bool] | None = None,
) -> type[Proxy]:
    """Make the proxy for ``original`` and register it.

    Its methods are those of the table that this PyMongo has and ``base`` does not define itself.
    """
    waits = waits or inspect.iscoroutinefunction
    methods = {
        name: method(level, name, getattr(original, name), waits=waits(getattr(original, name)))
        for name in OPERATIONS[level]
        if inspect.isfunction(getattr(original, name, None)) and not hasattr(base, name)
    }
    space = {"__slots__": (), "__doc__": original.__doc__, **methods}
    proxy: type[Proxy] = type(f"Resilient{original.__name__}", (base,), space)
    PROXIES[original] = proxy
    return proxy


class Finds(Proxy):
    """A collection, whose ``find`` sends nothing yet."""

    __slots__ = ()

    def find(self, *args: Any, **kwargs: Any) -> Any:
        """Return a cursor that goes on where it is cut off."""
        session = kwargs.get("session") or BOUND.get()
        plain = {key: unwrapped(value) for key, value in kwargs.items()}
        if session is not None:
            plain["session"] = unwrapped(session)
        real = self._real.find(*args, **plain)
        proxy: Any = PROXIES[type(real)]
        cursor = proxy(real, self._core, self._real, args, plain)
        if session is not None:
            cursor._set(_session=session)
        return cursor


made("client", MongoClient, Entered)
made("client", AsyncMongoClient, EnteredAsync)
made("database", Database)
made("database", AsyncDatabase)
made("collection", Collection, Finds)
made("collection", AsyncCollection, Finds)
made("cursor", Cursor, FindCursor)
made("cursor", AsyncCursor, FindCursorAsync)
made("session", ClientSession, Session)
made("session", AsyncClientSession, SessionAsync)


def proxy_of(kind: type) -> type[Proxy] | None:
    """Return the proxy for objects of ``kind`` or of a class it was made from, or None."""
    return next((PROXIES[base] for base in kind.__mro__ if base in PROXIES), None)
