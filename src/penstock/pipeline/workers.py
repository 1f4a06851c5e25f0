"""Blocking functions, many at once, over threads or any `concurrent.futures.Executor`."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Generic, TypeVar, final

from penstock.errors import ExecutorFailed, InputError
from penstock.pipeline.concurrent import fetch
from penstock.pipeline.result import Key, Result

V = TypeVar("V")


def in_threads(
    keys: Iterable[Key],
    function: Callable[[Key], V],
    *,
    threads: int = 10,
    executor: Executor | None = None,
    ordered: bool = False,
) -> Iterator[Result[Key, V]]:
    """Yield ``function(key)`` for each key, at most ``threads`` at once.

    An exception is that key's result and ends nothing else. Never more than ``threads`` keys are
    drawn ahead, whatever the executor would take.

    Args:
        keys: Arguments of the calls.
        function: What to call; with a process pool it must be picklable.
        threads: Size of the window, and of the pool where none is given.
        executor: Where to run instead of a pool of our own: a process pool, a cluster's
            executor. It is left running.
        ordered: Yield in the order of ``keys``.

    Raises:
        InputError: The server refuses our credentials, or processes cannot be given ``function``.
        ExecutorFailed: The executor takes no more calls, or has dropped some: a worker was killed,
            a pool was shut down. Those keys have no result.

    >>> [result.value for result in in_threads([3, 4], lambda n: n * n, ordered=True)]
    [9, 16]
    """
    workers = Workers(function, executor)
    return fetch(keys, workers, itself, concurrency=threads, ordered=ordered)


def itself(key: Key) -> Key:
    """Return ``key``: the request of a function is its argument."""
    return key


@final
class Workers(Generic[V]):
    """An executor in the shape of an API: a request is an argument."""

    def __init__(self, function: Callable[[Key], V], executor: Executor | None) -> None:
        self._function = function
        self._executor = executor
        if isinstance(executor, ProcessPoolExecutor):
            _refuse_what_stays(function)

    def calls(self, concurrency: int = 1) -> _Running[V]:
        """Return a session; without an executor, over threads of its own."""
        own = None if self._executor is not None else ThreadPoolExecutor(concurrency, "penstock")
        return _Running(self._function, self._executor or own, own)


@final
class _Running(Generic[V]):
    def __init__(
        self, function: Callable[[Key], V], executor: Executor | None, own: Executor | None
    ) -> None:
        assert executor is not None  # one of the two is always there
        self._function = function
        self._executor = executor
        self._own = own
        self._keys: dict[Future[V], Key] = {}
        self._done: deque[Future[V]] = deque()
        self._something = threading.Event()
        self._woken = False
        self._broken: ExecutorFailed | None = None

    @property
    def pending(self) -> int:
        return len(self._keys)

    def submit(self, key: Key, request: Key) -> None:
        try:
            future = self._executor.submit(self._function, request)
        except Exception as error:
            raise _failed(f"takes no more calls: {str(error) or type(error).__name__}") from error
        self._keys[future] = key
        future.add_done_callback(self._finished)

    def _finished(self, future: Future[V]) -> None:
        self._done.append(future)
        self._something.set()

    def send(self) -> float:
        return 0.0

    def collect(self) -> Sequence[Result[Key, V]]:
        while not self._done and not self._woken and self._keys and self._broken is None:
            self._something.wait()
            self._something.clear()
        self._woken = False
        results: list[Result[Key, V]] = []
        while self._done:
            future = self._done.popleft()
            # A call that its executor dropped stays pending: it has no result.
            if (dropped := _dropped(future)) is None:
                results.append(_result(self._keys.pop(future), future))
            else:
                self._broken = dropped
        if self._broken is not None and not results:
            raise self._broken
        return results

    def idle(self, seconds: float) -> None:
        if not self._woken:
            self._something.wait(seconds)
            self._something.clear()
        self._woken = False

    def wake(self) -> None:
        self._woken = True
        self._something.set()

    def close(self) -> None:
        for future in list(self._keys):
            future.cancel()
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)


def _refuse_what_stays(function: object) -> None:
    """Refuse what cannot be sent to another process, which would make every key fail."""
    try:
        pickle.dumps(function)
    except Exception as error:  # whatever pickle raises, and what its objects raise
        raise InputError(
            f"in_threads: processes cannot be given {function!r} ({error}): "
            "define a function at the top of a module"
        ) from error


def _failed(what: str) -> ExecutorFailed:
    return ExecutorFailed(f"the executor {what}; what has no result is still to do: run again")


def _dropped(future: Future[V]) -> ExecutorFailed | None:
    """Return why the executor, and not the function, ended the call; None where it did not."""
    if future.cancelled():
        return _failed("was shut down and cancelled calls")
    error = future.exception()
    if isinstance(error, ExecutorFailed):
        return error
    if not isinstance(error, BrokenExecutor):
        return None
    failed = _failed(f"broke: {str(error) or type(error).__name__}")
    failed.__cause__ = error
    return failed


def _result(key: Key, future: Future[V]) -> Result[Key, V]:
    error = future.exception()
    if error is None:
        return Result(key, future.result())
    if isinstance(error, InputError) and error.status is not None:
        raise error  # the server refuses our credentials: it would refuse all other keys, too
    if isinstance(error, Exception):
        return Result(key, None, error, getattr(error, "attempts", 1))
    raise error  # KeyboardInterrupt and the like end the whole run
