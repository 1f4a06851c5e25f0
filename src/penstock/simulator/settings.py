"""What a simulated server is like: one frozen value, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal, TypeVar, final, get_args, get_origin, get_type_hints

from penstock.errors import InputError

__all__ = [
    "CHOICES",
    "AuthKind",
    "Dialect",
    "FaultKind",
    "LimiterKind",
    "ResetForm",
    "SimulatorSettings",
    "read_mix",
    "write_mix",
]

Dialect = Literal["draft-8", "draft-7", "draft-6", "legacy", "retry-after", "none"]
AuthKind = Literal["none", "basic", "bearer", "oauth1", "oauth2", "api-key"]
LimiterKind = Literal["fixed", "bucket"]
ResetForm = Literal["delta", "epoch", "epoch-ms", "epoch-ns", "rfc3339"]
FaultKind = Literal[
    "420", "429", "500", "503", "520", "error",
    "reset-before", "reset-after", "truncate", "drip", "stall",
]  # fmt: skip

Mix = tuple[tuple[FaultKind, float], ...]
T = TypeVar("T")

# A stall costs its client a whole timeout, so it comes only when it is asked for by name.
DEFAULT_MIX: Mix = tuple(
    (kind, 2.0 if kind in {"500", "503"} else 1.0) for kind in get_args(FaultKind)[:-1]
)


def _setting(default: T, words: str, least: float | None = None, greatest: float = 0.0) -> T:
    """Return a field: what the option of its name says, and from where to where it goes."""
    bounds = None if least is None else (least, greatest)
    return field(default=default, metadata={"words": words, "range": bounds})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """How the simulated server behaves. Immutable; all times are seconds.

    Attributes:
        users: Ids ``0 .. users-1`` exist.
        limit: Requests a key may make in a window; 0 means no limit and no headers.
        window: Length of the window; with ``limiter="bucket"``, ``limit / window`` is the rate.
        dialect: Which rate-limit headers are sent.
        faults: Share of requests on data endpoints that meet a fault, 0 to 1.
        seed: Everything that is random follows from it.
        auth: What the data endpoints ask for.
        latency: Waited before each answer of a data endpoint.
        limiter: ``fixed``: a window that begins with the key's first request;
            ``bucket``: a leaky bucket like nginx's ``limit_req ... nodelay``.
        burst: Requests a bucket lets through beyond its rate.
        mix: Fault kinds with their weights.
        reset_form: How the legacy dialect writes its reset header.
        date_skew: Added to the server's clock: its Date header and epoch resets are wrong by it,
            and signatures are held against it.
        deleted: That many of the ids answer 404, chosen by the seed.
        pages: Rows on a page where the request does not say.
        token_life: Life of an OAuth 2 access token.
        drip: Time a dripped body takes in all.
        stall: Silence after the headers of a stalled answer, before the server closes.
        gzip: Share of answers compressed for clients that accept gzip.
        chunked: Share of answers sent with chunked transfer coding.
        retry_dates: Whether half of the Retry-After headers on a 503 are HTTP dates.
        odd: What is odd about the list at ``/odd``, by a name of ``oddities.ODDITIES``.

    Raises:
        InputError: A value is out of its range or not one of its choices.

    >>> SimulatorSettings(users=10).limit
    500
    >>> SimulatorSettings(faults=7)
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: simulator: faults must be a number from 0 to 1, not 7
    """

    users: int = _setting(2000, "Ids 0 to N-1 exist.", 0, 50_000_000)
    limit: int = _setting(
        500, "Requests a key may make in a window; 0 means no limit.", 0, 1_000_000_000
    )
    window: float = _setting(5.0, "In seconds.", 0.001, 1e9)
    dialect: Dialect = _setting("draft-8", "Which rate-limit headers are sent.")
    faults: float = _setting(0.0, "Share of data requests that meet a fault, 0 to 1.", 0, 1)
    seed: int = _setting(1, "Users and faults follow from it.", 0, 2**63)
    auth: AuthKind = _setting(
        "none", "What data endpoints ask for; the credentials are printed at the start."
    )
    latency: float = _setting(0.0, "Seconds before each answer.", 0, 3600)
    limiter: LimiterKind = _setting(
        "fixed", "A window from the first request on, or a leaky bucket."
    )
    burst: int = _setting(10, "Requests a bucket lets through beyond its rate.", 0, 1_000_000_000)
    mix: Mix = _setting(DEFAULT_MIX, "Fault kinds and weights; also knows stall.")
    reset_form: ResetForm = _setting("epoch", "How the legacy dialect writes X-RateLimit-Reset.")
    date_skew: float = _setting(0.0, "Seconds by which the server's clock is wrong.", -1e9, 1e9)
    deleted: int = _setting(0, "That many of the ids answer 404.", 0, 50_000_000)
    pages: int = _setting(50, "Rows on a page.", 1, 1000)
    token_life: float = _setting(3600.0, "Seconds an OAuth 2 token lives.", 0.001, 1e9)
    drip: float = _setting(1.0, "Seconds that a dripped body takes.", 0, 3600)
    stall: float = _setting(30.0, "Seconds of silence before a stalled answer is closed.", 0, 3600)
    gzip: float = _setting(0.25, "Share of answers compressed for clients that accept it.", 0, 1)
    chunked: float = _setting(0.1, "Share of answers sent in chunks.", 0, 1)
    retry_dates: bool = _setting(
        default=False, words="Write half of the Retry-Afters of a 503 as dates."
    )
    odd: str = _setting("", "What is odd about the list at /odd: ")

    def __post_init__(self) -> None:
        for name, (least, greatest) in RANGES.items():
            _check_range(name, getattr(self, name), least, greatest)
        for name, choices in CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        _check_mix(self.mix)
        if self.deleted > self.users:
            raise InputError(
                f"simulator: deleted must be at most users ({self.users}), not {self.deleted}"
            )


_TYPES = get_type_hints(SimulatorSettings)
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: get_args(kind) for name, kind in _TYPES.items() if get_origin(kind) is Literal}
)
# field -> (least, greatest), both allowed
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {one.name: found for one in fields(SimulatorSettings) if (found := one.metadata["range"])}
)


def _check_range(name: str, value: object, least: float, greatest: float) -> None:
    whole = _TYPES[name] is int
    allowed = isinstance(value, int) if whole else isinstance(value, int | float)
    if not (allowed and isinstance(value, int | float) and least <= value <= greatest):  # nor NaN
        raise InputError(
            f"simulator: {name} must be a {'whole ' if whole else ''}number "
            f"from {least:g} to {greatest:g}, not {value}"
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"simulator: {name} must be one of {', '.join(choices)}, not {value!r}")


def _check_mix(mix: Mix) -> None:
    for kind, weight in mix:
        if kind not in get_args(FaultKind):
            known = ", ".join(get_args(FaultKind))
            raise InputError(f"simulator: mix knows {known}, not {kind!r}")
        if not (weight >= 0 and math.isfinite(weight)):
            raise InputError(f"simulator: mix weight of {kind} must be 0 or more, not {weight}")
    if not sum(weight for _, weight in mix) > 0:
        raise InputError("simulator: mix needs a weight above 0, like 500=2,stall=1")


def read_mix(text: str) -> Mix:
    """Read ``NAME=WEIGHT,...``; a name alone weighs 1.

    Raises:
        InputError: A name or a weight is not one.

    >>> read_mix("500=2,stall")
    (('500', 2.0), ('stall', 1.0))
    """
    pairs: list[tuple[FaultKind, float]] = []
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        kind = next((kind for kind in get_args(FaultKind) if kind == name), None)
        if kind is None:
            known = ", ".join(get_args(FaultKind))
            raise InputError(f"simulator: mix knows {known}, not {name!r}")
        try:
            pairs.append((kind, float(weight or 1)))
        except ValueError as error:
            raise InputError(
                f"simulator: mix weight of {name} must be a number, not {weight!r}"
            ) from error
    mix = tuple(pairs)
    _check_mix(mix)
    return mix


def write_mix(mix: Mix) -> str:
    """Write a mix as :func:`read_mix` reads it.

    >>> write_mix((("500", 2.0), ("stall", 1.0)))
    '500=2,stall=1'
    """
    return ",".join(f"{kind}={weight:g}" for kind, weight in mix)
