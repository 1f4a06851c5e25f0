"""Stochastic gradient descent as a value, and what an engine that performs it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.errors import BadData
from penstock.neural.schedules import Rate, ReduceOnPlateau

__all__ = ["SGD", "Lap", "Precision", "TrainingEngine"]

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
        velocity: Which of the two forms; or ``adam`` (Kingma and Ba, ICLR 2015, algorithm 1), where
            ``momentum`` is beta 1, beta 2 is 0.999 and epsilon 1e-8. The rate wants to be small,
            such as 0.001.
        batch_size: Rows a step; the last batch of an epoch may be shorter, its gradient is the
            mean over its own rows.
        decay: Adds ``decay * p`` to the gradient of the matrices (not of the biases).
        dropout: Share of each hidden layer's outputs that a training step leaves out, the others
            being raised by as much (Srivastava et al., JMLR 2014). Which ones follows from the
            order of the epoch's rows, so that a resumed training is the same.
    """

    learning_rate: Rate = 0.05
    momentum: Rate = 0.9
    nesterov: bool = False
    velocity: Literal["pylearn2", "torch", "adam"] = "pylearn2"
    batch_size: int = 10
    decay: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        rate, momentum = self.learning_rate, self.momentum
        kinds = int | float | np.number
        whole: object = self.batch_size
        adam = self.velocity == "adam"
        checks = {
            f"batch_size={whole!r}: give a whole number of at least 1": (
                isinstance(whole, int | np.integer) and whole >= 1
            ),
            f"learning_rate={rate!r}: give a number or a schedule": (
                callable(rate) or isinstance(rate, kinds | ReduceOnPlateau)
            ),
            f"momentum={momentum!r}: give a number or a schedule": (
                callable(momentum) or isinstance(momentum, kinds)
            ),
            f"learning_rate={rate}: give a positive number": (
                not isinstance(rate, kinds) or rate > 0
            ),
            f"momentum={momentum}: give a number in [0, 1)": (
                not isinstance(momentum, kinds) or 0 <= momentum < 1
            ),
            f"velocity={self.velocity!r}: write 'pylearn2', 'torch' or 'adam'": (
                self.velocity in {"pylearn2", "torch", "adam"}
            ),
            "nesterov=True goes with velocity 'pylearn2' or 'torch'": not (self.nesterov and adam),
            f"dropout={self.dropout}: give a share in [0, 1)": 0 <= self.dropout < 1,
            f"decay={self.decay}: give 0 or a positive number": self.decay >= 0,
        }
        for told, right in checks.items():
            if not right:
                raise BadData(told)

    def still(self, size: int) -> Floats:
        """Return the velocity to begin with; Adam's is two moments and a number of steps."""
        return np.zeros(2 * size + 1 if self.velocity == "adam" else size)

    @property
    def only_numpy(self) -> str:
        """What the compiled engine does not do of this, or ""."""
        if self.velocity == "adam":
            return "velocity='adam'"
        if self.dropout:
            return f"dropout={self.dropout:g}"
        return "ReduceOnPlateau" if isinstance(self.learning_rate, ReduceOnPlateau) else ""


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


class TrainingEngine(Protocol):
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
