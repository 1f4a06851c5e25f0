"""Where a store is, by what a command was given: no part of a pipeline is loaded for it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from penstock.address import is_address, is_reference, look_up

__all__ = ["resource_store", "resources_in", "store_named"]

_LEDGER = "ledger.sqlite"


def store_named(text: str) -> str:
    """Return the place of a store: ``text``, or what env:NAME or file:PATH holds.

    >>> store_named("users/")
    'users/'

    Raises:
        InputError: There is no such variable or file.
    """
    return look_up(text) if is_reference(text) else text


def resource_store(place: str, name: str | None) -> str:
    """Return the store of a resource, below that of its file; ``place`` where none is named.

    >>> resource_store("shop", "orders"), resource_store("mongodb://h/db.shop?w=majority", "orders")
    ('shop/orders', 'mongodb://h/db.shop.orders?w=majority')
    """
    if name is None:
        return place
    place = look_up(place) if place.startswith(("env:", "file:")) else place
    if "://" not in place:
        return str(Path(place) / name)
    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path}.{name}"))


def resources_in(place: str) -> list[str]:
    """Return the resources whose stores are in a directory that is none itself."""
    folder = Path(place)
    if is_address(place) or not folder.is_dir() or (folder / _LEDGER).exists():
        return []
    return sorted(path.parent.name for path in folder.glob(f"*/{_LEDGER}"))
