"""Where first weights and shuffles come from: a seed, or the seeds Pylearn2 had built in."""

from __future__ import annotations

import json
from typing import Protocol, final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.errors import BadData
from penstock.neural.layers import Network

__all__ = ["Pylearn2Seeds", "Randomness", "Seeded"]


class Randomness(Protocol):
    """First weights once, then one order of the rows an epoch."""

    def weights(self, network: Network) -> Floats:
        """Return the flat first weights. Draw them before the first order."""
        ...

    def order(self, rows: int) -> Integers:
        """Return the next epoch's order of ``rows`` rows."""
        ...

    def state(self) -> object:
        """Return the state, cheaply: it is taken every epoch, and seldom written."""
        ...

    def text(self, state: object) -> str:
        """Return a state as JSON text."""
        ...

    def restore(self, text: str) -> None:
        """Go on from a :meth:`text`."""
        ...


@final
class Seeded:
    """PCG64 from one seed: first weights uniform in each layer's limits, then permutations.

    >>> Seeded(7).order(5)
    array([2, 0, 4, 1, 3])
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise BadData(f"seed={seed}: give 0 or a positive whole number")
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def weights(self, network: Network) -> Floats:
        """Return the flat first weights."""
        parts: list[Floats] = []
        for layer, shape in zip(network.layers, network.shapes, strict=True):
            limit = layer.limit(shape[0])
            parts.append(self._generator.uniform(-limit, limit, shape).ravel())
            parts.append(np.full(layer.units, float(layer.bias)))
        return np.concatenate(parts)

    def order(self, rows: int) -> Integers:
        """Return the next epoch's order of ``rows`` rows."""
        return self._generator.permutation(rows)

    def state(self) -> object:
        """Return the state."""
        return self._generator.bit_generator.state

    def text(self, state: object) -> str:
        """Return a state as JSON text."""
        return json.dumps(state)

    def restore(self, text: str) -> None:
        """Go on from a :meth:`text`."""
        self._generator.bit_generator.state = json.loads(text)


@final
class Pylearn2Seeds:
    """The two generators that Pylearn2 seeded itself, so that its published results come back.

    Weights from ``RandomState([2013, 1, 4])`` (models/mlp.py), each row order a fresh arange
    shuffled by ``RandomState([2012, 10, 5])`` (training_algorithms/sgd.py). NumPy promises that
    the streams of RandomState never change.
    """

    def __init__(self) -> None:
        self._weights = np.random.RandomState([2013, 1, 4])
        self._orders = np.random.RandomState([2012, 10, 5])

    def weights(self, network: Network) -> Floats:
        """Return the flat first weights."""
        parts: list[Floats] = []
        for layer, shape in zip(network.layers, network.shapes, strict=True):
            limit = layer.limit(shape[0])
            parts.append(self._weights.uniform(-limit, limit, shape).ravel())
            if layer.activation != "softmax":
                # Linear and its kin draw once more, for include_prob, even where it is 1.
                self._weights.uniform(0.0, 1.0, shape)
            parts.append(np.full(layer.units, float(layer.bias)))
        return np.concatenate(parts)

    def order(self, rows: int) -> Integers:
        """Return the next epoch's order of ``rows`` rows."""
        order = np.arange(rows)
        self._orders.shuffle(order)
        return order

    def state(self) -> object:
        """Return the state of the shuffle; weights are drawn only once."""
        return self._orders.get_state(legacy=True)

    def text(self, state: object) -> str:
        """Return a state as JSON text."""
        assert isinstance(state, tuple)  # narrows: it is NumPy's own
        kind, key, *rest = state
        return json.dumps([kind, key.tolist(), *rest])

    def restore(self, text: str) -> None:
        """Go on from a :meth:`text`."""
        kind, key, *rest = json.loads(text)
        self._orders.set_state((kind, np.array(key, dtype=np.uint32), *rest))
