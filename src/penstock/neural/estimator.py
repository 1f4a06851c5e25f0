"""Estimators in scikit-learn's manner: ``fit``, ``predict``, ``predict_proba``, ``score``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self, final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, matrix, one_hot
from penstock.neural.faults import BadData
from penstock.neural.inputs import known_labels, label_column, number_columns, numbered_classes
from penstock.neural.layers import Linear, Softmax
from penstock.neural.params import tags
from penstock.neural.recipe import Course, Recipe

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["NeuralClassifier", "NeuralRegressor"]


@final
class NeuralClassifier(Recipe):
    """Tells classes apart. Its parameters are those of :class:`Recipe`.

    Attributes:
        classes_: The classes, sorted, in the order of the probabilities.
        model_: The :class:`~penstock.neural.Model`, to save or export.
        training_: The :class:`~penstock.neural.Training` (the first member's).
        n_features_in_, feature_names_in_, n_iter_: As scikit-learn has them.

    >>> corners = [[0, 0], [0, 1], [1, 0], [1, 1]] * 10
    >>> answers = ["no", "yes", "yes", "no"] * 10
    >>> net = NeuralClassifier(epochs=60, random_state=1).fit(corners, answers)
    >>> net.predict([[0, 1], [1, 1]]).tolist()
    ['yes', 'no']
    """

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        course: Course | None = None,
    ) -> Self:
        """Learn from rows ``X``, shape (rows, features), with labels ``y``, shape (rows,).

        Args:
            X: Finite numbers.
            y: Texts or whole numbers, two different ones at least.
            validation: Own rows and labels to stop by; None holds out a share of ``X``.
            course: To follow or resume the training of a single network.

        Raises:
            BadData: With what is wrong and where.
        """
        table = matrix(X)
        labels = label_column(y, len(table))
        self.classes_, index = numbered_classes(labels)
        self._remember(X, table)
        valid = None if validation is None else self._valid(*validation)
        rows = Examples(table, one_hot(index, len(self.classes_)))
        model = self._learn(rows, valid, Softmax(len(self.classes_)), course or Course())
        self.model_ = replace(model, classes=tuple(self.classes_.tolist()))
        return self

    def _valid(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> Examples:
        table = self._checked(features, "validation: ")
        names = known_labels(labels, self.classes_, len(table))
        strange = np.setdiff1d(names, self.classes_)
        if len(strange):
            raise BadData(f"validation label {strange[0]!r} is not among the training labels")
        return Examples(table, one_hot(np.searchsorted(self.classes_, names), len(self.classes_)))

    def _groups(self, rows: Examples) -> Integers:
        return np.asarray(rows.targets.argmax(axis=1))

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return each class's probability, shape (rows, classes)."""
        model, table = self._fitted(X)
        return model.outputs(table)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Return the likeliest class of each row."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return the share of right predictions; ``y`` in any shape that ``fit`` takes."""
        predicted = self.predict(X)
        return float(np.mean(predicted == known_labels(y, self.classes_, len(predicted))))

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn's tools want to know."""
        return tags("classifier")


@final
class NeuralRegressor(Recipe):
    """Predicts numbers. Its parameters are those of :class:`Recipe`.

    Targets are scaled by the training rows' mean and deviation, and predictions scaled back.

    >>> x = np.linspace(-2, 2, 80)[:, np.newaxis]
    >>> net = NeuralRegressor(learning_rate=0.01, random_state=1).fit(x, x[:, 0] ** 2)
    >>> net.score(x, x[:, 0] ** 2) > 0.99
    True
    """

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        course: Course | None = None,
    ) -> Self:
        """Learn from rows ``X`` with numbers ``y``, shape (rows,) or (rows, outputs)."""
        table = matrix(X)
        numbers = number_columns(y, len(table))
        self._single = np.asarray(y).ndim == 1
        self._remember(X, table)
        valid = None
        if validation is not None:
            valid_table = self._checked(validation[0], "validation: ")
            valid = Examples(valid_table, number_columns(validation[1], len(valid_table)))
        rows = Examples(table, numbers)
        self.model_ = self._learn(rows, valid, Linear(numbers.shape[1]), course or Course())
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return the predicted numbers, in the shape that ``y`` had."""
        model, table = self._fitted(X)
        numbers = model.outputs(table)
        return np.asarray(numbers[:, 0] if self._single else numbers)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return R², ``1 - sum((y - p)^2) / sum((y - mean(y))^2)``, the mean over outputs."""
        predicted = np.asarray(self.predict(X))
        truth = number_columns(y, len(predicted))
        if truth.size != predicted.size:
            raise BadData(f"y has shape {truth.shape}, the predictions {predicted.shape}")
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        missed = ((truth - predicted.reshape(truth.shape)) ** 2).sum(axis=0)
        # As scikit-learn has it, a y that never changes scores 1 where it is met and 0 elsewhere.
        parts = np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), missed == 0)
        return float(np.mean(parts))

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn's tools want to know."""
        return tags("regressor")

    def _target_scaler(self, rows: Examples) -> Scaler | None:
        return Scaler.fit(rows.targets)
