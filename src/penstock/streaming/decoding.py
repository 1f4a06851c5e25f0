"""Bodies decoded in the consumer's thread: whole, into a type, or only where we have to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypedDict, cast

import msgspec

from penstock.errors import InputError
from penstock.http import Record

__all__ = ["BAD_JSON", "Load", "loader", "peeker", "reader"]

Load = Callable[[bytes], object]

BAD_JSON = (ValueError, msgspec.DecodeError)
"""What a loader raises for what is not JSON, or does not fit."""


def loader() -> Load:
    """Return the fastest function at hand that makes dicts and lists of JSON.

    orjson is 1.7 times as fast at it as msgspec, which in turn needs no extra.
    """
    try:
        import orjson
    except ImportError:
        return msgspec.json.Decoder().decode
    return orjson.loads


def reader(into: type | None) -> Load:
    """Return the function that makes a message's value of its body.

    Raises:
        InputError: ``into`` is no type that can be decoded into.
    """
    if into is None or into is Record:
        return _record_reader(loader())
    if into is bytes:
        return bytes
    try:
        return msgspec.json.Decoder(into).decode
    except TypeError as error:
        raise InputError(f"into={into!r} cannot be decoded into: {error}") from error


def _record_reader(load: Load) -> Load:
    def read(body: bytes) -> object:
        value = load(body)
        return Record(value) if type(value) is dict else wrap(value)

    return read


def wrap(value: object) -> object:
    """Return lists as lists of records and scalars as they are, like a member of a record."""
    return Record({"": value})[""]


def peeker(paths: Iterable[str]) -> Load:
    """Return a function that decodes the members at dotted ``paths`` and passes over all others.

    >>> peeker({"id", "user.name"})(b'{"id":7,"text":"...","user":{"name":"Ada","age":36}}')
    {'id': 7, 'user': {'name': 'Ada'}}
    """
    tree: dict[str, object] = {}
    for path in paths:
        _grow(tree, path.split("."))
    return msgspec.json.Decoder(_shape(tree)).decode


def _grow(tree: dict[str, object], steps: list[str]) -> None:
    step, *more = steps
    below = tree.setdefault(step, {})
    # Beneath a list, or a member that is wanted whole, nothing is passed over.
    if not more or more[0].lstrip("-").isdigit():
        tree[step] = None
    elif isinstance(below, dict):
        _grow(below, more)


def _shape(tree: dict[str, object]) -> type:
    members = {
        name: (_shape(below) if isinstance(below, dict) else object) for name, below in tree.items()
    }
    make = cast("Callable[..., type]", TypedDict)
    return make("Peek", members, total=False)
