"""Workers on Dask: one long task for each of its workers, and nothing in it that could be lost.

Tasks are pinned to a worker and never run again by Dask: it suspects tasks of dead workers and runs
finished ones twice. A worker that died is a task that is forgotten; one that comes gets a task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from penstock.cluster.launchers import Ended, Launcher, Work
from penstock.errors import ExecutorFailed, MissingExtra

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Dask"]

_PATIENCE = 5.0  # seconds for the scheduler to answer


@final
@dataclass(frozen=True)
class Dask:
    """The workers of a Dask scheduler.

    Attributes:
        address: ``tcp://host:port`` or ``tls://host:port``.
    """

    address: str

    def __call__(self, work: Work, most: int | None) -> Launcher:
        """Return what starts ``work`` on each of its workers, on ``most`` at once.

        Raises:
            ExecutorFailed: Nobody answers there.
        """
        return _DaskLauncher(self.address, work, most)


@final
class _DaskLauncher:
    """Starts one worker of a run on each worker of a Dask scheduler."""

    def __init__(self, address: str, work: Work, most: int | None) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingExtra("workers on Dask", "distributed", "dask") from error

        self._address, self._work, self._most = address, work, most
        self._out: dict[str, Future[dict[str, object]]] = {}
        self._over: set[str] = set()
        self.running = 0
        try:
            self._client: Client = Client(
                address, timeout=_PATIENCE, set_as_default=False, name="penstock"
            )
        except (OSError, ValueError) as error:
            raise ExecutorFailed(f"{address}: no Dask scheduler answers: {error}") from error

    def look(self) -> list[Ended]:
        """Start workers where there is room; return those that have ended since the last look.

        Raises:
            ExecutorFailed: The scheduler is gone.
        """
        there = self._there()
        over = [p for p, task in self._out.items() if p not in there or task.status != "pending"]
        ended = [self._ended(place) for place in over]
        for place in there:
            room = self._most is None or len(self._out) < self._most
            if room and place not in self._out and place not in self._over:
                self._out[place] = self._client.submit(
                    self._work, pure=False, retries=0, workers=[place], allow_other_workers=False
                )
        self.running = len(self._out)
        return ended

    def _there(self) -> list[str]:
        """Return the addresses of Dask's workers."""
        try:
            found = self._client.scheduler_info(n_workers=-1).get("workers")
        except (OSError, TimeoutError, RuntimeError) as error:
            raise self._gone() from error
        if found is None or self._client.status != "running":
            raise self._gone()
        return list(found)

    def _gone(self) -> ExecutorFailed:
        return ExecutorFailed(f"the Dask scheduler at {self._address} is gone")

    def _ended(self, place: str) -> Ended:
        future = self._out.pop(place)
        try:
            if future.status == "finished":
                self._over.add(place)
                return Ended(place, summary=future.result(timeout=_PATIENCE))
            if future.status == "error":
                self._over.add(place)
                error = future.exception(timeout=_PATIENCE)
                return Ended(place, error=error if isinstance(error, Exception) else None)
        except (OSError, TimeoutError):
            pass  # it went while it was asked
        finally:
            future.release()
        return Ended(place)

    def close(self) -> None:
        """Start no more, and let go of the scheduler; those at work go on. Twice is allowed."""
        self._client.close(timeout=_PATIENCE)
