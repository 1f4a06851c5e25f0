"""Calls made by an executor's workers: threads, processes, or what a package offers."""

from __future__ import annotations

import multiprocessing
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, cast, final

from msgspec import Meta

from penstock.assembly.kinds import EXECUTORS, Section, Site, build
from penstock.cluster import Make
from penstock.errors import ExecutorFailed, InputError, PenstockError
from penstock.events import Events
from penstock.http import Api, Request, Response
from penstock.pipeline import Key, Workers


def threads(workers: Annotated[int, Meta(ge=1)] = 10) -> Executor:
    """Threads of this process.

    Args:
        workers: How many there are.
    """
    return ThreadPoolExecutor(workers, "penstock")


def processes(workers: Annotated[int, Meta(ge=1)] = 2) -> Executor:
    """Processes of this machine.

    Args:
        workers: How many there are.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork would take our threads' locks along
    return ProcessPoolExecutor(workers, spawn)


def service_of(section: Section, site: Site, make: Make, closing: ExitStack) -> Workers[Response]:
    """Return what makes the calls of a file: its executor, each worker with an API of its own.

    Args:
        section: ``[executor]`` of the file.
        site: Where the executor is built.
        make: Builds the API and the requests in a worker.
        closing: What shuts the executor down at the end.

    Raises:
        InputError: The section does not describe an executor.
    """
    executor = build(EXECUTORS, section, site, "executor")
    if not callable(getattr(executor, "submit", None)):
        raise InputError(f"executor: {type(executor).__name__} has no submit(function, key)")
    made = cast("Executor", executor)
    closing.callback(made.shutdown)
    return Workers(_Called(make), made)


_opened: dict[str, tuple[Api, Callable[[Key], Request]]] = {}
_opening = threading.Lock()


@final
@dataclass(frozen=True)
class _Called:
    """Makes the call of a key. One API serves all keys of a worker."""

    make: Make
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __call__(self, key: Key) -> Response:
        with _opening:
            if self.run not in _opened:
                _opened.clear()  # what an earlier run needed is not needed any more
                try:
                    _opened[self.run] = self.make(Events())
                except PenstockError as error:  # not this key's: no key can be called here
                    raise ExecutorFailed(f"a worker cannot call: {error}") from error
            api, request = _opened[self.run]
        return api.call(request(key))
