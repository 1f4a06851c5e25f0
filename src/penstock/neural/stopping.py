"""When to stop: criteria that combine with ``|`` (either) and ``&`` (both).

A criterion is a value; :meth:`Criterion.watch` gives a fresh watcher that is shown each epoch's
row of channels in turn. Watchers work on whole arrays of models, one lane each, and their only
memory is what the rows told them: showing a saved history again restores it exactly.

Pylearn2's And continues while all of its criteria want to continue: that is ``|`` here, where
criteria say when to stop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np

from penstock.neural.arrays import Bools, Floats
from penstock.neural.errors import BadData

__all__ = [
    "Criterion",
    "Epochs",
    "NotFinite",
    "Patience",
    "Seconds",
    "Target",
]

Row: TypeAlias = Mapping[str, Floats]
"""One epoch: each channel's values, an array of one number a model."""
Watch: TypeAlias = Callable[[Row], tuple[Bools, str]]
"""Shown a row, says which models stop, and why the first of them does."""
Goal: TypeAlias = Literal["min", "max"]


class Criterion(ABC):
    """Says after each epoch whether to stop."""

    @abstractmethod
    def watch(self) -> Watch:
        """Return a watcher that has seen nothing yet."""

    @abstractmethod
    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""

    def __or__(self, other: Criterion) -> Criterion:
        """Stop when either says so."""
        return Either(self, other)

    def __and__(self, other: Criterion) -> Criterion:
        """Stop when both say so after the same epoch."""
        return Both(self, other)


@final
@dataclass(frozen=True, slots=True)
class Epochs(Criterion):
    """Stop after ``count`` epochs.

    >>> [bool(Epochs(2).watch()({"epoch": np.array([n])})[0][0]) for n in (1, 2, 3)]
    [False, True, True]
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or int(self.count) != self.count:
            raise BadData(f"Epochs({self.count}): train for a whole number of epochs, at least 1")

    def watch(self) -> Watch:
        """Return a watcher that counts."""
        return lambda row: (row["epoch"] >= self.count, f"{self.count} epochs done")

    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""
        return ("epoch",)


@final
@dataclass(frozen=True, slots=True)
class Patience(Criterion):
    """Stop when a channel has not improved for ``epochs`` epochs.

    An epoch improves when its value lies below ``best - proportion * |best|``, strictly; best is
    the lowest value so far, whether it counted as an improvement or not, so slow creeping does
    not count for ever. NaN is no improvement. For positive channels this is Pylearn2's
    MonitorBased (termination_criteria), ``value < (1 - prop_decrease) * best``; unlike it, it is
    right for negative channels and for channels to maximise too.

    >>> stop = Patience("valid_misclass", epochs=2).watch()
    >>> [bool(stop({"valid_misclass": np.array([v])})[0][0]) for v in (0.3, 0.2, 0.2, 0.2)]
    [False, False, False, True]
    """

    channel: str
    epochs: int = 50
    proportion: float = 0.0
    goal: Goal = "min"

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 <= self.proportion < 1:
            raise BadData("Patience needs epochs of at least 1 and a proportion in [0, 1)")
        check_goal(self.goal)

    def watch(self) -> Watch:
        """Return a watcher that counts down from the last improvement."""
        best: Floats = np.array([np.inf])
        left: Floats = np.array([float(self.epochs)])
        sign = 1.0 if self.goal == "min" else -1.0
        why = f"{self.channel} did not improve for {self.epochs} epochs"

        def stop(row: Row) -> tuple[Bools, str]:
            nonlocal best, left
            now = sign * row[self.channel]
            # inf * 0 is NaN: until something was seen, anything finite is an improvement.
            margin = self.proportion * np.where(np.isinf(best), 0.0, np.abs(best))
            bar = best - margin
            left = np.where(now < bar, float(self.epochs), left - 1)
            best = np.fmin(best, now)
            return left <= 0, why

        return stop

    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""
        return (self.channel,)


@final
@dataclass(frozen=True, slots=True)
class Target(Criterion):
    """Stop when a channel is at ``value`` or better.

    >>> bool(Target("train_nll", 0.1).watch()({"train_nll": np.array([0.05])})[0][0])
    True
    """

    channel: str
    value: float
    goal: Goal = "min"

    def __post_init__(self) -> None:
        check_goal(self.goal)

    def watch(self) -> Watch:
        """Return a watcher that compares."""
        why = f"{self.channel} reached {self.value:g}"
        if self.goal == "min":
            return lambda row: (row[self.channel] <= self.value, why)
        return lambda row: (row[self.channel] >= self.value, why)

    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""
        return (self.channel,)


@final
@dataclass(frozen=True, slots=True)
class Seconds(Criterion):
    """Stop after the epoch during which ``seconds`` of training time have passed."""

    seconds: float

    def watch(self) -> Watch:
        """Return a watcher of the time."""
        return lambda row: (row["seconds"] >= self.seconds, f"{self.seconds:g} seconds are over")

    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""
        return ("seconds",)


@final
@dataclass(frozen=True, slots=True)
class NotFinite(Criterion):
    """Stop when a channel is NaN or infinite; every training has this one built in."""

    def watch(self) -> Watch:
        """Return a watcher of all the channels."""

        def stop(row: Row) -> tuple[Bools, str]:
            broken = ~finite(row)
            # The name is looked up only where there is one: this runs every epoch.
            why = f"{_first_broken(row)} is not finite" if broken.any() else ""
            return broken, why

        return stop

    def channels(self) -> tuple[str, ...]:
        """Return the channels it needs."""
        return ()


@final
@dataclass(frozen=True, slots=True)
class Either(Criterion):
    """Stop when one of two says so; written ``a | b``."""

    one: Criterion
    other: Criterion

    def watch(self) -> Watch:
        """Return a watcher that shows each row to both."""
        one, other = self.one.watch(), self.other.watch()

        def stop(row: Row) -> tuple[Bools, str]:
            (first, why), (second, other_why) = one(row), other(row)
            return first | second, why if first.any() else other_why

        return stop

    def channels(self) -> tuple[str, ...]:
        """Return the channels they need."""
        return (*self.one.channels(), *self.other.channels())


@final
@dataclass(frozen=True, slots=True)
class Both(Criterion):
    """Stop when both say so after the same epoch; written ``a & b``."""

    one: Criterion
    other: Criterion

    def watch(self) -> Watch:
        """Return a watcher that shows each row to both."""
        one, other = self.one.watch(), self.other.watch()

        def stop(row: Row) -> tuple[Bools, str]:
            (first, why), (second, other_why) = one(row), other(row)
            return first & second, f"{why} and {other_why}"

        return stop

    def channels(self) -> tuple[str, ...]:
        """Return the channels they need."""
        return (*self.one.channels(), *self.other.channels())


def check_goal(goal: str) -> None:
    """Raise BadData unless the goal is one of the two."""
    if goal not in {"min", "max"}:
        raise BadData(f"goal={goal!r}: write 'min' or 'max'")


def finite(row: Row) -> Bools:
    """Return which models have only finite channels."""
    return np.asarray(np.isfinite(np.array(list(row.values()))).all(axis=0))


def _first_broken(row: Row) -> str:
    return next((name for name, values in row.items() if not np.isfinite(values).all()), "nothing")
