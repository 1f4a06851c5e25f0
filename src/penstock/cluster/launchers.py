"""What starts workers on other machines. All truth is in the store: a launcher keeps none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final

__all__ = ["Ended", "Launch", "Launcher", "Work"]

Work: TypeAlias = Callable[[], dict[str, object]]
"""What a worker does until all is done: it returns its summary's fields. Can be pickled."""


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A worker that has ended.

    Attributes:
        place: Where it was.
        summary: What it returned; None where it died, or raised.
        error: What it raised.
    """

    place: str
    summary: dict[str, object] | None = None
    error: Exception | None = None


class Launcher(Protocol):
    """Starts a worker wherever a scheduler has room for one."""

    @property
    def running(self) -> int:
        """How many are at work, as far as the scheduler knows."""
        ...

    def look(self) -> list[Ended]:
        """Start workers where there is room; return those that have ended since the last look.

        One that died is started again, where there still is room; one that returned or raised is
        not.

        Raises:
            ExecutorFailed: The scheduler is gone.
        """
        ...

    def close(self) -> None:
        """Start no more, and let go of the scheduler; those at work go on. Twice is allowed."""
        ...


Launch: TypeAlias = Callable[[Work, int | None], Launcher]
"""Makes a launcher for some work, with so many workers at most."""
