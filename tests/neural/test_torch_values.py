"""Step for step what torch.optim.SGD does: its weights were written by benchmarks/neural."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from penstock.neural import SGD, Examples, LinearDecay, Network, Seeded, Softmax, Tanh
from penstock.neural.arrays import Floats
from penstock.neural.descent import TrainingEngine
from penstock.neural.jax_engine import JaxEngine
from penstock.neural.numpy_engine import NumpyEngine

# python benchmarks/neural/run.py torch: torch 2.13.0, float64, batches of 8 of 21 rows, momentum
# 0.9; the weights after 1 step, then after each tenth epoch of 60.
VALUES = json.loads(Path(__file__).with_name("torch_values.json").read_text())
NETWORK = Network(2, (Tanh(3), Softmax(2)))
DATA = Examples(np.array(VALUES["features"]), np.eye(2)[VALUES["labels"]])


def engine(kind: str, nesterov: bool, velocity: Literal["torch", "pylearn2"]) -> TrainingEngine:
    sgd = SGD(batch_size=8, nesterov=nesterov, velocity=velocity)
    maker = NumpyEngine if kind == "numpy" else JaxEngine
    return maker(NETWORK, {"train": DATA}, (), sgd)


def epochs(made: TrainingEngine, *, moving: bool) -> Floats:
    seeds, decay = Seeded(5), LinearDecay(0.1, 0.1, 1, 50)
    first = seeds.weights(NETWORK)
    orders = np.array([seeds.order(21) for _ in range(60)])
    rates = np.array([decay(n) if moving else 0.05 for n in range(60)])
    return made.run(first, np.zeros_like(first), orders, rates, np.full(60, 0.9)).weights[9::10]


@pytest.mark.parametrize("case", VALUES["cases"], ids=lambda x: f"{x['nesterov']}-{x['moving']}")
@pytest.mark.parametrize("kind", ["numpy", "jax"])
def test_sixty_epochs_as_torch_makes_them(kind: str, case: dict[str, list[list[float]]]) -> None:
    nesterov, moving = bool(case["nesterov"]), bool(case["moving"])
    found = epochs(engine(kind, nesterov, "torch"), moving=moving)
    assert found == pytest.approx(np.array(case["weights"][1:]), abs=1e-11)
    folded = epochs(engine(kind, nesterov, "pylearn2"), moving=moving)
    apart = np.abs(folded - np.array(case["weights"][1:])).max()
    assert (apart > 1e-3) if moving else (apart < 1e-11)


@pytest.mark.parametrize("case", VALUES["cases"], ids=lambda x: f"{x['nesterov']}-{x['moving']}")
def test_one_step_as_torch_makes_it(case: dict[str, list[list[float]]]) -> None:
    seeds = Seeded(5)
    first = seeds.weights(NETWORK)
    rows = seeds.order(21)[:8]
    one = SGD(batch_size=8, nesterov=bool(case["nesterov"]), velocity="torch")
    made = NumpyEngine(NETWORK, {"train": DATA.rows(rows)}, (), one)
    rate = np.array([0.1 if case["moving"] else 0.05])
    lap = made.run(first, np.zeros_like(first), np.arange(8)[np.newaxis], rate, np.array([0.9]))
    assert lap.weights[0] == pytest.approx(np.array(case["weights"][0]), abs=1e-15)
