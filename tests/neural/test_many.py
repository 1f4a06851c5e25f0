"""Many at once: each lane is the training it would be alone, whatever its neighbours do."""

from dataclasses import replace

import numpy as np
import pytest

from penstock.neural import (
    SGD,
    BadData,
    Epochs,
    Examples,
    Linear,
    Network,
    Patience,
    Plan,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    Target,
    UnknownChannel,
    fit_many,
)
from penstock.neural.intervals import student, summarize
from penstock.neural.runs import TrainingRun, folds, random_splits
from penstock.neural.studies import Study, brier, calibration_error, cross_validate, study

PLAN = Plan(stop=Patience("valid_nll", 4) | Epochs(30), engine="jax")


def moons(rows: int = 60) -> Examples:
    random = np.random.default_rng(2)
    features = random.normal(size=(rows, 3)) * [1, 5, 0.1] + [0, 20, 0]
    return Examples(features, np.eye(2)[(features[:, 0] * (features[:, 1] - 20) > 0).astype(int)])


def same(
    network: Network, datasets: dict[str, Examples], plan: Plan, runs: list[TrainingRun]
) -> None:
    lanes = fit_many(network, datasets, plan, runs=runs, scale=True)
    alone = fit_many(network, datasets, replace(plan, engine="numpy"), runs=runs, scale=True)
    assert lanes.epochs.tolist() == alone.epochs.tolist()
    assert lanes.best_epochs.tolist() == alone.best_epochs.tolist()
    assert lanes.values == pytest.approx(alone.values, abs=1e-10)
    for one, other in zip(lanes.weights, alone.weights, strict=True):
        assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.slow
def test_a_lane_is_what_it_would_be_alone() -> None:
    # Ragged folds (steps differ), own rates, finished lanes leaving at different epochs.
    data, parts = moons(), folds(np.arange(60) % 2, 7)
    runs = [
        TrainingRun(
            seed=n,
            rows=np.setdiff1d(np.arange(60), parts[n]),
            held=parts[n],
            sgd=SGD(learning_rate=0.02 + 0.02 * n, momentum=0.1 * n, decay=0.001 * n),
        )
        for n in range(7)
    ]
    runs[3] = replace(runs[3], rows=np.arange(10, 27))
    same(Network(3, (Tanh(5), Softmax(2))), {"train": data}, PLAN, runs)


@pytest.mark.slow
def test_other_forms_of_network_and_descent_agree_too() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(43, 3))
    numbers = Examples(features, features @ random.normal(size=(3, 2)))
    bits = Examples(features, (numbers.targets > 0).astype(float))
    torch = SGD(velocity="torch", nesterov=True, batch_size=8, momentum=0.5, learning_rate=0.02)
    plan = replace(PLAN, sgd=torch, stop=Epochs(12))
    runs = [TrainingRun(seed=n) for n in range(3)]
    deep = Network(3, (ReLU(4), Sigmoid(3), Linear(2)))
    same(deep, {"train": numbers, "valid": numbers}, plan, runs)
    same(Network(3, (Tanh(4), Sigmoid(2))), {"train": bits}, replace(plan, best=""), runs)


@pytest.mark.slow
def test_sums_too_long_to_write_out_and_gradients_that_a_rule_asks_for() -> None:
    random = np.random.default_rng(6)
    features = random.normal(size=(70, 30))
    data = Examples(features, np.eye(6)[features[:, :6].argmax(axis=1)])
    stop = Target("gradient_norm", 0.9) | Epochs(12)
    plan = replace(PLAN, sgd=SGD(batch_size=28, learning_rate=0.1), stop=stop)
    runs = [TrainingRun(seed=n) for n in range(3)]
    same(Network(30, (Tanh(26), Softmax(6))), {"train": data}, plan, runs)


def test_runs_of_different_networks_go_together() -> None:
    wide = Network(3, (Tanh(9), Softmax(2)))
    runs = [TrainingRun(seed=0), TrainingRun(seed=0, network=wide), TrainingRun(seed=1)]
    many = fit_many(
        Network(3, (Tanh(2), Softmax(2))),
        {"train": moons()},
        replace(PLAN, engine="numpy"),
        runs=runs,
        scale=True,
    )
    assert [network.layers[0].units for network in many.networks] == [2, 9, 2]
    assert many.best.network in {wide, many.networks[0]}
    with pytest.raises(BadData, match="averages runs of one network"):
        many.ensemble()
    assert len(many.ensemble([0, 2]).weights) == 2


