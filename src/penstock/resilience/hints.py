"""What a server says of its limits, in whatever dialect: bytes of a header block to values.

Understood: ``RateLimit``/``RateLimit-Policy`` as structured fields
(draft-ietf-httpapi-ratelimit-headers-08 and later) and as ``limit=, remaining=, reset=``
(draft-07), ``RateLimit-Limit`` and its kin (draft-06), ``X-RateLimit-*`` with or without a unit
behind it (``X-RateLimit-Remaining-Tokens``), ``X-Rate-Limit-*``, ``Retry-After`` (RFC 9110
section 10.2.3, both forms) and ``Backoff``. These fields are an Internet-Draft, not an RFC.

A reset comes as seconds from now, as an epoch in s, ms, µs or ns, as RFC 3339, as an HTTP date or
as a duration (``6m0s``): told apart by form and magnitude.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import final

import msgspec

__all__ = [
    "Hints",
    "Quota",
    "Reset",
    "hints_in_body",
    "parse_hints",
    "parse_reset",
    "parse_retry_after",
]


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
    """

    name: str
    unit: str = "requests"
    limit: float | None = None
    remaining: float | None = None
    reset: Reset | None = None
    window: float | None = None


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


_FIELD = re.compile(
    rb"^((?:x-)?rate-?limit[\w-]*|retry-after(?:-ms)?|backoff)[ \t]*:[ \t]*([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_ONE_ITEM = re.compile(r'"([^"]*)"\s*;\s*r=(\d+)(?:\s*;\s*t=(\d+))?')
_DATE = re.compile(rb"^date[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_FAMILY = re.compile(r"^(?:x-)?rate-?limit-(limit|remaining|reset|used)(?:-(?!after$)([\w-]+))?$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_LENGTHS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2678400.0}
_PARAMETER = re.compile(r';\s*([a-z]+)\s*=\s*(?:"([^"]*)"|:[^:]*:|([^;,\s]+))')
_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^;,\s]+))((?:\s*;[^,"]*(?:"[^"]*")?)*)\s*(?:,|$)')


def parse_hints(head: bytes) -> Hints | None:
    r"""Return what a raw header block says of limits, or None when it says nothing.

    >>> parse_hints(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n") is None
    True
    >>> hints = parse_hints(b'RateLimit: "500-in-5sec"; r=499; t=5\r\n')
    >>> hints.quotas[0].remaining, hints.quotas[0].reset.value
    (499.0, 5.0)
    """
    lower = head.lower()
    # Spelled out: most answers say nothing, and this is asked of each.
    if not (
        b"ratelimit" in lower
        or b"rate-limit" in lower
        or b"retry-after" in lower
        or b"backoff" in lower
    ):
        return None
    lines = [
        (name.lower().decode("ascii"), value.decode("latin-1").strip())
        for name, value in _FIELD.findall(head)
    ]
    if not lines:
        return None
    fields = dict(lines)
    if len(fields) < len(lines):
        _join_lists(fields, lines)
    found = _DATE.search(head)
    return Hints(
        quotas=_quotas(fields),
        retry_after=_retry_after(fields),
        backoff=_number(fields.get("backoff")),
        date=_http_date(found.group(1).decode("latin-1")) if found else None,
    )


def _join_lists(fields: dict[str, str], lines: list[tuple[str, str]]) -> None:
    # RFC 9110 section 5.3: a list may be split over several lines of the same name.
    for name in ("ratelimit", "ratelimit-policy"):
        if name in fields:
            fields[name] = ", ".join(value for key, value in lines if key == name)


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
    return hints


def parse_retry_after(text: str) -> Reset | None:
    """Return when ``Retry-After`` says to come back: delay seconds or an HTTP date.

    >>> parse_retry_after("120")
    Reset(value=120.0, epoch=False, exact=False)
    >>> parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT")
    Reset(value=1445412480.0, epoch=True, exact=False)
    """
    seconds = _number(text)
    if seconds is not None:
        return Reset(seconds, exact=seconds != int(seconds)) if seconds < 1e9 else _epoch(seconds)
    date = _http_date(text)
    return None if date is None else Reset(date, epoch=True)


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
    parts = _DURATION.findall(text)
    if parts and _DURATION.sub("", text).strip() == "":
        total = _number(sum(float(n) * _SECONDS.get(unit, 1e-9) for n, unit in parts))
        return None if total is None else Reset(total, exact=True)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        date = _http_date(text)
        return None if date is None else Reset(date, epoch=True)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Reset(moment.timestamp(), epoch=True, exact=moment.microsecond != 0)


def _epoch(number: float) -> Reset:
    # Decided by magnitude: seconds stay below 1e11 until the year 5138.
    for scale in (1e9, 1e6, 1e3):
        if number >= 1e8 * scale:
            return Reset(number / scale, epoch=True, exact=True)
    return Reset(number, epoch=True, exact=number != int(number))


def _number(text: str | float | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < float("inf") else None


@lru_cache(maxsize=8)
def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow, and few servers send one

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _retry_after(fields: dict[str, str]) -> Reset | None:
    milliseconds = _number(fields.get("retry-after-ms"))
    if milliseconds is not None:
        return Reset(milliseconds / 1000, exact=True)
    text = fields.get("retry-after")
    return None if text is None else parse_retry_after(text)


def _quotas(fields: dict[str, str]) -> tuple[Quota, ...]:
    policies = _policies(fields.get("ratelimit-policy", ""))
    combined = fields.get("ratelimit")
    if combined is not None:
        if re.match(r"\s*limit\s*=", combined, re.IGNORECASE):
            return (_draft7(combined, policies),)
        return _draft8(combined, policies)
    return _families(fields, policies)


@lru_cache(maxsize=32)
def _policies(text: str) -> dict[str, dict[str, str]]:
    """Name (draft 8) or quota (drafts 6 and 7: ``500;w=5``) to parameters."""
    found = {}
    for name, token, parameters in _ITEM.findall(text):
        values = {key: quoted or bare for key, quoted, bare in _PARAMETER.findall(parameters)}
        if token:
            values.setdefault("q", token)
        found[name or token] = values
    return found


def _draft8(text: str, policies: dict[str, dict[str, str]]) -> tuple[Quota, ...]:
    if simple := _ONE_ITEM.fullmatch(text):
        name, left, seconds = simple.groups()
        return (_limited(name, float(left), _number(seconds), policies.get(name, {})),)
    quotas = []
    for name, token, parameters in _ITEM.findall(text):
        values = {key: quoted or bare for key, quoted, bare in _PARAMETER.findall(parameters)}
        policy = policies.get(name or token, {})
        left, seconds = _number(values.get("r")), _number(values.get("t"))
        quotas.append(_limited(name or token, left, seconds, policy))
    return tuple(quotas)


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
    values = dict(re.findall(r"(limit|remaining|reset)\s*=\s*([^,;\s]+)", text.lower()))
    limit = _number(values.get("limit"))
    return Quota(
        name="ratelimit",
        limit=limit,
        remaining=_number(values.get("remaining")),
        reset=parse_reset(values["reset"]) if "reset" in values else None,
        window=_window_of(limit, policies),
    )


def _families(fields: dict[str, str], policies: dict[str, dict[str, str]]) -> tuple[Quota, ...]:
    """``[X-]RateLimit-Limit/-Remaining/-Reset``, once a unit."""
    units: dict[str, dict[str, str]] = {}
    for name, text in fields.items():
        if name.endswith("reset-after"):
            units.setdefault("requests", {})["reset"] = text
        elif member := _member(name):
            what, unit = member
            # Draft 6 allows "100, 100;w=60": the first number is the one in force.
            first = text.split(", ", 1)[0].split(";", 1)[0] if what == "limit" else text
            units.setdefault(unit, {})[what] = first
    return tuple(_family(unit, values, policies) for unit, values in units.items())


@lru_cache(maxsize=64)
def _member(name: str) -> tuple[str, str] | None:
    match = _FAMILY.match(name)
    return (match.group(1), match.group(2) or "requests") if match else None


def _family(name: str, values: dict[str, str], policies: dict[str, dict[str, str]]) -> Quota:
    limit, remaining = _number(values.get("limit")), _number(values.get("remaining"))
    used = _number(values.get("used"))
    if remaining is None and limit is not None and used is not None:
        remaining = max(0.0, limit - used)
    length = _LENGTHS.get(name)  # "-Minute" is no unit: it counts requests a minute
    return Quota(
        name=name,
        unit=name if length is None else "requests",
        limit=limit,
        remaining=remaining,
        reset=parse_reset(values["reset"]) if "reset" in values else None,
        window=_window_of(limit, policies) if length is None else length,
    )


def _window_of(limit: float | None, policies: dict[str, dict[str, str]]) -> float | None:
    for values in policies.values():
        if limit is not None and _number(values.get("q")) == limit:
            return _number(values.get("w"))
    return None
