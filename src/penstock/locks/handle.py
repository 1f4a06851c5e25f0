"""A lock in hand, and the block of code that has it in hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, cast, final

from penstock.errors import PenstockError
from penstock.locks.errors import LockLost, NotHeld
from penstock.locks.leases import Lease

__all__ = ["Caller", "Held", "Holding", "Stop", "caller"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Caller: TypeAlias = int
"""The thread or the asyncio task that calls: a number that no other ever has."""

_NUMBERS = itertools.count(1)
_TASKS: weakref.WeakKeyDictionary[asyncio.Task[Any], Caller] = weakref.WeakKeyDictionary()


class _Thread(threading.local):
    """A thread's number: its ident is given to another one when it has ended."""

    def __init__(self) -> None:
        self.number = next(_NUMBERS)


_THREAD = _Thread()


def caller() -> Caller:
    """Return who calls: a task where one runs, else the thread."""
    if asyncio._get_running_loop() is None:  # noqa: SLF001 - current_task() would raise, slowly
        return _THREAD.number
    task = asyncio.current_task()
    if task is None:
        return _THREAD.number
    if (number := _TASKS.get(task)) is None:
        number = _TASKS[task] = next(_NUMBERS)
    return number


@final
@dataclass(slots=True, eq=False, repr=False)
class Held:
    """A lock that is held: made by a :class:`~penstock.locks.LockerRoom`.

    Attributes:
        owner: Who holds it, for people.
        token: The fencing token: larger than that of every earlier holder of this lock. Send it
            along with each write, and have the target refuse a smaller one than it has seen.
        since: When it was got, in seconds since 1970 as the store knows it.
        by: The thread or task that holds it.
        lease: What keeps it.
    """

    lease: Lease
    owner: str
    token: int
    since: float
    by: Caller
    _release: Callable[[Held], None]
    _depth: int = 1

    @property
    def name(self) -> str:
        """The lock."""
        return self.lease.name

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
            NotHeld: It was released before, or this is a child of the process that holds it.
            StorageError: The store does not answer; the lease will end by itself.
        """
        if self.lease.is_foreign:
            raise NotHeld(f"lock {self.name!r} is held by the parent process, which releases it")
        if not self._depth:
            raise NotHeld(f"lock {self.name!r} was released before")
        self._depth -= 1
        if not self._depth:
            self._release(self)

    def take_over(self) -> None:
        """Make the calling thread or task the one that holds it, in place of the one before.

        Only it then gets the lock once more with ``reentrant=True``. Any thread may release it.

        Raises:
            LockLost: It is not held any more.
        """
        self.check()
        self.by = caller()

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

    Leaving the block always releases, whatever ended it, also from another thread or task than
    entered it. A release that fails is told, unless the block failed: then its own error is. A
    child process that leaves a block of its parent releases nothing.

    Args:
        acquire: Returns what the block gets.
        release: Takes it back.
    """

    def __init__(self, acquire: Callable[[Caller, Stop], T], release: Callable[[T], None]) -> None:
        self._acquire = acquire
        self._release = release
        self._entered: list[tuple[Caller, int, T]] = []

    def __enter__(self) -> T:
        by = caller()
        held = self._acquire(by, Stop())
        self._entered.append((by, os.getpid(), held))
        return held

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._give_back(self._left(), kind)

    async def __aenter__(self) -> T:
        by, stop = caller(), Stop()
        held = await _in_thread(lambda: self._acquire(by, stop), stop, self._release)
        self._entered.append((by, os.getpid(), held))
        return held

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if left := self._left():
            await _in_thread(lambda: self._give_back(left, kind))

    def _give_back(self, left: list[T], raised: object) -> None:
        try:
            for held in left:
                self._release(held)
        except PenstockError:
            if raised is None:
                raise

    def _left(self) -> list[T]:
        """Return what the block got that is left: none where that is the parent's."""
        by = caller()
        mine = [entry for entry in self._entered if entry[0] == by]
        # Entered by another thread or task: what was got first, since all are of one kind.
        entry = mine[-1] if mine else self._entered[0]
        self._entered.remove(entry)
        return [entry[2]] if entry[1] == os.getpid() else []

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


async def _in_thread(
    work: Callable[[], R], stop: Stop | None = None, undo: Callable[[R], None] | None = None
) -> R:
    """Await ``work`` in a thread of its own: waiters in a shared pool would keep releases out."""
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    done: Future[R] = Future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is the awaiting task's
            done.set_exception(error)
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(wake)

    threading.Thread(target=run, name="penstock-locks-wait", daemon=True).start()
    try:
        await woken
    except asyncio.CancelledError:
        if stop is not None and undo is not None:
            stop.ask()
            done.add_done_callback(functools.partial(_undone, undo))
        raise
    return done.result()


def _undone(undo: Callable[[R], None], done: Future[R]) -> None:
    """What was got for a task that is gone is given back."""
    if done.exception() is None:
        with contextlib.suppress(PenstockError):
            undo(done.result())
