"""Leave to make a call, and the running totals it is given out from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import msgspec

__all__ = ["Tally", "Ticket"]


@final
class Tally:
    """Units of one kind: sent in total, and answered in total."""

    __slots__ = ("done", "sent")

    def __init__(self) -> None:
        self.sent = 0.0
        self.done = 0.0

    @property
    def out(self) -> float:
        """Units on their way."""
        return self.sent - self.done


@final
class Ticket(msgspec.Struct, eq=False, frozen=True):
    """Leave to make one call; hand it back with the answer.

    Attributes:
        number: Its place in the order of sending, from 1.
        sent: When it was given, in monotonic seconds.
        cost: Units by name.
    """

    number: int
    sent: float
    cost: Mapping[str, float]
