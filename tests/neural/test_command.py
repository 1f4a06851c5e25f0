"""``penstock neural`` as a user runs it: on files, in a process of its own."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import xml.dom.minidom
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_iris

from penstock.neural import Model, Network, NeuralRegressor, Softmax
from penstock.neural.checkpoint import load_model, load_training
from penstock.neural.export import save_onnx
from penstock.neural.plot import bars, history_figure
from penstock.neural.stage import label


def penstock(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", "neural", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    features, kinds = load_iris(return_X_y=True)
    path = tmp_path_factory.mktemp("iris") / "iris.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["sl", "sw", "pl", "pw", "kind"])
        for row, kind in zip(features.tolist(), kinds.tolist(), strict=True):
            out.writerow([*row, ["setosa", "versicolor", "virginica"][kind]])
    return path


@pytest.fixture(scope="module")
def trained(iris: Path) -> Path:
    out = iris.parent / "model.safetensors"
    done = penstock(
        *("train", iris, "--label", "kind", "--out", out, "--epochs", "40"),
        *("--plot", iris.parent / "out.svg", "--history", iris.parent / "out.jsonl"),
        *("--onnx", iris.parent / "out.onnx"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "best epoch" in done.stdout
    return out


@pytest.mark.slow
def test_train_and_predict_on_a_table(iris: Path, trained: Path) -> None:
    done = penstock("predict", trained, iris)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    with iris.open(newline="") as file:
        truth = [row["kind"] for row in csv.DictReader(file)]
    assert [row["kind"] for row in rows] == truth  # the file's own columns stay as they are
    right = [row["predicted_kind"] == kind for row, kind in zip(rows, truth, strict=True)]
    assert np.mean(right) > 0.93
    assert rows[0]["sl"] == "5.1"
    assert all(1 / 3 <= float(row["predicted_kind_probability"]) <= 1 for row in rows)


@pytest.mark.slow
def test_the_plot_is_a_picture_and_the_history_is_lines(iris: Path, trained: Path) -> None:
    picture = xml.dom.minidom.parse(str(iris.parent / "out.svg"))
    texts = {node.firstChild.data for node in picture.getElementsByTagName("text")}  # type: ignore[union-attr] # minidom's types
    assert {"train_nll", "valid_nll", "train_misclass", "valid_misclass", "epoch"} <= texts
    assert "momentum 0.9" in " ".join(texts)  # what never changes is said, not drawn
    rows = [json.loads(line) for line in (iris.parent / "out.jsonl").read_text().splitlines()]
    assert len(rows) == load_training(trained).epoch
    assert rows[-1]["epoch"] == len(rows)


@pytest.mark.slow
def test_the_onnx_file_gives_the_models_probabilities(iris: Path, trained: Path) -> None:
    session = onnxruntime.InferenceSession(iris.parent / "out.onnx")
    features = load_iris().data
    (outputs,) = session.run(None, {"features": features})
    assert outputs == pytest.approx(load_model(trained).outputs(features), abs=1e-12)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["classes"].split("\n") == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("kind", ["relu", "sigmoid"])
def test_onnx_of_a_regressor_and_of_an_ensemble(tmp_path: Path, kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) * [1, 100]
    net = NeuralRegressor((4,), activation=kind, epochs=5, members=2, random_state=0)
    net.fit(x, x @ [[3.0, 1], [0.5, 2]])
    save_onnx(tmp_path / "r.onnx", net.model_)
    session = onnxruntime.InferenceSession(tmp_path / "r.onnx")
    assert session.run(None, {"features": x})[0] == pytest.approx(net.predict(x), rel=1e-10)


@pytest.mark.slow
def test_resume_goes_on_and_ends_where_one_go_ends(iris: Path, tmp_path: Path) -> None:
    common = ("train", iris, "--label", "kind", "--seed", "4", "--hidden", "3")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert penstock(*common, "--out", whole, "--epochs", "20").returncode == 0
    assert penstock(*common, "--out", parts, "--epochs", "8").returncode == 0
    assert penstock(*common, "--out", parts, "--epochs", "20", "--resume").returncode == 0
    one, two = load_training(whole), load_training(parts)
    assert (one.weights == two.weights).all()
    assert one.history["valid_nll"] == two.history["valid_nll"]
    other = penstock(*common[:-1], "7", "--out", parts, "--resume")
    assert other.returncode == 2
    assert "checkpoint is of 4 -> 3 relu" in other.stderr


SMALL = ("--label", "kind", "--epochs", "8", "--hidden", "4", "--engine", "numpy")


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "members"), [("ensemble", 5), ("best", 1)])
def test_many_networks_make_an_ensemble_or_the_best_of_them(
    iris: Path, tmp_path: Path, keep: str, members: int
) -> None:
    out = tmp_path / "m"
    done = penstock("train", iris, *SMALL, "--out", out, "--many", "5", "--keep", keep)
    assert "5 networks" in done.stdout
    assert len(load_model(out).weights) == members


@pytest.mark.slow
def test_a_study_prints_json_or_lines(iris: Path) -> None:
    found = json.loads(penstock("study", iris, *SMALL, "--seeds", "6", "--json").stdout)
    assert found["accuracy"]["count"] == 6
    done = penstock("study", iris, *SMALL, "--folds", "3", "--members", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("accuracy", "Brier", "calibration", "epochs"),
    ]


@pytest.mark.slow
def test_regression_predicts_in_the_units_of_the_table(tmp_path: Path) -> None:
    data, out = tmp_path / "d.csv", tmp_path / "m"
    rows = "".join(f"{x},{1000 + 50 * x}\n" for x in range(40))
    data.write_text(f"x,y\n{rows}")
    assert penstock("train", data, "--label", "y", "--regress", "--out", out).returncode == 0
    done = penstock("predict", out, data)
    found = [float(row["y"]) for row in csv.DictReader(io.StringIO(done.stdout))]
    assert found == pytest.approx([1000 + 50 * x for x in range(40)], abs=150)


TABLE = "a,b,kind\n1,2,x\n2,1,y\n3,1,x\n4,4,y\n"


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        (TABLE, ["--label", "kin"], "no column 'kin': did you mean 'kind'?"),
        (TABLE.replace("3,1,x", "3,1_0,x"), ["--label", "kind"], "line 4, column 'b'"),
        (TABLE.replace("a,b", "a,a"), ["--label", "kind"], "two columns are named a"),
        (TABLE, ["--label", "kind", "--drop", "bb"], "no column 'bb'"),
        (TABLE.replace("3,1", "3,abc"), ["--label", "kind"], "'abc' is no finite number"),
        (TABLE.replace("3,1,x", "3,1,"), ["--label", "kind"], "line 4: no label"),
        (TABLE.replace("3,1,x", "3,1"), ["--label", "kind"], "line 4: 2 cells"),
        (TABLE.replace("y", "x"), ["--label", "kind"], "only one class"),
        ("a,b\n", ["--label", "b"], "no rows"),
        (TABLE, ["--label", "kind", "--hidden", "4,x"], "write units as in 32,16"),
        (TABLE, ["--label", "kind", "--regress"], "--regress needs numbers"),
        (TABLE, ["--label", "kind", "--many", "3", "--resume"], "leave out --many"),
        (TABLE, ["--label", "kind", "--resume"], "cannot read"),
        (TABLE, ["--label", "kind", "--learning-rate", "-1"], "learning_rate=-1.0"),
        (TABLE, ["--label", "kind", "--out", "no/such/folder"], "does not exist"),
    ],
)
def test_bad_input_is_one_line_and_a_code(
    tmp_path: Path, content: str, arguments: list[str], says: str
) -> None:
    data, out = tmp_path / "d.csv", tmp_path / "m"
    data.write_text(content)
    done = penstock("train", data, "--out", out, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("penstock: ")
    assert says in done.stderr
    assert not out.exists()


# A test runner in the background has SIGINT ignored, and its children inherit that.
ATTENTIVE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from penstock.cli.main import main
main()
"""


