"""Calls made by processes of this machine: an ``Api`` for :meth:`Pipeline.fetch`.

Processes only call: keys go to them and results come back through a pipe, and one process, which
started them, lands. So a directory does as the store, and a process that dies takes nothing with
it: its keys are given to another one. A key that kills whoever has it ends as a failure of its own.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TypeAlias, final

from penstock.errors import ExecutorFailed, PermanentError
from penstock.events import Event, Events
from penstock.http import Api, Calls, Request, Response
from penstock.pipeline import Key, Result

__all__ = ["Make", "Processes"]

_SUSPECT, _GUILTY = 2, 3  # deaths: from here on a key goes alone; here it is given up
_MOST_GUILTY = 3  # keys given up in a row: then it is the machine that kills, not a key
_MOST_IDLE = 5  # deaths of processes that had no key, with no result in between
_PATIENCE = 5.0  # seconds for a process to end by itself

Make: TypeAlias = Callable[[Events], tuple[Api, Callable[[Key], Request]]]
"""Builds, in a process of its own, what calls and what makes a key's request; to be pickled."""
_Sent: TypeAlias = tuple[list[Result[Key, Response]], list[Event]] | BaseException


@final
class Processes:
    """Processes that call a service together.

    Args:
        make: Builds what each of them needs.
        count: How many there are.
        events: Where the events of all are told.
    """

    def __init__(self, make: Make, count: int, events: Events | None = None) -> None:
        self._make, self._count = make, count
        self._events = events

    def calls(self, concurrency: int = 1) -> ProcessCalls:
        """Start the processes; together they have ``concurrency`` calls under way."""
        each = max(1, math.ceil(concurrency / self._count))
        return ProcessCalls(self._make, self._count, each, self._events or Events())


@final
class _Worker:
    """One process, with the keys that it has."""

    def __init__(self, make: Make, window: int) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would take our threads' locks along
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_serve, args=(theirs, make, window), name="penstock-worker", daemon=True
        )
        self.process.start()
        theirs.close()
        self.out: set[Key] = set()
        self.alone = False

    def give(self, keys: list[Key]) -> None:
        """Hand keys over. That it has died is learned from its end of the pipe."""
        self.out.update(keys)
        with suppress(OSError):
            self.connection.send(keys)

    def end(self) -> None:
        """Let it end; what it had is not waited for."""
        self.connection.close()
        self.process.join(_PATIENCE)
        self.process.kill()
        self.process.join()


