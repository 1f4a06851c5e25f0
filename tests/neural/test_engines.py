"""Two engines, one result; and both against closed forms and finite differences."""

from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
import pytest

from penstock.neural import (
    SGD,
    Epochs,
    Examples,
    Exponential,
    Layer,
    Linear,
    LinearDecay,
    Network,
    Patience,
    Plan,
    Pylearn2Seeds,
    Ramp,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    train,
)
from penstock.neural.arrays import Floats
from penstock.neural.numpy_engine import NumpyEngine, Slope, measure

NETWORKS = [
    Network(3, (Tanh(5), Softmax(2))),
    Network(3, (Sigmoid(4), ReLU(5), Softmax(3))),
    Network(3, (ReLU(6), Linear(2))),
    Network(3, (Tanh(4), Sigmoid(2))),
    Network(3, (Tanh(4), Softmax(6))),
    Network(3, (Softmax(2),)),
]


def rows(network: Network, count: int = 23) -> Examples:
    random = np.random.default_rng(3)
    features = random.normal(size=(count, network.inputs))
    if network.kind == "softmax":
        return Examples(
            features, np.eye(network.outputs)[random.integers(0, network.outputs, count)]
        )
    if network.kind == "sigmoid":
        return Examples(features, random.integers(0, 2, (count, network.outputs)).astype(float))
    return Examples(features, random.normal(size=(count, network.outputs)))


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_gradient_is_the_slope_of_the_loss(network: Network) -> None:
    data = rows(network)
    weights = np.random.default_rng(1).normal(size=network.size)
    gradient = np.empty_like(weights)
    Slope(network, weights, gradient, 0.0)(data.features, data.targets)

    def loss(at: Floats) -> float:
        return measure(network, at, data)["nll"]

    step = 1e-6 * np.eye(network.size)
    slope = [(loss(weights + h) - loss(weights - h)) / 2e-6 for h in step]
    assert gradient == pytest.approx(np.array(slope), abs=1e-8, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS[:5], ids=str)
@pytest.mark.parametrize(("velocity", "nesterov"), [("pylearn2", False), ("torch", True)], ids=str)
def test_jax_does_what_numpy_does(
    network: Network, *, velocity: Literal["pylearn2", "torch"], nesterov: bool
) -> None:
    sgd = SGD(
        learning_rate=LinearDecay(0.05, 0.1, 1, 6),
        momentum=Ramp(0.5, 0.9, 1, 6),
        velocity=velocity,
        nesterov=nesterov,
        decay=0.01,
    )
    data = {"train": rows(network), "valid": rows(network, 11)}
    plan = Plan(sgd=sgd, stop=Epochs(20), monitor=("train", "valid"))
    slow = train(network, data, plan, seed=4)
    fast = train(network, data, replace(plan, engine="jax"), seed=4)
    assert fast.weights == pytest.approx(slow.weights, abs=1e-10)
    assert fast.velocity == pytest.approx(slow.velocity, abs=1e-10)
    assert (fast.best_epoch, fast.epoch) == (slow.best_epoch, slow.epoch)
    assert fast.history.keys() == slow.history.keys()
    for channel in slow.history.keys() - {"seconds"}:
        assert fast.history[channel] == pytest.approx(slow.history[channel], abs=1e-10), channel


def parabola(sgd: SGD, rates: list[float], momenta: list[float]) -> tuple[Floats, Floats]:
    """Descend ``b^2 / 2`` (one row, x = 0, target 0) from b = 1; return each b and v."""
    network = Network(1, (Linear(1),))
    data = {"train": Examples(np.zeros((1, 1)), np.zeros((1, 1)))}
    engine = NumpyEngine(network, data, ("train",), sgd)
    orders = np.zeros((len(rates), 1), dtype=np.int64)
    lap = engine.run(np.array([0.0, 1.0]), np.zeros(2), orders, np.array(rates), np.array(momenta))
    return lap.weights[:, 1], lap.velocity[:, 1]


@pytest.mark.parametrize(
    ("velocity", "nesterov"), list(product(["pylearn2", "torch"], [False, True]))
)
def test_the_velocity_has_the_form_it_is_named_after(
    *, velocity: Literal["pylearn2", "torch"], nesterov: bool
) -> None:
    # On b^2 / 2 the gradient is b itself, so three steps can be written out by hand.
    r, m = [0.1, 0.05, 0.02], [0.5, 0.6, 0.7]
    b, v, wanted = 1.0, 0.0, []
    for rate, momentum in zip(r, m, strict=True):
        g = b
        if velocity == "pylearn2":
            v = momentum * v - rate * g
            b += momentum * v - rate * g if nesterov else v
        else:
            v = momentum * v + g
            b -= rate * (g + momentum * v) if nesterov else rate * v
        wanted.append(b)
    found, _ = parabola(SGD(velocity=velocity, nesterov=nesterov), r, m)
    assert found == pytest.approx(np.array(wanted), abs=1e-15)


