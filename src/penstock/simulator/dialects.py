"""Rate-limit headers as servers really send them, one function a dialect.

The RateLimit fields are an Internet-Draft (draft-ietf-httpapi-ratelimit-headers), not an RFC;
the spelling follows express-rate-limit, which rounds seconds up.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from penstock.simulator.limiter import LimitVerdict
from penstock.simulator.settings import Dialect, ResetForm, SimulatorSettings

__all__ = ["rate_headers"]

Headers = tuple[tuple[str, str], ...]


def rate_headers(
    settings: SimulatorSettings, verdict: LimitVerdict, key: str, epoch: float
) -> Headers:
    """Return the headers that tell a verdict in the dialect of ``settings``.

    Args:
        settings: Its ``dialect``, ``window`` and ``reset_form`` matter here.
        verdict: What the limiter decided.
        key: Whose limit it is; draft 8 sends a hash of it.
        epoch: The server's own idea of the time, in seconds since 1970.

    >>> verdict = LimitVerdict(True, 500, 499, 4.2, 4.2)
    >>> for header in rate_headers(SimulatorSettings(dialect="draft-7"), verdict, "me", 0):
    ...     print(*header, sep=": ")
    RateLimit-Policy: 500;w=5
    RateLimit: limit=500, remaining=499, reset=5
    """
    headers = DIALECTS[settings.dialect](_Told(settings, verdict, key, epoch))
    if verdict.accepted or settings.dialect == "none":
        return headers
    # RFC 9110 §10.2.3: delay-seconds; never 0, or the client would come back too early
    return (*headers, ("Retry-After", str(max(1, math.ceil(verdict.retry_after)))))


class _Told(NamedTuple):
    """What headers tell: :func:`rate_headers`."""

    settings: SimulatorSettings
    verdict: LimitVerdict
    key: str
    epoch: float


def _draft_8(told: _Told) -> Headers:
    verdict = told.verdict
    name = _policy_name(verdict.limit, told.settings.window)
    window = math.ceil(told.settings.window)
    reset = math.ceil(verdict.reset)
    return (
        ("RateLimit", f'"{name}"; r={verdict.remaining}; t={reset}'),
        (
            "RateLimit-Policy",
            f'"{name}"; q={verdict.limit}; w={window}; pk=:{_partition(told.key)}:',
        ),
    )


def _draft_7(told: _Told) -> Headers:
    verdict = told.verdict
    reset = math.ceil(verdict.reset)
    return (
        ("RateLimit-Policy", f"{verdict.limit};w={math.ceil(told.settings.window)}"),
        (
            "RateLimit",
            f"limit={verdict.limit}, remaining={verdict.remaining}, reset={reset}",
        ),
    )


def _draft_6(told: _Told) -> Headers:
    verdict = told.verdict
    return (
        ("RateLimit-Policy", f"{verdict.limit};w={math.ceil(told.settings.window)}"),
        ("RateLimit-Limit", str(verdict.limit)),
        ("RateLimit-Remaining", str(verdict.remaining)),
        ("RateLimit-Reset", str(math.ceil(verdict.reset))),
    )


def _legacy(told: _Told) -> Headers:
    verdict = told.verdict
    return (
        ("X-RateLimit-Limit", str(verdict.limit)),
        ("X-RateLimit-Remaining", str(verdict.remaining)),
        ("X-RateLimit-Reset", RESETS[told.settings.reset_form](verdict.reset, told.epoch)),
    )


def _silent(_told: _Told) -> Headers:
    return ()


def _rfc3339(reset: float, epoch: float) -> str:
    return datetime.fromtimestamp(math.ceil(epoch + reset), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DIALECTS: Mapping[Dialect, Callable[[_Told], Headers]] = MappingProxyType(
    {
        "draft-8": _draft_8,
        "draft-7": _draft_7,
        "draft-6": _draft_6,
        "legacy": _legacy,
        "retry-after": _silent,
        "none": _silent,
    }
)

# (seconds until the reset, server's time) -> what the header says
RESETS: Mapping[ResetForm, Callable[[float, float], str]] = MappingProxyType(
    {
        "delta": lambda reset, _epoch: str(math.ceil(reset)),
        "epoch": lambda reset, epoch: str(math.ceil(epoch + reset)),
        "epoch-ms": lambda reset, epoch: str(math.ceil((epoch + reset) * 1000)),
        "epoch-ns": lambda reset, epoch: str(math.ceil((epoch + reset) * 1000) * 1_000_000),
        "rfc3339": _rfc3339,
    }
)


@lru_cache(maxsize=64)
def _policy_name(limit: int, window: float) -> str:
    """Name a policy as express-rate-limit does.

    >>> [_policy_name(9, window) for window in (5, 0.5, 60, 900, 3600, 7200, 86400)]
    ['9-in-5sec', '9-in-0.5sec', '9-in-1min', '9-in-15min', '9-in-1hr', '9-in-2hrs', '9-in-1day']
    """
    if window < 60:
        return f"{limit}-in-{window:g}sec"
    if window < 3600:
        return f"{limit}-in-{window / 60:g}min"
    size, unit = (3600, "hr") if window < 86400 else (86400, "day")
    plural = "s" if window > size else ""
    return f"{limit}-in-{window / size:g}{unit}{plural}"


@lru_cache(maxsize=1024)
def _partition(key: str) -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return base64.b64encode(digest.encode()).decode()
