"""Features and targets, checked once, so that what trains on them need not look again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.errors import BadData, BadKind

__all__ = ["Examples", "Scaler", "chronological_split", "classify", "matrix", "one_hot", "regress"]

UNSCALED = 1e150
"""Features beyond this overflow when they are squared."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Rows to train or measure on.

    Attributes:
        features: Shape (rows, inputs), finite.
        targets: Shape (rows, outputs), finite: one-hot rows for classes.
        weights: How much each row counts, shape (rows,), mean 1; None counts all the same.
    """

    features: Floats
    targets: Floats
    weights: Floats | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.targets.ndim != 2:
            raise BadData("features and targets are tables: shapes (rows, inputs), (rows, outputs)")
        if len(self.features) != len(self.targets):
            raise BadData(f"{len(self.features)} rows of features, {len(self.targets)} of targets")
        if not len(self.features):
            raise BadData("no rows: nothing to learn from")
        check_finite(self.features, "features")
        check_finite(self.targets, "targets")

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, index: Integers) -> Examples:
        """Return the examples of those row numbers."""
        weights = None if self.weights is None else self.weights[index]
        return Examples(self.features[index], self.targets[index], weights)

    def scaled(self, scaler: Scaler | None, target: Scaler | None = None) -> Examples:
        """Return the examples with scaled features, and targets where a scaler is given."""
        features = self.features if scaler is None else scaler(self.features)
        return Examples(
            features, self.targets if target is None else target(self.targets), self.weights
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """``(x - mean) / deviation`` for each feature; the deviation divides by n, not n - 1.

    A feature that never changes keeps a deviation of 1.

    >>> scaler = Scaler.fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler(np.array([[1.0, 5.0], [3.0, 6.0]]))
    array([[-1.,  0.],
           [ 1.,  1.]])
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, features: Floats, weights: Floats | None = None) -> Scaler:
        """Return the scaler of these rows, which count as much as their weights say."""
        with np.errstate(over="ignore", invalid="ignore"):
            if weights is None:
                deviation = features.std(axis=0)
                mean = features.mean(axis=0)
            else:
                mean = np.average(features, axis=0, weights=weights)
                deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights))
        # A column of one value may have a deviation that is rounding and nothing else.
        constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        deviation = np.where(constant, 1.0, deviation)
        if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
            column = int(np.argmin(np.isfinite(mean) & np.isfinite(deviation)))
            raise BadData(f"feature {column} is too large to be scaled: rescale it first")
        return cls(mean, deviation)

    def __call__(self, features: Floats) -> Floats:
        """Return the scaled features."""
        return np.asarray((features - self.mean) / self.deviation)


def check_finite(values: Floats, what: str) -> None:
    """Raise :class:`BadData` naming the first value that is NaN or infinite."""
    if np.isfinite(values).all():
        return
    row, column = (int(x) for x in np.argwhere(~np.isfinite(values))[0])
    word = "NaN" if np.isnan(values[row, column]) else "infinity"
    raise BadData(
        f"{what}: row {row}, column {column} contains {word} (values must be finite): "
        "fill or drop such rows first"
    )


def matrix(features: npt.ArrayLike) -> Floats:
    """Return ``features`` as a finite float64 table of rows by columns.

    Raises:
        BadData: Not numbers, complex, sparse, not two-dimensional, or NaN or infinite somewhere.
    """
    if hasattr(features, "tocsr"):
        raise BadData("sparse features are not supported: pass a dense array, X.toarray()")
    table = np.asarray(features)
    if np.iscomplexobj(table):
        raise BadData("Complex data not supported: pass real numbers")
    if table.ndim != 2:
        raise BadData(
            f"Expected 2D array of features, got {table.ndim}D. Reshape your data: "
            "X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one row"
        )
    if not table.shape[1]:
        raise BadData(f"0 feature(s) (shape={table.shape}) while a minimum of 1 is required.")
    try:
        table = table.astype(np.float64)
    except TypeError as error:
        raise BadKind(f"features must be numbers: {error}") from error
    except ValueError as error:
        raise BadData(f"features must be numbers: {error}") from error
    check_finite(table, "Input X")
    return np.asarray(table)


def one_hot(index: Integers, classes: int) -> Floats:
    """Return a row for each class number, 1 in its column and 0 elsewhere.

    >>> one_hot(np.array([1, 0]), 2)
    array([[0., 1.],
           [1., 0.]])
    """
    return np.eye(classes)[index]


def classify(
    features: npt.ArrayLike, labels: npt.ArrayLike, classes: Sequence[object] | None = None
) -> tuple[Examples, tuple[object, ...]]:
    """Return examples for a softmax network, and the classes in the order of its outputs.

    Args:
        features: Shape (rows, inputs).
        labels: One label a row, numbers or texts.
        classes: The order of the classes; None sorts those there are.

    Raises:
        BadData: Fewer than two classes, a label outside ``classes``, or bad features.
    """
    names = np.asarray(labels)
    if names.ndim != 1:
        raise BadData(f"labels: expected one a row (1D), got an array of shape {names.shape}")
    known = np.unique(names) if classes is None else np.asarray(classes)
    if len(known) < 2:
        raise BadData(f"labels: only one class, {known.tolist()}: there is nothing to tell apart")
    place = {name: number for number, name in enumerate(known.tolist())}
    strange = [name for name in names.tolist() if name not in place]
    if strange:
        raise BadData(f"label {strange[0]!r} is none of the classes {known.tolist()}")
    index = np.array([place[name] for name in names.tolist()], dtype=np.int64)
    return Examples(matrix(features), one_hot(index, len(known))), tuple(known.tolist())


def regress(features: npt.ArrayLike, numbers: npt.ArrayLike) -> Examples:
    """Return examples for a linear network: one number to predict a row, or a row of them."""
    targets = np.asarray(numbers, dtype=np.float64)
    return Examples(matrix(features), targets if targets.ndim == 2 else targets[:, np.newaxis])


def chronological_split(examples: Examples, proportion: float) -> tuple[Examples, Examples]:
    """Split without shuffling: the first ``int(rows * proportion)`` rows, and the rest.

    >>> rows = Examples(np.zeros((768, 8)), np.zeros((768, 2)))
    >>> [len(part) for part in chronological_split(rows, 0.7)]
    [537, 231]
    """
    cut = int(len(examples) * proportion)
    if not 0 < cut < len(examples):
        raise BadData(f"a split at {proportion} of {len(examples)} rows leaves one side empty")
    rows = np.arange(len(examples))
    return examples.rows(rows[:cut]), examples.rows(rows[cut:])
