"""Weights of rows and classes, Adam, dropout, plateaus, partial fits, several answers, reports."""

import contextlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier
from sklearn.metrics import classification_report, confusion_matrix

from penstock.cli.main import main
from penstock.neural import (
    SGD,
    BadData,
    Epochs,
    Examples,
    Linear,
    Network,
    NeuralClassifier,
    NeuralRegressor,
    Plan,
    ReduceOnPlateau,
    Softmax,
    Tanh,
    TrainingRun,
    fit_many,
    load_training,
    save_training,
    train,
)
from penstock.neural.datasets import one_hot
from penstock.neural.numpy_engine import NumpyEngine, Slope, measure
from penstock.neural.studies import NumberStudy, cross_validate, study

X, Y = load_iris(return_X_y=True)
NETWORK = Network(4, (Tanh(5), Softmax(3)))
ROWS = Examples(X, one_hot(Y, 3))


def test_the_gradient_is_the_slope_of_the_weighted_loss() -> None:
    random = np.random.default_rng(0)
    shares = random.random(150)
    shares /= shares.mean()
    data = Examples(X, ROWS.targets, shares)
    weights = random.normal(size=NETWORK.size)
    gradient = np.empty_like(weights)
    Slope(NETWORK, weights, gradient, 0.0)(X, data.targets, shares)
    step = 1e-6 * np.eye(NETWORK.size)
    slope = [
        (measure(NETWORK, weights + h, data)["nll"] - measure(NETWORK, weights - h, data)["nll"])
        / 2e-6
        for h in step
    ]
    assert gradient == pytest.approx(np.array(slope), abs=1e-8, rel=1e-5)


@pytest.mark.slow
def test_weighted_rows_train_alike_in_both_engines_and_in_lanes() -> None:
    shares = np.where(Y == 1, 2.0, 0.5)
    data = {"train": Examples(X, ROWS.targets, shares / shares.mean())}
    plan = Plan(sgd=SGD(learning_rate=0.02), stop=Epochs(9))
    slow = train(NETWORK, data, plan)
    fast = train(NETWORK, data, replace(plan, engine="jax"))
    lane = fit_many(NETWORK, data, replace(plan, engine="jax"), runs=[TrainingRun(seed=0)])
    assert fast.weights == pytest.approx(slow.weights, abs=1e-10)
    assert lane.weights[0] == pytest.approx(slow.best_weights, abs=1e-10)
    other = train(NETWORK, {"train": ROWS}, plan)
    assert abs(other.weights - slow.weights).max() > 1e-3


def test_adam_takes_the_steps_of_the_paper() -> None:
    network = Network(1, (Linear(1),))
    data = {"train": Examples(np.zeros((1, 1)), np.zeros((1, 1)))}
    sgd = SGD(velocity="adam", momentum=0.9)
    engine = NumpyEngine(network, data, (), sgd)
    orders, rates, momenta = np.zeros((3, 1), dtype=int), np.full(3, 0.1), np.full(3, 0.9)
    lap = engine.run(np.array([0.0, 1.0]), sgd.still(2), orders, rates, momenta)
    b, m, v, wanted = 1.0, 0.0, 0.0, []
    for t in (1, 2, 3):
        m, v = 0.9 * m + 0.1 * b, 0.999 * v + 0.001 * b * b
        b -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
        wanted.append(b)
    assert lap.weights[:, 1] == pytest.approx(np.array(wanted), abs=1e-14)


@pytest.mark.parametrize(
    "sgd",
    [
        SGD(velocity="adam", learning_rate=0.01),
        SGD(dropout=0.3),
        SGD(learning_rate=ReduceOnPlateau(0.05, 0.5, 2, channel="train_nll")),
    ],
    ids=["adam", "dropout", "plateau"],
)
def test_what_is_resumed_goes_on_to_the_same_bits(tmp_path: Path, sgd: SGD) -> None:
    plan = Plan(sgd=sgd, stop=Epochs(12))
    whole = train(NETWORK, {"train": ROWS}, plan)
    half = train(NETWORK, {"train": ROWS}, replace(plan, stop=Epochs(5)))
    save_training(tmp_path / "t", replace(half, reason=""))
    past = load_training(tmp_path / "t")
    on = train(NETWORK, {"train": ROWS}, plan, seed=0, resume=past)
    assert (on.weights == whole.weights).all()
    assert (on.velocity == whole.velocity).all()
    assert on.start == whole.start == past.start
    assert whole.history["train_nll"][-1] < whole.start
    with pytest.raises(BadData, match="compiled engine does without"):
        train(NETWORK, {"train": ROWS}, replace(plan, engine="jax"))


