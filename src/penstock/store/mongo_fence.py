"""Keeping a coordinator out that was replaced, where the store is in MongoDB.

As in :mod:`penstock.store.fence`: the facts hold the token of the run that may write. Each write of
a run with a token is a transaction that begins by changing that document, so that a takeover, which
changes it too, comes before all of the transaction or after all of it. Each lock has a document of
its own: holders of several locks, such as shards of one run, write side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

from penstock.mongo import DuplicateKeyError
from penstock.store.fence import Fence, replaced
from penstock.store.mongo_connection import MongoPlace, opened, translated, uninterrupted

if TYPE_CHECKING:
    from penstock.mongo import ClientSession, Collection, InsertOne, UpdateOne

__all__ = ["MongoFence", "Write", "last_token_there"]

_FENCE = "fence"
_DEADLINE = 60.0

T = TypeVar("T")
Write: TypeAlias = "InsertOne[dict[str, Any]] | UpdateOne"


def last_token_there(address: str, scope: str) -> int:
    """Return the token of the last run that had the store by this lock, 0 where none had."""
    place = opened(address, None, _DEADLINE)
    with closing(place.client), translated(place.shown):
        latest = _latest(_found(place, scope))
    return 0 if latest is None else latest.token


def _named(scope: str) -> str:
    return f"{_FENCE}:{scope}"


def _found(place: MongoPlace, scope: str) -> list[dict[str, Any]]:
    """Return who may write by this lock, the latest first, with the sessions they write in."""
    # An earlier penstock kept the token of whichever lock it was in one document.
    names = [_named(scope), _FENCE]
    return list(place.facts.find({"_id": {"$in": names}, "scope": scope}).sort("token", -1))


def _latest(found: list[dict[str, Any]]) -> Fence | None:
    return Fence(found[0]["scope"], int(found[0]["token"])) if found else None


@final
class MongoFence:
    """A run's right to write; making one takes the store over.

    Args:
        place: The store.
        fence: The token of the run's lock; without one, everybody may write.

    Raises:
        StoreInUse: A later run was here.
    """

    def __init__(self, place: MongoPlace, fence: Fence | None) -> None:
        self._place = place
        self._fence = fence
        self._turn = threading.Lock()
        self._session: ClientSession | None = None
        if fence is not None:
            self._session = place.client.start_session()
            self._take_over(fence, self._session)

    def _take_over(self, fence: Fence, session: ClientSession) -> None:
        place = self._place
        told = {"scope": fence.scope, "token": fence.token, "session": session.session_id}
        mine = {"_id": _named(fence.scope), "token": {"$lte": fence.token}}
        while True:
            found = _found(place, fence.scope)
            before = _latest(found)
            if before is not None and before.token > fence.token:
                raise replaced(before, fence)
            if found:
                # Whoever stands still within a transaction would keep us waiting for its end.
                place.client.admin.command("killSessions", [found[0]["session"]])
            try:
                place.facts.update_one(mine, {"$set": told}, upsert=True)
                if any(one["_id"] == _FENCE for one in found):
                    place.facts.delete_one({"_id": _FENCE, "scope": fence.scope})
            except DuplicateKeyError:  # another one came first: look who
                continue
            return

    @property
    def held(self) -> bool:
        """Whether there is a token to be compared."""
        return self._fence is not None

    def within(self, work: Callable[[ClientSession | None], T]) -> T:
        """Return what ``work`` returns; with a token, in a transaction that it may write in.

        Raises:
            StoreInUse: Another run has taken over; nothing was written.
        """
        if self._session is None:
            return work(None)
        return self.transaction(work)

    def write(self, where: Collection[dict[str, Any]], writes: Sequence[Write]) -> int:
        """Perform writes in this order; return how many documents were changed. May be no writes.

        Raises:
            StoreInUse: Another run has taken over; nothing was written.
        """
        if not writes:
            return 0
        return self.within(lambda session: where.bulk_write(writes, session=session)).modified_count

    def transaction(self, work: Callable[[ClientSession | None], T]) -> T:
        """Return what ``work`` returns; all that it writes becomes safe together, or nothing.

        Raises:
            StoreInUse: Another run has taken over; nothing was written.
        """

        def checked(session: ClientSession) -> T:
            self._check(session)
            return work(session)

        if self._session is None:
            with self._place.client.start_session() as session:
                return session.with_transaction(checked)
        with self._turn:
            # Who took over has said so by then: the check finds it.
            return uninterrupted(partial(self._session.with_transaction, checked))

    def _check(self, session: ClientSession) -> None:
        fence = self._fence
        if fence is None:
            return
        mine = {"_id": _named(fence.scope), "token": fence.token}
        touched = {"$inc": {"writes": 1}}
        if not self._place.facts.update_one(mine, touched, session=session).matched_count:
            raise replaced(_latest(_found(self._place, fence.scope)), fence)

    def close(self) -> None:
        """Let go of the session."""
        if self._session is not None:
            self._session.end_session()
