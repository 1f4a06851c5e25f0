"""The reference engine: NumPy, one model, formulas that can be read beside their source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples
from penstock.neural.descent import SGD, Lap, Precision
from penstock.neural.layers import Network

__all__ = ["NumpyEngine", "forward", "measure"]


def forward(network: Network, weights: Floats, features: Floats) -> Floats:
    """Return the network's outputs, shape (rows, outputs)."""
    values = features
    with np.errstate(over="ignore", invalid="ignore"):
        for layer, (matrix, biases) in zip(network.layers, network.split(weights), strict=True):
            values = values @ matrix
            values += biases
            ACTIVATE[layer.activation](values)
    return values


def measure(network: Network, weights: Floats, examples: Examples) -> dict[str, float]:
    """Return the channels of a data set: ``nll`` and, for classes, ``misclass``, else ``mse``.

    ``nll`` is the mean over rows of ``-sum(t log y)`` (softmax), of
    ``-sum(t log y + (1 - t) log(1 - y))`` (sigmoid), or of ``sum((y - t)^2) / 2`` (linear: the
    negative log-likelihood under unit variance, but for a constant).
    """
    outputs = forward(network, weights, examples.features)
    return compared(network, outputs, examples.targets, examples.weights)


def compared(
    network: Network, outputs: Floats, targets: Floats, weights: Floats | None = None
) -> dict[str, float]:
    """Return the channels of outputs beside targets, as :func:`measure` does."""

    def mean(values: Floats) -> float:
        if weights is None:
            return float(values.mean())
        return float(values @ weights / weights.sum())

    with np.errstate(over="ignore", invalid="ignore"):
        if network.kind == "linear":
            mse = mean(((outputs - targets) ** 2).mean(axis=1))
            return {"nll": mse * network.outputs / 2, "mse": mse}
        tiny = np.finfo(outputs.dtype).tiny
        logs = targets * np.log(np.maximum(outputs, tiny))
        if network.kind == "softmax":
            wrong = outputs.argmax(axis=1) != targets.argmax(axis=1)
        else:
            logs += (1 - targets) * np.log(np.maximum(1 - outputs, tiny))
            wrong = ((outputs > 0.5) != (targets > 0.5)).any(axis=1)
    return {"nll": -mean(logs.sum(axis=1)), "misclass": mean(wrong)}


@final
class NumpyEngine:
    """Trains with NumPy; each step updates the one flat vector of weights in place.

    Args:
        network: The layers.
        datasets: ``train`` and any others.
        monitored: Names of the data sets to measure after each epoch.
        sgd: The descent; its schedules are not asked here.
        precision: ``double`` or ``single``.
    """

    stride = 1
    """Epochs a call: nothing is gained by more."""

    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, Examples],
        monitored: tuple[str, ...],
        sgd: SGD,
        precision: Precision = "double",
    ) -> None:
        kind = np.float64 if precision == "double" else np.float32
        data = {name: _cast(rows, kind) for name, rows in datasets.items()}
        self._network = network
        self._train = data["train"]
        self.rows = len(self._train)
        self._monitored = {name: data[name] for name in monitored}
        self._sgd = sgd
        self._kind = kind

    def run(
        self,
        weights: Floats,
        velocity: Floats,
        orders: Integers,
        rates: Floats,
        momenta: Floats,
    ) -> Lap:
        """Train an epoch for each row of ``orders``, at its rate and momentum."""
        kept, speeds, rows = [], [], []
        weights, velocity = weights.astype(self._kind), velocity.astype(self._kind)
        for order, rate, momentum in zip(orders, rates, momenta, strict=True):
            norm = self._epoch(weights, velocity, order, float(rate), float(momentum))
            kept.append(weights.copy())
            speeds.append(velocity.copy())
            rows.append({"gradient_norm": norm, **self._channels(weights)})
        channels = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return Lap(np.array(kept), np.array(speeds), channels)

    def _channels(self, weights: Floats) -> dict[str, float]:
        return {
            f"{name}_{channel}": value
            for name, examples in self._monitored.items()
            for channel, value in measure(self._network, weights, examples).items()
        }

    def _epoch(
        self, weights: Floats, velocity: Floats, order: Integers, rate: float, momentum: float
    ) -> float:
        """Go once through the rows, in place; return the mean norm of the batches' gradients."""
        gradient = np.empty_like(weights)
        slope = Slope(self._network, weights, gradient, self._sgd.decay)
        if self._sgd.dropout:
            slope.drop = Dropout(self._sgd.dropout, np.random.default_rng(order))
        update = _UPDATES[self._sgd.velocity, self._sgd.nesterov]
        features, targets = self._train.features[order], self._train.targets[order]
        shares = None if self._train.weights is None else self._train.weights[order]
        size, steps, norms = self._sgd.batch_size, 0, 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(0, len(order), size):
                part = None if shares is None else shares[at : at + size]
                slope(features[at : at + size], targets[at : at + size], part)
                norms += float(np.dot(gradient, gradient)) ** 0.5
                update(weights, velocity, gradient, rate, momentum)
                steps += 1
        return norms / steps


