"""What all calls under one policy share, whoever makes them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from penstock.clock import Clock
from penstock.resilience import Breaker, Dialect, Gate, RetryBudget, RetryPolicy

if TYPE_CHECKING:
    from penstock.events import Events

__all__ = ["Session"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The policy, the guards, and what is a parameter everywhere: time, chance, who is informed.

    Attributes:
        retry: When to try again.
        budget: Gives leave for each call.
        breaker: Stops calling a server that only fails.
        retries: Keeps retries a share of all calls.
        clock: Source of time.
        rng: Source of the jitter.
        dialects: Rows for rate-limit headers, asked before our own.
        events: Where to tell what happens, or None.
    """

    retry: RetryPolicy
    budget: Gate
    breaker: Breaker
    retries: RetryBudget
    clock: Clock
    rng: random.Random
    dialects: tuple[Dialect, ...] = ()
    events: Events | None = None
