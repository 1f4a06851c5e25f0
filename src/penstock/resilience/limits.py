"""Limits told beforehand, kept on our side by counting our own calls."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from penstock.errors import InputError

__all__ = ["GivenLimit", "Limit"]


@final
@dataclass(frozen=True, slots=True)
class Limit:
    """A limit known beforehand: never more than ``count`` units in any ``per`` seconds."""

    count: float
    per: float
    unit: str = "requests"

    def __post_init__(self) -> None:
        if self.count <= 0 or self.per <= 0:
            raise InputError(f"Limit({self.count}, per={self.per}): both must be above 0")


@final
class GivenLimit:
    """A sliding window over our own calls, for a limit told beforehand."""

    __slots__ = ("_count", "_limit", "_log", "_spent")

    def __init__(self, limit: Limit, reserve: float) -> None:
        self._limit = limit
        self._count = limit.count - (reserve if limit.unit == "requests" else 0.0)
        if self._count <= 0:
            raise InputError(
                f"the reserve of {reserve:g} leaves nothing of the limit of {limit.count:g} per "
                f"{limit.per:g} s: lower the reserve"
            )
        self._log: deque[tuple[float, float]] = deque()
        self._spent = 0.0

    def _forget(self, now: float) -> None:
        while self._log and self._log[0][0] <= now - self._limit.per:
            self._spent -= self._log.popleft()[1]

    def wait(self, now: float, cost: Mapping[str, float]) -> float:
        """Return the seconds until a call of that cost may go out.

        Raises:
            InputError: No window could ever hold it.
        """
        amount = cost.get(self._limit.unit, 0.0)
        if amount > self._count:
            raise InputError(
                f"a call costs {amount:g} {self._limit.unit}, more than the limit of "
                f"{self._count:g} per {self._limit.per:g} s ever allows"
            )
        self._forget(now)
        if self._spent + amount <= self._count:
            return 0.0
        return self._log[0][0] + self._limit.per - now

    def granted(self, now: float, cost: Mapping[str, float]) -> None:
        """Note that such a call goes out."""
        amount = cost.get(self._limit.unit, 0.0)
        if amount:
            self._log.append((now, amount))
            self._spent += amount

    def left(self, now: float) -> float:
        """Return how many requests may still go out now."""
        if self._limit.unit != "requests":
            return math.inf
        self._forget(now)
        return self._count - self._spent
