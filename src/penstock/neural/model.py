"""A trained network with all that it takes to use it: scaling, classes, feature names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats
from penstock.neural.columns import ColumnEncoding
from penstock.neural.datasets import Scaler, matrix
from penstock.neural.errors import BadData
from penstock.neural.layers import Network
from penstock.neural.numpy_engine import forward

__all__ = ["Model", "fold_in"]


def fold_in(network: Network, weights: Floats, scaler: Scaler | None) -> Floats:
    """Return weights that take unscaled features: ``W / s`` and ``b - (mean / s) @ W``."""
    if scaler is None:
        return weights
    folded = weights.astype(np.float64)
    matrix, biases = network.split(folded)[0]
    matrix /= scaler.deviation[:, np.newaxis]
    biases -= scaler.mean @ matrix
    return folded


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """A network with one or more sets of weights; with several, their outputs are averaged.

    Attributes:
        network: The layers.
        weights: Shape (members, size).
        scaler: Applied to features first; None leaves them as they are.
        target: How numbers to predict were scaled for training; outputs are scaled back.
        classes: What each output stands for; () where outputs are numbers.
        features: Names of the columns; () where they have none.
        label: Name of the column that was learned; "" where it has none.
        columns: How each of ``features`` becomes inputs; () where each is a number.
    """

    network: Network
    weights: Floats
    scaler: Scaler | None = None
    target: Scaler | None = None
    classes: tuple[object, ...] = ()
    features: tuple[str, ...] = ()
    label: str = ""
    columns: tuple[ColumnEncoding, ...] = ()

    def outputs(self, features: npt.ArrayLike) -> Floats:
        """Return the outputs, shape (rows, outputs): probabilities, or predicted numbers.

        Raises:
            BadData: Not a finite table with the network's number of columns.
        """
        table = matrix(features)
        if table.shape[1] != self.network.inputs:
            raise BadData(f"{table.shape[1]} features given, trained on {self.network.inputs}")
        scaled = table if self.scaler is None else self.scaler(table)
        total = sum(forward(self.network, weights, scaled) for weights in self.weights)
        mean = np.asarray(total / len(self.weights))
        if self.target is None:
            return mean
        return np.asarray(mean * self.target.deviation + self.target.mean)

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Return the likeliest class of each row, or for linear networks the numbers."""
        return self.answers(self.outputs(features))

    def answers(self, outputs: Floats) -> npt.NDArray[np.generic]:
        """Return what :meth:`outputs` mean: the likeliest class of each row, or the numbers."""
        if self.network.kind == "linear":
            return outputs[:, 0] if self.network.outputs == 1 else outputs
        if self.network.kind == "sigmoid":
            return np.asarray(outputs > 0.5)
        index = np.asarray(outputs.argmax(axis=1))
        return np.asarray(self.classes)[index] if self.classes else index
