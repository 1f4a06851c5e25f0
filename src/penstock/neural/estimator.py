"""Estimators in scikit-learn's manner: ``fit``, ``predict``, ``predict_proba``, ``score``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, check_finite, matrix, one_hot
from penstock.neural.descent import SGD
from penstock.neural.faults import BadData
from penstock.neural.layers import Layer, Linear, Network, Softmax, layer
from penstock.neural.many import fit_many
from penstock.neural.model import Model
from penstock.neural.params import Parameters, not_fitted, tags
from penstock.neural.runs import restarts
from penstock.neural.schedules import Rate
from penstock.neural.stopping import Criterion, Epochs, Patience
from penstock.neural.training import EngineName, History, Plan, Training, train

if TYPE_CHECKING:
    from sklearn.utils import Tags

    # numpy.random is imported when it is first used, so only the type checker may name it here.
    Seed: TypeAlias = int | np.random.RandomState | None

__all__ = ["Course", "NeuralClassifier", "NeuralRegressor", "Recipe"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How to follow or resume a ``fit``.

    Attributes:
        watch: Called after each epoch with the training and the model as they stand.
        resume: A training to go on with, from an earlier ``watch``; data and parameters must be
            what they were, ``random_state`` included.
    """

    watch: Callable[[Training, Model], object] | None = None
    resume: Training | None = None


