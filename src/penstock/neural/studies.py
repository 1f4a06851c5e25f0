"""``study``: how good a configuration honestly is, over many seeds and many splits.

One split of a small data set says little: on the 70 test rows of the post, one standard error is
5 points. A study repeats the whole of it, split, scaling, training and choice of the best epoch,
and reports what the rows say that took no part in any of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples
from penstock.neural.faults import BadData
from penstock.neural.intervals import Summary, summarize
from penstock.neural.layers import Network
from penstock.neural.many import fit_many
from penstock.neural.runs import Run, folds, random_splits
from penstock.neural.training import Plan

__all__ = ["Study", "brier", "calibration_error", "cross_validate", "study"]

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

    accuracy: Summary
    brier: Summary
    calibration: Summary
    epochs: Summary

    def __str__(self) -> str:
        rows = (
            ("accuracy", self.accuracy),
            ("Brier score", self.brier),
            ("calibration error", self.calibration),
            ("epochs", self.epochs),
        )
        return "\n".join(f"{name:<18} {found}" for name, found in rows)


def study(
    network: Network,
    examples: Examples,
    plan: Plan | None = None,
    *,
    seeds: int = 200,
    shares: tuple[float, float] = (0.7, 0.21),
) -> Study:
    """Train ``seeds`` times, each on a random split of its own, and judge on the rest.

    Args:
        network: With a softmax last.
        examples: All the rows, unscaled: each run scales by its own training rows.
        plan: How.
        seeds: Runs; run n has seed n and split n.
        shares: Of the rows to train on and to choose the best epoch by; the rest judges.

    Raises:
        BadData: No softmax last, or a part without rows.
    """
    _classes_only(network)
    rows = np.arange(len(examples))
    splits = random_splits(rows, shares, seeds)
    if any(not len(test) for _, _, test in splits):
        raise BadData(f"shares {shares} leave no rows to judge on")
    runs = [Run(seed=seed, rows=train, held=held) for seed, (train, held, _) in enumerate(splits)]
    many = fit_many(network, {"train": examples}, plan, runs=runs, scale=True)
    found = [
        _judge(many.model(number).outputs(examples.features[test]), examples.targets[test])
        for number, (_, _, test) in enumerate(splits)
    ]
    return _sum_up(found, many.epochs)


def cross_validate(
    network: Network,
    examples: Examples,
    plan: Plan | None = None,
    *,
    count: int = 10,
    members: int = 16,
    seed: int = 0,
) -> Study:
    """Judge an ensemble by cross-validation: every row once, by networks that never saw it.

    For each of ``count`` folds, ``members`` networks are trained on the others, each holding out
    a random 15 % of its own to choose its best epoch by; their probabilities are averaged.

    Args:
        network: With a softmax last.
        examples: All the rows, unscaled.
        plan: How.
        count: Folds, the classes spread evenly over them.
        members: Networks to average; 1 judges the single network.
        seed: Of the folds; the members' seeds follow from it.

    Raises:
        BadData: No softmax last, or too few rows.
    """
    _classes_only(network)
    parts = folds(examples.targets.argmax(axis=1), count, seed)
    runs: list[Run] = []
    for number, part in enumerate(parts):
        rest = np.setdiff1d(np.arange(len(examples)), part)
        first = (seed * count + number) * members
        splits = random_splits(rest, (0.85,), members, seed=first)
        runs += [
            Run(seed=first + member, rows=train, held=held)
            for member, (train, held) in enumerate(splits)
        ]
    many = fit_many(network, {"train": examples}, plan, runs=runs, scale=True)
    found = []
    for number, part in enumerate(parts):
        model = many.ensemble(range(number * members, (number + 1) * members))
        found.append(_judge(model.outputs(examples.features[part]), examples.targets[part]))
    return _sum_up(found, many.epochs)


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


def _judge(probabilities: Floats, targets: Floats) -> tuple[float, float, float]:
    right = probabilities.argmax(axis=1) == targets.argmax(axis=1)
    return (
        float(right.mean()),
        brier(probabilities, targets),
        calibration_error(probabilities, targets),
    )


def _sum_up(found: list[tuple[float, float, float]], epochs: Integers) -> Study:
    accuracy, score, calibration = (np.array(column) for column in zip(*found, strict=True))
    return Study(
        accuracy=summarize(accuracy),
        brier=summarize(score),
        calibration=summarize(calibration),
        epochs=summarize(epochs.astype(np.float64)),
    )


def _classes_only(network: Network) -> None:
    if network.kind != "softmax":
        raise BadData(f"a study judges classes: end the network with Softmax, not {network.kind}")
