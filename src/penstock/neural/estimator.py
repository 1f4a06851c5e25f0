"""Estimators in scikit-learn's manner: ``fit``, ``predict``, ``predict_proba``, ``score``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self, final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, matrix, one_hot
from penstock.neural.errors import BadData
from penstock.neural.inputs import (
    class_weights,
    known_labels,
    label_column,
    number_columns,
    numbered_classes,
    row_weights,
    several_answers,
)
from penstock.neural.layers import Layer, Linear, Sigmoid, Softmax
from penstock.neural.model import Model
from penstock.neural.parameters import tags
from penstock.neural.recipe import Course, Recipe
from penstock.neural.report import ClassReport, class_report

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
        sample_weight: npt.ArrayLike | None = None,
        *,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        course: Course | None = None,
    ) -> Self:
        """Learn from rows ``X``, shape (rows, features), with labels ``y``, shape (rows,).

        Args:
            X: Finite numbers.
            y: Texts or whole numbers, two different ones at least; or a table of zeros and ones,
                a column for each of several yes/no answers.
            sample_weight: How much each row counts, 0 or more.
            validation: Own rows and labels to stop by; None holds out a share of ``X``.
            course: To follow or resume the training of a single network.

        Raises:
            BadData: With what is wrong and where.
        """
        table = matrix(X)
        answers = several_answers(y)
        self._several = answers is not None
        if answers is None:
            self.classes_, index = numbered_classes(label_column(y, len(table)))
            rows = self._rows(table, index, sample_weight)
        else:
            if self.class_weight is not None:
                raise BadData("class_weight is for one answer a row: give sample_weight")
            self.classes_ = np.arange(answers.shape[1])
            rows = Examples(table, answers, row_weights(sample_weight, len(table)))
        self._remember(X, table)
        valid = None if validation is None else self._valid(*validation)
        self._keep(self._learn(rows, valid, self._last(), course or Course()))
        return self

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Train one epoch on these rows, going on from where the network stands.

        Features are scaled by the rows of the first call.

        Args:
            X: Finite numbers.
            y: One label a row.
            classes: All there will be; wanted in the first call.
            sample_weight: How much each row counts, 0 or more.
        """
        table = matrix(X)
        if not hasattr(self, "model_"):
            if classes is None:
                raise BadData("the first partial_fit needs classes, all that there will be")
            self.classes_, self._several = np.unique(np.asarray(classes)), False
            self._remember(X, table)
        elif classes is not None and set(np.unique(np.asarray(classes))) != set(self.classes_):
            raise BadData(f"classes were {self.classes_.tolist()} in the first call")
        table = self._checked(X)
        rows = self._rows(table, self._places(y, len(table)), sample_weight)
        self._keep(self._go_on(rows, self._last()))
        return self

    def _last(self) -> Layer:
        return (Sigmoid if self._several else Softmax)(len(self.classes_))

    def _keep(self, model: Model) -> None:
        classes = () if self._several else tuple(self.classes_.tolist())
        self.model_ = replace(model, classes=classes)

    def _rows(
        self, table: Floats, index: Integers, sample_weight: npt.ArrayLike | None
    ) -> Examples:
        weights = class_weights(self.class_weight, self.classes_, index)
        if weights is not None and sample_weight is not None:
            weights = weights * np.asarray(sample_weight, dtype=np.float64)
        shares = row_weights(sample_weight if weights is None else weights, len(table))
        return Examples(table, one_hot(index, len(self.classes_)), shares)

    def _places(self, labels: npt.ArrayLike, rows: int, what: str = "") -> Integers:
        """Return each label's place among the classes."""
        names = known_labels(labels, self.classes_, rows)
        strange = np.setdiff1d(names, self.classes_)
        if len(strange):
            raise BadData(f"{what}label {strange[0]!r} is not among the training labels")
        return np.asarray(np.searchsorted(self.classes_, names))

    def _valid(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> Examples:
        table = self._checked(features, "validation: ")
        if self._several:
            answers = several_answers(labels)
            if answers is None or answers.shape[1] != len(self.classes_):
                raise BadData("validation: labels are a table of zeros and ones, as in training")
            return Examples(table, answers)
        index = self._places(labels, len(table), "validation ")
        return Examples(table, one_hot(index, len(self.classes_)))

    @property
    def report_(self) -> ClassReport:
        """How the classes of the held-out rows were told apart: a confusion matrix and more."""
        if getattr(self, "held_out_", None) is None or self._several:
            raise BadData("report_ needs rows that were held out, and one class a row")
        rows = self.held_out_
        assert rows is not None  # just seen
        outputs = self.model_.outputs(rows.features)
        return class_report(self.model_.classes, outputs, rows.targets)

    def _groups(self, rows: Examples) -> Integers:
        return np.asarray(rows.targets.argmax(axis=1))

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return each class's probability, shape (rows, classes)."""
        model, table = self._fitted(X)
        return model.outputs(table)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Return the likeliest class of each row; of several answers zeros and ones."""
        probabilities = self.predict_proba(X)
        if self._several:
            return np.asarray((probabilities > 0.5).astype(np.int64))
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return the share of right predictions; ``y`` in any shape that ``fit`` takes."""
        predicted = self.predict(X)
        if self._several:
            return float(np.mean((predicted == several_answers(y)).all(axis=1)))
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
        sample_weight: npt.ArrayLike | None = None,
        *,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        course: Course | None = None,
    ) -> Self:
        """Learn from rows ``X`` with numbers ``y``, shape (rows,) or (rows, outputs)."""
        if self.class_weight is not None:
            raise BadData("class_weight is for classes: give sample_weight")
        table = matrix(X)
        numbers = number_columns(y, len(table))
        weights = row_weights(sample_weight, len(table))
        self._single = np.asarray(y).ndim == 1
        self._remember(X, table)
        valid = None
        if validation is not None:
            valid_table = self._checked(validation[0], "validation: ")
            valid = Examples(valid_table, number_columns(validation[1], len(valid_table)))
        rows = Examples(table, numbers, weights)
        self.model_ = self._learn(rows, valid, Linear(numbers.shape[1]), course or Course())
        return self

    def partial_fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train one epoch on these rows; features and targets are scaled as in the first call."""
        table = matrix(X)
        numbers = number_columns(y, len(table))
        if not hasattr(self, "model_"):
            self._single = np.asarray(y).ndim == 1
            self._remember(X, table)
        rows = Examples(self._checked(X), numbers, row_weights(sample_weight, len(table)))
        self.model_ = self._go_on(rows, Linear(numbers.shape[1]))
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
        return Scaler.fit(rows.targets, rows.weights)
