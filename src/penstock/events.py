"""What happened, as values: progress bars, logs and metrics subscribe to one stream.

>>> seen = []
>>> events = Events()
>>> stop = events.subscribe(seen.append)
>>> events.emit(Retry(key=7, attempt=1, wait=0.5, reason="503 Service Unavailable"))
>>> seen[0].reason
'503 Service Unavailable'
>>> stop()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from msgspec import Struct
from msgspec.structs import asdict

__all__ = [
    "BudgetSeen",
    "Called",
    "Crossed",
    "Event",
    "Events",
    "Failed",
    "Landed",
    "LeftOut",
    "Notice",
    "Retry",
    "RunEnded",
    "RunStarted",
    "Waiting",
    "WorkersSeen",
]


class Event(Struct, frozen=True, tag_field="event"):
    """Base of everything that is emitted."""

    @property
    def kind(self) -> str:
        """Its name in logs: its tag, which stays what it is when a class is renamed."""
        return str(self.__struct_config__.tag)

    def fields(self) -> dict[str, object]:
        """Return the event as a flat dict with its ``event`` name, for JSON logs."""
        return {"event": self.kind, **asdict(self)}


@final
class Retry(Event, frozen=True, kw_only=True, tag="retry"):
    """A call failed and will be made again after ``wait`` seconds.

    ``status`` is the HTTP status, None where there was no whole answer; 420 and 429 mean that
    the call waits for quota.
    """

    key: object
    attempt: int
    wait: float
    reason: str
    status: int | None = None


@final
class Waiting(Event, frozen=True, kw_only=True, tag="waiting"):
    """Nothing may be sent for ``seconds``: ``reason`` says what closed the gate."""

    seconds: float
    reason: str


@final
class BudgetSeen(Event, frozen=True, kw_only=True, tag="budgetseen"):
    """The server told what is left: ``remaining`` of ``limit``, renewed in ``reset`` seconds."""

    limit: float | None
    remaining: float | None
    reset: float | None


@final
class WorkersSeen(Event, frozen=True, kw_only=True, tag="workersseen"):
    """How many workers were at work, and how many calls they had leave for."""

    count: int
    permits: int


@final
class Landed(Event, frozen=True, kw_only=True, tag="landed"):
    """``count`` more keys are safe in the store."""

    count: int


@final
class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """A key ended as failed; it is kept and can be tried again.

    ``error`` is the name of the error's type, ``status`` the last HTTP status, where there was one.
    """

    key: object
    reason: str
    error: str = ""
    status: int | None = None


@final
class Crossed(Event, frozen=True, kw_only=True, tag="crossed"):
    """With the record ``key``, a measured ``value`` went above its ``limit``, or back below."""

    key: object
    value: float
    limit: float
    above: bool


@final
class LeftOut(Event, frozen=True, kw_only=True, tag="leftout"):
    """A use of what landed could not take a record; it stays in the store."""

    use: str
    key: object
    reason: str


@final
class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something that a person should know; ``doubtful`` where it means that rows may be missing."""

    reason: str
    doubtful: bool


@final
class Called(Event, frozen=True, kw_only=True, tag="called"):
    """A call has ended after ``seconds``; only for those who subscribe with ``calls=True``.

    ``status`` is the HTTP status, None where there was no whole answer.
    """

    key: object
    method: str
    status: int | None
    seconds: float
    attempt: int


@final
class RunStarted(Event, frozen=True, kw_only=True, tag="runstarted"):
    """A run begins. ``total`` is the number of its keys, None where nobody knows."""

    name: str
    total: int | None = None


@final
class RunEnded(Event, frozen=True, kw_only=True, tag="runended"):
    """A run has ended after ``seconds``; ``error`` is why it did not come to its end, or None."""

    name: str
    landed: int
    failed: int
    seconds: float
    error: str | None = None


@final
class Events:
    """A list of subscribers. Emitting costs one loop; nothing is stored."""

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[[Event], object], ...] = ()
        self._of_calls: tuple[Callable[[Event], object], ...] = ()

    @property
    def calls_wanted(self) -> bool:
        """Whether anybody wants to know of every single call."""
        return bool(self._of_calls)

    def subscribe(
        self, subscriber: Callable[[Event], object], *, calls: bool = False
    ) -> Callable[[], None]:
        """Call ``subscriber(event)`` for each event from now on; return how to stop it.

        Args:
            subscriber: What to call.
            calls: Whether it wants a :class:`Called` for every single call, too.
        """
        self._subscribers = (*self._subscribers, subscriber)
        if calls:
            self._of_calls = (*self._of_calls, subscriber)

        def stop() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)
            self._of_calls = tuple(s for s in self._of_calls if s is not subscriber)

        return stop

    def emit(self, event: Event) -> None:
        """Hand ``event`` to every subscriber, in the order they came."""
        for subscriber in self._of_calls if type(event) is Called else self._subscribers:
            subscriber(event)
