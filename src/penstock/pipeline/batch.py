"""Batches whose size is decided again each time, from what may still be asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError
from penstock.pipeline.ports import Sizer

T = TypeVar("T")


def batches(
    items: Iterable[T],
    size: int,
    *,
    sizer: Sizer | Callable[[], int] | None = None,
    empty: Literal["wait", "stop"] = "wait",
    clock: Clock | None = None,
) -> Iterator[list[T]]:
    """Yield lists of at most ``size`` items, lazily: an item is drawn when its batch is asked for.

    Args:
        items: Any iterable.
        size: The preferred size, at least 1.
        sizer: Says how many are allowed now: a budget, or a function that returns a number.
        empty: What 0 means: wait until there is more, or stop, leaving the rest undrawn.
        clock: Source of the waiting.

    >>> list(batches(range(10), 6))
    [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]]
    >>> allowed = iter([2, 5, 0])
    >>> list(batches("abcdefghij", 4, sizer=lambda: next(allowed), empty="stop"))
    [['a', 'b'], ['c', 'd', 'e', 'f']]

    Raises:
        InputError: ``size`` is not a number of at least 1, or ``empty`` is unknown.
    """
    if not isinstance(size, int):
        raise InputError(f"batches(it, {size!r}): size is a number; a function goes into sizer=")
    if size < 1:
        raise InputError(f"batches(it, {size}): a batch has at least 1 item")
    if empty not in ("wait", "stop"):
        raise InputError(f"batches(..., empty={empty!r}): write 'wait' or 'stop'")
    return _batches(iter(items), size, sizer, empty, clock or SystemClock())


def _batches(
    items: Iterator[T],
    size: int,
    sizer: Sizer | Callable[[], int] | None,
    empty: str,
    clock: Clock,
) -> Iterator[list[T]]:
    if empty == "stop":
        # Asked before an item is drawn: what is not allowed any more stays in the iterator.
        while batch := list(itertools.islice(items, _allowed(sizer, size))):
            yield batch
        return
    for first in items:  # drawn before asking: nothing is waited for once the items are out
        while (allowed := _allowed(sizer, size)) < 1:
            clock.sleep(_pause(sizer))
        yield [first, *itertools.islice(items, allowed - 1)]


def _allowed(sizer: Sizer | Callable[[], int] | None, size: int) -> int:
    if sizer is None:
        return size
    allowed = sizer() if callable(sizer) else sizer.available()
    if not allowed < size:  # a sizer may well say infinity
        return size
    return max(0, int(allowed))


def _pause(sizer: Sizer | Callable[[], int] | None) -> float:
    if sizer is None or callable(sizer):
        return 1.0
    return max(0.01, sizer.renewed_in())
