"""What a server says of its limits, in whatever dialect: bytes of a header block to values.

Understood: ``RateLimit``/``RateLimit-Policy`` as structured fields
(draft-ietf-httpapi-ratelimit-headers-08 and later) and as ``limit=, remaining=, reset=``
(draft-07), ``RateLimit-Limit`` and its kin (draft-06), ``X-RateLimit-*`` with or without a unit
behind it (``X-RateLimit-Remaining-Tokens``), ``X-Rate-Limit-*``, ``Retry-After`` (RFC 9110
section 10.2.3, both forms) and ``Backoff``. These fields are an Internet-Draft, not an RFC. Each
dialect is a row of :data:`DIALECTS`. What servers state is a stranger's: names, values and numbers
have a longest length, no expression takes more than linear time, and no wait is longer than
:data:`LONGEST_WAIT`.

A reset comes as seconds from now, as an epoch in s, ms, µs or ns, as RFC 3339, as an HTTP date or
as a duration (``6m0s``): distinguished by form and magnitude.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias, final

import msgspec

from penstock.registry import Registry
from penstock.resilience.retry import QUOTA


@final
class Reset(msgspec.Struct, frozen=True, gc=False):
    """When a quota is renewed: ``value`` seconds from now, or since 1970 where ``epoch``.

    ``exact`` is False for whole seconds, which servers round up.
    """

    value: float
    epoch: bool = False
    exact: bool = False


@final
class Quota(msgspec.Struct, frozen=True, gc=False):
    """One limit as the server reports it; None where it does not say.

    Attributes:
        name: The policy's name, so that several limits are kept apart.
        unit: What is counted: ``requests`` unless the server says otherwise.
        limit: Units allowed a window.
        remaining: Units left in this window.
        reset: When the window is renewed.
        window: Length of a window in seconds.
        resource: What the server counts apart from all else by this name; ``""`` for every call.
        used: Units used, where the server tells that and not what is left.
    """

    name: str
    unit: str = "requests"
    limit: float | None = None
    remaining: float | None = None
    reset: Reset | None = None
    window: float | None = None
    resource: str = ""
    used: float | None = None

    def __post_init__(self) -> None:
        """Keep the window within what can be waited for."""
        if self.window is not None and self.window > LONGEST_WAIT:
            msgspec.structs.force_setattr(self, "window", LONGEST_WAIT)


@final
class Hints(msgspec.Struct, frozen=True, gc=False):
    """All an answer says about when and how much may be asked.

    Attributes:
        quotas: One a limit.
        retry_after: Come back then (with a 429, 420, 503 or 3xx).
        backoff: Slow down for so many seconds although this answer was fine.
        date: The server's clock, seconds since 1970, cut to whole seconds.
    """

    quotas: tuple[Quota, ...] = ()
    retry_after: Reset | None = None
    backoff: float | None = None
    date: float | None = None


LONGEST_WAIT = 32 * 86400.0
"""Seconds: no time that a server states is taken for longer. A month's quota fits in."""

_LONGEST_NAME = 128
_LONGEST_VALUE = 1024
_LONGEST_NUMBER = 64
_MOST_QUOTAS = 16
_MARKS = (b"limit", b"retry-after", b"backoff", b"-weight-", b"-order-count-")
_TOO_FAST = ("secondary rate limit", "abuse detection")
_PAUSE = 60.0  # what GitHub asks for where such an answer names no time
# Possessive, and an open quotation ends with the text: each character is looked at once.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[^",;]++|[,;]')
_ONE_ITEM = re.compile(r'"([^"]*)"\s*;\s*r=(\d+)(?:\s*;\s*t=(\d+))?')
_LENGTHS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2678400.0}
_LENGTHS |= {"secondly": 1.0, "minutely": 60.0, "hourly": 3600.0, "daily": 86400.0}
_WHAT = ("limit", "remaining", "reset", "used")
_DURATION = re.compile(r"(\d++(?:\.\d++)?+)(ms|us|µs|ns|d|h|m|s)\s*+")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}

