"""Bodies decoded in the consumer's thread: whole, into a type, or only where we have to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypedDict, cast

import msgspec

from penstock.errors import InputError
from penstock.http import Record
from penstock.pipeline import check_text, has_odd_integers, without_halves

__all__ = [
    "Load",
    "exact",
    "loader",
    "looker",
    "members_at",
    "mended",
    "peeker",
    "reader",
    "replaced_at",
    "wrap",
]

Load = Callable[[bytes], object]

exact: Load = msgspec.json.Decoder().decode
"""Makes dicts and lists of JSON; whole numbers of any size stay what they are."""

_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_LARGE = 64 * 1024
_DEEP = 900
_BOM = b"\xef\xbb\xbf"


def loader() -> Load:
    """Return the fastest function at hand that makes dicts and lists of JSON.

    orjson is 1.7 times as fast at it as msgspec, which in turn needs no extra. It would make floats
    of whole numbers beyond 64 bits: those are msgspec's. It refuses those that are too large.
    """
    fast = _orjson()

    def load(body: bytes) -> object:
        return exact(body) if has_odd_integers(body) else fast(body)

    return exact if fast is exact else load


def _orjson() -> Load:
    try:
        import orjson
    except ImportError:
        return exact
    return orjson.loads


def reader(into: type) -> Load:
    """Return the function that makes a value of a type of a body that was checked.

    Raises:
        InputError: ``into`` is no type that can be decoded into.
    """
    if into is bytes:
        return bytes
    try:
        return msgspec.json.Decoder(into).decode
    except TypeError as error:
        raise InputError(f"into={into!r} cannot be decoded into: {error}") from error


def looker(paths: Iterable[str]) -> Load:
    """Return a function that checks a body whole, and gives its members at ``paths``, or more.

    To decode all is the quickest check where orjson does it. What is large is passed over; what may
    be deep is msgspec's, since its bound is that of all who read it later.
    """
    wanted = set(paths)
    peek = peeker(wanted)
    whole = loader() if wanted else _orjson()  # no number is looked at: floats are good enough

    def look(body: bytes) -> object:
        found = peek(body)
        check_text(body)
        return found

    def known(body: bytes) -> object:
        if len(body) > _LARGE:
            return look(body)
        if len(body) > 2 * _DEEP and body.count(b"[") + body.count(b"{") > _DEEP:
            return look(body)
        try:
            return whole(body)
        except ValueError:
            return look(body)  # orjson knows no float for a number of 400 digits

    return look if whole is exact else known


def mended(body: bytes) -> bytes:
    """Return ``body`` without what only some writers take for JSON: a BOM, half a character."""
    return without_halves(body.removeprefix(_BOM))


def wrap(value: object) -> object:
    """Return an object as a record, lists as lists of records and scalars as they are."""
    return Record(value) if isinstance(value, dict) else Record({"": value})[""]


def members_at(body: bytes, path: str) -> list[bytes]:
    """Return the members of the list at a dotted path as they were written, else all of it.

    Null has none. An empty path is that of the message itself.

    >>> members_at(b'{"a":{"b":[1.50, {"c":1e3}]}}', "a.b")
    [b'1.50', b'{"c":1e3}']
    """
    found = body
    try:
        for step in filter(None, path.split(".")):
            if step.lstrip("-").isdigit():
                found = bytes(_list(found)[int(step)])
            else:
                found = bytes(_object(found)[step])
        return [] if found == b"null" else [bytes(part) for part in _list(found)]
    except (msgspec.ValidationError, LookupError):
        return [body]


def replaced_at(body: bytes, path: str, by: Callable[[bytes], bytes]) -> bytes:
    """Return ``body`` with the member at a dotted path replaced, and all others as written.

    >>> replaced_at(b'{"a": {"b": "x", "c": 1.50}}', "a.b", lambda _: b"7")
    b'{"a":{"b":7,"c":1.50}}'
    """
    step, _, below = path.partition(".")
    if not step:
        return by(body)
    try:
        whole: list[msgspec.Raw] | dict[str, msgspec.Raw]
        is_place = step.lstrip("-").isdigit()
        whole = _list(body) if is_place else _object(body)
        place = int(step) if is_place else step
        whole[place] = msgspec.Raw(replaced_at(bytes(whole[place]), below, by))  # type: ignore[index] # each its own kind
    except (msgspec.ValidationError, LookupError):
        return body
    return msgspec.json.encode(whole)


def peeker(paths: Iterable[str]) -> Load:
    """Return a function that decodes the members at dotted ``paths`` and passes over all others.

    >>> peeker({"id", "user.name"})(b'{"id":7,"text":"...","user":{"name":"Ada","age":36}}')
    {'id': 7, 'user': {'name': 'Ada'}}
    """
    tree: dict[str, object] = {}
    for path in paths:
        _grow(tree, path.split("."))
    return msgspec.json.Decoder(_shape(tree) if tree else msgspec.Raw).decode


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