def test_best_ensemble_and_summary_are_of_the_values() -> None:
    data = {"train": moons(), "valid": moons(90)}
    many = fit_many(Network(3, (Tanh(3), Softmax(2))), data, replace(PLAN, engine="numpy"), runs=5)
    assert (many.best.weights[0] == many.weights[int(np.argmin(many.values))]).all()
    rows = data["valid"].features
    mean = np.mean([many.model(n).outputs(rows) for n in range(5)], axis=0)
    assert many.ensemble().outputs(rows) == pytest.approx(mean)
    assert many.summary().mean == pytest.approx(many.values.mean())


def test_folded_scaling_changes_nothing() -> None:
    many = fit_many(
        Network(3, (Tanh(3), Softmax(2))),
        {"train": moons()},
        replace(PLAN, engine="numpy", stop=Epochs(3)),
        runs=1,
        scale=True,
    )
    # The value was measured on scaled rows; the folded model gives it on the raw ones.
    outputs, targets = many.best.outputs(moons().features), moons().targets
    assert -np.log(outputs[targets > 0]).mean() == pytest.approx(many.values[0])


@pytest.mark.slow
def test_a_lane_that_diverges_leaves_the_others_alone() -> None:
    data = Examples(np.random.default_rng(0).normal(size=(20, 2)) * 30, np.ones((20, 1)))
    runs = [TrainingRun(seed=0, sgd=SGD(learning_rate=x)) for x in (1e-6, 0.5)]
    plan = Plan(stop=Epochs(200), engine="jax")
    many = fit_many(Network(2, (Linear(1),)), {"train": data}, plan, runs=runs)
    assert many.epochs[0] == 200 > many.epochs[1]
    assert int(many.ranking[0]) == 0
    assert np.isfinite(many.weights[1]).all()


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (0, "at least 1"),
        ([], "no runs"),
        ([TrainingRun(seed=0, rows=np.array([600]))], "there are rows"),
        ([TrainingRun(seed=0, held=np.array([1])), TrainingRun(seed=1)], "either every run"),
    ],
)
def test_runs_that_make_no_sense_are_refused(runs: int | list[TrainingRun], says: str) -> None:
    with pytest.raises(BadData, match=says):
        fit_many(Network(3, (Softmax(2),)), {"train": moons()}, PLAN, runs=runs)


def test_time_cannot_be_watched_across_lanes() -> None:
    plan = replace(PLAN, best="seconds")
    with pytest.raises(UnknownChannel):
        fit_many(Network(3, (Softmax(2),)), {"train": moons()}, plan, runs=2)


def test_folds_and_splits_use_each_row_once() -> None:
    labels = np.array([0] * 20 + [1] * 13)
    parts = folds(labels, 5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(33))
    assert (
        max(labels[part].sum() for part in parts) - min(labels[part].sum() for part in parts) <= 1
    )
    for split in random_splits(np.arange(50), (0.5, 0.3), 3):
        assert sorted(np.concatenate(split).tolist()) == list(range(50))
    with pytest.raises(BadData):
        folds(labels, 1)
    with pytest.raises(BadData):
        random_splits(np.arange(3), (0.1,), 1)


def test_students_quantiles_are_those_of_the_tables() -> None:
    table = {(0.95, 3): 3.182, (0.95, 9): 2.262, (0.99, 9): 3.250, (0.95, 199): 1.972}
    for (level, freedom), wanted in table.items():
        assert student(level, freedom) == pytest.approx(wanted, rel=5e-3)
    found = summarize(np.array([1.0, 2.0, 3.0, 4.0]))
    reach = 3.182 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((2.5 - reach, 2.5 + reach), rel=5e-3)


def test_scores_are_their_formulas() -> None:
    chances = np.array([[0.7, 0.3], [0.4, 0.6]])
    truth = np.eye(2)[[0, 0]]
    assert brier(chances, truth) == pytest.approx((0.18 + 0.72) / 2)
    assert calibration_error(chances, truth) == pytest.approx((0.3 + 0.6) / 2)


@pytest.mark.slow
def test_a_study_and_a_cross_validation_judge_on_unseen_rows() -> None:
    network = Network(3, (Tanh(6), Softmax(2)))
    plan = replace(PLAN, stop=Epochs(25), precision="single")
    found = study(network, moons(200), plan, seeds=12)
    assert isinstance(found, Study)
    assert found.accuracy.count == 12
    assert 0.6 < found.accuracy.low < found.accuracy.mean < found.accuracy.high <= 1
    # Labels that the features say nothing about cannot be learned: honest judging shows it.
    noise = Examples(moons(200).features, np.eye(2)[np.random.default_rng(1).integers(0, 2, 200)])
    luck = cross_validate(network, noise, plan, count=5, members=2)
    assert isinstance(luck, Study)
    assert luck.accuracy.mean == pytest.approx(0.5, abs=0.12)
    with pytest.raises(BadData, match="judges classes or numbers"):
        study(Network(3, (Sigmoid(2),)), moons(), plan)
