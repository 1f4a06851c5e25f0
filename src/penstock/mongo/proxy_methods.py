"""The proxies' methods, made from the table of operations: one for threads, one for asyncio.

The quick way is one ``try`` around PyMongo's own method, which gets what the caller gave and so
keeps its options; everything else takes the arguments by name (:mod:`penstock.mongo.rules`).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any, final

import pymongo
from pymongo.errors import PyMongoError
from pymongo.synchronous.cursor import Cursor

from penstock.mongo.effects import Steps, run, run_async
from penstock.mongo.operations import LISTS, OpKind, operation
from penstock.mongo.proxy import BOUND, Proxy, unwrapped, wrapped
from penstock.mongo.retry import again
from penstock.mongo.rules import bound_to, limits, perform, task_of

__all__ = ["method"]

_NO_LIMIT = contextlib.nullcontext()
_BY_CURSOR = frozenset({"find_one", "find_raw_batches"})
"""Methods whose arguments PyMongo hands on to its cursor unseen."""


def method(level: str, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the proxy's method ``name``.

    Args:
        level: Which object it belongs to.
        name: Its name.
        original: PyMongo's own, whose name, words and signature it takes over.
    """
    if operation(level, name).kind in {OpKind.LOCAL, OpKind.TRANSACTION}:
        made = _local(name)
    else:
        rule = _Rule(level, name, _shape(name, original))
        waits = inspect.iscoroutinefunction(original)
        made = _method_async(rule) if waits else _method(rule)
    return functools.update_wrapper(made, original)


@final
class _Rule:
    """How one method is carried out.

    Args:
        level: Which object it belongs to.
        name: Its name.
        shape: Its signature, without ``self``.
    """

    def __init__(self, level: str, name: str, shape: inspect.Signature) -> None:
        self.level, self.name, self.shape = level, name, shape
        self.kind = operation(level, name).kind
        self.numbered = self.kind is OpKind.SINGLE
        self._may_be_quick = self.kind is OpKind.SAFE or (self.numbered and name not in LISTS)
        names = list(shape.parameters)
        self._before_session = names.index("session") if "session" in names else len(names)

    def is_quick(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether PyMongo's own method can be called as it is: there is no session."""
        here = len(args) <= self._before_session and "session" not in kwargs
        return self._may_be_quick and here and BOUND.get() is None

    def limited(self, thing: Proxy, kwargs: dict[str, Any]) -> Any:
        """Return PyMongo's limit of time for a first try."""
        if self.numbered and limits(thing._real.write_concern, kwargs):
            return pymongo.timeout(thing._core.deadline)
        return _NO_LIMIT

    def steps(self, thing: Proxy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps[Any]:
        """Return the steps of a call that is not quick."""
        try:
            given = dict(self.shape.bind(*args, **kwargs).arguments)
        except TypeError:
            getattr(thing._real, self.name)(*args, **kwargs)  # PyMongo says it in its own words
            raise
        more = given.pop("kwargs", {})
        if "session" in self.shape.parameters and not given.get("session"):
            given |= bound_to(thing._real)
        return perform(self.level, thing, self.name, {**given, **more})

    def failed(self, thing: Proxy, call: functools.partial[Any], started: float, error: Any) -> Any:
        """Return the steps that go on after a quick call ended in ``error``."""
        return again(task_of(thing, self.name, call, self.kind, started), error)


def _method(rule: _Rule) -> Callable[..., Any]:
    name, is_quick, limited = rule.name, rule.is_quick, rule.limited

    def called(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if not is_quick(args, kwargs):
            return run(rule.steps(self, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            with limited(self, kwargs):
                return getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            call = functools.partial(getattr(self._real, name), *args, **kwargs)
            return run(rule.failed(self, call, started, error), core.settings.clock)

    return called


def _method_async(rule: _Rule) -> Callable[..., Any]:
    name, is_quick, limited = rule.name, rule.is_quick, rule.limited

    async def called(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        core = self._core
        if not is_quick(args, kwargs):
            return await run_async(rule.steps(self, args, kwargs), core.settings.clock)
        started = core.now()
        try:
            with limited(self, kwargs):
                return await getattr(self._real, name)(*args, **kwargs)
        except PyMongoError as error:
            call = functools.partial(getattr(self._real, name), *args, **kwargs)
            return await run_async(rule.failed(self, call, started, error), core.settings.clock)

    return called


def _shape(name: str, original: Callable[..., Any]) -> inspect.Signature:
    """Return the signature without ``self``."""
    found = list(inspect.signature(original).parameters.values())[1:]
    if name in _BY_CURSOR:
        found = list(inspect.signature(Cursor.__init__).parameters.values())[2:]
    return inspect.Signature(found)


def _local(name: str) -> Callable[..., Any]:
    def local(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        plain = {key: unwrapped(value) for key, value in kwargs.items()}
        return wrapped(getattr(self._real, name)(*map(unwrapped, args), **plain), self._core)

    return local
