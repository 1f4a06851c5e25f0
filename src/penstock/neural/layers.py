"""Layers and networks as values: what is computed, without any weights.

A network's weights are one flat vector, layer after layer, each layer's matrix (inputs by units,
row-major) before its biases: one vector to update, to check, to save. :meth:`Network.split`
gives the matrices back as views.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, TypeAlias, final

from penstock.neural.arrays import Floats
from penstock.neural.errors import BadData, nearest

__all__ = ["ACTIVATIONS", "Layer", "Linear", "Network", "ReLU", "Sigmoid", "Softmax", "Tanh"]

Activation: TypeAlias = Literal["sigmoid", "tanh", "relu", "linear", "softmax"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A fully connected layer, ``activation(x @ W + b)``. Use one of its kinds.

    Attributes:
        units: Number of outputs.
        spread: Weights start uniform in [-spread, spread]; None takes Glorot and Bengio's
            ``sqrt(6 / (inputs + units))`` (AISTATS 2010, formula 16).
        bias: What every bias starts from.
        name: What its channels are called; "" takes ``hidden``, ``hidden2``, ..., ``output``.
    """

    units: int
    spread: float | None = None
    bias: float = 0.0
    name: str = ""
    activation: ClassVar[Activation] = "linear"

    def __post_init__(self) -> None:
        if self.units < 1:
            raise BadData(f"{type(self).__name__}({self.units}): a layer needs at least 1 unit")
        if self.spread is not None and not 0 <= self.spread < math.inf:
            raise BadData(f"spread={self.spread}: give 0 or a positive number, or None")

    def limit(self, inputs: int) -> float:
        """Return the bound of the uniform first weights, given the number of inputs."""
        if self.spread is not None:
            return self.spread
        return math.sqrt(6.0 / (inputs + self.units))


@final
@dataclass(frozen=True, slots=True)
class Sigmoid(Layer):
    """``1 / (1 + exp(-z))``; as last layer: independent yes/no targets."""

    activation: ClassVar[Activation] = "sigmoid"


@final
@dataclass(frozen=True, slots=True)
class Tanh(Layer):
    """``tanh(z)``; hidden layers only."""

    activation: ClassVar[Activation] = "tanh"


@final
@dataclass(frozen=True, slots=True)
class ReLU(Layer):
    """``max(z, 0)``; hidden layers only."""

    activation: ClassVar[Activation] = "relu"


@final
@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """``z``; as last layer: numbers to predict (least squares)."""

    activation: ClassVar[Activation] = "linear"


@final
@dataclass(frozen=True, slots=True)
class Softmax(Layer):
    """``exp(z) / sum(exp(z))``; last layer only: one class of several."""

    activation: ClassVar[Activation] = "softmax"


ACTIVATIONS: dict[str, type[Layer]] = {
    kind.activation: kind for kind in (Sigmoid, Tanh, ReLU, Linear, Softmax)
}


@final
@dataclass(frozen=True, slots=True)
class Network:
    """Layers on ``inputs`` features.

    The last layer decides what is learned: :class:`Softmax` classes (negative log-likelihood),
    :class:`Sigmoid` yes/no targets (Bernoulli likelihood), :class:`Linear` numbers (half the
    squared error). For all three the gradient at the last ``z`` is ``output - target``.

    >>> network = Network(8, (Sigmoid(20, spread=0.05, bias=1.0), Softmax(2, spread=0.05)))
    >>> network.size, network.names
    (222, ('hidden', 'output'))
    >>> print(network)
    8 -> 20 sigmoid -> 2 softmax
    """

    inputs: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if self.inputs < 1 or not self.layers:
            raise BadData("a network needs at least 1 input and 1 layer")
        if self.layers[-1].activation not in {"softmax", "sigmoid", "linear"}:
            raise BadData("the last layer must be Softmax, Sigmoid or Linear")
        if self.layers[-1].activation == "softmax" and self.layers[-1].units < 2:
            raise BadData("Softmax(1) answers 1 to everything: give it a unit a class")
        if any(layer.activation == "softmax" for layer in self.layers[:-1]):
            raise BadData("Softmax can only be the last layer")

    def __str__(self) -> str:
        return " -> ".join([str(self.inputs), *(f"{x.units} {x.activation}" for x in self.layers)])

    @property
    def outputs(self) -> int:
        """Units of the last layer."""
        return self.layers[-1].units

    @property
    def kind(self) -> Activation:
        """The activation of the last layer."""
        return self.layers[-1].activation

    @property
    def names(self) -> tuple[str, ...]:
        """What each layer is called."""
        last = len(self.layers) - 1
        given = ("output" if i == last else f"hidden{i + 1 if i else ''}" for i in range(last + 1))
        return tuple(x.name or name for x, name in zip(self.layers, given, strict=True))

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and units of each layer."""
        inputs = (self.inputs, *(layer.units for layer in self.layers))
        return tuple(pairwise(inputs))

    @property
    def size(self) -> int:
        """Number of weights and biases."""
        return sum((rows + 1) * units for rows, units in self.shapes)

    def split(self, weights: Floats) -> list[tuple[Floats, Floats]]:
        """Return each layer's matrix and biases as views into the flat ``weights``."""
        parts, at = [], 0
        for rows, units in self.shapes:
            middle, end = at + rows * units, at + (rows + 1) * units
            parts.append((weights[at:middle].reshape(rows, units), weights[middle:end]))
            at = end
        return parts


def layer(activation: str, units: int) -> Layer:
    """Return the layer of that activation's name.

    Raises:
        BadData: There is none of that name; the nearest is named.
    """
    if activation not in ACTIVATIONS:
        known = sorted(ACTIVATIONS)
        raise BadData(f"no activation {activation!r}{nearest(activation, known)} There are: "
                      f"{', '.join(known)}")  # fmt: skip
    return ACTIVATIONS[activation](units)
