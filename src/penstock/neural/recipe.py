"""The recipe that both estimators share, and how it is trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, matrix
from penstock.neural.descent import SGD
from penstock.neural.errors import BadData, TrainingFailed
from penstock.neural.inputs import feature_names, name_trouble
from penstock.neural.layers import Layer, Network, layer
from penstock.neural.many import Many, fit_many
from penstock.neural.model import Model
from penstock.neural.numpy_engine import NumpyEngine
from penstock.neural.parameters import Parameters, not_fitted
from penstock.neural.randomness import Seeded
from penstock.neural.runs import restarts
from penstock.neural.schedules import Rate, value
from penstock.neural.stopping import Criterion, Epochs, Patience
from penstock.neural.training import EngineName, History, Plan, Training, failure, no_better, train

if TYPE_CHECKING:
    # numpy.random is imported when it is first used, so only the type checker may name it here.
    Seed: TypeAlias = int | np.random.RandomState | None

__all__ = ["Course", "Recipe"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How to follow or resume a ``fit``.

    Attributes:
        watch: Called after each epoch with the training and the model as they stand.
        resume: A training to go on with, from an earlier ``watch``; data and parameters must be
            what they were, ``random_state`` included.
        both: Whether to measure the rows that are learned from too, beside the held-out ones.
        recipe: Kept with each training that ``watch`` is shown: :attr:`Training.recipe`.
    """

    watch: Callable[[Training, Model], object] | None = None
    resume: Training | None = None
    recipe: str = ""
    both: bool = False


