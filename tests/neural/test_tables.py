"""Tables as people have them: identifiers, categories, gaps, trainings that failed."""

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_iris

from penstock.cli.neural import neural
from penstock.errors import InputError
from penstock.neural import (
    BadData,
    Network,
    NeuralClassifier,
    NeuralRegressor,
    NothingLearned,
    Plan,
    Softmax,
    Target,
    TrainingFailed,
    WarmUp,
    label,
    load_model,
    read_table,
    save_onnx,
)

X, Y = load_iris(return_X_y=True)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(neural, [str(part) for part in arguments])


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A table with an identifier, a category, gaps, and what is learned from them."""
    rng = random.Random(4)
    path = tmp_path / "people.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["id", "colour", "size", "kind"])
        for number in range(120):
            colour, size = rng.choice(["red", "blue"]), rng.random() * 10
            kind = "yes" if (colour == "red") == (size > 5) else "no"
            gap = number % 20 == 7
            out.writerow(
                [f"R{number}", colour, "" if gap else f"{size:.2f}".replace(".", ","), kind]
            )
    return path


def test_categories_gaps_and_what_is_dropped(people: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    with pytest.raises(InputError, match=r"'id' has 120 different texts.*--drop id"):
        raise run("train", people, "--label", "kind", "--out", out).exception or AssertionError
    done = run("train", people, "--label", "kind", "--drop", "id", "--out", out)
    assert done.exit_code == 0, done.exception
    assert "colour: 2 categories" in done.output
    assert "size: 6 missing values are taken for the median" in done.output
    shown = run("predict", out, people, "--probabilities", "--as", "guess")
    rows = list(csv.DictReader(io.StringIO(shown.output)))
    assert list(rows[0]) == [
        *("id", "colour", "size", "kind", "guess", "guess_probability"),
        *("guess_probability_no", "guess_probability_yes"),
    ]
    assert np.mean([row["guess"] == row["kind"] for row in rows]) > 0.85
    assert rows[7]["size"] == ""
    model = load_model(out)
    record = {"id": 1, "colour": "red", "size": None}
    (answer,) = label([record], model)
    assert answer["label"] == rows[7]["guess"] or rows[7]["colour"] == "blue"
    with pytest.raises(BadData, match="'green' was not in training"):
        next(label([{**record, "colour": "green"}], model))


def test_a_resumed_training_of_other_data_is_refused(people: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    train = ("train", people, "--label", "kind", "--drop", "id", "--out", out, "--epochs")
    assert run(*train, 5).exit_code == 0
    assert run(*train, 8, "--resume").exit_code == 0
    assert "of another training" in str(run(*train, 9, "--resume", "--seed", 3).exception)
    people.write_text(people.read_text().replace("red", "pink"))
    assert "of another training" in str(run(*train, 9, "--resume").exception)


def test_numbers_as_labels_ask_for_regress(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text("a,n\n" + "".join(f"{k},{3 * k + 1}\n" for k in range(100)))
    refused = run("train", path, "--label", "n", "--out", tmp_path / "m")
    assert "100 different numbers in 100 rows" in str(refused.exception)
    train = ("train", path, "--label", "n", "--regress", "--out", tmp_path / "m")
    assert run(*train).exit_code == 0
    failed = run(*train, "--learning-rate", 10)
    assert failed.exit_code == 1
    assert isinstance(failed.exception, NothingLearned)
    assert failed.exception.exit_code == 1


def test_a_training_that_failed_warns() -> None:
    with pytest.warns(TrainingFailed, match="is not finite"):
        NeuralRegressor(random_state=0, learning_rate=10, epochs=30).fit(X, Y)
    noise = np.random.default_rng(0).normal(size=(200, 5))
    with pytest.warns(TrainingFailed, match="no better than"):
        NeuralClassifier(random_state=0, epochs=5, learning_rate=3.0).fit(noise, Y.repeat(2)[:200])


def test_score_takes_labels_in_any_shape_of_one_type() -> None:
    net = NeuralClassifier(random_state=0, epochs=30).fit(X, Y)
    right = net.score(X, Y)
    with pytest.warns(UserWarning, match="column-vector"):
        assert net.score(X, Y.reshape(-1, 1)) == net.score(X, pd.DataFrame({"k": Y})) == right
    with pytest.raises(BadData, match="y holds texts, and the classes are numbers"):
        net.score(X, Y.astype(str))
    with pytest.raises(BadData, match="inconsistent"):
        net.score(X, Y[:-1])


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_validation_is_checked_as_the_training_rows_are(
    kind: type[NeuralClassifier] | type[NeuralRegressor],
) -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    for odd in (frame[list("dcba")], frame[["a", "b"]]):
        with pytest.raises(BadData, match="validation: "):
            kind(epochs=2).fit(frame, Y, validation=(odd, Y))


def test_what_cannot_be_is_refused_by_name() -> None:
    for call, says in [
        (lambda: Target("x", 0.5, "mx"), "write 'min' or 'max'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Plan(precision="half"), "'double' or 'single'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: WarmUp(0.1, epochs=0), "at least 1 epoch"),
        (lambda: Network(3, (Softmax(1),)), "Softmax"),
        (lambda: NeuralClassifier(epochs=2.5).fit(X, Y), "whole number"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: NeuralClassifier(batch_size="auto").fit(X, Y), "batch_size='auto'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: NeuralClassifier(learning_rate="adaptive").fit(X, Y), "a schedule"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: NeuralClassifier(learning_rate=lambda _: -1.0).fit(X, Y), "below zero"),
        (lambda: NeuralClassifier().fit(X[:2], np.array([1, "a"], object)), "mixes"),
        (lambda: NeuralClassifier().fit(X[:2], np.array(["a", pd.NA], object)), "NaN or None"),
    ]:
        with pytest.raises(BadData, match=says):
            call()  # type: ignore[no-untyped-call] # lambdas of several kinds
    assert NeuralClassifier(hidden=3, epochs=2).fit(X, Y).model_.network.layers[0].units == 3


def test_few_rows_a_class_are_held_out_of_all_or_said() -> None:
    few = np.r_[0:6, 50:56, 100:106]
    assert "valid_nll" in NeuralClassifier(epochs=20, random_state=0).fit(X[few], Y[few]).history_
    with pytest.warns(UserWarning, match="too few to hold out"):
        NeuralClassifier(epochs=40, learning_rate=0.1, random_state=0).fit(X[48:52], Y[48:52])


def test_targets_are_scaled_by_the_rows_that_are_learned_from() -> None:
    net = NeuralRegressor(random_state=0, epochs=3).fit(X, Y)
    assert net.model_.target is not None
    assert net.model_.target.mean[0] != Y.mean()
    assert net.score(X, np.ones(150)) == 0.0


@pytest.mark.parametrize("names", [["a", "b\nc", "d"], [3, 5, 9]])
def test_onnx_in_single_precision_has_labels(tmp_path: Path, names: list[str] | list[int]) -> None:
    net = NeuralClassifier(random_state=0, epochs=10).fit(X, np.array(names)[Y])
    save_onnx(tmp_path / "m.onnx", net.model_, "single")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    outputs, labels = session.run(None, {"features": X.astype(np.float32)})
    assert outputs.dtype == np.float32
    assert outputs == pytest.approx(net.predict_proba(X), abs=1e-5)
    assert list(labels) == list(net.predict(X))


def test_a_column_of_numbers_in_several_units_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n$1,p\n€2,q\n")
    with pytest.raises(BadData, match="a are in € and some are not"):
        read_table(path, "y")


def rows(*columns: Callable[[int], object], label: str = "p q") -> str:
    """Return 30 rows of a table, a column for each function of the row's number, and the label."""
    cells = [[*(str(x(k)) for x in columns), label.split()[k % 2]] for k in range(30)]
    return "\n".join(",".join(row) for row in cells) + "\n"