@final
class ProcessCalls:
    """Calls under way in processes. Owned by one thread; only :meth:`wake` is for others."""

    def __init__(self, make: Make, count: int, window: int, events: Events) -> None:
        self._make, self._window, self._events = make, window, events
        self._waiting: deque[Key] = deque()
        self._deaths: Counter[Key] = Counter()  # of the processes that a key was with
        self._results: list[Result[Key, Response]] = []
        self._accused: list[Result[Key, Response]] = []  # settled when others come through
        self._idle_deaths = 0
        self._ear, self._mouth = multiprocessing.Pipe(duplex=False)
        self._woken = threading.Event()
        self._workers = [_Worker(make, window) for _ in range(count)]

    @property
    def pending(self) -> int:
        """Keys taken on whose results were not collected yet."""
        out = sum(len(worker.out) for worker in self._workers)
        return len(self._waiting) + out + len(self._results) + len(self._accused)

    def submit(self, key: Key, request: object) -> None:
        """Take a key on; its request is made where it is sent."""
        self._waiting.append(key)

    def send(self) -> float:
        """Hand out what there is room for; no time is known after which there is more."""
        for worker in self._workers:
            if keys := list(self._drawn(worker)):
                worker.give(keys)
        return math.inf

    def _drawn(self, worker: _Worker) -> Iterator[Key]:
        room = 0 if worker.alone and worker.out else self._window - len(worker.out)
        worker.alone = False
        for given in range(room):
            if not self._waiting:
                return
            if self._deaths[self._waiting[0]] >= _SUSPECT:
                if given or worker.out:
                    return  # it goes alone: whoever dies next to it is not to be suspected
                worker.alone = True
            yield self._waiting.popleft()
            if worker.alone:
                return

    def collect(self) -> list[Result[Key, Response]]:
        """Return the results that are there; wait for one where there is none.

        Raises:
            ExecutorFailed: Processes die whatever they are given.
            PenstockError: What one of them could not go on for.
        """
        while self.pending and not self._results and not self._woken.is_set():
            self.send()
            if self.pending == len(self._accused):
                self._believe()
            else:
                self._listen(None)
        self._woken.clear()
        results, self._results = self._results, []
        return results

    def _listen(self, timeout: float | None) -> None:
        workers = {worker.connection: worker for worker in self._workers}
        for ready in wait([self._ear, *workers], timeout):
            if ready is self._ear:
                self._heard()
                continue
            worker = workers[ready]  # type: ignore[index] # only connections were given
            try:
                sent: _Sent = worker.connection.recv()
            except (EOFError, OSError):
                self._died(worker)
                continue
            if isinstance(sent, BaseException):
                raise sent
            results, events = sent
            for event in events:
                self._events.emit(event)
            worker.out.difference_update(result.key for result in results)
            self._results += results
            if results:
                self._idle_deaths = 0
                self._believe()

    def _believe(self) -> None:
        self._results += self._accused
        self._accused.clear()

    def _died(self, worker: _Worker) -> None:
        """Give its keys to others. One that several died with is tried alone, and then given up."""
        worker.process.join()
        code = worker.process.exitcode
        self._idle_deaths += not worker.out
        for key in worker.out:
            self._deaths[key] += 1
            if (deaths := self._deaths[key]) < _GUILTY:
                self._waiting.append(key)
                continue
            words = f"{deaths} worker processes died over this key (exit code {code})"
            self._accused.append(Result(key, None, PoisonKey(words), deaths))
        if len(self._accused) >= _MOST_GUILTY or self._idle_deaths >= _MOST_IDLE:
            raise ExecutorFailed(f"worker processes die whatever they call (exit code {code})")
        worker.connection.close()
        self._workers[self._workers.index(worker)] = _Worker(self._make, self._window)

    def idle(self, seconds: float) -> None:
        """Wait until :meth:`wake` is called, with nothing under way, at most ``seconds``."""
        if not self._woken.is_set():
            wait([self._ear], seconds)
            self._heard()
        self._woken.clear()

    def _heard(self) -> None:
        while self._ear.poll():
            self._ear.recv_bytes()

    def wake(self) -> None:
        """Make :meth:`collect` return, from any thread."""
        if not self._woken.is_set():
            self._woken.set()
            with suppress(OSError):
                self._mouth.send_bytes(b"!")

    def close(self) -> None:
        """End the processes; what is under way is dropped."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.end()
        self._ear.close()
        self._mouth.close()


@final
class PoisonKey(PermanentError):
    """Worker processes die over this key."""


def _serve(connection: Connection, make: Make, window: int) -> None:
    """Call for the keys that come through ``connection``, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    try:
        _served(connection, make, window)
    except BaseException as error:  # noqa: BLE001 - told to whoever started us
        with suppress(OSError):
            connection.send(error)


def _served(connection: Connection, make: Make, window: int) -> None:
    told: list[Event] = []
    events = Events()
    api, request = make(events)
    events.subscribe(told.append)
    calls = api.calls(window)
    came: deque[list[Key] | None] = deque()

    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                came.append(connection.recv())
                calls.wake()
        came.append(None)
        calls.wake()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        results: list[Result[Key, Response]] = []
        while came:
            if (keys := came.popleft()) is None:
                calls.close()
                return
            results += _submitted(calls, keys, request)
        if calls.pending:
            results += calls.collect()
        elif not results:
            calls.idle(60.0)
        if results or told:
            sent, told[:] = list(told), []
            connection.send((results, sent))


def _submitted(
    calls: Calls, keys: list[Key], request: Callable[[Key], Request]
) -> Iterator[Result[Key, Response]]:
    """Take keys on; yield those whose request cannot be made."""
    for key in keys:
        try:
            asked = request(key)
        except Exception as error:  # noqa: BLE001 - one item's trouble
            yield Result(key, None, error, 0)
        else:
            calls.submit(key, asked)