Fields: TypeAlias = Mapping[str, str]
"""Header fields that may tell of limits, by their names in lower case."""


@final
class Dialect(msgspec.Struct, frozen=True):
    """One way in which servers tell what is left: a row of :data:`DIALECTS`.

    Attributes:
        name: What to call it.
        mark: A part, in lower case, of the name of every header that it reads.
        read: Returns the quotas that the fields tell of; none where they are in another dialect.
    """

    name: str
    mark: str
    read: Callable[[Fields], Iterable[Quota]]


def parse_hints(head: bytes, dialects: Sequence[Dialect] = ()) -> Hints | None:
    r"""Return what a raw header block says of limits, or None when it says nothing.

    Args:
        head: Header lines, with those of informational answers (1xx) before them or not.
        dialects: Rows of one's own, asked before :data:`DIALECTS`.

    >>> parse_hints(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n") is None
    True
    >>> hints = parse_hints(b'RateLimit: "500-in-5sec"; r=499; t=5\r\n')
    >>> hints.quotas[0].remaining, hints.quotas[0].reset.value
    (499.0, 5.0)
    """
    lower = head.lower()
    # Spelled out: most answers say nothing, and this is asked of each.
    if not (
        b"limit" in lower
        or b"retry-after" in lower
        or b"backoff" in lower
        or b"x-mbx-" in lower
        or (dialects and any(row.mark.encode() in lower for row in dialects))
    ):
        return None
    fields = _fields(head[max(0, lower.rfind(b"\nhttp/")) :], tuple(row.mark for row in dialects))
    date = fields.pop("date", None)
    if not fields:
        return None
    quotas: tuple[Quota, ...] = ()
    for row in _rows(tuple(fields), tuple(dialects)):
        if quotas := tuple(row.read(fields))[:_MOST_QUOTAS]:
            break
    return Hints(
        quotas=quotas,
        retry_after=_retry_after(fields),
        backoff=_number(fields.get("backoff")),
        date=None if date is None else _http_date(date),
    )


@lru_cache(maxsize=256)
def _rows(names: tuple[str, ...], dialects: tuple[Dialect, ...]) -> list[Dialect]:
    """Return the dialects that have something to read in fields of these names."""
    return [row for row in (*dialects, *DIALECTS) if any(row.mark in name for name in names)]


