"""A store in MongoDB, found and made: two collections, and what both sides know of them.

``users`` holds one document a key. ``users.store`` holds few: ``store`` says what this is (the
format, when it was made, how many keys are expected), ``mark:NAME`` is a mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, final

from penstock.address import hide
from penstock.clock import Clock, SystemClock
from penstock.distribution import UPGRADE
from penstock.errors import InputError, StorageError
from penstock.mongo import (
    InvalidName,
    OperationFailure,
    PyMongoError,
    connect,
    place_in,
    refuse_weaker,
)

if TYPE_CHECKING:
    from penstock.mongo import ClientSession, Collection, MongoClient

__all__ = ["FORMAT", "MongoPlace", "about", "create", "opened", "translated", "uninterrupted"]

FORMAT = 1
_KIND = "penstock store"
# Landing order within a state; what is counted, read in order and followed is read along it.
_INDEX = [("state", 1), ("order", 1), ("_id", 1)]
_FORBIDDEN = 13
_INTERRUPTED = 11601

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class MongoPlace:
    """Where a store is: its client and its two collections.

    Attributes:
        shown: The address, without credentials.
        client: What both are reached through.
        items: One document a key: its latest.
        facts: What is known of the store itself.
        clock: Waits for others.
    """

    shown: str
    client: MongoClient[dict[str, Any]]
    items: Collection[dict[str, Any]]
    facts: Collection[dict[str, Any]]
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state

    @property
    def versions(self) -> Collection[dict[str, Any]]:
        """What other records took the place of, where that is kept."""
        return self.items.database[f"{self.items.name}.versions"]


def uninterrupted(work: Callable[[], T]) -> T:
    """Return what ``work`` returns; do it again where the server was told to end it.

    Who takes over a store ends what others have under way there.
    """
    while True:
        try:
            return work()
        except OperationFailure as error:
            if error.code != _INTERRUPTED:
                raise


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """Turn what the driver raises into a :class:`StorageError` that names the store."""
    try:
        yield
    except InputError:
        raise
    except InvalidName as error:
        raise InputError(f"{shown}: {error}: name it mongodb://host/DATABASE.COLLECTION") from error
    except OperationFailure as error:
        words = " ".join(str(error).partition(", full error")[0].split())
        if error.code == _FORBIDDEN:
            raise InputError(f"{shown}: this user may not do it: {words}") from error
        raise StorageError(f"{shown}: {words}") from error
    except PyMongoError as error:
        words = " ".join(str(error).partition(", Timeout:")[0].split())
        raise StorageError(
            f"{shown}: {words}; what was reported safe is safe, run again to go on"
        ) from error


def opened(address: str, read_from: str | None, deadline: float) -> MongoPlace:
    """Connect to the store at ``address``, whether there is one yet or not.

    Raises:
        InputError: The address or the server cannot be used.
        StorageError: Nobody answers within ``deadline`` seconds.
    """
    shown, place = hide(address), place_in(address)
    with translated(shown):
        refuse_weaker(address)
        client = connect(address, read_from=read_from, deadline=deadline)
        try:
            database = client[place.database]
            items, facts = database[place.collection], database[f"{place.collection}.store"]
        except BaseException:
            client.close()
            raise
    return MongoPlace(shown, client, items, facts)


def about(
    place: MongoPlace,
    facts: Collection[dict[str, Any]],
    session: ClientSession | None = None,
) -> Mapping[str, Any]:
    """Return what the store says of itself, read from ``facts``.

    Raises:
        InputError: There is no store, or one that a newer penstock wrote.
    """
    found = facts.find_one({"_id": "store"}, session=session)
    if found is None or found.get("kind") != _KIND:
        _refuse_orphans(place)
        raise InputError(
            f"{place.shown} is not a penstock store: no facts in the collection {facts.name}"
        )
    if found["format"] > FORMAT:
        raise InputError(
            f"{place.shown} was written by a newer penstock (format {found['format']}, this one "
            f"knows {FORMAT}): {UPGRADE}"
        )
    return found


def _refuse_orphans(place: MongoPlace) -> bool:
    """Refuse records of a store of which nothing is known; return whether there is anything."""
    found = place.items.find_one({})
    if found is not None and {"state", "order", "writer"} <= found.keys():
        raise StorageError(
            f"{place.shown}: the collection holds records of a store, but {place.facts.name} says "
            "nothing of it: it was dropped. Restore it (mongorestore); nothing was changed"
        )
    return found is not None


def _refuse_lost(place: MongoPlace, facts: Mapping[str, Any]) -> None:
    """Refuse records that are not those which the facts are of: lost ones are not begun again."""
    writers = facts.get("writers")
    if not writers:
        return  # nothing has landed yet, or an earlier version wrote it
    last = place.items.find_one({}, {"writer": 1}, sort=[("order", -1)])
    if last is None and not facts.get("begun"):
        return
    if last is None:
        what = "the records of this store are gone"
    elif last.get("writer") not in writers:
        what = "the records are those of another store, or older than what is known of them"
    else:
        return
    raise StorageError(
        f"{place.shown}: {what}. Restore {place.items.name} and {place.facts.name} together "
        "(mongorestore), or drop both to begin again; nothing was changed"
    )


def identity(place: MongoPlace) -> tuple[object, object]:
    """Return what the server calls the two collections; of one that was dropped it is another."""
    names = [place.items.name, place.facts.name]
    found = place.items.database.list_collections(filter={"name": {"$in": names}})
    known = {one["name"]: one["info"].get("uuid") for one in found}
    return known.get(names[0]), known.get(names[1])


def create(place: MongoPlace, now: float) -> None:
    """Make the store where there is none yet.

    Raises:
        InputError: The collection holds other documents.
    """
    facts = place.facts.find_one({"_id": "store"})
    if facts is not None:
        _refuse_lost(place, facts)
    else:
        if _refuse_orphans(place):
            raise InputError(
                f"{place.shown}: the collection {place.items.name} holds other documents and no "
                "penstock store: name a new or empty one"
            )
        started = datetime.fromtimestamp(now, UTC)
        made = {"kind": _KIND, "format": FORMAT, "started": started, "expected": None}
        # Another process may be doing the same: whoever is first says when it began.
        place.facts.update_one({"_id": "store"}, {"$setOnInsert": made}, upsert=True)
    about(place, place.facts)
    place.items.create_index(_INDEX, name="penstock_order")
