"""A lock as a value: who holds it, who waits, and the last token that was given out.

Structs of msgspec rather than dataclasses: a state is read and written at every transition, and
these are made, compared and turned into JSON in about a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias, final

import msgspec

__all__ = ["CLAIM", "NOBODY", "PATIENCE", "Kind", "LockRequest", "LockState", "QueuePlace"]

Kind: TypeAlias = Literal["acquire", "try", "renew", "release", "withdraw", "expire", "force"]
"""What can happen to a lock."""

CLAIM = 5.0
"""Seconds that a waiter has to show up after the lock was handed to it: it may have died."""

PATIENCE = 15.0
"""Seconds after which a waiter that was not heard of any more is passed over."""

_ETERNITY = 3e10  # seconds: later than any clock shows


@final
class QueuePlace(msgspec.Struct, frozen=True, kw_only=True):
    """One acquisition: in the queue while it waits, among the holders while it holds.

    Attributes:
        id: Unique for this acquisition, never used again.
        owner: Who it is, for people.
        process: Which process it lives in, for a store that can tell whether that is alive.
        address: Where to tell it that it holds the lock.
        weight: How much of the lock's capacity it takes.
        floor: A number that its token is to be above, for a target that saw others before.
        reserve: How many tokens it takes at once, for handing over within its process.
        lease: Seconds it may hold without renewing.
        until: When it ends unless renewed, in seconds on the store's clock.
        since: When it began to wait, or to hold, on the store's clock.
        token: The fencing token, or 0 while it waits.
    """

    id: str
    owner: str
    lease: float
    process: str = ""
    address: str = ""
    weight: int = 1
    reserve: int = 1
    floor: int = 0
    until: float = 0.0
    since: Annotated[float, msgspec.Meta(ge=-_ETERNITY, le=_ETERNITY)] = 0.0
    token: int = 0


NOBODY = QueuePlace(id="", owner="", lease=0.0)
"""The place of one that neither holds nor waits."""


@final
class LockState(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to know about a lock.

    Attributes:
        token: The last token given out; it never goes down.
        capacity: How much weight may hold at once: 1 for a plain lock, n for a semaphore.
        holders: Who holds it, in the order of their tokens.
        waiters: Who waits, first come first.
    """

    token: int = 0
    capacity: int = 1
    holders: tuple[QueuePlace, ...] = ()
    waiters: tuple[QueuePlace, ...] = ()

    def places(self) -> Iterator[QueuePlace]:
        """Yield holders, then waiters: the order in which they got or get the lock."""
        yield from self.holders
        yield from self.waiters

    def holder(self, place_id: str) -> QueuePlace | None:
        """Return the place where it holds, or None."""
        return next((place for place in self.holders if place.id == place_id), None)

    def waits(self, place_id: str) -> bool:
        """Whether it is in the queue."""
        return any(place.id == place_id for place in self.waiters)


@final
class LockRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens to a lock.

    Attributes:
        kind: What happens; see :data:`penstock.locks.rules.TRANSITIONS`.
        place: Who does it.
        capacity: What kind of lock it takes it for.
        dead: Processes known to have ended.
        floor: What a token given by it is above: the time, so that a store restored from an older
            copy gives no token twice.
    """

    kind: Kind
    place: QueuePlace
    capacity: int = 1
    dead: frozenset[str] = frozenset()
    floor: int = 0


Place = QueuePlace  # its name in earlier versions


Request = LockRequest  # its name in earlier versions
