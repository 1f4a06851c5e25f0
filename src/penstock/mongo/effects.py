"""One logic for threads and for asyncio: a generator says what to do, a driver does it.

A generator of steps yields :class:`Invocation` and :class:`Wait`, gets back what the call returned,
or has its error thrown in. :func:`run` performs them, :func:`run_async` awaits them. What is called
may be steps itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, TypeAlias, TypeVar, cast, final

import pymongo

from penstock.clock import Clock

__all__ = ["Invocation", "Steps", "Wait", "done", "done_async", "run", "run_async"]

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Invocation:
    """Call ``function``; with a timeout, PyMongo ends it after so many seconds."""

    function: Callable[[], Any]
    timeout: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Wait:
    """Let ``seconds`` pass."""

    seconds: float


Steps: TypeAlias = Generator[Invocation | Wait, Any, T]


def run(steps: Steps[T], clock: Clock) -> T:
    """Perform ``steps`` in this thread and return what they return."""
    try:
        step = next(steps)
        while True:
            try:
                answer = None
                if isinstance(step, Wait):
                    clock.sleep(step.seconds)
                else:
                    with _limited(step.timeout):
                        answer = step.function()
                        if inspect.isgeneratorfunction(step.function):
                            answer = run(answer, clock)
            except BaseException as error:  # noqa: BLE001 - the steps see everything and re-raise
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        return cast("T", end.value)


async def run_async(steps: Steps[T], clock: Clock) -> T:
    """Perform ``steps`` on the running event loop and return what they return."""
    try:
        step = next(steps)
        while True:
            try:
                answer = None
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                else:
                    with _limited(step.timeout):
                        answer = step.function()
                        if inspect.isgeneratorfunction(step.function):
                            answer = run_async(answer, clock)
                        if isinstance(answer, Awaitable):
                            answer = await answer
            except BaseException as error:  # noqa: BLE001 - the steps see everything and re-raise
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        return cast("T", end.value)


def _limited(timeout: float | None) -> contextlib.AbstractContextManager[object]:
    if timeout is None:
        return contextlib.nullcontext()
    return pymongo.timeout(timeout)


def done(steps: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    """Return a method that performs ``steps`` in its thread."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return run(steps(self, *args, **kwargs), self._core.settings.clock)

    return update_wrapper(method, steps, ("__doc__",))


def done_async(steps: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    """Return a method that performs ``steps`` on the running event loop."""

    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await run_async(steps(self, *args, **kwargs), self._core.settings.clock)

    return update_wrapper(method, steps, ("__doc__",))
