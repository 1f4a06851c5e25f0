"""How long a holder may believe that it holds, and the thread that keeps it so.

The holder counts down on its own monotonic clock, from before it sent the request that was
granted: whatever the network or the scheduler does, it stops believing before the store does.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import TypeAlias, final

from penstock.errors import PenstockError
from penstock.locks.backend import Backend, Granted, Reply
from penstock.locks.errors import LockLost
from penstock.locks.process_identity import elapsed
from penstock.locks.state import LockRequest, QueuePlace

__all__ = ["Lease", "Lost", "Renewals", "believed_until"]

Lost: TypeAlias = Callable[[str], object]
"""Called with the reason, in a thread of its own, when a lock is lost."""

_MARGIN = 0.05  # share of a lease that the holder gives back: clocks do not run equally fast
_THIRD = 1 / 3  # of a lease is used when it is renewed: two more tries fit in
_TRY = 0.1  # share of a lease that one try to renew may take


def believed_until(place: QueuePlace, reply: Reply, granted: Granted | None = None) -> float:
    """Return until when the holder may believe it holds, on this machine's clock.

    The store's clock stood at most at ``reply.now`` when the request was sent, so its ``until`` is
    at least that many seconds after that. Where word of the grant came from elsewhere it was
    given before it was received; the earlier of the two bounds counts, should the store's clock
    have moved (another primary) in between.
    """
    until = reply.sent + (place.until - reply.now)
    if granted is not None:
        until = min(until, granted.received + (place.until - place.since))
    return until - _MARGIN * (place.until - place.since)


@final
class Lease:
    """One place among the holders of a lock.

    Args:
        name: The lock.
        place: Where it holds.
        until: How long to believe in it, on this machine's clock.
        lost: Who wants to be told when it is lost.

    Attributes:
        reason: Why it is lost, empty while it is not.
        lost: Who wants to be told.
        over: Whether its holder has given it back.
    """

    def __init__(self, name: str, place: QueuePlace, until: float, lost: Lost | None) -> None:
        self.over = False
        self.name = name
        self.place = place
        self.until = until
        now = elapsed()
        self.renew_at = now + (until - now) * _THIRD
        self.reason = ""
        self.lost = lost
        self._pid = os.getpid()

    @property
    def is_foreign(self) -> bool:
        """Whether it was got before a fork, by the process that this one is a child of."""
        return self._pid != os.getpid()

    def left(self) -> float:
        """Return the seconds it may still be believed in, 0 when it is lost."""
        return 0.0 if self.reason else max(0.0, self.until - elapsed())

    def check(self) -> None:
        """Return while the lock is surely held.

        Raises:
            LockLost: It is not; what it protected must stop.
        """
        if not self.reason and self.is_foreign:
            raise LockLost(f"lock {self.name!r} is held by the parent process: lock again here")
        if not self.reason and elapsed() >= self.until:
            self.lose("its lease ended before it could be renewed")
        if self.reason:
            raise LockLost(f"lock {self.name!r} is lost: {self.reason}")

    def lose(self, reason: str) -> None:
        """Note that it is lost and tell who wants to know, once."""
        if not self.reason:
            self.reason = reason
            if self.lost is not None:
                # In a thread of its own: what it does must not keep others from their renewals.
                threading.Thread(target=self.lost, args=(reason,), daemon=True).start()


@final
class Renewals:
    """One thread a room that renews what is held and finds what is lost.

    Args:
        backend: Where the locks are.

    Attributes:
        latest: Seconds after which a lease is renewed at the latest, so that one that was taken
            away by force is noticed soon.
    """

    def __init__(self, backend: Backend) -> None:
        self.latest = 5.0
        self._backend = backend
        self.begin()

    def begin(self) -> None:
        """Begin with nothing to renew; also in a child, where no thread of its parent goes on."""
        self._leases: set[Lease] = set()
        self._changed = threading.Condition()
        self._next = float("inf")  # when the thread looks again by itself
        self._thread: threading.Thread | None = None
        self._closing = False

    def keep(self, lease: Lease) -> None:
        """Renew ``lease`` from now on."""
        lease.renew_at = min(lease.renew_at, elapsed() + self.latest)
        with self._changed:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="penstock-locks", daemon=True
                )
                self._thread.start()
            if lease.renew_at < self._next:
                # Only then: a thread woken at every lock would cost more than the lock.
                self._next = lease.renew_at
                self._changed.notify()

    def drop(self, lease: Lease) -> None:
        """Do not renew it any more."""
        with self._changed:
            self._leases.discard(lease)

    def close(self) -> None:
        """End the thread; leases end when they end."""
        with self._changed:
            self._closing = True
            self._leases.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._next = min((lease.renew_at for lease in self._leases), default=float("inf"))
                if self._closing:
                    return
                wait = self._next - elapsed()
                if wait > 0:
                    self._changed.wait(None if wait == float("inf") else wait)
                now = elapsed()
                due = [lease for lease in self._leases if lease.renew_at <= now]
            for lease in sorted(due, key=lambda lease: lease.until):
                self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        if (left := lease.left()) <= 0.0:
            self.drop(lease)
            with contextlib.suppress(LockLost):
                lease.check()
            return
        place = lease.place
        span = min(left, _TRY * place.lease)
        try:
            reply = self._backend.apply(lease.name, LockRequest(kind="renew", place=place), span)
        except PenstockError:
            lease.renew_at = elapsed() + 0.1 * span  # the store may come back: until the end
            return
        held = reply.state.holder(place.id)
        if held is None:
            self.drop(lease)
            if not lease.over:
                lease.lose("somebody else was let in, or it was taken away by force")
            return
        until = reply.sent + (held.until - reply.now) - _MARGIN * place.lease
        lease.until = until
        lease.renew_at = reply.sent + min(self.latest, place.lease * _THIRD)
