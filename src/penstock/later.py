"""Names of a package whose modules are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping

__all__ = ["homes", "later"]


def later(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package: ``import package`` alone loads none of ``homes``.

    Args:
        package: Its ``__name__``.
        homes: The module in the package that each name comes from; ``.other`` is one beside it,
            ``module:other`` says that the name is another one there.

    >>> find = later("penstock", {"Events": "events"})
    >>> find("Events").__module__
    'penstock.events'
    >>> find("Eventz")
    Traceback (most recent call last):
    ...
    AttributeError: module 'penstock' has no attribute 'Eventz'
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, _, there = homes[name].partition(":")
        found: object = getattr(importlib.import_module(f".{home}", package), there or name)
        setattr(sys.modules[package], name, found)  # asked for once
        return found

    return find


def homes(**modules: str) -> dict[str, str]:
    """Return the homes of names, given the names that come from each module.

    >>> homes(api="Api StatusCall", auth="Basic")
    {'Api': 'api', 'StatusCall': 'api', 'Basic': 'auth'}
    """
    return {name: module for module, names in modules.items() for name in names.split()}
