"""Stochastic gradient descent as a value, and what an engine that performs it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.faults import BadData
from penstock.neural.schedules import Rate

__all__ = ["SGD", "Engine", "Lap", "Precision"]

Precision: TypeAlias = Literal["double", "single"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SGD:
    """Mini-batch gradient descent with momentum. ``g`` is the mean gradient of a batch.

    With ``velocity="pylearn2"`` (learning_rule.Momentum) the rate is folded into the velocity:
    ``v = m v - lr g; p += v``, Nesterov ``p += m v - lr g``. With ``velocity="torch"``
    (torch.optim.SGD) it stays outside: ``v = m v + g; p -= lr v``, Nesterov
    ``p -= lr (g + m v)``. The two are the same while the rate is constant, and differ when a
    schedule moves it: folded in, old steps keep the rate that they were made with.

    Attributes:
        learning_rate: ``lr``, a number or a schedule.
        momentum: ``m`` in [0, 1), a number or a schedule.
        nesterov: Look ahead along the velocity (Sutskever et al., ICML 2013).
        velocity: Which of the two forms.
        batch_size: Rows a step; the last batch of an epoch may be shorter, its gradient is the
            mean over its own rows.
        decay: Adds ``decay * p`` to the gradient of the matrices (not of the biases).
    """

    learning_rate: Rate = 0.05
    momentum: Rate = 0.9
    nesterov: bool = False
    velocity: Literal["pylearn2", "torch"] = "pylearn2"
    batch_size: int = 10
    decay: float = 0.0

    def __post_init__(self) -> None:
        whole: object = self.batch_size
        if not isinstance(whole, int | np.integer) or whole < 1:
            raise BadData(f"batch_size={whole!r}: give a whole number of at least 1")
        for name in ("learning_rate", "momentum"):
            rate = getattr(self, name)
            if not callable(rate) and not isinstance(rate, int | float | np.number):
                raise BadData(f"{name}={rate!r}: give a number or a schedule")
        if not callable(self.learning_rate) and not self.learning_rate > 0:
            raise BadData(f"learning_rate={self.learning_rate}: give a positive number")
        if not callable(self.momentum) and not 0 <= self.momentum < 1:
            raise BadData(f"momentum={self.momentum}: give a number in [0, 1)")
        if self.velocity not in {"pylearn2", "torch"}:
            raise BadData(f"velocity={self.velocity!r}: write 'pylearn2' or 'torch'")
        if not self.decay >= 0:
            raise BadData(f"decay={self.decay}: give 0 or a positive number")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Lap:
    """What an engine did in some epochs: arrays whose first axis is the epoch.

    Attributes:
        weights: Shape (epochs, size), the weights after each epoch.
        velocity: Shape (epochs, size).
        channels: For each channel that the engine measures, shape (epochs,).
    """

    weights: Floats
    velocity: Floats
    channels: dict[str, Floats]


class Engine(Protocol):
    """Performs epochs; rules about stopping and keeping are outside it."""

    @property
    def rows(self) -> int:
        """Rows that it wants in an order of their own each epoch."""
        ...

    @property
    def stride(self) -> int:
        """Epochs that it likes to do in one call."""
        ...

    def run(
        self,
        weights: Floats,
        velocity: Floats,
        orders: Integers,
        rates: Floats,
        momenta: Floats,
    ) -> Lap:
        """Train an epoch for each row of ``orders``, at its rate and momentum."""
        ...
