"""JSON bodies: checked, decoded, and looked into."""

from __future__ import annotations

import enum
import math
import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from penstock.pipeline import elements, load, members


class Missing(enum.Enum):
    """What is found where there is nothing: null is something else."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def decode_or_none(body: bytes) -> object:
    """Return the decoded body, or None where it is not JSON."""
    try:
        return load(body)
    except msgspec.DecodeError:
        return None


class _Step(NamedTuple):
    """One step of a path: a name (that may be part of a longer one), or the item with a member."""

    name: str
    exact: bool = False
    value: str | None = None


_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]]+)
    | \[ (?: (?P<quote>['"])(?P<exact>.*?)(?P=quote) | (?P<index>-?\d+)
           | (?P<member>[^\]=]+)=(?P<value>[^\]]*) ) \]""",
    re.VERBOSE,
)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[_Step, ...]:
    """Return the steps of a path; one that is not written as a path is a member's name."""
    steps: list[_Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (at == 0 and path[0] == "."):
            return (_Step(path, exact=True),)
        at = found.end()
        if found["member"] is not None:
            steps.append(_Step(found["member"].strip(), value=found["value"].strip("'\" ")))
        elif found["exact"] is not None:
            steps.append(_Step(found["exact"], exact=True))
        else:
            steps.append(_Step(found["name"] or found["index"]))
    return tuple(steps)


def find(value: object, path: str) -> object:
    """Return what is at a path below ``value``, or :data:`MISSING`; ``""`` is the value itself.

    A member whose own name has dots is found first. ``['a.b']`` quotes a name, ``[rel=next]`` is
    the item of a list that has such a member. JSON text (``msgspec.Raw``) is opened on the way, no
    deeper than the path goes, and what is found there is JSON text, too.

    >>> find({"@odata.nextLink": "x"}, "@odata.nextLink"), find({"a": None}, "a")
    ('x', None)
    >>> find({"links": [{"rel": "self"}, {"rel": "next", "href": "/2"}]}, "links[rel=next].href")
    '/2'
    >>> find({}, "a")
    <Missing.MISSING: 'missing'>
    """
    if isinstance(value, dict) and path in value and path:
        return value[path]
    return _below(value, _steps(path))


def _below(value: object, steps: tuple[_Step, ...]) -> object:
    if not steps:
        return value
    value = _opened(value)
    step = steps[0]
    if isinstance(value, list):
        found = _in_list(value, step)
        return MISSING if found is MISSING else _below(found, steps[1:])
    if not isinstance(value, dict) or step.value is not None:
        return MISSING
    for length in range(1 if step.exact else _plain(steps), 0, -1):
        name = ".".join(part.name for part in steps[:length])
        if name in value:
            found = _below(value[name], steps[length:])
            if found is not MISSING:
                return found
    return MISSING


def _plain(steps: tuple[_Step, ...]) -> int:
    """Return how many of the first steps may be parts of one name."""
    for count, step in enumerate(steps):
        if step.exact or step.value is not None:
            return count
    return len(steps)


def _in_list(items: list[object], step: _Step) -> object:
    if step.value is not None:
        for item in items:
            found = _text(find(item, step.name))
            if found == step.value or (isinstance(found, list) and step.value in found):
                return item
    elif step.name.removeprefix("-").isdecimal() and len(step.name) < 20:
        index = int(step.name)
        if -len(items) <= index < len(items):
            return items[index]
    return MISSING


def _text(value: object) -> object:
    value = load(value) if isinstance(value, msgspec.Raw) else value
    return value if isinstance(value, list) else str(value)


def _opened(value: object) -> object:
    if not isinstance(value, msgspec.Raw):
        return value
    text = bytes(value).lstrip()
    if text[:1] == b"{":
        return {name: msgspec.Raw(one) for name, one in members(text).items()}
    if text[:1] == b"[":
        return [msgspec.Raw(one) for one in elements(text)]
    return load(text)


def value_at(body: bytes, path: str) -> object:
    """Return the decoded value at a path of a JSON text, or :data:`MISSING`.

    What is beside the path is not decoded, so nothing odd there is in the way. A number with a
    fraction stays the text that it is: a float may not hold all its digits.

    >>> value_at(b'{"next": 2, "rows": [NaN]}', "next"), value_at(b"[1700000000.123456789]", "0")
    (2, '1700000000.123456789')

    Raises:
        msgspec.DecodeError: On the way there is no JSON.
    """
    found = find(msgspec.Raw(body), path)
    value = load(found) if isinstance(found, msgspec.Raw) else found
    if isinstance(value, float) and isinstance(found, msgspec.Raw):
        return bytes(found).strip().decode()
    return value


def dig(value: object, path: str) -> object:
    """Return what is at a path below ``value``, or None; as :func:`find` does.

    >>> dig({"meta": {"next": [1, 2]}}, "meta.next.1")
    2
    """
    found = find(value, path)
    return None if found is MISSING else found


def number_at(body: object, path: str) -> float | None:
    """Return the number, or the numeric string, at a path; None where there is none.

    >>> number_at({"total": "120"}, "total"), number_at({"total": "many"}, "total")
    (120.0, None)
    """
    return number(dig(body, path))


def number(value: object) -> float | None:
    """Return a number, or a text that is one, as a finite float; None for anything else."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
