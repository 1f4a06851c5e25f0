"""Leave to make a call, and the running totals it is given out from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

__all__ = ["Tally", "Ticket"]


@final
class Tally:
    """Units of one kind: sent in total, and answered in total."""

    __slots__ = ("done", "sent")

    def __init__(self) -> None:
        self.sent = 0.0
        self.done = 0.0


@final
class Ticket:
    """Leave to make one call; hand it back with the answer."""

    __slots__ = ("cost", "done", "number", "sent")

    def __init__(
        self, number: int, sent: float, cost: Mapping[str, float], done: Mapping[str, float]
    ) -> None:
        self.number = number
        self.sent = sent
        self.cost = cost
        self.done = done
