"""A record as cells: the fields of its object, each still the JSON text it came as.

Nothing is decoded that need not be: numbers keep their digits, nested values their spelling.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from penstock.errors import StorageError

__all__ = ["Cells", "FieldPath", "fields", "items", "storable", "text_of"]

FieldPath: TypeAlias = tuple[str, ...]
"""Where a field is: ``("name",)``, or ``("address", "city")`` of a flattened record."""

Cells: TypeAlias = dict[FieldPath, bytes]
"""The JSON text of each field, in the record's order."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_DECODER = json.JSONDecoder()
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # or a text, which may hold some
_CLOSING = {"[": "]", "{": "}"}
_DEEPEST = 32  # levels that are flattened; what lies deeper stays JSON


def fields(body: bytes, *, flatten: bool) -> Cells:
    """Return the fields of a record; one that is no object is a single field ``value``.

    Raises:
        StorageError: The record is not JSON.

    >>> fields(b'{"a":1,"b":{"c":[2]}}', flatten=True)
    {('a',): b'1', ('b', 'c'): b'[2]'}
    >>> fields(b'"text"', flatten=False)
    {('value',): b'"text"'}
    """
    body = body.strip()
    if not body.startswith(b"{"):
        return {("value",): body}
    if not flatten:
        return {(name,): value for name, value in _object(body).items()}
    found: Cells = {}
    _collect(body, (), found, deeper=_DEEPEST)
    return found


def _collect(body: bytes, path: FieldPath, found: Cells, *, deeper: int) -> None:
    for name, value in _object(body).items():
        inner = (*path, name)
        # An empty object has no field to be shown by, so it is shown itself.
        if deeper and value.startswith(b"{") and value[1:-1].strip():
            _collect(value, inner, found, deeper=deeper - 1)
        else:
            found[inner] = value


def _object(body: bytes) -> dict[str, bytes]:
    try:
        return {name: bytes(value) for name, value in _OBJECT.decode(body).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _object_with_surrogates(body)


def _object_with_surrogates(body: bytes) -> dict[str, bytes]:
    r"""Decode what JSON's grammar allows and Unicode does not: half of a ``\ud83d\ude00``."""
    try:
        with contextlib.suppress(RecursionError):
            json.loads(body)
        return {storable(name): value for name, value in _written(body)}
    except (ValueError, IndexError) as error:
        raise StorageError(f"a record is not JSON: {error}: {body[:60]!r}") from error


def _written(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of an object, or the items of a list, each as it is written."""
    text = body.decode("utf-8", "surrogatepass")
    named, at = text.startswith("{"), _behind_blanks(text, 1)
    while text[at] not in "}]":
        name = ""
        if named:
            name, at = _DECODER.raw_decode(text, at)
            at = _behind_blanks(text, _behind_blanks(text, at) + 1)  # the colon
        end = _end_of(text, at)
        yield name, text[at:end].encode("utf-8", "backslashreplace")
        at = _behind_blanks(text, end)
        at = _behind_blanks(text, at + 1) if text[at] == "," else at


def _end_of(text: str, at: int) -> int:
    """Return where a value ends, however deep it is.

    >>> _end_of('[{"a]":[]}],', 0)
    11
    """
    if text[at] not in _CLOSING:
        return _DECODER.raw_decode(text, at)[1]
    awaited: list[str] = []
    for found in _BRACKET.finditer(text, at):
        if closing := _CLOSING.get(found[0]):
            awaited.append(closing)
        elif found[0] in "]}" and awaited.pop() != found[0]:
            break
        if not awaited:
            return found.end()
    raise ValueError("its brackets do not match")


def _behind_blanks(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at


def items(cell: bytes) -> list[bytes]:
    """Return what a list holds.

    >>> items(b'[1, {"a": 2}]')
    [b'1', b'{"a": 2}']
    """
    try:
        return [bytes(item) for item in _LIST.decode(cell)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [item for _, item in _written(cell)]


def text_of(cell: bytes) -> str:
    r"""Return the text that a JSON string stands for.

    >>> text_of(b'"caf\\u00e9"')
    'café'
    """
    try:
        return _TEXT.decode(cell)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return storable(str(json.loads(cell)))


def storable(text: str) -> str:
    """Return ``text`` without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()
