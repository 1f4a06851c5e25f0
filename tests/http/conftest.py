"""Simulators that end with the test, and an API over them that does not wait long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from penstock.http import Api
from penstock.resilience import BreakerPolicy, RetryPolicy
from penstock.simulator import Simulator, SimulatorSettings

QUICK = RetryPolicy(attempts=40, base=0.001, cap=0.002)


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Start simulators: simulate(users=10, limit=3)."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Simulator:
            return stack.enter_context(Simulator(SimulatorSettings(**{"limit": 0, **settings})))

        yield start


@pytest.fixture
def quick() -> Callable[..., Api]:
    """Return an API that tries again at once."""

    def api(url: str, **more: Any) -> Api:
        return Api(
            url, **{"retry": QUICK, "breaker": BreakerPolicy(failures=10_000), "seed": 1, **more}
        )

    return api
