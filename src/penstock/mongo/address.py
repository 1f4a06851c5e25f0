"""Addresses of MongoDB as people write them, and as they may be shown."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from penstock.address import has_password, hide, scheme_of
from penstock.errors import InputError

__all__ = [
    "CollectionName",
    "check_address",
    "has_password",
    "hide",
    "is_address",
    "place_in",
    "says",
]

_SCHEMES = ("mongodb", "mongodb+srv")
# Up to the last @: where a password was not encoded, a slash of it does not end the secret.
_USER = re.compile(r"(?<=://).*@")


def is_address(text: str) -> bool:
    """Return whether ``text`` is meant as an address of MongoDB.

    >>> is_address("mongodb://127.0.0.1:27017/harvest"), is_address("users/")
    (True, False)
    """
    return scheme_of(text) in _SCHEMES and "://" in text


def check_address(text: str) -> None:
    """Refuse what is no address of MongoDB.

    Raises:
        InputError: It is none; the text itself is not repeated, since it may hold a password.
    """
    if not is_address(text):
        raise InputError("not an address of MongoDB: write mongodb://host:port,host:port/database")


class CollectionName(NamedTuple):
    """A collection: its database's name and its own."""

    database: str
    collection: str


def place_in(address: str) -> CollectionName:
    """Return the collection that an address names after its hosts.

    >>> place_in("mongodb://one,two/harvest.users?replicaSet=rs")
    CollectionName(database='harvest', collection='users')
    >>> place_in("mongodb://one/?replicaSet=rs")
    CollectionName(database='penstock', collection='records')
    """
    path = _USER.sub("", address).partition("://")[2].partition("?")[0].partition("/")[2]
    database, _, collection = unquote(path).partition(".")
    return CollectionName(database or "penstock", collection or "records")


def says(address: str, option: str) -> bool:
    """Return whether the address sets an option, however it is capitalised.

    >>> says("mongodb://one/?readpreference=nearest", "readPreference")
    True
    """
    options = address.partition("?")[2].lower().split("&")
    return any(text.partition("=")[0] == option.lower() for text in options)
