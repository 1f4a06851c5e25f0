"""Who writes into a store in MongoDB, and up to where in the order nothing can come any more.

Each opening gives places in the order from its own clock, and a group of it becomes visible some
time after. Where several write, one may show a later place first. Whoever goes on from a position
must not pass over the other: each writer says in a document of its own below which place it writes
nothing more, or that it writes nothing now, and a reader waits for those who may still come before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from penstock.clock import Clock
from penstock.mongo import Int64
from penstock.store.mongo_connection import MongoPlace, uninterrupted

if TYPE_CHECKING:
    from penstock.mongo import ClientSession

__all__ = ["WriterMark", "newest", "safe_until"]

_LOOK = 0.02  # seconds between looks at those who write
_LEASE = 120.0  # seconds after which a writer that was not heard of is taken for dead
_ALIVE = {"$gt": ["$heard", {"$subtract": ["$$NOW", int(_LEASE * 1000)]}]}


@final
class WriterMark:
    """What one opening of a store says of the places that it gives.

    Args:
        place: The store.
        writer: A name that no other opening of a store has.
        clock: Tells how long it was silent.
    """

    def __init__(self, place: MongoPlace, writer: str, clock: Clock) -> None:
        self._place = place
        self._name = f"writer:{writer}"
        self._clock = clock
        self._said: float | None = None

    def begin(self, latest: int) -> int:
        """Return the place behind which a group may begin; ``latest`` is the last one given.

        Whoever was silent for long may have been passed by: it begins behind all that is there.
        """
        now = self._clock.monotonic()
        if self._said is None or now - self._said > _LEASE / 4:
            self._say(0)  # before it looks: nobody goes on until it has said more
            latest = max(latest, newest(self._place), 0)
        return latest

    def end(self, latest: int) -> None:
        """Say that all up to ``latest`` is there."""
        self._say(latest + 1)

    def close(self) -> None:
        """Say that nothing more comes."""
        if self._said is not None:
            self._place.facts.delete_one({"_id": self._name})
            self._said = None

    def _say(self, least: int) -> None:
        said = {"$set": {"least": Int64(least)}, "$currentDate": {"heard": True}}
        mine = {"_id": self._name}
        uninterrupted(lambda: self._place.facts.update_one(mine, said, upsert=True))
        self._said = self._clock.monotonic()


def newest(
    place: MongoPlace, state: str | None = None, session: ClientSession | None = None
) -> int:
    """Return the greatest place in the order, of one state or of all, or -1."""
    states = ["landed", "failed", "todo", "deleted"] if state is None else [state]
    places = [-1]
    for one in states:  # each along the index
        found = place.items.find({"state": one}, {"order": 1}, session=session)
        places += [int(document["order"]) for document in found.sort("order", -1).limit(1)]
    return max(places)


def safe_until(place: MongoPlace, state: str, session: ClientSession | None) -> int:
    """Wait until all is there up to the last place of what is in a state; return that place."""
    # In this order: whoever begins to write after this look begins behind it.
    last = newest(place, state, session)
    late = {"_id": {"$regex": "^writer:"}, "least": {"$lte": last}, "$expr": _ALIVE}
    while place.facts.find_one(late, {"_id": 1}, session=session) is not None:
        place.clock.sleep(_LOOK)
    return last
