"""What is told about a lock, as a value that also reads like the dict of old."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, final

from penstock.locks.backend import Backend, Reply
from penstock.locks.state import QueuePlace

__all__ = ["Holder", "Status", "status_of"]

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who holds, or waits.

    Attributes:
        owner: Who, for people.
        since: When that began.
        lease_left: Seconds until it ends unless renewed.
        token: The fencing token, 0 for who waits.
    """

    owner: str
    since: datetime
    lease_left: float
    token: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Mapping[str, object]):
    """A lock at one moment. Its attributes can be read as keys too, and the name as ``_id``.

    Attributes:
        name: The lock.
        locked: Whether anybody holds it.
        owner: Who holds it; with several holders the first of them; None when it is free.
        timestamp: Since when, or None.
        token: The last fencing token given out.
        capacity: How much weight may hold at once: 1 for a plain lock.
        holders: Who holds it.
        waiters: Who waits, first come first.
    """

    name: str
    locked: bool
    owner: str | None
    timestamp: datetime | None
    token: int
    capacity: int
    holders: tuple[Holder, ...]
    waiters: tuple[Holder, ...]

    def __getitem__(self, key: str) -> object:
        if key not in _KEYS:
            raise KeyError(key)
        value: object = getattr(self, "name" if key == "_id" else key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def plain(self) -> dict[str, Json]:
        """Return it in JSON's own types, with ``since`` and ``lease_left`` of the first holder."""
        first = self.holders[0] if self.holders else None
        return {
            "name": self.name,
            "locked": self.locked,
            "owner": self.owner,
            "since": None if first is None else first.since.isoformat(),
            "lease_left": None if first is None else first.lease_left,
            "token": self.token,
            "capacity": self.capacity,
            "holders": [_plain(place) for place in self.holders],
            "waiters": [_plain(place) for place in self.waiters],
        }


_KEYS = ("_id", *(field.name for field in dataclasses.fields(Status)))


def _plain(place: Holder) -> Json:
    return {
        "owner": place.owner,
        "since": place.since.isoformat(),
        "lease_left": place.lease_left,
        "token": place.token,
    }


def status_of(name: str, reply: Reply, backend: Backend) -> Status:
    """Return what ``reply`` says, in words for people: places whose lease is over are left out."""

    def told(place: QueuePlace) -> Holder:
        return Holder(
            owner=place.owner,
            since=datetime.fromtimestamp(backend.wall(place.since), UTC),
            lease_left=round(place.until - reply.now, 3),
            token=place.token,
        )

    holders = tuple(told(place) for place in reply.state.holders if place.until > reply.now)
    return Status(
        name=name,
        locked=bool(holders),
        owner=holders[0].owner if holders else None,
        timestamp=holders[0].since if holders else None,
        token=reply.state.token,
        capacity=reply.state.capacity,
        holders=holders,
        waiters=tuple(told(place) for place in reply.state.waiters if place.until > reply.now),
    )