class Recipe(Parameters):
    """What the two estimators share: the recipe, and how it is trained.

    Args:
        hidden: Units of each hidden layer.
        activation: Of the hidden layers: ``tanh``, ``sigmoid`` or ``relu``.
        learning_rate: A number or a schedule.
        momentum: A number or a schedule.
        batch_size: Rows a step.
        decay: Weight decay.
        epochs: The most epochs.
        patience: Epochs without improvement of the validation ``nll`` before it stops.
        validation: The share of the rows held out to stop by and to choose the best epoch, where
            ``fit`` is not given a validation set; 0 trains on all the rows for all the epochs.
        scale: Whether to scale features by the training rows' mean and deviation.
        members: Networks to train and average.
        engine: ``numpy``, ``jax``, or ``auto``: jax for several members where it is installed.
        random_state: Seed of the split, the first weights and the shuffles.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter in the constructor
        self,
        hidden: Sequence[int] = (16,),
        *,
        activation: str = "tanh",
        learning_rate: Rate = 0.01,
        momentum: Rate = 0.9,
        batch_size: int = 10,
        decay: float = 0.0,
        epochs: int = 200,
        patience: int = 50,
        validation: float = 0.15,
        scale: bool = True,
        members: int = 1,
        engine: EngineName = "auto",
        random_state: Seed = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.batch_size = batch_size
        self.decay = decay
        self.epochs = epochs
        self.patience = patience
        self.validation = validation
        self.scale = scale
        self.members = members
        self.engine = engine
        self.random_state = random_state

    _target: Scaler | None = None

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether ``fit`` was called."""
        return hasattr(self, "model_")

    def plan(self, *, validated: bool) -> Plan:
        """Return how the recipe trains, with a validation set or without."""
        stop: Criterion = Epochs(self.epochs)
        if validated:
            stop = Patience("valid_nll", self.patience) | stop
        sgd = SGD(
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            batch_size=self.batch_size,
            decay=self.decay,
        )
        return Plan(sgd=sgd, stop=stop, engine=self.engine)

    def network(self, inputs: int, last: Layer) -> Network:
        """Return the recipe's network with that last layer."""
        hidden = (layer(self.activation, units) for units in self.hidden)
        return Network(inputs, (*hidden, last))

    @property
    def history_(self) -> History:
        """The channels of every epoch (of the first member)."""
        return self._fitted_training().history

    def _fitted_training(self) -> Training:
        if not hasattr(self, "training_"):
            raise not_fitted(self)
        return self.training_

    def _fitted(self, features: npt.ArrayLike) -> tuple[Model, Floats]:
        if not hasattr(self, "model_"):
            raise not_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        given = feature_names(features)
        if names is not None and given is not None and list(names) != list(given):
            raise BadData(_name_trouble(list(names), list(given)))
        table = matrix(features)
        if table.shape[1] != self.n_features_in_:
            raise BadData(
                f"X has {table.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return self.model_, table

    def _learn(self, rows: Examples, valid: Examples | None, last: Layer, course: Course) -> Model:
        """Train on rows; hold some out where no validation set was given."""
        if self.members < 1:
            raise BadData(f"members={self.members}: train at least 1")
        generator = _generator(self.random_state)
        if valid is None and self.validation:
            rows, valid = self._hold_out(rows, generator)
        scaler = Scaler.fit(rows.features) if self.scale else None
        datasets = {"train": _scaled(rows, scaler)}
        if valid is not None:
            datasets["valid"] = _scaled(valid, scaler)
        network = self.network(rows.features.shape[1], last)
        plan = self.plan(validated=valid is not None)
        seed = int(generator.integers(2**31))
        if self.members == 1:
            weights = self._one(network, datasets, plan, seed, scaler, course)
        else:
            runs = restarts(self.members, seed)
            many = fit_many(network, datasets, plan, runs=runs)
            self.n_iter_ = int(many.epochs.max())
            self.many_ = many
            weights = many.ensemble().weights
        return Model(network=network, weights=weights, scaler=scaler, target=self._target)

    def _one(
        self,
        network: Network,
        datasets: dict[str, Examples],
        plan: Plan,
        seed: int,
        scaler: Scaler | None,
        course: Course,
    ) -> Floats:
        def watch(training: Training) -> None:
            if course.watch is not None:
                course.watch(training, replace(training.model, scaler=scaler, target=self._target))

        done = train(network, datasets, plan, seed=seed, watch=watch, resume=course.resume)
        self.training_ = done
        self.n_iter_ = done.epoch
        return done.best_weights[np.newaxis]

    def _hold_out(
        self, rows: Examples, generator: np.random.Generator
    ) -> tuple[Examples, Examples | None]:
        """Split off the validation rows, the same share of every class."""
        if not 0 < self.validation < 1:
            raise BadData(f"validation={self.validation}: give a share between 0 and 1")
        groups = self._groups(rows)
        held: list[int] = []
        for group in np.unique(groups):
            members = generator.permutation(np.flatnonzero(groups == group))
            held += members[: int(len(members) * self.validation)].tolist()
        if not held:
            return rows, None
        mask = np.zeros(len(rows), dtype=np.bool_)
        mask[held] = True
        return rows.rows(np.flatnonzero(~mask)), rows.rows(np.flatnonzero(mask))

    def _groups(self, rows: Examples) -> Integers:
        return np.zeros(len(rows), dtype=np.int64)

    def _remember(self, features: npt.ArrayLike, table: Floats) -> None:
        self.n_features_in_ = table.shape[1]
        names = feature_names(features)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


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
        X: npt.ArrayLike,  # noqa: N803 - scikit-learn's name
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
        labels = _column(y, len(table))
        self.classes_, index = _classes(labels)
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
        names = _column(labels, len(table))
        strange = np.setdiff1d(names, self.classes_)
        if len(strange):
            raise BadData(f"validation label {strange[0]!r} is not among the training labels")
        return Examples(table, one_hot(np.searchsorted(self.classes_, names), len(self.classes_)))

    def _groups(self, rows: Examples) -> Integers:
        return np.asarray(rows.targets.argmax(axis=1))

    def predict_proba(self, X: npt.ArrayLike) -> Floats:  # noqa: N803 - scikit-learn's name
        """Return each class's probability, shape (rows, classes)."""
        model, table = self._fitted(X)
        return model.outputs(table)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.generic]:  # noqa: N803 - scikit-learn's name
        """Return the likeliest class of each row."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:  # noqa: N803 - scikit-learn's name
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
        X: npt.ArrayLike,  # noqa: N803 - scikit-learn's name
        y: npt.ArrayLike,
        *,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        course: Course | None = None,
    ) -> Self:
        """Learn from rows ``X`` with numbers ``y``, shape (rows,) or (rows, outputs)."""
        table = matrix(X)
        numbers = _numbers(y, len(table))
        self._single = np.asarray(y).ndim == 1
        self._remember(X, table)
        target = self._target = Scaler.fit(numbers)
        valid = None
        if validation is not None:
            valid_table = matrix(validation[0])
            valid_numbers = _numbers(validation[1], len(valid_table))
            valid = Examples(valid_table, target(valid_numbers))
        rows = Examples(table, target(numbers))
        self.model_ = self._learn(rows, valid, Linear(numbers.shape[1]), course or Course())
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:  # noqa: N803 - scikit-learn's name
        """Return the predicted numbers, in the shape that ``y`` had."""
        model, table = self._fitted(X)
        numbers = model.outputs(table)
        return np.asarray(numbers[:, 0] if self._single else numbers)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:  # noqa: N803 - scikit-learn's name
        """Return R², ``1 - sum((y - p)^2) / sum((y - mean(y))^2)``, the mean over outputs."""
        truth = _numbers(y, len(np.asarray(X)))
        predicted = np.asarray(self.predict(X)).reshape(truth.shape)
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        return float(np.mean(1 - ((truth - predicted) ** 2).sum(axis=0) / spread))

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn's tools want to know."""
        return tags("regressor")