def squared(k: int) -> int:
    return k * k


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("date,a,y\n" + rows(lambda k: 20240101 + k % 28, squared), "date: looks like dates"),
        ("timestamp,a,y\n" + rows(lambda k: 1705276800 + 86400 * k, squared), "looks like dates"),
        ("id,a,y\n" + rows(lambda k: 1000 + k, squared), "id: counts the rows"),
        (
            "zip,a,y\n" + rows(lambda k: f"0{1234 + k % 3}", squared),
            "zip: numbers that begin with 0",
        ),
        ("a,y\n" + rows(squared, label="Yes yes"), "'Yes' and 'yes' are two classes"),
        ("a,y\n" + rows(squared) + "30,Total\n", "'Total' is the label of a single row"),
        ("a,y\n" + rows(squared) + "?,p\n", "a: 1 missing values"),
    ],
)
def test_what_is_odd_in_a_table_is_said(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = run("train", tmp_path / "t.csv", "--label", "y", "--out", tmp_path / "m", "--epochs", 1)
    assert says in done.output


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (",a,y\n" + rows(lambda k: k * 3, squared), (), "column 1 has no name"),
        ("a,y\n" + rows(squared, label="1 1.0"), (), "'1' and '1.0' are one number"),
        ("a,y\n" + rows(squared, label="p nan"), (), "line 3: no label"),
        ("a,b,y\n" + rows(squared, abs), ("--features", "a,y"), "y is the column to learn"),
        ("a,b,y\n" + rows(squared, abs), ("--drop", "y"), "y is the column to learn"),
        ("a,b,y\n" + rows(squared, abs), ("--features", "a,a"), "a is named twice"),
        ("a,y\n" + rows(lambda k: "1e400" if k == 3 else k), (), "line 5, column 'a'"),
        ("ä,y\n" + rows(squared), (), "save it so"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, text: str, options: tuple[str, ...], says: str
) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    train = ("train", tmp_path / "t.csv", "--label", "y", "--out", tmp_path / "m", *options)
    done = run(*train)
    assert says in str(done.exception)
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "m").exists()


def test_one_file_of_options_serves_train_and_study(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + rows(lambda k: k % 2 * 10 + k % 3))
    table = 'data = "t.csv"\nlabel = "y"\nepochs = 20\nengine = "numpy"\nseeds = 2\nout = "m"\n'
    (tmp_path / "net.toml").write_text(f"[neural]\n{table}")
    config = ("--config", tmp_path / "net.toml")
    assert "2 runs" in run("study", *config).output
    assert run("train", *config, "--out", tmp_path / "m").exit_code == 0
    (tmp_path / "net.toml").write_text(f'[neural]\n{table}class-weight = "balanced"\n')
    assert "[neural] class-weight" in str(run("study", *config).exception)
