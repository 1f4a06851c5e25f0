"""Learning rates and momenta as pure functions of the number of finished epochs.

``schedule(n)`` is the value in force after ``n`` epochs: epoch 1 trains with ``schedule(0)``.
Nothing is remembered between calls, so resuming needs nothing but ``n``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias, final

from penstock.neural.errors import BadData

__all__ = [
    "Cosine",
    "Exponential",
    "LinearDecay",
    "Ramp",
    "Rate",
    "ReduceOnPlateau",
    "Schedule",
    "WarmUp",
    "value",
]


class Schedule(Protocol):
    """Any function of the finished epochs will do; the classes below are the usual ones."""

    def __call__(self, finished: int, /) -> float:
        """Return the value to train the next epoch with."""
        ...


@final
@dataclass(frozen=True, slots=True)
class ReduceOnPlateau:
    """``initial`` times ``factor`` for each ``patience`` epochs without a lower ``channel``.

    It is a function of the history alone, so that a resumed training goes on as it would have.

    >>> rate = ReduceOnPlateau(0.1, factor=0.5, patience=2, channel="valid_nll")
    >>> rate.after([0.9, 0.8, 0.8, 0.85]), rate.after([0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.7])
    (0.05, 0.025)
    """

    initial: float
    factor: float = 0.5
    patience: int = 10
    least: float = 0.0
    channel: str = "valid_nll"

    def __post_init__(self) -> None:
        if not (self.initial > 0 and 0 < self.factor < 1 and self.patience >= 1):
            raise BadData(
                "ReduceOnPlateau needs an initial rate above 0, a factor between 0 and 1 and a"
                " patience of at least 1 epoch"
            )

    def after(self, values: Sequence[float]) -> float:
        """Return the value after epochs in which the channel had these values."""
        rate, best, still = self.initial, math.inf, 0
        for now in values:
            best, still = (now, 0) if now < best else (best, still + 1)
            if still == self.patience:
                rate, still = max(self.least, rate * self.factor), 0
        return rate


Rate: TypeAlias = float | Schedule | ReduceOnPlateau
"""A constant, a schedule, or what follows the history."""


def value(
    rate: Rate, finished: int, history: Mapping[str, Sequence[float]] = MappingProxyType({})
) -> float:
    """Return what ``rate`` is after ``finished`` epochs with that history."""
    if isinstance(rate, ReduceOnPlateau):
        return rate.after(history.get(rate.channel, ()))
    return float(rate(finished)) if callable(rate) else float(rate)


@final
@dataclass(frozen=True, slots=True)
class Ramp:
    """From ``initial`` to ``final`` in a straight line between two epochs.

    ``a = clip((n - start) / (saturate - start), 0, 1)``; ``initial * (1 - a) + final * a``:
    Pylearn2's MomentumAdjustor (learning_rule.py). With ``start == saturate`` it is a step.

    >>> ramp = Ramp(0.5, 0.99, start=1, saturate=50)
    >>> ramp(0), ramp(1), round(ramp(2), 4), ramp(50), ramp(99)
    (0.5, 0.5, 0.51, 0.99, 0.99)
    """

    initial: float
    final: float
    start: int
    saturate: int

    def __post_init__(self) -> None:
        _in_order(self.start, self.saturate)

    def __call__(self, finished: int) -> float:
        """Return the value after ``finished`` epochs."""
        if self.start == self.saturate:
            return self.final if finished >= self.start else self.initial
        a = min(1.0, max(0.0, (finished - self.start) / (self.saturate - self.start)))
        return self.initial * (1 - a) + self.final * a


@final
@dataclass(frozen=True, slots=True)
class LinearDecay:
    """Down to ``factor * initial`` in equal steps, one after each epoch.

    ``step = initial * (1 - factor) / (saturate - start + 1)``; before ``start`` it is
    ``initial``, then ``initial - step * (n - start + 1)``, from ``saturate`` on
    ``factor * initial``: Pylearn2's LinearDecayOverEpoch (training_algorithms/sgd.py). The first
    step comes *at* ``start``, one epoch before :class:`Ramp` makes its first: the two are not
    symmetric, and the blog's "10 % each epoch" is not what this does.

    >>> decay = LinearDecay(0.05, 0.1, start=1, saturate=50)
    >>> decay(0), round(decay(1), 6), round(decay(49), 6), round(decay(50), 6)
    (0.05, 0.0491, 0.0059, 0.005)
    """

    initial: float
    factor: float
    start: int
    saturate: int

    def __post_init__(self) -> None:
        _in_order(self.start, self.saturate)

    def __call__(self, finished: int) -> float:
        """Return the value after ``finished`` epochs."""
        if finished < self.start:
            return self.initial
        if finished >= self.saturate:
            return self.initial * self.factor
        step = (self.initial - self.initial * self.factor) / (self.saturate - self.start + 1)
        return self.initial - step * (finished - self.start + 1)


@final
@dataclass(frozen=True, slots=True)
class Exponential:
    """``max(final, initial * factor ** n)``: a constant proportion less each epoch.

    >>> round(Exponential(0.05, 0.9)(2), 6)
    0.0405
    """

    initial: float
    factor: float
    final: float = 0.0

    def __call__(self, finished: int) -> float:
        """Return the value after ``finished`` epochs."""
        return max(self.final, self.initial * self.factor**finished)


@final
@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine from ``initial`` down to ``final`` in ``epochs`` epochs, then ``final``.

    ``final + (initial - final) * (1 + cos(pi * n / epochs)) / 2``: Loshchilov and Hutter,
    SGDR (ICLR 2017), formula 5, without restarts.

    >>> cosine = Cosine(0.1, 0.0, epochs=100)
    >>> cosine(0), round(cosine(50), 12), cosine(100), cosine(101)
    (0.1, 0.05, 0.0, 0.0)
    """

    initial: float
    final: float
    epochs: int

    def __call__(self, finished: int) -> float:
        """Return the value after ``finished`` epochs."""
        if finished >= self.epochs:
            return self.final
        return self.final + (self.initial - self.final) * _half_cosine(finished / self.epochs)


@final
@dataclass(frozen=True, slots=True)
class WarmUp:
    """The first ``epochs`` epochs at 1/epochs, 2/epochs, ... of what ``then`` says.

    >>> warm = WarmUp(0.1, epochs=4)
    >>> [round(warm(n), 3) for n in range(6)]
    [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    """

    then: Rate
    epochs: int

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise BadData(f"WarmUp(epochs={self.epochs}): warm up for at least 1 epoch")

    def __call__(self, finished: int) -> float:
        """Return the value after ``finished`` epochs."""
        return value(self.then, finished) * min(1.0, (finished + 1) / self.epochs)


def _half_cosine(part: float) -> float:
    return (1 + math.cos(math.pi * part)) / 2


def _in_order(start: int, saturate: int) -> None:
    if saturate < start:
        raise BadData(f"saturate={saturate} lies before start={start}: swap them")
