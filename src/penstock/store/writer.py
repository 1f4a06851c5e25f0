"""The one thread that makes entries safe, group by group."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias, final

from penstock.clock import Clock
from penstock.errors import Stopped, StorageError, StoreInUse
from penstock.pipeline import Entry

__all__ = ["Writer"]

_LATEST = 0.008  # seconds the first entry waits for others: slots are held meanwhile
_QUIET = 0.25  # seconds without work after which a store is idle
_BACKLOG = 32  # groups that may wait before settle makes its caller wait as well

Durable: TypeAlias = Callable[[int], object]
Piece: TypeAlias = tuple[Sequence[Entry], Durable]


@final
class Writer:
    """Takes entries over from any thread and hands them in groups to ``commit`` in its own.

    After the first failure nothing is committed any more, and every call says why.

    Args:
        commit: Makes a group safe or raises.
        clock: Times the groups.
        idle: Called when a quarter of a second has passed without work.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Entry]], None],
        clock: Clock,
        idle: Callable[[], None] | None = None,
    ) -> None:
        self._commit = commit
        self._idle = idle
        self._clock = clock
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # the thread waits here
        self._progress = threading.Condition(self._lock)  # flush and too quick callers wait here
        self._room = threading.Condition(self._lock)  # the thread waits here for a full disk
        self._stopped = False
        self._pieces: list[Piece] = []
        self._waiting = 0  # entries in the pieces
        self._first = 0.0  # when the first of them came
        self._group = 1
        self._accepted = 0
        self._safe = 0
        self._hurry = False
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="penstock-store", daemon=True)
        self._thread.start()

    def settle(self, entries: Sequence[Entry], durable: Durable, group: int) -> None:
        """Queue ``entries``; waits only where the disk is far behind."""
        count = len(entries)
        with self._lock:
            while self._waiting >= _BACKLOG * group and not self._closing:
                self._progress.wait()
            if self._failure is not None or self._closing:
                self._refuse()
            if not count:
                return
            before = self._waiting
            if not before:
                self._first = self._clock.monotonic()
            self._pieces.append((entries, durable))
            self._waiting = before + count
            self._accepted += count
            self._group = group
            # The thread is woken twice a group, not at every call.
            if not before or before < group <= self._waiting:
                self._work.notify()

    def flush(self) -> None:
        """Return when everything settled so far is safe and was reported."""
        with self._lock:
            if isinstance(sys.exception(), Stopped):
                # Whoever was stopped makes safe what can be, and does not wait for room.
                self._stopped = True
                self._room.notify()
            goal = self._accepted
            if self._safe < goal:
                self._hurry = True
                self._work.notify()
            while self._safe < goal and self._failure is None:
                self._progress.wait()
            self._refuse_after_failure()

    def wait_for_room(self, seconds: float) -> bool:
        """Wait in the writer's thread; return whether to try again: nobody asked to end."""
        with self._lock:
            if not (self._closing or self._stopped):
                self._clock.wait(self._room, seconds)
            return not (self._closing or self._stopped)

    def close(self) -> None:
        """Make safe what waits and end the thread. Closing twice is allowed.

        Raises:
            StorageError: An entry could not be made safe.
        """
        with self._lock:
            self._closing = True
            self._work.notify()
            self._room.notify()
        self._thread.join()
        self._refuse_after_failure()

    def _refuse(self) -> None:
        self._refuse_after_failure()
        raise StorageError("the store is closed: settle before close, or open it again")

    def _refuse_after_failure(self) -> None:
        if isinstance(self._failure, StorageError | StoreInUse):
            raise type(self._failure)(str(self._failure)) from self._failure
        if self._failure is not None:
            raise StorageError(f"the store stopped: {self._failure!r}") from self._failure

    def _run(self) -> None:
        try:
            while pieces := self._next_group():
                entries = pieces[0][0] if len(pieces) == 1 else _joined(pieces)
                self._commit(entries)
                _report(pieces)
                with self._lock:
                    self._safe += len(entries)
                    self._progress.notify_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
            with self._lock:
                self._failure = error
                self._pieces.clear()
                self._waiting = 0
                self._progress.notify_all()

    def _is_quiet(self) -> bool:
        with self._lock:
            if not self._pieces and not self._closing:
                self._clock.wait(self._work, _QUIET)
            return not self._pieces and not self._closing

    def _next_group(self) -> list[Piece]:
        """Wait for a group to be due and take it; empty when there will be none."""
        if self._idle is not None and self._is_quiet():
            self._idle()
        with self._lock:
            while not self._pieces and not self._closing:
                self._clock.wait(self._work, None)
            latest = self._first + _LATEST
            while not self._is_due() and (left := latest - self._clock.monotonic()) > 0:
                self._clock.wait(self._work, left)
            pieces, self._pieces = self._pieces, []
            self._waiting = 0
            self._hurry = False
            self._progress.notify_all()
            return pieces

    def _is_due(self) -> bool:
        return self._waiting >= self._group or self._hurry or self._closing


def _joined(pieces: list[Piece]) -> list[Entry]:
    return list(chain.from_iterable([entries for entries, _ in pieces]))


def _report(pieces: list[Piece]) -> None:
    """Call every ``durable`` in order, once for neighbours that share it."""
    last, count = pieces[0][1], 0
    for entries, durable in pieces:
        if durable is not last:
            last(count)
            last, count = durable, 0
        count += len(entries)
    last(count)