class Recipe(Parameters):
    """What the two estimators share: the recipe, and how it is trained.

    Args:
        hidden: Units of each hidden layer; a number alone is one layer.
        activation: Of the hidden layers: ``tanh``, ``sigmoid`` or ``relu``.
        learning_rate: A number or a schedule.
        momentum: A number or a schedule.
        batch_size: Rows a step.
        decay: Weight decay.
        solver: ``sgd``, or ``adam`` (a learning rate such as 0.001 suits it).
        dropout: Share of the hidden layers' outputs that a step leaves out.
        epochs: The most epochs.
        patience: Epochs without improvement of the validation ``nll`` before it stops.
        validation: The share of the rows held out to stop by and to choose the best epoch, where
            ``fit`` is not given a validation set; 0 trains on all the rows for all the epochs.
        split: Which rows those are: ``random``, or ``time``: the last ones.
        class_weight: How much rows of each class count: a mapping, or ``balanced``; for classes.
        scale: Whether to scale features by the training rows' mean and deviation.
        members: Networks to train and average.
        engine: ``numpy``, ``jax``, or ``auto``: jax for several members where it is installed.
        random_state: Seed of the split, the first weights and the shuffles.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter in the constructor
        self,
        hidden: Sequence[int] | int = (100,),
        *,
        activation: str = "relu",
        learning_rate: Rate = 0.01,
        momentum: Rate = 0.9,
        batch_size: int = 10,
        decay: float = 0.0,
        solver: str = "sgd",
        dropout: float = 0.0,
        epochs: int = 200,
        patience: int = 50,
        validation: float = 0.15,
        split: str = "random",
        class_weight: Mapping[object, float] | str | None = None,
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
        self.solver = solver
        self.dropout = dropout
        self.epochs = epochs
        self.patience = patience
        self.validation = validation
        self.split = split
        self.class_weight = class_weight
        self.scale = scale
        self.members = members
        self.engine = engine
        self.random_state = random_state

    _target: Scaler | None = None
    training_: Training | None
    many_: Many | None
    held_out_: Examples | None

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether ``fit`` was called."""
        return hasattr(self, "model_")

    def plan(self, *, validated: bool) -> Plan:
        """Return how the recipe trains, with a validation set or without."""
        stop: Criterion = Epochs(self.epochs)
        if validated:
            stop = Patience("valid_nll", self.patience) | stop
        return Plan(sgd=self.descent, stop=stop, engine=self.engine)

    @property
    def descent(self) -> SGD:
        """How the recipe descends."""
        if self.solver not in {"sgd", "adam"}:
            raise BadData(f"solver={self.solver!r}: write 'sgd' or 'adam'")
        return SGD(
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            velocity="adam" if self.solver == "adam" else "pylearn2",
            batch_size=self.batch_size,
            decay=self.decay,
            dropout=self.dropout,
        )

    def network(self, inputs: int, last: Layer) -> Network:
        """Return the recipe's network with that last layer."""
        units = (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)
        hidden = (layer(self.activation, count) for count in units)
        return Network(inputs, (*hidden, last))

    @property
    def history_(self) -> History:
        """The channels of every epoch."""
        if not hasattr(self, "model_"):
            raise not_fitted(self)
        if self.training_ is None:
            raise BadData("history_ follows one network: with several members see many_")
        return self.training_.history

    def _fitted(self, features: npt.ArrayLike) -> tuple[Model, Floats]:
        if not hasattr(self, "model_"):
            raise not_fitted(self)
        return self.model_, self._checked(features)

    def _checked(self, features: npt.ArrayLike, what: str = "") -> Floats:
        """Return rows to use or to measure on, with the columns of ``fit`` in their order."""
        names = getattr(self, "feature_names_in_", None)
        given = feature_names(features)
        if names is not None and given is not None and list(names) != list(given):
            raise BadData(what + name_trouble(list(names), list(given)))
        table = matrix(features)
        if table.shape[1] != self.n_features_in_:
            raise BadData(
                f"{what}X has {table.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return table

    _going: tuple[Seeded, Floats]

    def _learn(self, rows: Examples, valid: Examples | None, last: Layer, course: Course) -> Model:
        """Train on rows; hold some out where no validation set was given."""
        if self.members < 1:
            raise BadData(f"members={self.members}: train at least 1")
        generator = _generator(self.random_state)
        if hasattr(self, "_going"):
            del self._going
        if valid is None and self.validation:
            rows, valid = self._hold_out(rows, generator)
        self.held_out_ = valid
        scaler = Scaler.fit(rows.features, rows.weights) if self.scale else None
        target = self._target = self._target_scaler(rows)
        datasets = {"train": rows.scaled(scaler, target)}
        if valid is not None:
            datasets["valid"] = valid.scaled(scaler, target)
        network = self.network(rows.features.shape[1], last)
        plan = self.plan(validated=valid is not None)
        if course.both:
            plan = replace(plan, monitor=tuple(reversed(datasets)))  # valid, which decides, first
        seed = int(generator.integers(2**31))
        if self.members == 1:
            weights = self._one(network, datasets, plan, seed, scaler, course)
        else:
            runs = restarts(self.members, seed)
            many = fit_many(network, datasets, plan, runs=runs)
            self.n_iter_ = int(many.epochs.max())
            self.many_, self.training_ = many, None
            best = float(many.values[many.ranking[0]])
            trouble = no_better(network, best, datasets)
            if trouble:
                warnings.warn(TrainingFailed(trouble), stacklevel=3)
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
        show = course.watch

        def watch(training: Training) -> None:
            assert show is not None  # handed on only where there is one
            training = replace(training, recipe=course.recipe)
            show(training, replace(training.model, scaler=scaler, target=self._target))

        follow = None if show is None else watch
        done = train(network, datasets, plan, seed=seed, watch=follow, resume=course.resume)
        done = replace(done, recipe=course.recipe)
        trouble = failure(done, datasets)
        if trouble:
            warnings.warn(TrainingFailed(trouble), stacklevel=4)
        self.many_, self.training_ = None, done
        self.n_iter_ = done.epoch
        return done.best_weights[np.newaxis]

    def _hold_out(
        self, rows: Examples, generator: np.random.Generator
    ) -> tuple[Examples, Examples | None]:
        """Split off the validation rows, the same share of every class."""
        if not 0 < self.validation < 1:
            raise BadData(f"validation={self.validation}: give a share between 0 and 1")
        if self.split not in {"random", "time"}:
            raise BadData(f"split={self.split!r}: write 'random' or 'time'")
        groups = self._groups(rows)
        held: list[int] = []
        if self.split == "time":
            held = list(range(len(rows) - int(len(rows) * self.validation), len(rows)))
        for group in np.unique(groups) if self.split == "random" else ():
            members = generator.permutation(np.flatnonzero(groups == group))
            held += members[: int(len(members) * self.validation)].tolist()
        if not held:  # no class has so many rows: then of all rows, whatever their classes
            held = generator.permutation(len(rows))[: int(len(rows) * self.validation)].tolist()
        if not held:
            told = f"{len(rows)} rows are too few to hold out {self.validation:g} of them"
            warnings.warn(f"{told}: the training runs for all its epochs", stacklevel=5)
            return rows, None
        mask = np.zeros(len(rows), dtype=np.bool_)
        mask[held] = True
        return rows.rows(np.flatnonzero(~mask)), rows.rows(np.flatnonzero(mask))

    def _go_on(self, rows: Examples, last: Layer) -> Model:
        """Train one epoch on these rows, from where the network stands."""
        if self.members != 1:
            raise BadData("partial_fit trains one network: members=1")
        sgd = self.descent
        if not hasattr(self, "model_"):
            scaler = Scaler.fit(rows.features, rows.weights) if self.scale else None
            network = self.network(rows.features.shape[1], last)
            random = Seeded(int(_generator(self.random_state).integers(2**31)))
            weights = random.weights(network)
            model = Model(
                network=network,
                weights=weights[np.newaxis],
                scaler=scaler,
                target=self._target_scaler(rows),
            )
            self._going = (random, sgd.still(network.size))
            self.n_iter_, self.training_, self.many_, self.held_out_ = 0, None, None, None
        else:
            model = self.model_
            if not hasattr(self, "_going"):
                seed = int(_generator(self.random_state).integers(2**31)) + self.n_iter_
                self._going = (Seeded(seed), sgd.still(model.network.size))
        if rows.targets.shape[1] != model.network.outputs:
            raise BadData(f"y has {rows.targets.shape[1]} outputs, not {model.network.outputs}")
        random, velocity = self._going
        data = {"train": rows.scaled(model.scaler, model.target)}
        engine = NumpyEngine(model.network, data, (), sgd)
        lap = engine.run(
            model.weights[0],
            velocity,
            random.order(len(rows))[np.newaxis],
            np.array([value(sgd.learning_rate, self.n_iter_)]),
            np.array([value(sgd.momentum, self.n_iter_)]),
        )
        if not np.isfinite(lap.weights).all():
            raise BadData("the weights became infinite or NaN; try a lower learning_rate")
        self._going = (random, lap.velocity[-1])
        self.n_iter_ += 1
        return replace(model, weights=lap.weights[-1:])

    def _target_scaler(self, rows: Examples) -> Scaler | None:
        """Return how targets are scaled, by the rows that are learned from alone."""
        return None

    def _groups(self, rows: Examples) -> Integers:
        return np.zeros(len(rows), dtype=np.int64)

    def _remember(self, features: npt.ArrayLike, table: Floats) -> None:
        self.n_features_in_ = table.shape[1]
        names = feature_names(features)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


def _generator(seed: Seed) -> np.random.Generator:
    if isinstance(seed, np.random.RandomState):
        return np.random.default_rng(seed.randint(2**31))
    return np.random.default_rng(seed)