def feature_names(features: object) -> npt.NDArray[np.object_] | None:
    """Return the column names of a data frame, or None where there are none."""
    columns = getattr(features, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.asarray(list(columns), dtype=object)


def _name_trouble(fitted: list[object], given: list[object]) -> str:
    unseen = [str(name) for name in given if name not in fitted]
    missing = [str(name) for name in fitted if name not in given]
    lines = ["The feature names should match those that were passed during fit."]
    if unseen:
        lines += ["Feature names unseen at fit time:", *(f"- {name}" for name in sorted(unseen))]
    if missing:
        lines.append("Feature names seen at fit time, yet now missing:")
        lines += [f"- {name}" for name in sorted(missing)]
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"


def _column(labels: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.generic]:
    """Return labels as a vector of that many rows."""
    if labels is None:
        raise BadData("requires y to be passed, but the target y is None")
    column = np.asarray(labels)
    if column.ndim == 2 and column.shape[1] == 1:
        _warn_column()
        column = column[:, 0]
    if column.ndim != 1:
        raise BadData(f"y should be a 1d array, got an array of shape {column.shape} instead.")
    if len(column) != rows:
        raise BadData(f"inconsistent numbers of rows: {rows} in X, {len(column)} in y")
    return np.asarray(column)


def _warn_column() -> None:
    """Warn as scikit-learn does, with its own class where it is loaded."""
    text = "A column-vector y was passed when a 1d array was expected."
    loaded = sys.modules.get("sklearn.exceptions")
    kind = UserWarning if loaded is None else loaded.DataConversionWarning
    warnings.warn(text, kind, stacklevel=4)


def _classes(labels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], Integers]:
    if labels.dtype.kind == "f":
        numbers = labels.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise BadData("Input y contains NaN or infinity: drop rows without a label")
        if (numbers != np.round(numbers)).any():
            raise BadData("Unknown label type: continuous. Classes are texts or whole numbers")
    if labels.dtype == object and any(x is None or x != x for x in labels.tolist()):  # noqa: PLR0124 - NaN
        raise BadData("Input y contains NaN or None: drop rows without a label")
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise BadData(f"y has only one class, {classes.tolist()}: there is nothing to tell apart")
    return classes, index


def _numbers(targets: npt.ArrayLike | None, rows: int) -> Floats:
    if targets is None:
        raise BadData("requires y to be passed, but the target y is None")
    values = np.asarray(targets)
    if np.iscomplexobj(values):
        raise BadData("Complex data not supported: pass real numbers")
    numbers = values.astype(np.float64)
    if numbers.ndim == 1:
        numbers = numbers[:, np.newaxis]
    if numbers.ndim != 2:
        raise BadData(f"y should have 1 or 2 dimensions, not {numbers.ndim}")
    if len(numbers) != rows:
        raise BadData(f"inconsistent numbers of rows: {rows} in X, {len(numbers)} in y")
    check_finite(numbers, "Input y")
    return numbers


def _generator(seed: Seed) -> np.random.Generator:
    if isinstance(seed, np.random.RandomState):
        return np.random.default_rng(seed.randint(2**31))
    return np.random.default_rng(seed)


def _scaled(rows: Examples, scaler: Scaler | None) -> Examples:
    return rows if scaler is None else Examples(scaler(rows.features), rows.targets)
