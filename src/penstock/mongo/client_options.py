"""The options of a client: what the address says, what was asked for, and what is safe.

Passwords never leave this module: what PyMongo says about an address is repeated without them.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote_plus

from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure

from penstock.errors import InputError
from penstock.mongo.address import canonical, said
from penstock.mongo.durability import durability_of
from penstock.mongo.read_from import ReadFrom

__all__ = ["chosen_options", "refuse_weaker", "uncovered", "without_password"]

# Public options that make a dead primary known in about a second, not in half a minute.
_WATCHFUL: Mapping[str, object] = {"heartbeatFrequencyMS": 500, "connectTimeoutMS": 1000}
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
    given = said(uri, options)
    level = durability_of(durability or "safe")
    if durability is not None:
        _no_second_word(given, map(canonical, level.options), "durability")
    chosen: dict[str, object] = {
        name: value for name, value in level.options.items() if canonical(name) not in given
    }
    # One that writes less safely by its own words does not read by a majority either.
    if durability is None and given.get("w", "majority") != "majority":
        chosen = {}
    if read_from is not None:
        _no_second_word(given, _READING, "read_from")
        chosen |= ReadFrom.of(read_from).options()
    watchful = {name: value for name, value in _WATCHFUL.items() if name.lower() not in given}
    return {**watchful, **chosen, **options}


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
    given = said(uri)
    for name, values in enough.items():
        value = given.get(name, "")
        if value and value.lower() not in values:
            raise InputError(
                f"MongoDB address: {name}={value} is less than what is promised here (w=majority, "
                "in journals): leave it out"
            )


_STRICT_READS = {"majority", "linearizable", "snapshot"}


def _no_second_word(given: Mapping[str, str], names: Iterable[str], argument: str) -> None:
    twice = sorted(given.keys() & set(names))
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
def uncovered(uri: str) -> Iterator[None]:
    """Say what is wrong with an address or its credentials in one line, without the password.

    An option that PyMongo would warn of and pass over is wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # Of CosmosDB and DocumentDB it only says that they are not quite MongoDB.
            warnings.filterwarnings("default", "You appear to be connected", UserWarning)
            yield
    except (ConfigurationError, InvalidURI, ValueError, TypeError, UserWarning) as error:
        raise InputError(f"MongoDB address: {without_password(str(error), uri)}") from None
    except OperationFailure as error:
        if error.code != 18:
            raise
        raise InputError(
            "MongoDB refused the user name or password (AuthenticationFailed); authSource in the "
            "address names the database that knows the user"
        ) from None
