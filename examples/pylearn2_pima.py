"""The post on termination criteria, momentum and learning-rate adjustment, run by penstock.

Usage: python examples/pylearn2_pima.py CSV [--engine numpy|jax]

CSV is the UCI file (python examples/pima_from_debian.py pima.csv makes it). Lay the post beside
this program: the names are Pylearn2's, and so are the seeds, hence the same three counts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from penstock.errors import PenstockError
from penstock.neural import Examples, Model, Scaler, chronological_split, classify, read_pima
from penstock.neural.pylearn2 import (
    MLP,
    SGD,
    LinearDecayOverEpoch,
    Momentum,
    MomentumAdjustor,
    MonitorBased,
    MonitorBasedSaveBest,
    Sigmoid,
    Softmax,
)
from penstock.neural.training import EngineName


def pima(path: Path) -> Examples:
    features, labels = read_pima(path)
    # The post scales with all the rows, those of the later test set included.
    examples, _ = classify(Scaler.fit(features)(features), labels)
    return examples


def score(name: str, model: Model, dataset: Examples) -> None:
    right = model.outputs(dataset.features).argmax(axis=1) == dataset.targets.argmax(axis=1)
    print(f"Accuracy of {name} set:")
    print(f"{np.count_nonzero(right)}/{len(dataset)} correct")


def main(path: Path, engine: EngineName) -> None:
    ds_train, ds_rest = chronological_split(pima(path), 0.7)
    ds_valid, ds_test = chronological_split(ds_rest, 0.7)

    hidden_layer = Sigmoid(layer_name="hidden", dim=20, irange=0.05, init_bias=1.0)
    output_layer = Softmax(2, "output", irange=0.05)
    termination_criterion = MonitorBased(channel_name="output_misclass", N=50, prop_decrease=0.0)

    initial_momentum, final_momentum, start, saturate = 0.5, 0.99, 1, 50
    momentum_adjustor = MomentumAdjustor(final_momentum, start, saturate)
    momentum_rule = Momentum(initial_momentum)

    decay_factor = 0.1
    learning_rate_adjustor = LinearDecayOverEpoch(start, saturate, decay_factor)
    monitor_save_best = MonitorBasedSaveBest("output_misclass")

    trainer = SGD(
        learning_rate=0.05,
        batch_size=10,
        monitoring_dataset=ds_valid,
        termination_criterion=termination_criterion,
        learning_rule=momentum_rule,
    )
    ann = MLP([hidden_layer, output_layer], nvis=8)
    extensions = (monitor_save_best, momentum_adjustor, learning_rate_adjustor)
    done = trainer.train(ann, ds_train, extensions, engine=engine)

    score("train", done.model, ds_train)
    score("validation", done.model, ds_valid)
    score("test", done.model, ds_test)
    print(f"best epoch {done.best_epoch}, stopped after epoch {done.epoch}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The Pima post, run by penstock.")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--engine", choices=["numpy", "jax"], default="numpy")
    arguments = parser.parse_args()
    try:
        main(arguments.csv, arguments.engine)
    except PenstockError as error:
        sys.exit(f"pylearn2_pima: {error}")
