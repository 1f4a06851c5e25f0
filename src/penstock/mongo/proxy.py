"""Standing in for PyMongo's objects: same names, same ``isinstance``, same ``dir`` and ``repr``."""

from __future__ import annotations

import copy
from contextvars import ContextVar
from types import MethodType
from typing import Any, TypeVar

from penstock.mongo.settings import Core

__all__ = ["BOUND", "PROXIES", "Proxy", "place_of", "proxy_of", "unwrapped", "wrapped"]

T = TypeVar("T")

BOUND: ContextVar[Proxy | None] = ContextVar("BOUND", default=None)
"""The session that ``with session.bind():`` gives to operations that name none."""

PROXIES: dict[type, type[Proxy]] = {}
"""Which proxy stands in for an object of a type."""

_OWN = frozenset({"_core", "_real"})


class Proxy:
    """Forwards everything to ``_real``; what comes back is wrapped as well."""

    __slots__ = ("__weakref__", "_core", "_real")

    _core: Core
    _real: Any

    def __init__(self, real: object, core: Core) -> None:
        self._real, self._core = real, core

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The type stood in for, so that ``isinstance`` says yes."""
        return type(self._real)

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:  # not made yet, as in a copy
            raise AttributeError(name)
        value = getattr(self._real, name)
        if type(value) is MethodType and value.__self__ is self._real and self._takes(name):
            return MethodType(value.__func__, self)
        return wrapped(value, self._core)

    def _takes(self, name: str) -> bool:
        """Whether a method is called on this: a subclass's own, which then reaches the proxies."""
        kind = type(self._real)
        home = next((base for base in kind.__mro__ if name in vars(base)), kind)
        return not home.__module__.startswith("pymongo.")

    def __copy__(self) -> Any:
        return type(self)(copy.copy(self._real), self._core)

    def __deepcopy__(self, memo: Any) -> Any:
        return type(self)(copy.deepcopy(self._real, memo), self._core)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._real.__reduce_ex__(protocol)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_") and hasattr(type(self), name):  # a slot of ours
            object.__setattr__(self, name, value)
        else:
            setattr(self._real, name, value)

    def __getitem__(self, name: Any) -> Any:
        return wrapped(self._real[name], self._core)

    def __iter__(self) -> Any:
        return iter(self._real)

    def __repr__(self) -> str:
        return repr(self._real)

    def __dir__(self) -> list[str]:
        return dir(self._real)

    def __eq__(self, other: object) -> bool:
        return bool(self._real == unwrapped(other))

    def __hash__(self) -> int:
        return hash(self._real)

    def __bool__(self) -> bool:
        return bool(self._real)


def proxy_of(kind: type) -> type[Proxy] | None:
    """Return the proxy for objects of ``kind`` or of a class it was made from, or None."""
    if kind not in _FOUND:
        raw = "RawBatch" in kind.__name__  # gives bytes, which are not told apart
        proxies = [] if raw else [PROXIES[base] for base in kind.__mro__ if base in PROXIES]
        _FOUND[kind] = next(iter(proxies), None)
    return _FOUND[kind]


_FOUND: dict[type, type[Proxy] | None] = {}


def wrapped(value: Any, core: Core) -> Any:
    """Return ``value``, behind a proxy if it is one of PyMongo's objects that reach the server."""
    kind = proxy_of(type(value))
    if kind is None:
        return value
    client = core.client()
    return client if client is not None and unwrapped(client) is value else kind(value, core)


def unwrapped(value: T) -> T:
    """Return PyMongo's own object behind ``value``, or ``value``."""
    real: T = object.__getattribute__(value, "_real") if issubclass(type(value), Proxy) else value
    return real


def place_of(real: Any) -> str:
    """Return where ``real`` works: ``shop.orders``, ``shop``, or nothing for a client."""
    kind = type(real)
    if hasattr(kind, "full_name"):
        return str(real.full_name)
    return str(real.name) if hasattr(kind, "name") else ""
