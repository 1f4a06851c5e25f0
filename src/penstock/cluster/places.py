"""Where shared budgets are kept: a directory of this machine, MongoDB, or what a package offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from penstock.address import at_schemes, is_reference, look_up, scheme_of
from penstock.clock import Clock
from penstock.cluster.permits import Shared
from penstock.cluster.sqlite_place import SqlitePlace
from penstock.registry import Registry

__all__ = ["BUDGETS", "BudgetPlace", "Decide", "OpenPlace", "budget_place", "opened"]

Decide: TypeAlias = Callable[[Shared, frozenset[str]], Shared]
"""Says what becomes of a budget, given the processes known to have ended; may be asked twice."""


class BudgetPlace(Protocol):
    """Keeps one shared budget and replaces it by the next, one process at a time.

    Attributes:
        process: What this process is called there.
        lease: Seconds without a sign of life after which a process is taken for dead.
        life: Seconds that leave may be kept before a call; 0 where asking is cheap.
    """

    process: str
    lease: float
    life: float

    def offset(self) -> tuple[float, float]:
        """Return the least and greatest of (the place's clock - our monotonic one), in seconds."""
        ...

    def change(self, decide: Decide) -> None:
        """Replace the budget by what ``decide`` makes of it.

        Raises:
            StorageError: The place does not answer.
        """
        ...

    def read(self) -> Shared:
        """Return the budget as it is."""
        ...

    def seen(self) -> Shared:
        """Return the budget as it was when last looked at."""
        ...

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""
        ...


OpenPlace: TypeAlias = Callable[[str, str, Clock], BudgetPlace]
"""Opens the budget of a name at an address."""

_MONGO = "penstock.cluster.mongo_place:MongoBudgetPlace"
BUDGETS: Registry[OpenPlace] = Registry(
    "shared budget", "penstock.budgets", {"mongodb": _MONGO, "mongodb+srv": _MONGO}
)
"""The kinds of places by the scheme of their addresses."""


def budget_place(at: str | Path) -> str | Path:
    """Return a place as it is meant: a path, or an address that keeps budgets.

    Raises:
        InputError: It is neither.
    """
    if isinstance(at, str) and is_reference(at):
        at = look_up(at)
    return at_schemes(BUDGETS, at, "keep a budget at")


def opened(at: str | Path, name: str, clock: Clock) -> BudgetPlace:
    """Open the budget called ``name``, made where there is none.

    Raises:
        InputError: The place cannot be used.
        StorageError: Nobody answers.
    """
    place = budget_place(at)
    if isinstance(place, Path):
        return SqlitePlace(place, name, clock)
    return BUDGETS.find(scheme_of(place))(place, name, clock)


Place = BudgetPlace  # its name in earlier versions