def on_screen(arguments: list[str], until: bytes = b"") -> tuple[int, bytes, str]:
    """Run in a terminal; interrupt once ``until`` is seen. Return code, screen and output."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", ATTENTIVE, "neural", *arguments]
    with subprocess.Popen(command, stderr=terminal, stdout=subprocess.PIPE, text=True) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                part = os.read(screen, 65536)
            except OSError:  # the other end is closed: Linux says so with EIO
                break
            if not part:
                break
            shown += part
            if until and until in shown:
                process.send_signal(signal.SIGINT)
                until = b""
        assert process.stdout is not None
        said = process.stdout.read()
        code = process.wait()
    os.close(screen)
    return code, shown, said


@pytest.mark.slow
def test_in_a_terminal_the_curves_are_live(iris: Path, tmp_path: Path) -> None:
    arguments = ["train", str(iris), "--label", "kind", "--out", str(tmp_path / "m")]
    code, shown, _ = on_screen([*arguments, "--epochs", "60"])
    assert code == 0
    assert b"valid_nll" in shown
    assert "█".encode() in shown


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_and_can_be_resumed(iris: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    arguments = ["train", str(iris), "--label", "kind", "--out", str(out)]
    arguments += ["--epochs", "1000000", "--patience", "1000000"]
    code, shown, said = on_screen(arguments, until=b"valid_nll")
    assert code == 3
    assert b"go on with --resume" in shown
    assert "interrupted" in said
    done = load_training(out)
    assert done.reason == "interrupted"
    arguments[-3] = str(done.epoch + 2)
    assert penstock(*arguments, "--resume").returncode == 0
    assert load_training(out).epoch == done.epoch + 2


def test_curves_draw_gaps_where_nothing_is_finite() -> None:
    assert bars([1.0, float("nan"), 2.0]) == "▁?█"
    figure = history_figure({"epoch": [1, 2, 3], "c": [1.0, float("inf"), 2.0]}, best_epoch=3)
    drawn = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(drawn).tolist() == [False, True, False]
    assert history_figure({"c": [1.0]}).axes


def test_the_stage_labels_records_as_they_come(trained: Path) -> None:
    model = load_model(trained)
    taken: list[int] = []

    def records() -> Iterator[dict[str, object]]:
        for number, (sl, sw, pl, pw) in enumerate(load_iris().data[:5].tolist()):
            taken.append(number)
            yield {"sl": sl, "sw": sw, "pl": pl, "pw": pw, "id": number}

    stage = label(records(), model, field="kind", batch=1)
    first = next(stage)
    assert taken == [0]
    assert (first["kind"], first["id"]) == ("setosa", 0)
    assert isinstance(first["kind_probability"], float)
    assert [record["id"] for record in stage] == [1, 2, 3, 4]


def test_a_feature_with_dots_is_found_in_nested_records(trained: Path) -> None:
    names = ("leaf.sepal.length", "leaf.sepal.width", "pl", "pw")
    model = replace(load_model(trained), features=names)
    nested = {"leaf": {"sepal": {"length": 5.1, "width": 3.5}}, "pl": 1.4, "pw": 0.2}
    flat = {"leaf.sepal.length": 5.1, "leaf.sepal.width": 3.5, "pl": 1.4, "pw": 0.2}
    assert [found["label"] for found in label([nested, flat], model)] == ["setosa", "setosa"]
    with pytest.raises(ValueError, match=r"record 0: no feature 'leaf\.sepal\.length'"):
        list(label([{"leaf": {"sepal": 7}}], model))


def test_a_record_without_a_feature_is_named(trained: Path) -> None:
    model = load_model(trained)
    with pytest.raises(ValueError, match="record 1: no feature 'pw'"):
        list(label([{"sl": 1, "sw": 1, "pl": 1, "pw": 1}, {"sl": 1, "sw": 1, "pl": 1}], model))
    with pytest.raises(ValueError, match="'wide' is no finite number"):
        list(label([{"sl": "wide", "sw": 1, "pl": 1, "pw": 1}], model))
    with pytest.raises(ValueError, match="is no finite number"):
        list(label([{"sl": 10**400, "sw": 1, "pl": 1, "pw": 1}], model))
    nameless = Model(network=Network(1, (Softmax(2),)), weights=np.zeros((1, 4)))
    with pytest.raises(ValueError, match="no feature names"):
        label([], nameless)
