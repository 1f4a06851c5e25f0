"""Values of a file that only say where they are (``env:NAME``, ``file:PATH``), and its secrets."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Final, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

from penstock.address import (
    has_password,
    has_secret_option,
    is_reference,
    is_secret_name,
    look_up,
    missing,
)
from penstock.http import filled
from penstock.redaction import remember

T = TypeVar("T")
Steps: TypeAlias = tuple[str | int, ...]
"""Where something stands: names of tables and keys, and numbers of a list's tables."""

SECRET: Final = Meta(
    extra={"secret": True}, extra_json_schema={"pattern": "^(env|file|cmd):", "writeOnly": True}
)
"""Marks a key that only points to its value: ``Annotated[str, SECRET]``."""


@cache
def _secret_keys(section: type) -> frozenset[str]:
    hints = typing.get_type_hints(section, include_extras=True)
    return frozenset(name for name, hint in hints.items() if _marked(hint))


def _marked(annotation: object) -> bool:
    if typing.get_origin(annotation) is Annotated:
        return SECRET in typing.get_args(annotation)
    return any(_marked(one) for one in typing.get_args(annotation))


def is_secret(section: type, name: str) -> bool:
    """Return whether a section's key only points to its value."""
    return name in _secret_keys(section)


def revealed(value: T) -> T:
    """Return a section with what its references hold; those to secrets are left as they are.

    >>> import os; os.environ["BASE"] = "https://a.example"
    >>> revealed({"base": "env:BASE", "n": [1]})
    {'base': 'https://a.example', 'n': [1]}

    Raises:
        InputError: There is no such variable or file.
    """
    return cast("T", _revealed(value))


def _revealed(value: object) -> object:
    if isinstance(value, str):
        return look_up(value) if is_reference(value) else value
    if isinstance(value, Struct):
        names = [n for n in value.__struct_fields__ if not is_secret(type(value), n)]
        found = {n: _revealed(getattr(value, n)) for n in names}
        if {"path", "method"} <= found.keys():  # of a request: other paths are those of files
            found["path"] = in_path(str(found["path"]))
        return msgspec.structs.replace(value, **found)
    if isinstance(value, Mapping):
        # Of headers, parameters and fields: what is not written there is a secret.
        found = {name: _revealed(one) for name, one in value.items()}
        for name, one in value.items():
            if one != found[name] and isinstance(found[name], str):
                remember(str(found[name]))
        return found
    if isinstance(value, list | tuple):
        return type(value)(map(_revealed, value))
    return value


_PLACE = re.compile(r"\{(env:[^{}]*)\}")


def references(text: str) -> list[str]:
    """Return what a text points to: it is a reference, or a path with ``{env:NAME}`` in it.

    >>> references("env:BASE"), references("/orgs/{env:ORG}/{key}")
    (['env:BASE'], ['env:ORG'])
    """
    return [text] if is_reference(text) else _PLACE.findall(text)


def in_path(path: str) -> str:
    """Return the path of a request with its variables, each one segment or a part of it.

    Raises:
        InputError: One is not set, or would make it another path.
    """
    for place in dict.fromkeys(_PLACE.findall(path)):
        path = filled(path, look_up(place), place)
    return path


def _texts(
    value: object, at: Steps = (), *, secret: bool = False
) -> Iterator[tuple[Steps, str, bool]]:
    """Yield every text with where it stands, and whether it is to point to a secret."""
    if isinstance(value, str):
        yield at, value, secret
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _texts(
                getattr(value, name), (*at, name), secret=is_secret(type(value), name)
            )
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, (*at, name))
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _texts(one, (*at, index))


_LOOSE = {"headers", "query", "form", "json", "extra"}  # tables whose keys are the service's


def secrets_in(file: Struct) -> Iterator[tuple[Steps, str]]:
    """Yield where secrets stand in the file itself, and what is wrong, without the secret."""
    instead = 'write "env:NAME" or "file:PATH"; a pipeline file holds no secrets'
    for at, text, secret in _texts(file):
        if not text or text.startswith(("env:", "file:", "cmd:")):
            continue
        if secret or ("{key}" not in text and _named(at)):
            yield at, instead
        elif has_secret_option(text) or ("://" in text and has_password(text)):
            yield at, f"the address carries credentials: {instead}"


def _named(at: Steps) -> bool:
    """Return whether a key within a table of headers, parameters or fields names a secret."""
    loose = [index for index, step in enumerate(at) if step in _LOOSE]
    return any(is_secret_name(str(step)) for step in at[loose[0] + 1 :]) if loose else False


def missing_references(file: Struct) -> list[str]:
    """Return what is missing of the variables and files that a file's values point to."""
    return [f"{'.'.join(map(str, at))}: {problem}" for at, problem in missing_values(file)]


def missing_values(file: Struct) -> list[tuple[Steps, str]]:
    """Return where a value points to a variable or file that is missing, and which."""
    texts = [
        (at, one)
        for at, text, secret in _texts(file)
        if secret or is_reference(text) or at in (("source", "path"), ("request", "path"))
        for one in ([text] if secret else references(text))
    ]
    return [(at, problem) for at, text in texts if (problem := missing(text))]
