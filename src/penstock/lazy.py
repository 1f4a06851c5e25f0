"""Names of a package that are listed once, in its stub, and loaded when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from importlib.abc import ResourceLoader

__all__ = ["attach"]


def attach(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return the ``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562).

    Its ``__init__.pyi``, which type checkers and editors read, is the only list of its names:
    a line ``from penstock.store.local import LocalStore as LocalStore`` for each. A name whose
    line ends with ``# unlisted`` can be imported, but is not in ``__all__``.

    Args:
        package: Its ``__name__``.

    >>> import penstock.tables
    >>> find, _, names = attach("penstock.tables")
    >>> find("Numbers").__module__, names[:2]
    ('penstock.tables.numbers', ['DATE_NAMES', 'MISSING_WORDS'])
    >>> find("Numberz")
    Traceback (most recent call last):
    ...
    AttributeError: module 'penstock.tables' has no attribute 'Numberz'
    """
    module = sys.modules[package]
    stub = cast("ResourceLoader", module.__loader__).get_data(f"{module.__file__}i").decode()
    homes: dict[str, tuple[str, str]] = {}
    listed: list[str] = []
    for line in stub.splitlines():
        match line.split():
            case ["from", home, "import", there, "as", name, *mark]:
                homes[name] = home, there
                listed += [] if mark else [name]

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, there = homes[name]
        if home == package:  # a module of the package itself
            return import_module(f"{home}.{there}")
        found: object = getattr(import_module(home), there)
        setattr(module, name, found)  # asked for once
        return found

    listed.sort(key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    return find, lambda: listed, listed