def test_a_plateau_lowers_the_rate() -> None:
    still = Examples(np.zeros((30, 4)), np.tile(np.full(3, 1 / 3), (30, 1)))
    rate = ReduceOnPlateau(0.08, 0.5, 3, least=0.01, channel="train_nll")
    done = train(NETWORK, {"train": still}, Plan(sgd=SGD(learning_rate=rate), stop=Epochs(40)))
    assert done.history["learning_rate"][0] == 0.08
    assert done.history["learning_rate"][-1] == 0.01


def test_rows_and_classes_count_as_much_as_is_said() -> None:
    twice = np.where(Y == 2, 8.0, 1.0)
    plain, heavy = (
        NeuralClassifier(hidden=3, epochs=15, random_state=0).fit(X[:, :2], Y, weights)
        for weights in (None, twice)
    )
    assert (heavy.predict(X[:, :2]) == 2).sum() > (plain.predict(X[:, :2]) == 2).sum()
    by_class = NeuralClassifier(
        hidden=3, epochs=15, random_state=0, class_weight={2: 8.0, 0: 1.0}
    ).fit(X[:, :2], Y)
    assert by_class.model_.weights == pytest.approx(heavy.model_.weights)
    boosted = AdaBoostClassifier(NeuralClassifier(epochs=5, random_state=0), n_estimators=2)
    assert boosted.fit(X, Y).score(X, Y) > 0.6


@pytest.mark.parametrize(
    ("net", "weights", "says"),
    [
        (NeuralClassifier(), [1.0, 2.0], "one weight a row"),
        (NeuralClassifier(), -np.ones(150), "0 or more"),
        (NeuralClassifier(), np.zeros(150), "not all zero"),
        (NeuralClassifier(class_weight="even"), None, "write 'balanced'"),
        (NeuralClassifier(class_weight={9: 1.0}), None, "9 is none of the classes"),
        (NeuralRegressor(class_weight="balanced"), None, "is for classes"),
        (NeuralClassifier(solver="lbfgs"), None, "write 'sgd' or 'adam'"),
        (NeuralClassifier(split="last"), None, "write 'random' or 'time'"),
        (NeuralClassifier(dropout=1.0), None, "share in"),
    ],
)
def test_weights_and_choices_that_cannot_be(
    net: NeuralClassifier | NeuralRegressor, weights: object, says: str
) -> None:
    with pytest.raises(BadData, match=says):
        net.fit(X, Y, weights)  # type: ignore[arg-type] # wrong on purpose


def test_partial_fit_goes_on_and_keeps_classes_and_scaling() -> None:
    net = NeuralClassifier(random_state=0, learning_rate=0.02)
    with pytest.raises(BadData, match="needs classes"):
        net.partial_fit(X, Y)
    for _ in range(8):
        net.partial_fit(X[:100], Y[:100], [0, 1, 2])
        net.partial_fit(X[50:], Y[50:])
    assert net.n_iter_ == 16
    assert net.score(X, Y) > 0.9
    with pytest.raises(BadData, match="not among"):
        net.partial_fit(X, Y + 7)
    went = NeuralRegressor(random_state=0, epochs=10).fit(X, X[:, 0] * 2)
    before = went.score(X, X[:, 0] * 2)
    assert went.partial_fit(X, X[:, 0] * 2).score(X, X[:, 0] * 2) != before


def test_rows_held_out_by_time_are_the_last() -> None:
    net = NeuralRegressor(random_state=0, epochs=3, validation=0.2, split="time").fit(X, Y)
    assert net.held_out_ is not None
    assert (net.held_out_.features == X[120:]).all()


