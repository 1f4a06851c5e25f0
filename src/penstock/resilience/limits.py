"""Limits given beforehand, kept on our side by counting our own calls."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import final

import msgspec
from msgspec.structs import replace

from penstock.errors import InputError


@final
@dataclass(frozen=True, slots=True)
class Limit:
    """A limit known beforehand: never more than ``count`` units in any ``per`` seconds."""

    count: float
    per: float
    unit: str = "requests"

    def __post_init__(self) -> None:
        if not (self.count > 0 and 0 < self.per < math.inf):
            raise InputError(
                f"Limit({self.count}, per={self.per}): both must be above 0, and per finite"
            )


_SLOTS = 256


@final
class GivenLimit(msgspec.Struct, frozen=True, gc=False):
    """A sliding window over our own calls, for a limit given beforehand.

    Attributes:
        count: Units allowed, the reserve taken off.
        per: Seconds.
        unit: What is counted.
        spent: Sum of the amounts in ``log``.
        log: (first, last, amount) of calls close together, the oldest first.
    """

    count: float
    per: float
    unit: str
    spent: float = 0.0
    log: tuple[tuple[float, float, float], ...] = ()

    @classmethod
    def of(cls, limit: Limit, reserve: float) -> GivenLimit:
        """Return the window of ``limit``, of which ``reserve`` is never spent.

        Raises:
            InputError: The reserve leaves nothing.
        """
        count = limit.count - (reserve if limit.unit == "requests" else 0.0)
        if count <= 0:
            raise InputError(
                f"the reserve of {reserve:g} leaves nothing of the limit of {limit.count:g} per "
                f"{limit.per:g} s: lower the reserve"
            )
        return cls(count, limit.per, limit.unit)

    def _at(self, now: float) -> GivenLimit:
        """Leave out what has left the window."""
        gone = 0
        while gone < len(self.log) and self.log[gone][1] <= now - self.per:
            gone += 1
        if not gone:
            return self
        log = self.log[gone:]
        spent = self.spent - sum(amount for _, _, amount in self.log[:gone])
        return replace(self, log=log, spent=spent if log else 0.0)

    def wait(self, now: float, cost: Mapping[str, float]) -> float:
        """Return the seconds until a call of that cost may go out.

        Raises:
            InputError: No window could ever hold it.
        """
        amount = cost.get(self.unit, 0.0)
        if amount > self.count:
            raise InputError(
                f"a call costs {amount:g} {self.unit}, more than the limit of "
                f"{self.count:g} per {self.per:g} s ever allows"
            )
        if self.spent + amount <= self.count:
            return 0.0
        current = self._at(now)
        if current.spent + amount <= self.count:
            return 0.0
        return current.log[0][1] + self.per - now

    def granted(self, now: float, cost: Mapping[str, float]) -> GivenLimit:
        """Note that such a call goes out."""
        amount = cost.get(self.unit, 0.0)
        if not amount:
            return self
        current = self._at(now)
        log = current.log
        # Many calls are kept in a bounded number of slots; each slot ends with its last call.
        if len(log) >= _SLOTS and now - log[-1][0] < self.per / _SLOTS:
            first, last, before = log[-1]
            log = (*log[:-1], (first, max(last, now), before + amount))
        else:
            log = (*log, (now, now, amount))
        return replace(current, log=log, spent=current.spent + amount)

    def answered(self, sent: float, now: float) -> GivenLimit:
        """Note the answer to a call: the server counted it at some moment in between."""
        return self._changed(sent, now, 0.0)

    def unused(self, sent: float, cost: Mapping[str, float]) -> GivenLimit:
        """Note that a call never went out."""
        return self._changed(sent, -math.inf, cost.get(self.unit, 0.0))

    def _changed(self, sent: float, until: float, less: float) -> GivenLimit:
        at = bisect_right(self.log, sent, key=itemgetter(0)) - 1
        if at < 0 or (self.log[at][1] >= until and not less):
            return self
        # Of several that got leave at one moment, one whose amount was not taken back before.
        while at and self.log[at][2] < less and self.log[at - 1][0] == self.log[at][0]:
            at -= 1
        first, last, amount = self.log[at]
        less = min(less, amount)
        changed = (first, max(last, until), amount - less)
        log = (*self.log[:at], changed, *self.log[at + 1 :])
        return replace(self, log=log, spent=self.spent - less)

    def lasting(self, until: float) -> GivenLimit:
        """Take the latest calls for sent as late as ``until``."""
        if not self.log or self.log[-1][1] >= until:
            return self
        first, _, amount = self.log[-1]
        return replace(self, log=(*self.log[:-1], (first, until, amount)))

    def left(self, now: float) -> float:
        """Return how many requests may still go out now."""
        if self.unit != "requests":
            return math.inf
        return self.count - self._at(now).spent
