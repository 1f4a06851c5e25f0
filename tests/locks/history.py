"""A linearizability checker for the histories of a single lock.

A history is what callers saw: when each asked, got, began to give back and was done, on one clock.
It is right when every acquisition and every release can be given one instant within its call such
that acquisitions and releases alternate. In general that is a search over orders (Wing and Gong);
here tokens say the order, which the lock promises, so that one pass finds the instants or shows
that there are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stay:
    """One acquisition: the four moments of its calls; a killed holder has no last two.

    ``over`` is the earliest moment at which a holder that never gave back can have been passed
    over: its lease's end, or its death.
    """

    token: int
    asked: float
    got: float
    giving: float = math.inf
    gave: float = math.inf
    over: float = math.inf


def violation(stays: Iterable[Stay]) -> str | None:
    """Return what is wrong with a history, or None."""
    instant, last = -math.inf, 0
    for stay in sorted(stays, key=lambda stay: stay.token):
        if stay.token <= last:
            return f"token {stay.token} was given out twice"
        instant = max(instant, stay.asked)
        if instant > stay.got:
            return f"token {stay.token} was held at {stay.got} while token {last} still was"
        instant = max(instant, min(stay.giving, stay.over))
        last = stay.token
        if instant > stay.gave:
            return f"token {stay.token} was released at {stay.gave} and held after that"
    return None
