"""``study``: how good a configuration honestly is, over many seeds and many splits.

One split of a small data set says little: on the 70 test rows of the post, one standard error is
5 points. A study repeats the whole of it, split, scaling, training and choice of the best epoch,
and reports what the rows say that took no part in any of these.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler
from penstock.neural.errors import BadData
from penstock.neural.intervals import MeanInterval, summarize
from penstock.neural.layers import Network
from penstock.neural.many import fit_many
from penstock.neural.model import Model
from penstock.neural.runs import TrainingRun, folds, random_splits
from penstock.neural.training import Plan

__all__ = ["NumberStudy", "Study", "brier", "calibration_error", "cross_validate", "study"]

BINS = 10


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a study found on rows that no model had seen.

    Attributes:
        accuracy: The share of right answers.
        brier: The mean of ``sum((p - t)^2)`` over classes, from 0 (right and sure) to 2.
        calibration: The expected calibration error, from 0 to 1.
        epochs: Epochs trained.
    """

    accuracy: MeanInterval
    brier: MeanInterval
    calibration: MeanInterval
    epochs: MeanInterval

    def __str__(self) -> str:
        return _lines(self)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStudy:
    """What a study found of predicted numbers, on rows that no model had seen.

    Attributes:
        r2: The share of the variance that is predicted; the mean over outputs.
        rmse: Root of the mean squared error, in units of the targets.
        mae: Mean absolute error, in units of the targets.
        epochs: Epochs trained.
    """

    r2: MeanInterval
    rmse: MeanInterval
    mae: MeanInterval
    epochs: MeanInterval

    def __str__(self) -> str:
        return _lines(self)


_WORDS = {"brier": "Brier score", "calibration": "calibration error", "r2": "R2"}


def _lines(found: Study | NumberStudy) -> str:
    rows = ((field.name, getattr(found, field.name)) for field in fields(found))
    return "\n".join(f"{_WORDS.get(name, name):<18} {summary}" for name, summary in rows)


def study(
    network: Network,
    examples: Examples,
    plan: Plan | None = None,
    *,
    seeds: int = 200,
    shares: tuple[float, float] = (0.7, 0.21),
) -> Study | NumberStudy:
    """Train ``seeds`` times, each on a random split of its own, and judge on the rest.

    Args:
        network: With a softmax or linear layer last.
        examples: All the rows, unscaled: each run scales by its own training rows.
        plan: How.
        seeds: Runs; run n has seed n and split n.
        shares: Of the rows to train on and to choose the best epoch by; the rest judges.

    Raises:
        BadData: Another last layer, or a part without rows.
    """
    examples, scaler = _in_units(network, examples)
    rows = np.arange(len(examples))
    splits = random_splits(rows, shares, seeds)
    if any(not len(test) for _, _, test in splits):
        raise BadData(f"shares {shares} leave no rows to judge on")
    runs = [
        TrainingRun(seed=seed, rows=train, held=held)
        for seed, (train, held, _) in enumerate(splits)
    ]
    many = fit_many(network, {"train": examples}, plan, runs=runs, scale=True)
    found = [
        _judge(many.model(number), examples.rows(test), scaler)
        for number, (_, _, test) in enumerate(splits)
    ]
    return _sum_up(network, found, many.epochs)


def cross_validate(
    network: Network,
    examples: Examples,
    plan: Plan | None = None,
    *,
    count: int = 10,
    members: int = 16,
    seed: int = 0,
) -> Study | NumberStudy:
    """Judge an ensemble by cross-validation: every row once, by networks that never saw it.

    For each of ``count`` folds, ``members`` networks are trained on the others, each holding out
    a random 15 % of its own to choose its best epoch by; their probabilities are averaged.

    Args:
        network: With a softmax or linear layer last.
        examples: All the rows, unscaled.
        plan: How.
        count: Folds, the classes spread evenly over them.
        members: Networks to average; 1 judges the single network.
        seed: Of the folds; the members' seeds follow from it.

    Raises:
        BadData: Another last layer, or too few rows.
    """
    examples, scaler = _in_units(network, examples)
    groups = examples.targets.argmax(axis=1) * (network.kind == "softmax")
    parts = folds(groups, count, seed)
    runs: list[TrainingRun] = []
    for number, part in enumerate(parts):
        rest = np.setdiff1d(np.arange(len(examples)), part)
        first = (seed * count + number) * members
        splits = random_splits(rest, (0.85,), members, seed=first)
        runs += [
            TrainingRun(seed=first + member, rows=train, held=held)
            for member, (train, held) in enumerate(splits)
        ]
    many = fit_many(network, {"train": examples}, plan, runs=runs, scale=True)
    found = []
    for number, part in enumerate(parts):
        model = many.ensemble(range(number * members, (number + 1) * members))
        found.append(_judge(model, examples.rows(part), scaler))
    return _sum_up(network, found, many.epochs)


def brier(probabilities: Floats, targets: Floats) -> float:
    """Return the mean over rows of ``sum((p - t)^2)`` (Brier, 1950; 0 is best, 2 worst).

    >>> brier(np.array([[0.8, 0.2]]), np.array([[1.0, 0.0]]))
    0.08
    """
    return round(float(np.mean(((probabilities - targets) ** 2).sum(axis=1))), 12)


def calibration_error(probabilities: Floats, targets: Floats) -> float:
    """Return the expected calibration error in ten bins (Naeini, Cooper, Hauskrecht, AAAI 2015).

    Rows are binned by the probability of the class they are given; the error is the mean, by
    rows, of how far each bin's accuracy lies from its mean probability. On few rows it is biased
    upwards: a bin of three rows cannot be right 72 % of the time.

    >>> sure = np.array([[0.9, 0.1]] * 10)
    >>> right = np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    >>> round(calibration_error(sure, right), 6)
    0.1
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets.argmax(axis=1)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = [
        abs(float(np.sum(right[bins == number]) - np.sum(confidence[bins == number])))
        for number in range(BINS)
    ]
    return sum(gaps) / len(confidence)


def _in_units(network: Network, examples: Examples) -> tuple[Examples, Scaler | None]:
    """Return the rows as they are trained on; numbers in units of their deviation over all rows."""
    if network.kind == "softmax":
        return examples, None
    if network.kind != "linear":
        raise BadData(
            f"a study judges classes or numbers: end the network with Softmax or Linear, not"
            f" {network.kind}"
        )
    scaler = Scaler.fit(examples.targets)
    return examples.scaled(None, scaler), scaler


def _judge(model: Model, rows: Examples, scaler: Scaler | None) -> dict[str, float]:
    outputs, targets = model.outputs(rows.features), rows.targets
    if scaler is None:
        right = outputs.argmax(axis=1) == targets.argmax(axis=1)
        return {
            "accuracy": float(right.mean()),
            "brier": brier(outputs, targets),
            "calibration": calibration_error(outputs, targets),
        }
    missed = (outputs - targets) * scaler.deviation
    spread = ((targets - targets.mean(axis=0)) * scaler.deviation) ** 2
    return {
        "r2": float(np.mean(1 - (missed**2).sum(axis=0) / np.maximum(spread.sum(axis=0), 1e-300))),
        "rmse": float(np.sqrt(np.mean(missed**2))),
        "mae": float(np.mean(np.abs(missed))),
    }


def _sum_up(
    network: Network, found: list[dict[str, float]], epochs: Integers
) -> Study | NumberStudy:
    columns = {name: summarize(np.array([x[name] for x in found])) for name in found[0]}
    kind = Study if network.kind == "softmax" else NumberStudy
    return kind(**columns, epochs=summarize(epochs.astype(np.float64)))
