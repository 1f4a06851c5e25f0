"""``async for`` over what is a plain generator: the same one, a step at a time on a thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from penstock.clock import Interrupt

T = TypeVar("T")


async def asynchronous(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Yield what ``items`` yields, while the event loop goes on with other tasks.

    The generator runs on one thread of its own, and a step of it only when the next item is asked
    for. A task that is cancelled ends the wait it is in; the generator is closed, and drops what
    is under way. Use ``contextlib.aclosing`` where a loop is left by ``break``.

    Args:
        items: What ``fetch``, ``pages`` or ``Stream.batches`` returned, a stream, or any other.

    >>> import asyncio
    >>> async def total() -> int:
    ...     return sum([number async for number in asynchronous(range(4))])
    >>> asyncio.run(total())
    6
    """
    import asyncio

    interrupt = Interrupt()
    pool = ThreadPoolExecutor(1, "penstock-async", initializer=interrupt.adopt)
    loop = asyncio.get_running_loop()
    iterator = iter(items)
    try:
        while True:
            found = await loop.run_in_executor(pool, _step, iterator)
            if not found:
                return
            yield found[0]
    finally:
        interrupt.set()
        try:
            await asyncio.shield(loop.run_in_executor(pool, _close, iterator))
        finally:
            pool.shutdown(wait=False)


def _step(iterator: Iterator[T]) -> tuple[T, ...]:
    for item in iterator:
        return (item,)
    return ()


def _close(iterator: Iterator[object]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
