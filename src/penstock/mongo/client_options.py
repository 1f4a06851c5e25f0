"""The options of a client: what the address says, what was asked for, and what is safe.

Passwords never leave this module: what PyMongo says about an address is repeated without them.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote_plus

from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from penstock.errors import InputError
from penstock.mongo.durability import durability_of
from penstock.mongo.read_from import ReadFrom

__all__ = [
    "chosen_options",
    "number_said",
    "refuse_weaker",
    "said_in",
    "strictly_read",
    "uncovered",
    "without_password",
]

# Public options that make a dead primary known in about a second, not in half a minute.
_WATCHFUL: Mapping[str, object] = {"heartbeatFrequencyMS": 500, "connectTimeoutMS": 1000}
_SAME = {"j": "journal", "ssl": "tls"}
_READING = ("readpreference", "readpreferencetags", "maxstalenessseconds")


def chosen_options(
    uri: str,
    durability: str | None,
    read_from: ReadFrom | str | Mapping[str, object] | None,
    options: Mapping[str, object],
) -> dict[str, object]:
    """Return the options of ``MongoClient`` beside ``uri``.

    Raises:
        InputError: Two choices contradict each other, or there is no such choice.
    """
    said = said_in(uri) | {_canonical(name) for name in options}
    level = durability_of(durability or "safe")
    if durability is not None:
        _no_second_word(said, {_canonical(name) for name in level.options}, "durability")
    chosen: dict[str, object] = {
        name: value for name, value in level.options.items() if _canonical(name) not in said
    }
    # One that writes less safely by its own words does not read by a majority either.
    if durability is None and "w" in said and said_value(uri, options, "w") != "majority":
        chosen = {}
    if read_from is not None:
        _no_second_word(said, set(_READING), "read_from")
        chosen |= ReadFrom.of(read_from).options()
    watchful = {name: value for name, value in _WATCHFUL.items() if name.lower() not in said}
    return {**watchful, **chosen, **options}


def said_in(uri: str) -> set[str]:
    """Return the names of the options in ``uri``, in lower case."""
    query = uri.partition("?")[2]
    return {_canonical(name) for name, _ in parse_qsl(query, keep_blank_values=True, separator="&")}


def said_value(uri: str, options: Mapping[str, object], name: str) -> str:
    """Return what the options, or else ``uri``, say of the option ``name``; nothing is ""."""
    pairs = parse_qsl(uri.partition("?")[2], keep_blank_values=True, separator="&")
    given = {_canonical(key): str(value) for key, value in [*pairs, *options.items()]}
    return given.get(_canonical(name), "")


def number_said(uri: str, name: str) -> int:
    """Return the number that ``uri`` gives the option ``name``, 0 where it gives none."""
    said = said_value(uri, {}, name)
    return int(said) if said.isdecimal() else 0


def refuse_weaker(uri: str) -> None:
    """Refuse an address that asks for less than the journals of a majority.

    Raises:
        InputError: It does; the text names the option.

    >>> refuse_weaker("mongodb://host/?retryWrites=true&w=majority")
    >>> refuse_weaker("mongodb://host/?w=1")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: MongoDB address: w=1 is less than what is promised here \
(w=majority, in journals): leave it out
    """
    enough = {"w": {"majority"}, "journal": {"true"}, "readconcernlevel": _STRICT_READS}
    for name, values in enough.items():
        said = said_value(uri, {}, name)
        if said and said.lower() not in values:
            raise InputError(
                f"MongoDB address: {name}={said} is less than what is promised here (w=majority, "
                "in journals): leave it out"
            )


_STRICT_READS = {"majority", "linearizable", "snapshot"}


def _canonical(name: str) -> str:
    return _SAME.get(name.lower(), name.lower())


def _no_second_word(said: set[str], names: set[str], argument: str) -> None:
    twice = sorted(said & names)
    if twice:
        raise InputError(
            f"connect({argument}=...): the URI or the options already say {', '.join(twice)}; "
            "leave one of the two out"
        )


def without_password(text: str, uri: str) -> str:
    """Return ``text`` with the password of ``uri`` replaced, as it is written and as it is meant.

    >>> without_password("no: mongodb://me:s3cret@host", "mongodb://me:s3cret@host")
    'no: mongodb://me:***@host'
    """
    found = re.match(r"[^:/?#]+://[^:@/]*:(.*)@", uri)
    for password in {found[1], unquote_plus(found[1])} if found and found[1] else ():
        text = re.sub(rf"(?<!\w){re.escape(password)}(?!\w)", "***", text)
    return text


@contextlib.contextmanager
def strictly_read() -> Iterator[None]:
    """Refuse options in an address that PyMongo would warn of and pass over."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # Of CosmosDB and DocumentDB it only says that they are not quite MongoDB.
            warnings.filterwarnings("default", "You appear to be connected", UserWarning)
            yield
    except UserWarning as error:
        raise ValueError(str(error)) from None


@contextlib.contextmanager
def uncovered(uri: str) -> Iterator[None]:
    """Say what is wrong with an address or its credentials in one line, without the password."""
    try:
        yield
    except (ConfigurationError, InvalidURI, ValueError, TypeError) as error:
        raise InputError(f"MongoDB address: {without_password(str(error), uri)}") from None
    except OperationFailure as error:
        if error.code != 18:
            raise
        raise InputError(
            "MongoDB refused the user name or password (AuthenticationFailed); authSource in the "
            "address names the database that knows the user"
        ) from None
    except PyMongoError:
        raise