@final
class Slope:
    """Writes the mean gradient of a batch into a flat vector: back-propagation."""

    def __init__(self, network: Network, weights: Floats, gradient: Floats, decay: float) -> None:
        self._activate = [ACTIVATE[layer.activation] for layer in network.layers]
        self._slopes = [SLOPE.get(layer.activation) for layer in network.layers]
        self._weights = network.split(weights)
        self._gradient = network.split(gradient)
        self._decay = decay

    drop: Dropout | None = None

    def __call__(self, features: Floats, targets: Floats, shares: Floats | None = None) -> None:
        """Compute the gradient of the mean loss over these rows, each by its share."""
        values, inputs = [features], [features]  # what layers gave, and what the next ones took
        for (matrix, biases), activate in zip(self._weights, self._activate, strict=True):
            z = inputs[-1].dot(matrix)
            z += biases
            activate(z)
            values.append(z)
            last = len(values) > len(self._weights)
            inputs.append(z if self.drop is None or last else self.drop.thin(z))
        # Softmax with nll, sigmoid with Bernoulli, linear with squares: output - target for all.
        delta = values.pop()
        delta -= targets
        delta /= len(targets)
        if shares is not None:
            delta *= shares[:, np.newaxis]
        for number in range(len(self._weights) - 1, -1, -1):
            below = values.pop()
            into, into_biases = self._gradient[number]
            np.dot(inputs[number].T, delta, out=into)
            np.add.reduce(delta, axis=0, out=into_biases)
            matrix = self._weights[number][0]
            if self._decay:
                into += self._decay * matrix
            if number:
                delta = delta.dot(matrix.T)
                if self.drop is not None:
                    delta *= self.drop.masks[number - 1]
                slope = self._slopes[number - 1]
                if slope is not None:
                    slope(delta, below)
        if self.drop is not None:
            self.drop.masks.clear()


@final
class Dropout:
    """Leaves out a share of the outputs of layers; the masks stay until the way back."""

    def __init__(self, share: float, random: np.random.Generator) -> None:
        self._kept, self._random = 1 - share, random
        self.masks: list[Floats] = []

    def thin(self, values: Floats) -> Floats:
        """Return the values, some set to zero and the others raised by as much."""
        self.masks.append((self._random.random(values.shape) < self._kept) / self._kept)
        return np.asarray(values * self.masks[-1], dtype=values.dtype)


def _folded(p: Floats, v: Floats, g: Floats, rate: float, momentum: float) -> None:
    v *= momentum
    g *= rate
    v -= g
    p += v


def _folded_nesterov(p: Floats, v: Floats, g: Floats, rate: float, momentum: float) -> None:
    v *= momentum
    g *= rate
    v -= g
    p += momentum * v
    p -= g


def _torch(p: Floats, v: Floats, g: Floats, rate: float, momentum: float) -> None:
    v *= momentum
    v += g
    p -= rate * v


def _torch_nesterov(p: Floats, v: Floats, g: Floats, rate: float, momentum: float) -> None:
    v *= momentum
    v += g
    p -= rate * (g + momentum * v)


def _adam(p: Floats, v: Floats, g: Floats, rate: float, momentum: float) -> None:
    first, second = v[: len(p)], v[len(p) : -1]
    v[-1] += 1
    first += (1 - momentum) * (g - first)
    second += (1 - 0.999) * (g * g - second)
    step = rate / (1 - momentum ** v[-1])
    p -= step * first / (np.sqrt(second / (1 - 0.999 ** v[-1])) + 1e-8)


_UPDATES: dict[tuple[str, bool], Callable[[Floats, Floats, Floats, float, float], None]] = {
    ("pylearn2", False): _folded,
    ("pylearn2", True): _folded_nesterov,
    ("torch", False): _torch,
    ("torch", True): _torch_nesterov,
    ("adam", False): _adam,
}


def _sigmoid(z: Floats) -> None:
    # (1 + tanh(z / 2)) / 2 is the same and cannot overflow.
    z *= 0.5
    np.tanh(z, out=z)
    z += 1.0
    z *= 0.5


def _tanh(z: Floats) -> None:
    np.tanh(z, out=z)


def _relu(z: Floats) -> None:
    np.maximum(z, 0.0, out=z)


def _linear(_: Floats) -> None:
    pass


def _softmax(z: Floats) -> None:
    z -= np.maximum.reduce(z, axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= np.add.reduce(z, axis=1, keepdims=True)


def _sigmoid_slope(delta: Floats, y: Floats) -> None:
    delta *= y
    delta *= 1.0 - y


def _tanh_slope(delta: Floats, y: Floats) -> None:
    delta *= 1.0 - y * y


def _relu_slope(delta: Floats, y: Floats) -> None:
    delta *= y > 0.0


ACTIVATE: dict[str, Callable[[Floats], None]] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "linear": _linear,
    "softmax": _softmax,
}
SLOPE: dict[str, Callable[[Floats, Floats], None]] = {
    "sigmoid": _sigmoid_slope,
    "tanh": _tanh_slope,
    "relu": _relu_slope,
}


def _cast(examples: Examples, kind: type[np.floating]) -> Examples:
    return Examples(
        np.ascontiguousarray(examples.features, dtype=kind),
        np.ascontiguousarray(examples.targets, dtype=kind),
        None if examples.weights is None else examples.weights.astype(kind),
    )
