"""Stages between what was fetched and where it lands: results in, a result for each out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from penstock.errors import InputError
from penstock.pipeline.result import Key, Result

V = TypeVar("V")
W = TypeVar("W")

Stage: TypeAlias = Callable[[Sequence[Result[Key, V]]], Sequence[Result[Key, W]]]
"""Takes the results that came together and returns one for each, keys and order kept.

It sees failures too and hands them on. What it raises ends the run; what is wrong with one item is
that item's result.
"""


def through(
    chunks: Iterable[Sequence[Result[Key, V]]], stage: Stage[V, W]
) -> Iterator[Sequence[Result[Key, W]]]:
    """Yield each chunk as ``stage`` gives it back. Nothing is held: a chunk in, a chunk out.

    Args:
        chunks: Results in the groups they came in; an empty one passes as it is.
        stage: What to do with them.

    Raises:
        InputError: The stage dropped, added or renamed a result; its slot would be lost.

    >>> doubled = each(lambda number: number * 2)
    >>> list(through([[Result(1, 4)], []], doubled))
    [[Result(key=1, value=8, error=None, attempts=1)], []]
    """
    for chunk in chunks:
        changed = stage(chunk) if chunk else []
        if [result.key for result in changed] != [result.key for result in chunk]:
            raise InputError(
                f"a stage was given {len(chunk)} results and returned {len(changed)}, or other "
                "keys: return one for each, in order"
            )
        yield changed


def each(function: Callable[[V], W]) -> Stage[V, W]:
    """Return a stage that puts ``function(value)`` in each value's place.

    An exception is that item's failure and ends nothing else.

    >>> halved = each(lambda number: 12 // number)
    >>> [result.value for result in halved([Result(1, 4), Result(2, 0)])]
    [3, None]
    """

    def one(result: Result[Key, V]) -> Result[Key, W]:
        if result.error is not None:
            return Result(result.key, None, result.error, result.attempts)
        try:
            return Result(result.key, function(result.unwrap()), None, result.attempts)
        except Exception as error:  # noqa: BLE001 - the caller's function: one item's trouble
            return Result(result.key, None, error, result.attempts)

    return lambda results: [one(result) for result in results]
