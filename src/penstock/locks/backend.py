"""What a store of locks has to offer: two of them do, and pass the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, final

from penstock.locks.state import LockRequest, LockState, QueuePlace

__all__ = ["Backend", "Granted", "Reply", "Waiter"]


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """A lock as it was after a transition.

    Attributes:
        state: The lock.
        now: When that was, on the store's clock.
        sent: When the request was sent, on this machine's clock.
    """

    state: LockState
    now: float
    sent: float


@final
@dataclass(frozen=True, slots=True)
class Granted:
    """Word that a waiter holds the lock now.

    Attributes:
        place: Its place among the holders: what is new is its token, since and until.
        received: When the word came, on this machine's clock.
    """

    place: QueuePlace
    received: float


class Waiter(Protocol):
    """One waiting thread's ear."""

    @property
    def address(self) -> str:
        """Where it can be reached, for its place in the queue."""
        ...

    def expect(self, place_id: str) -> None:
        """Be ready to be told of this place's grant; called before it is asked for."""
        ...

    def wait(self, reply: Reply, place_id: str, timeout: float) -> Granted | frozenset[str] | None:
        """Return what happened: the lock was granted, processes ended, or nothing in ``timeout``.

        An empty set means that something about the queue changed: ask again.
        """
        ...

    def nudge(self) -> None:
        """Make :meth:`wait` return at once, from any thread."""
        ...


class Backend(Protocol):
    """A store of locks. Every method may be called from any thread."""

    @property
    def process(self) -> str:
        """The process that asks, as it is written into places."""
        ...

    @property
    def interval(self) -> float:
        """Seconds after which a waiter asks again though nothing was heard."""
        ...

    def apply(self, name: str, request: LockRequest, limit: float | None = None) -> Reply:
        """Perform one transition, atomically, on the store's clock.

        Args:
            name: The lock.
            request: What happens to it.
            limit: Seconds after which to give up on a store that does not answer.

        Raises:
            InputError: The lock was written by something else.
            StorageError: The store cannot be reached or written.
        """
        ...

    def waiter(self) -> AbstractContextManager[Waiter]:
        """Return an ear for the time of one wait."""
        ...

    def read(self, name: str) -> Reply:
        """Return the lock as it is, changing nothing."""
        ...

    def read_all(self) -> Iterator[tuple[str, Reply]]:
        """Yield every lock that ever was, by name, in the order of the names."""
        ...

    def ended(self, state: LockState) -> frozenset[str]:
        """Return which processes of its places are known to have ended."""
        ...

    def wall(self, moment: float) -> float:
        """Return a moment of the store's clock as seconds since 1970."""
        ...

    def describe(self) -> str:
        """Return in a few words what it is and how waiters are woken."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