def _fields(block: bytes, marks: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in block.split(b"\n"):
        raw, colon, value = line.partition(b":")
        if colon and (name := _wanted(raw[:_LONGEST_NAME], marks)):
            text = value[:_LONGEST_VALUE].decode("latin-1").strip()
            # RFC 9110 section 5.3: a list may be split over several lines of the same name.
            if name in ("ratelimit", "ratelimit-policy") and name in fields:
                text = f"{fields[name]}, {text}"[:_LONGEST_VALUE]
            fields[name] = text
    return fields


@lru_cache(maxsize=256)
def _wanted(raw: bytes, marks: tuple[str, ...]) -> str | None:
    """Return a header's name in lower case, where it may tell of limits."""
    lower = raw.strip().lower()
    name = lower.decode("latin-1")
    wanted = any(mark in lower for mark in _MARKS) or any(mark in name for mark in marks)
    return name if wanted or name == "date" else None


def believable(seconds: float) -> float:
    """Return a time that a server states, kept within what can be waited for."""
    return max(0.0, min(seconds, LONGEST_WAIT))


def seconds_until(reset: Reset, now: float) -> float:
    """Return the seconds until ``reset``; ``now`` is the server's time, since 1970."""
    return believable(reset.value - now if reset.epoch else reset.value)


def too_fast(status: int, hints: Hints | None) -> bool:
    """Whether an answer means *not now*: out of quota, or called too fast.

    >>> too_fast(429, None), too_fast(403, None), too_fast(403, Hints(retry_after=Reset(60)))
    (True, False, True)
    """
    if status != 403 or hints is None:
        return status in QUOTA
    return hints.retry_after is not None or any(quota.remaining == 0 for quota in hints.quotas)


def hints_in_body(body: object, hints: Hints | None) -> Hints | None:
    """Return ``hints`` with what a refusal's JSON body says more exactly than its header.

    >>> hints_in_body({"retry_after_ms": 154}, None).retry_after.value
    0.154
    """
    if not isinstance(body, dict):
        return hints
    for name, scale in (("retry_after_ms", 1000.0), ("retry_after", 1.0)):
        value = body.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if (number := _number(value)) is not None:
            told = Reset(number / scale, exact=True)
            return msgspec.structs.replace(hints or Hints(), retry_after=told)
    if hints is not None and hints.retry_after is not None:
        return hints
    message = body.get("message")
    if isinstance(message, str) and any(words in message.lower() for words in _TOO_FAST):
        return msgspec.structs.replace(hints or Hints(), retry_after=Reset(_PAUSE))
    return hints


def parse_retry_after(text: str) -> Reset | None:
    """Return when ``Retry-After`` says to come back: delay seconds, a date, or as a reset is told.

    >>> parse_retry_after("120")
    Reset(value=120.0, epoch=False, exact=False)
    >>> parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT")
    Reset(value=1445412480.0, epoch=True, exact=False)
    """
    return parse_reset(text)


def parse_reset(text: str) -> Reset | None:
    """Return when a quota is renewed, from any of the forms servers use.

    >>> parse_reset("50"), parse_reset("1795284304"), parse_reset("1795284304500").value
    (Reset(value=50.0, epoch=False, exact=False), Reset(value=1795284304.0, epoch=True, exact=False), 1795284304.5)
    >>> parse_reset("6m0.5s").value, parse_reset("2026-11-21T00:00:00Z").epoch
    (360.5, True)
    """  # noqa: E501 - the doctest's output is one line
    number = _number(text)
    if number is not None:
        if number >= 1e9:
            return _epoch(number)
        return Reset(number, exact=number != int(number))
    if len(text) > _LONGEST_NUMBER:
        return None
    if (total := _duration(text)) is not None:
        return Reset(total, exact=True)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        date = _http_date(text)
        return None if date is None else Reset(date, epoch=True)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Reset(moment.timestamp(), epoch=True, exact=moment.microsecond != 0)


def _duration(text: str) -> float | None:
    total, at = 0.0, 0
    while (part := _DURATION.match(text, at)) is not None:
        total += float(part[1]) * _SECONDS.get(part[2], 1e-9)
        at = part.end()
    return _number(total) if at and at == len(text) else None


def _epoch(number: float) -> Reset:
    # Decided by magnitude: seconds stay below 1e11 until the year 5138.
    for scale in (1e9, 1e6, 1e3):
        if number >= 1e8 * scale:
            return Reset(number / scale, epoch=True, exact=True)
    return Reset(number, epoch=True, exact=number != int(number))


def _number(text: str | float | None) -> float | None:
    if text is None or (isinstance(text, str) and len(text) > _LONGEST_NUMBER):
        return None
    try:
        number = float(text)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < float("inf") else None


@lru_cache(maxsize=8)
def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return None if len(text) > _LONGEST_NUMBER else parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _retry_after(fields: dict[str, str]) -> Reset | None:
    milliseconds = _number(fields.get("retry-after-ms"))
    if milliseconds is not None:
        return Reset(milliseconds / 1000, exact=True)
    text = fields.get("retry-after")
    return None if text is None else parse_retry_after(text)


# The dialects


def _structured(fields: Fields) -> Iterable[Quota]:
    """``RateLimit`` and ``RateLimit-Policy``, drafts 7 and 8."""
    combined = fields.get("ratelimit")
    if combined is None:
        return ()
    policies = _policies(fields.get("ratelimit-policy", ""))
    if re.match(r"\s*+limit\s*+=", combined, re.IGNORECASE):
        return (_draft7(combined, policies),)
    return _draft8(combined, policies)


def _items(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """A structured field's list (RFC 8941): each item with its parameters."""
    item: list[str] = [""]
    for part in [*_TOKEN.findall(text), ","]:
        if part == ";":
            item.append("")
        elif part != ",":
            item[-1] += part
        elif any(map(str.strip, item)):
            pairs = (part.partition("=") for part in item[1:])
            yield _bare(item[0]), {key.strip(): _bare(value) for key, _, value in pairs}
            item = [""]


def _bare(text: str) -> str:
    return text.strip().strip('"')


@lru_cache(maxsize=32)
def _policies(text: str) -> dict[str, dict[str, str]]:
    """Name (draft 8) or quota (drafts 6 and 7: ``500;w=5``) to parameters."""
    return {name: {"q": name, **values} for name, values in _items(text)}


def _draft8(text: str, policies: dict[str, dict[str, str]]) -> tuple[Quota, ...]:
    if simple := _ONE_ITEM.fullmatch(text):
        name, left, seconds = simple.groups()
        return (_limited(name, _number(left), _number(seconds), policies.get(name, {})),)
    return tuple(
        _limited(name, _number(told.get("r")), _number(told.get("t")), policies.get(name, {}))
        for name, told in _items(text)
    )


def _limited(
    name: str, remaining: float | None, seconds: float | None, policy: dict[str, str]
) -> Quota:
    return Quota(
        name=name,
        unit=policy.get("qu", "requests"),
        limit=_number(policy.get("q")),
        remaining=remaining,
        reset=None if seconds is None else Reset(seconds),
        window=_number(policy.get("w")),
    )


def _draft7(text: str, policies: dict[str, dict[str, str]]) -> Quota:
    values = dict(re.findall(r"(limit|remaining|reset)\s*+=\s*+([^,;\s]++)", text.lower()))
    limit = _number(values.get("limit"))
    return Quota(
        name="ratelimit",
        limit=limit,
        remaining=_number(values.get("remaining")),
        reset=parse_reset(values["reset"]) if "reset" in values else None,
        window=_window_of(limit, policies),
    )


def _families(fields: Fields) -> Iterable[Quota]:
    """``[X-]RateLimit-Limit/-Remaining/-Reset``, once a unit."""
    policies = _policies(fields.get("ratelimit-policy", ""))
    units: dict[str, dict[str, str]] = {}
    resource = ""
    for name, text in fields.items():
        member = _member(name)
        if member is None:
            continue
        what, unit = member
        if what in ("resource", "bucket"):
            resource = text
        else:
            # Draft 6 allows "100, 100;w=60": the first number is the one in force.
            first = text.split(", ", 1)[0].split(";", 1)[0] if what == "limit" else text
            units.setdefault(unit, {})[what] = first
    if fields.get("x-ratelimit-global") == "true":
        resource = ""  # Discord: this one is not the bucket's
    return [_family(unit, values, policies, resource) for unit, values in units.items()]


@lru_cache(maxsize=128)
def _member(name: str) -> tuple[str, str] | None:
    """What a header of the family tells, and of which unit, which may stand before or behind."""
    rest = name.removeprefix("x-")
    for stem in ("ratelimit-", "rate-limit-"):
        if rest.startswith(stem):
            rest = rest.removeprefix(stem)
            break
    else:
        return None
    if rest in ("resource", "bucket", "interval"):
        return rest, "requests"
    if rest == "reset-after":
        return "reset", "requests"
    what, _, unit = rest.partition("-")
    if what not in _WHAT:
        unit, _, what = rest.rpartition("-")
    return (what, unit or "requests") if what in _WHAT else None


def _family(
    name: str, values: dict[str, str], policies: dict[str, dict[str, str]], resource: str = ""
) -> Quota:
    limit, remaining = _number(values.get("limit")), _number(values.get("remaining"))
    used = _number(values.get("used"))
    if remaining is None and limit is not None and used is not None:
        remaining = max(0.0, limit - used)
    # "-Minute" is not a unit: it counts requests a minute; and plans count requests, too.
    length = _LENGTHS.get(name)
    requests = length is not None or "request" in name or "plan" in name
    if length is None:
        length = _window_of(limit, policies)
    if length is None and "interval" in values:
        length = _duration(values["interval"])
    own = resource if name == "requests" else f"{resource} {name}"
    return Quota(
        name=own if resource else name,
        unit="requests" if requests else name,
        limit=limit,
        remaining=remaining,
        reset=parse_reset(values["reset"]) if "reset" in values else None,
        window=length,
        resource=resource,
    )


def _window_of(limit: float | None, policies: dict[str, dict[str, str]]) -> float | None:
    for values in policies.values():
        if limit is not None and _number(values.get("q")) == limit:
            return _number(values.get("w"))
    return None


def _used_of(text: str) -> tuple[float | None, float | None]:
    """``39/40`` as what is left and the limit."""
    used, limit = (_number(part) for part in text.partition("/")[::2])
    return (None if used is None or limit is None else max(0.0, limit - used)), limit


def _shopify(fields: Fields) -> Iterable[Quota]:
    """``X-Shopify-Shop-Api-Call-Limit: 39/40``, a bucket that leaks."""
    text = fields.get("x-shopify-shop-api-call-limit")
    if text is not None:
        remaining, limit = _used_of(text)
        yield Quota("shopify", limit=limit, remaining=remaining)


def _salesforce(fields: Fields) -> Iterable[Quota]:
    """``Sforce-Limit-Info: api-usage=18/5000``."""
    for part in re.split(r"[;,]", fields.get("sforce-limit-info", "")):
        name, equals, usage = part.strip().partition("=")
        remaining, limit = _used_of(usage.partition("(")[0])
        if equals and limit is not None:
            yield Quota(name, limit=limit, remaining=remaining)


def _hubspot(fields: Fields) -> Iterable[Quota]:
    """``X-HubSpot-RateLimit-Max``, ``-Remaining``, ``-Interval-Milliseconds``, ``-Daily``."""
    told = {
        name.removeprefix("x-hubspot-ratelimit-"): _number(text)
        for name, text in fields.items()
        if name.startswith("x-hubspot-ratelimit-")
    }
    milliseconds = told.get("interval-milliseconds")
    length = None if milliseconds is None else milliseconds / 1000.0
    rows = (("max", "remaining", length), ("secondly", "secondly-remaining", 1.0))
    for limit, remaining, window in (*rows, ("daily", "daily-remaining", 86400.0)):
        if remaining in told:
            left = told[remaining]
            yield Quota(f"hubspot {limit}", limit=told.get(limit), remaining=left, window=window)


def _discogs(fields: Fields) -> Iterable[Quota]:
    """``X-Discogs-Ratelimit``, ``-Remaining``: in any 60 seconds."""
    if (left := _number(fields.get("x-discogs-ratelimit-remaining"))) is not None:
        limit = _number(fields.get("x-discogs-ratelimit"))
        yield Quota("discogs", limit=limit, remaining=left, window=60.0)


def _binance(fields: Fields) -> Iterable[Quota]:
    """``X-MBX-USED-WEIGHT-1M: 17``: what is used, of a limit that is given beforehand."""
    for name, text in fields.items():
        for stem, unit in (("x-mbx-used-weight-", "weight"), ("x-mbx-order-count-", "orders")):
            length = _duration(name.removeprefix(stem)) if name.startswith(stem) else None
            if length is not None:
                yield Quota(name, unit=unit, used=_number(text), window=length)


DIALECTS: tuple[Dialect, ...] = (
    Dialect("RateLimit", "ratelimit", _structured),
    Dialect("Shopify", "call-limit", _shopify),
    Dialect("Salesforce", "limit-info", _salesforce),
    Dialect("HubSpot", "x-hubspot-ratelimit", _hubspot),
    Dialect("Discogs", "x-discogs-ratelimit", _discogs),
    Dialect("Binance", "x-mbx-", _binance),
    Dialect("X-RateLimit", "limit", _families),
)
"""The dialects that are understood; the first that tells anything is believed."""

DIALECT_KINDS: Registry[Dialect] = Registry(
    "rate-limit dialect", "penstock.dialects", {row.name: row for row in DIALECTS}
)
"""The dialects by name, with those of installed packages."""
