"""Estimators in scikit-learn's manner: ``fit``, ``predict``, ``predict_proba``, ``score``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self, final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, matrix, one_hot
from penstock.neural.faults import BadData
from penstock.neural.inputs import label_column, number_columns, numbered_classes
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
        valid = None
        if validation is not None:
            valid = self._valid(*validation)
        self._remember(X, table)
        rows = Examples(table, one_hot(index, len(self.classes_)))
        model = self._learn(rows, valid, Softmax(len(self.classes_)), course or Course())
        self.model_ = replace(model, classes=tuple(self.classes_.tolist()))
        return self

    def _valid(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> Examples:
        table = matrix(features)
        names = label_column(labels, len(table))
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
        """Return the share of right predictions."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

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
        target = self._target = Scaler.fit(numbers)
        valid = None
        if validation is not None:
            valid_table = matrix(validation[0])
            valid_numbers = number_columns(validation[1], len(valid_table))
            valid = Examples(valid_table, target(valid_numbers))
        rows = Examples(table, target(numbers))
        self.model_ = self._learn(rows, valid, Linear(numbers.shape[1]), course or Course())
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return the predicted numbers, in the shape that ``y`` had."""
        model, table = self._fitted(X)
        numbers = model.outputs(table)
        return np.asarray(numbers[:, 0] if self._single else numbers)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return R², ``1 - sum((y - p)^2) / sum((y - mean(y))^2)``, the mean over outputs."""
        truth = number_columns(y, len(np.asarray(X)))
        predicted = np.asarray(self.predict(X)).reshape(truth.shape)
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        return float(np.mean(1 - ((truth - predicted) ** 2).sum(axis=0) / spread))

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn's tools want to know."""
        return tags("regressor")