def test_several_answers_a_row() -> None:
    answers = np.column_stack([X[:, 0] > 5.8, X[:, 2] > 3.7, X[:, 3] > 1.3]).astype(int)
    net = NeuralClassifier(random_state=0, epochs=60).fit(X, answers)
    assert net.predict(X).shape == (150, 3)
    assert net.score(X, answers) > 0.8
    two = NeuralRegressor(random_state=0, epochs=60).fit(X, X[:, :2])
    assert two.score(X, X[:, :2]) > 0.9


def test_the_report_is_that_of_scikit_learn() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    net = NeuralClassifier(random_state=0, epochs=8).fit(X, names)
    found, held = net.report_, net.held_out_
    assert held is not None
    truth = np.array(net.model_.classes)[held.targets.argmax(axis=1)]
    given = net.predict(held.features)
    assert (found.matrix == confusion_matrix(truth, given)).all()
    theirs = classification_report(truth, given, output_dict=True, zero_division=np.nan)
    for place, name in enumerate(net.model_.classes):
        figures = [theirs[str(name)][key] for key in ("precision", "recall", "f1-score")]
        ours = [found.precision[place], found.recall[place], found.f1[place]]
        assert ours[:2] == pytest.approx(figures[:2], nan_ok=True)


@pytest.mark.slow
def test_a_study_of_numbers_is_in_their_units() -> None:
    network = Network(4, (Tanh(5), Linear(1)))
    rows = Examples(X, 1000 + 50 * X[:, :1])
    plan = Plan(sgd=SGD(learning_rate=0.01), stop=Epochs(30), engine="numpy")
    for found in (
        study(network, rows, plan, seeds=3),
        cross_validate(network, rows, plan, count=3, members=1),
    ):
        assert isinstance(found, NumberStudy)
        assert found.r2.mean > 0.9
        assert 0.1 < found.mae.mean < found.rmse.mean < 20
        assert "R2" in str(found)


def table(path: Path) -> None:
    lines = ["a,b,kind,w"]
    lines += [f"{x[0]},{x[2]},k{y},{1 + y}" for x, y in zip(X, Y, strict=True)]
    path.write_text("\n".join(lines) + "\n")


def penstock(*words: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and all that it said."""
    told, code = io.StringIO(), 0
    with (
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
        mock.patch.object(sys, "argv", ["penstock", "neural", *words]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, told.getvalue()


def test_a_file_of_options(tmp_path: Path) -> None:
    table(tmp_path / "iris.csv")
    config, out = tmp_path / "net.toml", tmp_path / "m"
    config.write_text(
        '[neural]\ndata = "iris.csv"\nlabel = "kind"\nhidden = [4, 3]\nepochs = 4\n'
        'weights = "w"\nclass-weight = "balanced"\nsolver = "adam"\nvalidation = 0.4\n'
    )
    words = ["train", "--config", str(config), "--out", str(out)]
    assert "held-out rows by class" in penstock(*words)[1]
    assert load_training(out).epoch == 4
    penstock(*words, "--resume", "--epochs", "6")
    assert load_training(out).epoch == 6
    code, told = penstock(*words, "--resume", "--dropout", "0.1")
    assert (code, "another training" in told) == (2, True)
    config.write_text(
        '[neural]\ndata = "iris.csv"\nlabel = "a"\nregress = true\ndrop = ["kind"]\n'
        'epochs = 3\nseeds = 2\nengine = "numpy"\n'
    )
    found = penstock("study", "--config", str(config), "--json")[1]
    assert json.loads(found)["r2"]["count"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[neural]\nepoch = 3\n", "did you mean 'epochs'"),
        ("[other]\n", "no table [neural]"),
        ("neural = [", "not TOML"),
        ('[neural]\nepochs = "many"\n', "not a valid integer"),
    ],
)
def test_a_file_of_options_that_cannot_be(tmp_path: Path, text: str, says: str) -> None:
    table(tmp_path / "iris.csv")
    config = tmp_path / "net.toml"
    config.write_text(text)
    words = [str(tmp_path / "iris.csv"), "--label", "kind", "--config", str(config)]
    code, told = penstock("train", *words)
    assert (code, says in told) == (2, True), told
