"""The lock manager: one room holds any number of locks, by name."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, cast, final

from penstock.errors import InputError, PenstockError
from penstock.locks.acquisition import AcquisitionTally, Attempt
from penstock.locks.backend import Backend
from penstock.locks.errors import LockTimeout, NotHeld
from penstock.locks.handle import Caller, Held, Holding, Stop, caller
from penstock.locks.handoff import Cohort, Seat
from penstock.locks.leases import Lease, Lost, Renewals
from penstock.locks.mongo_backend import MongoLocks
from penstock.locks.places import opened
from penstock.locks.request_options import (
    ALL,
    LockOptions,
    Terms,
    Timeout,
    check_name,
    deadline_of,
    default_owner,
)
from penstock.locks.state import NOBODY, LockRequest
from penstock.locks.status import Status, status_of

if TYPE_CHECKING:
    from penstock.mongo import Client

__all__ = ["LockerRoom"]

_MOST_TURNS = 10_000
_ROOMS: weakref.WeakSet[LockerRoom] = weakref.WeakSet()


def _forked() -> None:
    for room in list(_ROOMS):
        room._begin()  # noqa: SLF001 - of its own module
        room._renewals.begin()  # noqa: SLF001 - likewise


os.register_at_fork(after_in_child=_forked)


@final
class LockerRoom:
    """A manager of locks that are kept in MongoDB, or in a directory of this machine.

    Safe to share between threads. Every lock is fair (first come, first served), ends by itself
    when its holder dies, and comes with a fencing token.

    Args:
        store: A directory, made where there is none, a URI that begins with ``mongodb``, or a
            :class:`Backend`.
        host: Instead of ``store``: host and port of a MongoDB server.
        client: Instead of ``store``: a ``MongoClient`` that you have; it stays open.
        database: Where in MongoDB; else the one in the URI, else ``locker_room``.
        collection: Where in the database; else the one in the URI, else ``locks``.
        lease: Seconds that a holder may be silent (it is renewed by itself) before others go on.
        purpose: What for, as part of the owner's name where none is given.
        in_process: How many turns in a row the threads that share this room may have, handing a
            plain lock to each other without asking the store, before others get theirs.

    Raises:
        InputError: There is no such store, or something else is there.
        StorageError: It cannot be reached or written.

    >>> import tempfile
    >>> room = LockerRoom(tempfile.mkdtemp())
    >>> with room.lock_and_release("report", owner="gustav", timeout=2) as held:
    ...     held.token > 0, room.status("report").owner
    (True, 'gustav')
    >>> room.status("report").locked
    False
    >>> room.close()
    """

    def __init__(  # noqa: PLR0913 - where the locks are, as the seed spells it, and defaults
        self,
        store: str | Path | Backend | None = None,
        *,
        host: str | None = None,
        client: object = None,
        database: str | None = None,
        collection: str | None = None,
        lease: float = 30.0,
        purpose: str | None = None,
        in_process: int = 1,
    ) -> None:
        if type(in_process) is not int or not 1 <= in_process <= _MOST_TURNS:
            raise InputError(f"in_process={in_process!r}: 1 to {_MOST_TURNS} turns in a row")
        if client is None:
            self._backend: Backend = opened(store, host, database, collection)
        elif store is None and host is None:
            self._backend = MongoLocks(cast("Client", client), database, collection)
        else:
            raise InputError("LockerRoom(client=...): give no store or host beside it")
        self._lease = lease
        self._purpose, self._opener = purpose, os.getpid()
        self._renewals = Renewals(self._backend)
        self._turns = in_process
        self.tally = AcquisitionTally()
        self._begin()
        _ROOMS.add(self)

    def _begin(self) -> None:
        """Hold nothing; also in a child, which has none of the locks of its parent."""
        self._mutex = threading.Lock()
        self._held: dict[str, list[Held]] = {}
        self._cohorts: dict[str, Cohort] = {}

    def __repr__(self) -> str:
        return f"<LockerRoom: {self._backend.describe()}>"

    # -- getting and giving back -----------------------------------------------------------------

    def lock(
        self,
        name: str,
        owner: str | None = None,
        timeout: Timeout = None,
        *,
        reentrant: bool = False,
        above: int = 0,
        **terms: Unpack[Terms],
    ) -> Held:
        """Hold ``name`` from now on, until :meth:`release`.

        Args:
            name: The lock, 1 to 512 printable characters.
            owner: Who holds it, for people; otherwise user, host, process and purpose.
            timeout: Seconds to wait, 0 for not at all, a moment with its time zone as the last
                one to wait for, or None for as long as it takes. The store itself has 5 seconds
                to answer, or as long as there is to wait.
            reentrant: The thread (or task) that holds it already just gets it once more.
            above: A token that the target has seen: ours is to be larger, even where the store
                of the locks is a new one.
            terms: ``lease``, seconds instead of the room's, and ``lost``, called with the reason,
                in a thread of its own, when the lock is lost.

        Raises:
            LockTimeout: Somebody else held it all that time.
            InputError: An argument cannot be, or the lock is in use as one of another kind.
            StorageError: The store cannot be reached or written.
        """
        want = replace(self._want(name, owner, **terms), reentrant=reentrant, above=above)
        return self._get(want, deadline_of(timeout), caller(), Stop())

    def try_lock(
        self, name: str, owner: str | None = None, *, lease: float | None = None
    ) -> Held | None:
        """Hold ``name`` if it is free, else return None at once."""
        with contextlib.suppress(LockTimeout):
            return self.lock(name, owner, 0, lease=lease)
        return None

    def release(self, name: str, owner: str | None = None) -> None:
        """Give back what :meth:`lock` got, by name.

        With an owner it is the one of that owner; otherwise what this thread got last.

        Raises:
            NotHeld: This room does not hold it, or not by that owner.
        """
        check_name(name)
        by = caller()
        with self._mutex:
            mine = [h for h in self._held.get(name, ()) if owner is None or h.owner == owner]
        if not mine:
            raise NotHeld(self._not_held(name, owner))
        next((h for h in reversed(mine) if h.by == by), mine[-1]).release()

    def _not_held(self, name: str, owner: str | None) -> str:
        status = self.status(name)
        whose = f"held by {status.owner!r}" if status.locked else "free"
        asked = "" if owner is None else f", owner={owner!r}"
        return (
            f"release({name!r}{asked}): not held here, it is {whose}; "
            "only its holder releases a lock (force takes it away)"
        )

    def lock_and_release(
        self,
        name: str,
        owner: str | None = None,
        timeout: Timeout = None,
        *,
        reentrant: bool = False,
        **terms: Unpack[Terms],
    ) -> Holding[Held]:
        """Return what holds ``name`` for a block or for each call of a function.

        ``with``, ``async with``, or ``@room.lock_and_release("name")``; arguments as for
        :meth:`lock`. Leaving always releases, an exception included.
        """
        want = replace(self._want(name, owner, **terms), reentrant=reentrant)
        return self._holding(want, timeout)

    def reading(
        self,
        name: str,
        owner: str | None = None,
        timeout: Timeout = None,
        **terms: Unpack[Terms],
    ) -> Holding[Held]:
        """Return what holds ``name`` together with other readers; see :meth:`lock_and_release`."""
        return self._holding(self._want(name, owner, ALL, **terms), timeout)

    def writing(
        self,
        name: str,
        owner: str | None = None,
        timeout: Timeout = None,
        **terms: Unpack[Terms],
    ) -> Holding[Held]:
        """Return what holds ``name`` alone, without readers or writers beside it.

        First come, first served: readers that come after a waiting writer wait for it.
        """
        want = replace(self._want(name, owner, ALL, **terms), weight=ALL)
        return self._holding(want, timeout)

    def semaphore(
        self,
        name: str,
        places: int,
        owner: str | None = None,
        timeout: Timeout = None,
        **terms: Unpack[Terms],
    ) -> Holding[Held]:
        """Return what holds one of ``places`` places of ``name``."""
        return self._holding(self._want(name, owner, places, **terms), timeout)

    def several(
        self,
        names: Iterable[str],
        owner: str | None = None,
        timeout: Timeout = None,
        **terms: Unpack[Terms],
    ) -> Holding[dict[str, Held]]:
        """Return what holds all of ``names``, or none where ``timeout`` ends before.

        They are got one after the other in the order of their names, the same for everybody, so
        that nobody waits for somebody who waits for him.

        >>> import tempfile
        >>> room = LockerRoom(tempfile.mkdtemp())
        >>> with room.several(["to", "from"], timeout=2) as held:
        ...     sorted(held)
        ['from', 'to']
        >>> room.close()
        """
        chosen = () if isinstance(names, str) else sorted(set(names))
        if not chosen:
            raise InputError(f"several({names!r}): give a list of the names of locks, at least one")
        wants = [self._want(name, owner, **terms) for name in chosen]
        deadline = _later(timeout)

        def acquire(by: Caller, stop: Stop) -> dict[str, Held]:
            latest = deadline()
            with contextlib.ExitStack() as undo:
                held = {}
                for want in wants:
                    held[want.name] = self._get(want, latest, by, stop)
                    undo.callback(held[want.name].release)
                undo.pop_all()
            return held

        return Holding(acquire, _release_all)

    # -- looking ---------------------------------------------------------------------------------

    def status(self, name: str) -> Status:
        """Return who holds ``name``, since when, and who waits; nothing is changed."""
        check_name(name)
        return status_of(name, self._backend.read(name), self._backend)

    def locks(self) -> Iterator[Status]:
        """Yield the status of every lock that ever was, by name."""
        for name, reply in self._backend.read_all():
            yield status_of(name, reply, self._backend)

    def force(self, name: str) -> Status:
        """Take ``name`` away from whoever holds it and return what it is then.

        The holder is told when it renews or checks; what it writes until then is refused only
        where tokens are looked at. Meant for people.
        """
        check_name(name)
        reply = self._backend.apply(name, LockRequest(kind="force", place=NOBODY))
        return status_of(name, reply, self._backend)

    def migrate(self, *, force: bool = False) -> tuple[list[str], list[str]]:
        """Take over the locks that the original LockerRoom kept in this collection of MongoDB.

        Its programs must not run any more: they do not see who holds a lock of ours.

        Args:
            force: Take over what is held as well; its holder is not notified.

        Returns:
            The names of those taken over, and of those that are held and stay as they are.

        Raises:
            InputError: The locks are not in MongoDB.
        """
        if not isinstance(self._backend, MongoLocks):
            raise InputError("migrate: the original kept its locks in MongoDB: name its collection")
        return self._backend.migrate(force=force)

    # -- the room itself -------------------------------------------------------------------------

    def close(self) -> None:
        """Release what is still held and let go of the store. Closing twice is allowed.

        A child of the process that opened it gives back its own locks, and may go on.
        """
        with self._mutex:
            held = [one for many in self._held.values() for one in many]
        for one in held:
            with contextlib.suppress(PenstockError):
                self._give_back(one)
        if self._opener == os.getpid():
            self._renewals.close()
            self._backend.close()

    def __enter__(self) -> LockerRoom:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _want(
        self,
        name: str,
        owner: str | None,
        capacity: int = 1,
        *,
        lease: float | None = None,
        lost: Lost | None = None,
    ) -> LockOptions:
        return LockOptions(
            name=name,
            owner=default_owner(self._purpose, os.getpid()) if owner is None else owner,
            lease=self._lease if lease is None else lease,
            capacity=capacity,
            reserve=self._turns if capacity == 1 else 1,
            lost=lost,
        )

    def _holding(self, want: LockOptions, timeout: Timeout) -> Holding[Held]:
        deadline = _later(timeout)
        return Holding(lambda by, stop: self._get(want, deadline(), by, stop), Held.release)

    def _get(self, want: LockOptions, deadline: float, by: Caller, stop: Stop) -> Held:
        if (mine := self._mine(want, by)) is not None:
            if want.reentrant:
                return mine.again()
            if want.capacity == 1 and deadline == float("inf"):
                raise InputError(
                    f"lock {want.name!r} is held by this very thread, which would wait for itself "
                    "indefinitely: give reentrant=True, or a timeout"
                )
        got = self._turn(want, deadline, stop)
        if got is None:
            raise LockTimeout(self._busy(want.name))
        lease, token = got
        since = self._backend.wall(lease.place.since)
        held = Held(lease, want.owner, token, since, by, self._give_back)
        with self._mutex:
            self._held.setdefault(want.name, []).append(held)
        return held

    def _turn(self, want: LockOptions, deadline: float, stop: Stop) -> tuple[Lease, int] | None:
        if self._turns == 1 or want.capacity > 1:
            lease = self._leased(want, deadline, stop)
            return None if lease is None else (lease, lease.place.token)
        with self._mutex:
            cohort = self._cohorts.setdefault(want.name, Cohort(self._turns))
        seat = Seat(want.lost)
        stop.on(seat.nudge)
        return cohort.enter(seat, deadline, lambda: self._leased(want, deadline, stop))

    def _leased(self, want: LockOptions, deadline: float, stop: Stop) -> Lease | None:
        attempt = Attempt(self._backend, want, self.tally)
        stop.on(attempt.cancel)
        lease = attempt.run(deadline)
        if lease is not None:
            self._renewals.keep(lease)
        return lease

    def _mine(self, want: LockOptions, by: Caller) -> Held | None:
        with self._mutex:
            mine = [h for h in self._held.get(want.name, ()) if h.by == by and not h.lost]
        return next((held for held in mine if held.owner == want.owner), None)

    def _busy(self, name: str) -> str:
        status = self.status(name)
        if not status.locked or status.timestamp is None:
            return f"lock {name!r} was not free in time"
        when = status.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"lock {name!r} is held by {status.owner!r} since {when}: not free in time"

    def _give_back(self, held: Held) -> None:
        with self._mutex:
            many = self._held.get(held.name, [])
            if held in many:
                many.remove(held)
            if not many:
                self._held.pop(held.name, None)
        cohort = self._cohorts.get(held.name)
        if cohort is not None and held.lease.place.reserve > 1:
            cohort.leave(self._end)
        else:
            self._end(held.lease)

    def _end(self, lease: Lease) -> None:
        lease.over = True
        self._renewals.drop(lease)
        self._backend.apply(lease.name, LockRequest(kind="release", place=lease.place))


def _later(timeout: Timeout) -> Callable[[], float]:
    """Check a timeout now; the deadline is reckoned when waiting begins."""
    deadline_of(timeout)
    return lambda: deadline_of(timeout)


def _release_all(held: dict[str, Held]) -> None:
    with contextlib.ExitStack() as releases:
        for one in held.values():
            releases.callback(one.release)
