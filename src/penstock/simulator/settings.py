"""What a simulated server is like: one frozen value, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, final, get_args

from penstock.errors import InputError

__all__ = [
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
LimiterKind = Literal["fixed", "sliding", "bucket"]
ResetForm = Literal["delta", "epoch", "epoch-ms", "epoch-ns", "rfc3339"]
FaultKind = Literal[
    "420",
    "429",
    "500",
    "503",
    "520",
    "error",
    "reset-before",
    "reset-after",
    "truncate",
    "drip",
    "stall",
]

Mix = tuple[tuple[FaultKind, float], ...]

WHOLE = frozenset({"users", "limit", "seed", "burst", "deleted", "pages"})

# A stall costs its client a whole timeout, so it comes only when it is asked for by name.
DEFAULT_MIX: Mix = (
    ("420", 1.0),
    ("429", 1.0),
    ("500", 2.0),
    ("503", 2.0),
    ("520", 1.0),
    ("error", 1.0),
    ("reset-before", 1.0),
    ("reset-after", 1.0),
    ("truncate", 1.0),
    ("drip", 1.0),
)

CHOICES = MappingProxyType(
    {
        "dialect": get_args(Dialect),
        "auth": get_args(AuthKind),
        "limiter": get_args(LimiterKind),
        "reset_form": get_args(ResetForm),
    }
)
# field -> (least, greatest), both allowed
RANGES: MappingProxyType[str, tuple[float, float]] = MappingProxyType(
    {
        "users": (0, 50_000_000),
        "limit": (0, 1_000_000_000),
        "window": (0.001, 1e9),
        "faults": (0, 1),
        "seed": (0, 2**63),
        "latency": (0, 3600),
        "burst": (0, 1_000_000_000),
        "date_skew": (-1e9, 1e9),
        "deleted": (0, 50_000_000),
        "pages": (1, 1000),
        "token_life": (0.001, 1e9),
        "drip": (0, 3600),
        "stall": (0, 3600),
        "gzip": (0, 1),
        "chunked": (0, 1),
    }
)


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
            ``sliding``: any ``window`` seconds, in which each request counts for so long;
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

    users: int = 2000
    limit: int = 500
    window: float = 5.0
    dialect: Dialect = "draft-8"
    faults: float = 0.0
    seed: int = 1
    auth: AuthKind = "none"
    latency: float = 0.0
    limiter: LimiterKind = "fixed"
    burst: int = 10
    mix: Mix = DEFAULT_MIX
    reset_form: ResetForm = "epoch"
    date_skew: float = 0.0
    deleted: int = 0
    pages: int = 50
    token_life: float = 3600.0
    drip: float = 1.0
    stall: float = 30.0
    gzip: float = 0.25
    chunked: float = 0.1
    retry_dates: bool = False
    odd: str = ""

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


def _check_range(name: str, value: object, least: float, greatest: float) -> None:
    whole = name in WHOLE
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
