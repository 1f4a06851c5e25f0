"""JSON bodies: checked, decoded, and looked into."""

from __future__ import annotations

import math

import msgspec

from penstock.pipeline import is_json

__all__ = ["decode_or_none", "dig", "is_json", "number_at"]

_BAD = (msgspec.DecodeError, UnicodeDecodeError)


def decode_or_none(body: bytes) -> object:
    """Return the decoded body, or None where it is not JSON."""
    try:
        decoded: object = msgspec.json.decode(body)
    except _BAD:
        return None
    return decoded


def dig(value: object, path: str) -> object:
    """Return what is at a dotted path below ``value``, or None; ``""`` is the value itself.

    >>> dig({"meta": {"next": [1, 2]}}, "meta.next.1")
    2
    """
    for step in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            index = int(step)
            value = value[index] if -len(value) <= index < len(value) else None
        else:
            return None
    return value


def number_at(body: object, path: str) -> float | None:
    """Return the number, or the numeric string, at a dotted path; None where there is none.

    >>> number_at({"total": "120"}, "total"), number_at({"total": "many"}, "total")
    (120.0, None)
    """
    value = dig(body, path)
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
