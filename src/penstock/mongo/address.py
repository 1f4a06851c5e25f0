"""Addresses of MongoDB as people write them, and as they may be shown."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from penstock.errors import InputError

__all__ = ["Place", "check_address", "has_password", "hide", "is_address", "place_in", "says"]

_SCHEMES = ("mongodb://", "mongodb+srv://")
# Up to the last @: where a password was not encoded, a slash of it does not end the secret.
_USER = re.compile(r"(?<=://).*@")
# Options whose values are secrets, as the drivers name them.
_SECRET = re.compile(
    r"(?i)((?:tlsCertificateKeyFilePassword|sslPEMPassphrase|proxyPassword|authMechanismProperties)=)[^&]*"
)


def is_address(text: str) -> bool:
    """Return whether ``text`` is meant as an address of MongoDB.

    >>> is_address("mongodb://127.0.0.1:27017/harvest"), is_address("users/")
    (True, False)
    """
    return text.startswith(_SCHEMES)


def check_address(text: str) -> None:
    """Refuse what is no address of MongoDB.

    Raises:
        InputError: It is none; the text itself is not repeated, since it may hold a password.
    """
    if not is_address(text):
        raise InputError("not an address of MongoDB: write mongodb://host:port,host:port/database")


class Place(NamedTuple):
    """A collection: its database's name and its own."""

    database: str
    collection: str


def place_in(address: str) -> Place:
    """Return the collection that an address names after its hosts.

    >>> place_in("mongodb://one,two/harvest.users?replicaSet=rs")
    Place(database='harvest', collection='users')
    >>> place_in("mongodb://one/?replicaSet=rs")
    Place(database='penstock', collection='records')
    """
    path = _USER.sub("", address).partition("://")[2].partition("?")[0].partition("/")[2]
    database, _, collection = unquote(path).partition(".")
    return Place(database or "penstock", collection or "records")


def has_password(address: str) -> bool:
    """Return whether a user's password stands in the address.

    >>> has_password("mongodb://me:secret@host/"), has_password("mongodb://me@host:27017/")
    (True, False)
    """
    found = _USER.search(address)
    return found is not None and ":" in found.group()


def says(address: str, option: str) -> bool:
    """Return whether the address sets an option, however it is capitalised.

    >>> says("mongodb://one/?readpreference=nearest", "readPreference")
    True
    """
    options = address.partition("?")[2].lower().split("&")
    return any(text.partition("=")[0] == option.lower() for text in options)


def hide(address: str) -> str:
    """Return the address without user, password and other secrets, for eyes and logs.

    >>> hide("mongodb://me:secret@one:27017,two:27017/harvest?replicaSet=rs")
    'mongodb://one:27017,two:27017/harvest?replicaSet=rs'
    >>> hide("mongodb+srv://me:p%40ss@cluster.example.com/?proxyPassword=x&w=1")
    'mongodb+srv://cluster.example.com/?proxyPassword=...&w=1'
    """
    return _SECRET.sub(r"\1...", _USER.sub("", address, count=1))
