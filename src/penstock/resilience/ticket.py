"""Leave to make a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import msgspec


@final
class Ticket(msgspec.Struct, eq=False, frozen=True):
    """Leave to make one call; hand it back with the answer.

    Attributes:
        number: Its place in the order of sending, from 1.
        sent: When it was given, in monotonic seconds.
        cost: Units by name.
        path: What is called, where the server's resources are distinguished by it.
        resource: The server's name for the quota it will count; ``""`` where unknown.
    """

    number: int
    sent: float
    cost: Mapping[str, float]
    path: str = ""
    resource: str = ""
