"""What to train many times over: restarts, folds, configurations, as a list of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from penstock.neural.arrays import Integers
from penstock.neural.datasets import Examples, Scaler
from penstock.neural.descent import SGD
from penstock.neural.errors import BadData
from penstock.neural.layers import Network

__all__ = ["Run", "TrainingRun", "data_of", "folds", "random_splits", "restarts"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRun:
    """One training of many.

    Attributes:
        seed: Of first weights and shuffles.
        sgd: None takes the plan's.
        network: None takes the common one.
        rows: Row numbers of ``train`` to learn from; None takes all.
        held: Row numbers of ``train`` to validate on; None takes the data set ``valid``.
    """

    seed: int
    sgd: SGD | None = None
    network: Network | None = None
    rows: Integers | None = None
    held: Integers | None = None


def restarts(count: int, seed: int = 0) -> list[TrainingRun]:
    """Return runs that differ in their seeds only.

    >>> [run.seed for run in restarts(3, seed=10)]
    [10, 11, 12]
    """
    if count < 1:
        raise BadData(f"{count} runs: train at least 1")
    return [TrainingRun(seed=seed + n) for n in range(count)]


def folds(labels: Integers, count: int, seed: int = 0) -> list[Integers]:
    """Return ``count`` disjoint sets of row numbers, each class spread evenly over them.

    >>> [fold.tolist() for fold in folds(np.array([0, 0, 0, 1, 1, 1]), 3)]
    [[2, 5], [0, 4], [1, 3]]
    """
    if not 2 <= count <= len(labels):
        raise BadData(f"{count} folds of {len(labels)} rows: take from 2 to the number of rows")
    random = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(count)]
    at = 0
    for name in np.unique(labels):
        for row in random.permutation(np.flatnonzero(labels == name)).tolist():
            parts[at % count].append(row)
            at += 1
    return [np.sort(np.array(part, dtype=np.int64)) for part in parts]


def random_splits(
    rows: Integers, shares: tuple[float, ...], count: int, seed: int = 0
) -> list[tuple[Integers, ...]]:
    """Return ``count`` random divisions of ``rows`` into ``len(shares) + 1`` parts.

    >>> [len(part) for part in random_splits(np.arange(768), (0.7, 0.21), 1)[0]]
    [537, 161, 70]
    """
    random = np.random.default_rng(seed)
    cuts = [int(len(rows) * share + 1e-9) for share in np.cumsum(shares)]
    if cuts[0] < 1 or cuts[-1] > len(rows) or min(np.diff(cuts), default=1) < 1:
        raise BadData(f"shares {shares} of {len(rows)} rows leave a part empty")
    return [tuple(np.split(random.permutation(rows), cuts)) for _ in range(count)]


def data_of(
    datasets: Mapping[str, Examples], run: TrainingRun, *, scale: bool
) -> tuple[Examples, Examples, Scaler | None]:
    """Return a run's own training and validation rows, scaled, and the scaler."""
    everything = datasets["train"]
    for chosen in (run.rows, run.held):
        if chosen is None:
            continue
        if not len(chosen) or chosen.min() < 0 or chosen.max() >= len(everything):
            raise BadData(f"row numbers of a run: there are rows 0 to {len(everything) - 1}")
    rows = everything if run.rows is None else everything.rows(run.rows)
    held = everything.rows(run.held) if run.held is not None else datasets.get("valid", rows)
    if not scale:
        return rows, held, None
    scaler = Scaler.fit(rows.features)
    return rows.scaled(scaler), held.scaled(scaler), scaler


Run = TrainingRun  # its name in earlier versions
