"""Nested JSON as attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from penstock.markup import html_table
from penstock.registry import did_you_mean


@final
class Record(Mapping[str, object]):
    """A JSON object whose members are attributes, however deep, lists included.

    A member whose name is not an identifier, or is one of a mapping's methods (``keys``,
    ``items``, ``get``, ``values``), is reached by ``record["name"]``. Members are looked up when asked
    for: wrapping a large document costs nothing.

    >>> user = Record({"name": "Ada", "status": {"text": "hi"}, "tags": [{"id": 1}, {"id": 2}]})
    >>> user.name, user.status.text, [tag.id for tag in user.tags]
    ('Ada', 'hi', [1, 2])
    >>> user.nmae
    Traceback (most recent call last):
    ...
    AttributeError: no member 'nmae'; did you mean 'name'?
    """  # noqa: E501 - one sentence

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return wrap(self._members[name])
        except KeyError:
            raise AttributeError(_missing(name, self._members)) from None

    def __getitem__(self, name: str) -> object:
        return wrap(self._members[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(n for n in self._members if n.isidentifier())]

    def __eq__(self, other: object) -> bool:
        return self._members == (other._members if isinstance(other, Record) else other)

    __hash__ = None  # type: ignore[assignment] # like a dict: equal by value, not hashable

    def __repr__(self) -> str:
        return f"Record({self._members!r})"

    def _repr_html_(self) -> str:
        return html_table(["member", "value"], self._members.items())


def _missing(name: str, members: Mapping[str, object]) -> str:
    return f"no member {name!r}; {did_you_mean(name, members, otherwise='there are ', most=8)}"


def wrap(value: object) -> object:
    """Return dicts as :class:`Record`, lists as lists of wrapped values, scalars as they are."""
    if isinstance(value, dict):
        return Record(value)
    if isinstance(value, list):
        return [wrap(item) for item in value]
    return value


def plain(value: object) -> object:
    """Return the dicts and lists beneath ``value``: the inverse of :func:`wrap`.

    >>> plain(Record({"a": 1}))
    {'a': 1}
    """
    if isinstance(value, Record):
        return value._members  # noqa: SLF001 - the same module
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
