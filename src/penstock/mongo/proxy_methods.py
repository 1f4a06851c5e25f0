"""The proxies' methods, made from the table of operations: one for threads, one for asyncio.

The fast way is one ``try`` around PyMongo's own method; everything else happens after an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from penstock.mongo.effects import run, run_async
from penstock.mongo.operations import Kind, operation
from penstock.mongo.proxy import BOUND, Proxy, unwrapped, wrapped
from penstock.mongo.retry import again
from penstock.mongo.rules import numbered, perform, repeated

__all__ = ["method"]


def method(
    level: str, name: str, original: Callable[..., Any], *, waits: bool
) -> Callable[..., Any]:
    """Return the proxy's method ``name``.

    Args:
        level: Which object it belongs to.
        name: Its name.
        original: PyMongo's own, whose name, words and signature it takes over.
        waits: Whether it is a coroutine.
    """
    kind = operation(level, name).kind
    if kind in {Kind.LOCAL, Kind.TRANSACTION}:
        made = _local(name)
    elif kind is Kind.SAFE:
        made = _safe_async(level, name) if waits else _safe(level, name)
    elif kind is Kind.SINGLE and name not in {"bulk_write", "insert_many"}:
        made = _single_async(level, name) if waits else _single(level, name)
    else:
        made = _ruled_async(level, name) if waits else _ruled(level, name)
    return functools.update_wrapper(made, original)


def _local(name: str) -> Callable[..., Any]:
    def local(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        plain = {key: unwrapped(value) for key, value in kwargs.items()}
        return wrapped(getattr(self._real, name)(*map(unwrapped, args), **plain), self._core)

    return local


def _safe(level: str, name: str) -> Callable[..., Any]:
    def safe(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if "session" in kwargs or BOUND.get() is not None:
            return run(perform(level, self, name, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            return getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            task = replace(repeated(self, name, args, kwargs, started), harmless=True)
            return run(again(task, error), core.settings.clock)

    return safe


def _safe_async(level: str, name: str) -> Callable[..., Any]:
    async def safe(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if "session" in kwargs or BOUND.get() is not None:
            return await run_async(perform(level, self, name, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            return await getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            task = replace(repeated(self, name, args, kwargs, started), harmless=True)
            return await run_async(again(task, error), core.settings.clock)

    return safe


def _single(level: str, name: str) -> Callable[..., Any]:
    def single(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if "session" in kwargs or BOUND.get() is not None:
            return run(perform(level, self, name, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            with pymongo.timeout(core.settings.deadline):
                return getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            task = numbered(self, name, args, kwargs, started)
            return run(again(task, error), core.settings.clock)

    return single


def _single_async(level: str, name: str) -> Callable[..., Any]:
    async def single(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if "session" in kwargs or BOUND.get() is not None:
            return await run_async(perform(level, self, name, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            with pymongo.timeout(core.settings.deadline):
                return await getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            task = numbered(self, name, args, kwargs, started)
            return await run_async(again(task, error), core.settings.clock)

    return single


def _ruled(level: str, name: str) -> Callable[..., Any]:
    def ruled(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        return run(perform(level, self, name, args, kwargs), self._core.settings.clock)

    return ruled


def _ruled_async(level: str, name: str) -> Callable[..., Any]:
    async def ruled(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        return await run_async(perform(level, self, name, args, kwargs), self._core.settings.clock)

    return ruled
