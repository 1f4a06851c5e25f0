"""A lock in hand, and the block of code that has it in hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, ParamSpec, TypeAlias, TypeVar, cast, final

from penstock.errors import PenstockError
from penstock.locks.errors import LockLost, NotHeld
from penstock.locks.leases import Lease

__all__ = ["Caller", "Held", "Holding", "Stop", "caller"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Caller: TypeAlias = int
"""The thread or the asyncio task that calls."""


def caller() -> Caller:
    """Return who calls: a task where one runs, else the thread."""
    if asyncio._get_running_loop() is None:  # noqa: SLF001 - current_task() would raise, slowly
        return threading.get_ident()
    task = asyncio.current_task()
    return threading.get_ident() if task is None else id(task)


@final
class Held:
    """A lock that is held: made by a :class:`~penstock.locks.LockerRoom`.

    Attributes:
        name: The lock.
        owner: Who holds it, for people.
        token: The fencing token: larger than that of every earlier holder of this lock. Send it
            along with each write, and have the target refuse a smaller one than it has seen.
        since: When it was got, in seconds since 1970 as the store knows it.
        by: The thread or task that got it.
        lease: What keeps it.
    """

    def __init__(
        self,
        lease: Lease,
        owner: str,
        token: int,
        since: float,
        by: Caller,
        release: Callable[[Held], None],
    ) -> None:
        self.name = lease.name
        self.owner = owner
        self.token = token
        self.since = since
        self.by = by
        self.lease = lease
        self._release = release
        self._depth = 1

    def __repr__(self) -> str:
        state = "released" if self._depth == 0 else "lost" if self.lost else "held"
        return f"<lock {self.name!r} {state} by {self.owner!r}, token {self.token}>"

    @property
    def lost(self) -> bool:
        """Whether it is lost, as far as that is known by now."""
        return self.lease.left() == 0.0

    @property
    def left(self) -> float:
        """Seconds for which it is held even if nothing is renewed any more."""
        return self.lease.left()

    def check(self) -> None:
        """Return while the lock is held; to be called between the steps of long work.

        Costs less than a microsecond and asks nobody.

        Raises:
            LockLost: It is not held any more: stop.
        """
        if not self._depth:
            raise LockLost(f"lock {self.name!r} was released")
        self.lease.check()

    def release(self) -> None:
        """Give it back.

        Raises:
            NotHeld: It was released before.
            StorageError: The store does not answer; the lease will end by itself.
        """
        if not self._depth:
            raise NotHeld(f"lock {self.name!r} was released before")
        self._depth -= 1
        if not self._depth:
            self._release(self)

    def again(self) -> Held:
        """Count one more hold of the same holder."""
        self.check()
        self._depth += 1
        return self


@final
class Stop:
    """Lets one thread make another's wait end.

    Attributes:
        asked: Whether it was asked to.
    """

    def __init__(self) -> None:
        self.asked = False
        self._act: Callable[[], None] | None = None

    def on(self, act: Callable[[], None]) -> None:
        """Call ``act`` when, or if already, it is asked to."""
        self._act = act
        if self.asked:
            act()

    def ask(self) -> None:
        """Make the wait end."""
        self.asked = True
        if self._act is not None:
            self._act()


@final
class Holding(Generic[T]):
    """A block that holds: use it in ``with``, in ``async with``, or as a decorator.

    Leaving the block always releases, whatever ended it. A release that fails is told, unless the
    block failed: then its own error is.

    Args:
        acquire: Returns what the block gets.
        release: Takes it back.
    """

    def __init__(self, acquire: Callable[[Caller, Stop], T], release: Callable[[T], None]) -> None:
        self._acquire = acquire
        self._release = release
        self._entered: dict[Caller, list[T]] = {}

    def __enter__(self) -> T:
        by = caller()
        held = self._acquire(by, Stop())
        self._entered.setdefault(by, []).append(held)
        return held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _released(self._release, self._left(), error)

    async def __aenter__(self) -> T:
        by, stop = caller(), Stop()
        held = await _in_thread(lambda: self._acquire(by, stop), stop, self._release)
        self._entered.setdefault(by, []).append(held)
        return held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        held = self._left()
        await asyncio.shield(_in_thread(lambda: _released(self._release, held, error)))

    def _left(self) -> T:
        by = caller()
        held = self._entered[by].pop()
        if not self._entered[by]:
            del self._entered[by]
        return held

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return ``function`` so that each call holds; ``async`` functions too."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> object:
                async with self:
                    return await cast(Awaitable[object], function(*args, **kwargs))

            return cast(Callable[P, R], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return called


def _released(release: Callable[[T], None], held: T, error: BaseException | None) -> None:
    try:
        release(held)
    except PenstockError:
        if error is None:
            raise


async def _in_thread(
    work: Callable[[], R], stop: Stop | None = None, undo: Callable[[R], None] | None = None
) -> R:
    """Await ``work`` in a thread of its own: waiters in a shared pool would keep releases out."""
    loop = asyncio.get_running_loop()
    done: Future[R] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is the awaiting task's
            done.set_exception(error)
            return
        done.set_result(result)

    threading.Thread(target=run, name="penstock-locks-wait", daemon=True).start()
    try:
        # Shielded: a cancelled future could not tell any more what it has got.
        return await asyncio.shield(asyncio.wrap_future(done, loop=loop))
    except asyncio.CancelledError:
        if stop is not None and undo is not None:
            stop.ask()
            done.add_done_callback(functools.partial(_undone, undo))
        raise


def _undone(undo: Callable[[R], None], done: Future[R]) -> None:
    """What was got for a task that is gone is given back."""
    if done.exception() is None:
        with contextlib.suppress(PenstockError):
            undo(done.result())
