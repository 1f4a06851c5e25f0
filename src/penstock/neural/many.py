"""``fit_many``: hundreds of restarts, folds or configurations at once, and what to make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples
from penstock.neural.errors import BadData, UnknownChannel
from penstock.neural.intervals import MeanInterval, summarize
from penstock.neural.layers import Network
from penstock.neural.model import Model, fold_in
from penstock.neural.runs import TrainingRun, data_of, restarts
from penstock.neural.training import Plan, channels_of, complete, train

__all__ = ["Many", "fit_many"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Many:
    """The outcome of :func:`fit_many`, one entry a run in each array.

    Attributes:
        runs: What was trained.
        networks: Of each run.
        weights: Each run's best weights, flat; scaling is folded into the first layer.
        values: The best value of the channel that the best was chosen by.
        best_epochs: When it was reached; 0 where no epoch was any good.
        epochs: Epochs trained.
    """

    runs: tuple[TrainingRun, ...]
    networks: tuple[Network, ...]
    weights: tuple[Floats, ...]
    values: Floats
    best_epochs: Integers
    epochs: Integers

    def __len__(self) -> int:
        return len(self.runs)

    def model(self, number: int) -> Model:
        """Return one run's model."""
        return Model(network=self.networks[number], weights=self.weights[number][np.newaxis])

    @property
    def ranking(self) -> Integers:
        """Run numbers, best first; runs that ended in NaN come last."""
        return np.argsort(np.where(np.isfinite(self.values), self.values, np.inf), kind="stable")

    @property
    def best(self) -> Model:
        """The model of the run with the best value."""
        return self.model(int(self.ranking[0]))

    def ensemble(self, numbers: Sequence[int] | None = None) -> Model:
        """Return one model that averages the outputs of those runs; None takes all.

        Raises:
            BadData: The runs' networks differ.
        """
        chosen = list(range(len(self)) if numbers is None else numbers)
        networks = {self.networks[number] for number in chosen}
        if len(networks) != 1:
            raise BadData("an ensemble averages runs of one network; choose some that share it")
        weights = np.stack([self.weights[number] for number in chosen])
        return Model(network=networks.pop(), weights=weights)

    def summary(self, level: float = 0.95) -> MeanInterval:
        """Return mean, spread and confidence interval of the finite best values."""
        return summarize(self.values[np.isfinite(self.values)], level)


def fit_many(
    network: Network,
    datasets: Mapping[str, Examples],
    plan: Plan | None = None,
    *,
    runs: int | Sequence[TrainingRun] = 256,
    scale: bool = False,
) -> Many:
    """Train many times and keep each run's best weights.

    With the engine ``jax`` (and with ``auto`` where it is installed) all runs of one form are
    lanes of one compiled program; finished lanes make room. With ``numpy`` they are trained one
    after the other, with the same result but for rounding: lane n is ``train(seed=n)``.

    Args:
        network: What to train, where a run does not say otherwise.
        datasets: ``train``, and ``valid`` unless every run holds out rows of its own; without
            either, runs are validated on what they train on.
        plan: How. Only validation channels, ``epoch``, the rates and ``gradient_norm`` can be
            watched here.
        runs: A number of restarts, or the runs.
        scale: Whether each run scales features by its own training rows.

    Raises:
        BadData: Data or plan do not fit.
    """
    todo = restarts(runs) if isinstance(runs, int) else list(runs)
    if not todo:
        raise BadData("no runs: train at least 1")
    prepared = _plan(network, datasets, plan or Plan(), todo)
    outcomes: list[_Outcome | None] = [None] * len(todo)
    by_numpy = [(run.sgd or prepared.sgd).only_numpy for run in todo]
    if prepared.engine == "jax" and any(by_numpy):
        raise BadData(f"{max(by_numpy)}: the compiled engine does without; engine='numpy'")
    compiled = prepared.engine == "jax" or (find_spec("jax") is not None and not any(by_numpy))
    if prepared.engine == "numpy" or not compiled:
        for number, run in enumerate(todo):
            outcomes[number] = _alone(network, datasets, prepared, run, scale=scale)
    else:
        from penstock.neural.jax_blocks import run_group

        for group in _groups(network, prepared, todo):
            results = run_group(network, datasets, prepared, [todo[n] for n in group], scale=scale)
            for number, result in zip(group, results, strict=True):
                outcomes[number] = _Outcome(*result)
    return _gather(network, todo, [outcome for outcome in outcomes if outcome is not None])


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    weights: Floats
    value: float
    best_epoch: int
    epochs: int


def _gather(network: Network, runs: list[TrainingRun], outcomes: list[_Outcome]) -> Many:
    return Many(
        runs=tuple(runs),
        networks=tuple(run.network or network for run in runs),
        weights=tuple(outcome.weights for outcome in outcomes),
        values=np.array([outcome.value for outcome in outcomes]),
        best_epochs=np.array([outcome.best_epoch for outcome in outcomes]),
        epochs=np.array([outcome.epochs for outcome in outcomes]),
    )


def _plan(
    network: Network, datasets: Mapping[str, Examples], plan: Plan, runs: list[TrainingRun]
) -> Plan:
    """Complete the plan; the channels that can be watched are those of ``valid``."""
    own = [run.held is not None for run in runs]
    if any(own) and not all(own):
        raise BadData("fit_many: either every run holds out rows of its own, or none does")
    names = dict(datasets)
    if all(own):
        names["valid"] = datasets["train"]  # a stand-in of the right shape
    elif "valid" not in names:
        names["valid"] = datasets["train"]
    ready = complete(network, names, replace(plan, monitor=("valid",)))
    for channel in (ready.best, *(ready.stop.channels() if ready.stop else ())):
        if channel == "seconds":
            raise UnknownChannel(channel, set(channels_of(network, ("valid",))) - {"seconds"})
    return ready


def _groups(network: Network, plan: Plan, runs: list[TrainingRun]) -> list[list[int]]:
    """Return the numbers of the runs that one program can train together."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, run in enumerate(runs):
        sgd, own = run.sgd or plan.sgd, run.network or network
        key = (own.shapes, tuple(x.activation for x in own.layers))
        form = (sgd.velocity, sgd.nesterov, sgd.batch_size)
        groups.setdefault((key, form), []).append(number)
    return list(groups.values())


def _alone(
    network: Network,
    datasets: Mapping[str, Examples],
    plan: Plan,
    run: TrainingRun,
    *,
    scale: bool,
) -> _Outcome:
    own = run.network or network
    rows, held, scaler = data_of(datasets, run, scale=scale)
    done = train(
        own,
        {"train": rows, "valid": held},
        replace(plan, sgd=run.sgd or plan.sgd),
        seed=run.seed,
    )
    value = done.history[plan.best][done.best_epoch - 1] if done.best_epoch else np.inf
    weights = fold_in(own, done.best_weights, scaler)
    return _Outcome(weights, value, done.best_epoch, done.epoch)
