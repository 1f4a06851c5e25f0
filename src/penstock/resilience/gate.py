"""What whoever makes calls needs of whatever allows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from penstock.resilience.hints import Hints, Quota
from penstock.resilience.ticket import Ticket


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """What is known at a moment: amounts in requests, times in seconds; None where unknown."""

    limit: float | None
    remaining: float | None
    reset: float | None
    rate: float | None


class Gate(Protocol):
    """Gives leave for calls and learns from their answers; :class:`Budget` is the one at hand.

    Threads share it. ``now`` is monotonic seconds of this process.
    """

    def take(
        self, now: float, cost: Mapping[str, float] | None = None, path: str = ""
    ) -> Ticket | float:
        """Return leave for one call; or the seconds after which to ask again (or infinity)."""
        ...

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        """Note the answer to the call that ``ticket`` was for."""
        ...

    def abandon(self, ticket: Ticket) -> None:
        """Note that there was no answer; the call may have been counted all the same."""
        ...

    def available(self) -> int:
        """Return how many calls may be made now, 0 or more."""
        ...

    def renewed_in(self) -> float:
        """Return the seconds until asking again makes sense; 0 where calls may be made now."""
        ...

    def view(self, now: float) -> BudgetView:
        """Return what is known, for progress and logs."""
        ...


@runtime_checkable
class Informed(Protocol):
    """A gate that a status call can inform, too: what ``Api(status=...)`` needs of it."""

    refresh: Callable[[], object] | None

    def status(self, quota: Quota, now: float, asked: float, date: float | None = None) -> None:
        """Take over what a status call says."""
        ...

    def unknown(self) -> bool:
        """Whether nothing is known of what is left: the moment for a status call."""
        ...


@runtime_checkable
class SharedGate(Gate, Informed, Protocol):
    """A gate of several processes: leave that was not used is given back when it is closed."""

    def close(self) -> None:
        """Let go of where it is kept. Closing twice is allowed."""
        ...
