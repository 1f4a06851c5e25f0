"""How far behind its own clock a message comes: the time it carries, in whatever form."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from penstock.http import dig

# What a number of seconds since 1970 is at most, in the year 2286; more are milliseconds and so on.
_LATEST = 1e10


def moment(value: object) -> float | None:
    """Return a time as seconds since 1970, or None where it is none.

    A number may be in seconds, milliseconds, microseconds or nanoseconds, also as a text; a text
    may be ISO 8601, RFC 2822, or in Twitter's own form.

    >>> moment(1795284304), moment("1795284304500"), moment("2026-11-21T18:05:04Z")
    (1795284304.0, 1795284304.5, 1795284304.0)
    >>> moment("Sat Nov 21 18:05:04 +0000 2026"), moment("soon"), moment(None)
    (1795284304.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return _written(str(value))
    while math.isfinite(number) and abs(number) > _LATEST:
        number /= 1000
    return number if math.isfinite(number) else None


def _written(text: str) -> float | None:
    for read in (datetime.fromisoformat, _twitter, parsedate_to_datetime):
        try:
            found = read(text)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


def _twitter(text: str) -> datetime:
    return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")


def lag(body: bytes, path: str, now: float) -> float | None:
    """Return the seconds since the time at dotted ``path`` of a message, or None without one.

    >>> lag(b'{"at":{"ms":"1795284304500"}}', "at.ms", 1795284306.0)
    1.5
    """
    try:
        at = moment(dig(msgspec.json.decode(body), path))
    except msgspec.DecodeError:
        return None
    return None if at is None else now - at