def test_the_two_velocities_agree_at_a_constant_rate_and_differ_when_it_moves() -> None:
    constant, moving = [0.1] * 5, [0.1, 0.08, 0.06, 0.04, 0.02]
    folded, outside = SGD(velocity="pylearn2"), SGD(velocity="torch")
    same = [parabola(form, constant, [0.9] * 5)[0] for form in (folded, outside)]
    other = [parabola(form, moving, [0.9] * 5)[0] for form in (folded, outside)]
    assert same[0] == pytest.approx(same[1], abs=1e-14)
    assert abs(other[0] - other[1]).max() > 0.01


def test_a_short_last_batch_is_a_step_of_its_own() -> None:
    # Three rows of 1 feature in batches of 2: the last step's gradient is one row's, not half.
    network = Network(1, (Linear(1),))
    data = {"train": Examples(np.zeros((3, 1)), np.array([[1.0], [1.0], [4.0]]))}
    engine = NumpyEngine(network, data, ("train",), SGD(batch_size=2))
    lap = engine.run(
        np.zeros(2), np.zeros(2), np.array([[0, 1, 2]]), np.array([0.5]), np.array([0.0])
    )
    # b: 0 -> 0.5 (mean target 1) -> 0.5 + 0.5 * (4 - 0.5)
    assert lap.weights[0, 1] == pytest.approx(2.25)


MUTATIONS = {
    "10 % each epoch, as the post says": (
        SGD(learning_rate=Exponential(0.05, 0.9), momentum=Ramp(0.5, 0.99, 1, 50)),
        [409, 132, 54, 18, 68],
    ),
    "Nesterov": (
        SGD(
            learning_rate=LinearDecay(0.05, 0.1, 1, 50),
            momentum=Ramp(0.5, 0.99, 1, 50),
            nesterov=True,
        ),
        [404, 134, 51, 55, 105],
    ),
    "no decay": (
        SGD(learning_rate=0.05, momentum=Ramp(0.5, 0.99, 1, 50)),
        [404, 131, 51, 10, 60],
    ),
    "constant momentum": (
        SGD(learning_rate=LinearDecay(0.05, 0.1, 1, 50), momentum=0.5),
        [407, 132, 55, 21, 71],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", MUTATIONS)
def test_another_recipe_gives_other_counts(pima: dict[str, Examples], change: str) -> None:
    sgd, wanted = MUTATIONS[change]
    stop = Patience("valid_misclass", 50)
    plan = Plan(sgd=sgd, stop=stop, best="valid_misclass", monitor=("valid",))
    network = Network(8, (Sigmoid(20, 0.05, 1.0), Softmax(2, 0.05)))
    done = train(network, pima, plan, seed=Pylearn2Seeds())
    counts = [
        int((done.model.outputs(x.features).argmax(1) == x.targets.argmax(1)).sum())
        for x in pima.values()
    ]
    assert [*counts, done.best_epoch, done.epoch] == wanted


def test_pylearn2s_random_stream_is_drawn_in_its_order() -> None:
    network = Network(8, (Sigmoid(20, 0.05, 1.0), Softmax(2, 0.05)))
    weights = Pylearn2Seeds().weights(network)
    (first, first_bias), (second, second_bias) = network.split(weights)
    random = np.random.RandomState([2013, 1, 4])
    assert (first == random.uniform(-0.05, 0.05, (8, 20))).all()
    random.uniform(0, 1, (8, 20))
    assert (second == random.uniform(-0.05, 0.05, (20, 2))).all()
    assert (first_bias == 1).all()
    assert (second_bias == 0).all()


@pytest.mark.parametrize("engine", ["numpy", "jax"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_the_posts_counts_in_both_engines_and_precisions(
    pima: dict[str, Examples],
    engine: Literal["numpy", "jax"],
    precision: Literal["double", "single"],
) -> None:
    layers: tuple[Layer, ...] = (Sigmoid(20, 0.05, 1.0), Softmax(2, 0.05))
    plan = Plan(
        sgd=SGD(learning_rate=LinearDecay(0.05, 0.1, 1, 50), momentum=Ramp(0.5, 0.99, 1, 50)),
        stop=Patience("valid_misclass", 50),
        best="valid_misclass",
        monitor=("valid",),
        engine=engine,
        precision=precision,
    )
    done = train(Network(8, layers), pima, plan, seed=Pylearn2Seeds())
    counts = [
        int((done.model.outputs(x.features).argmax(1) == x.targets.argmax(1)).sum())
        for x in pima.values()
    ]
    if precision == "double":
        assert [*counts, done.best_epoch, done.epoch] == [398, 136, 52, 55, 105]
    else:  # single precision rounds as the machine does
        assert np.abs(np.array(counts) - [398, 136, 52]).max() <= 2
