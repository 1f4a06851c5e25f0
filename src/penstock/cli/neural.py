"""``penstock neural``: train a network on a table, use it, and judge it honestly."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.errors import InputError, Stopped

if TYPE_CHECKING:
    from penstock.neural import Model, NeuralClassifier, NeuralRegressor, Table, Training

__all__ = ["neural"]

# NumPy takes ten times as long to import as the rest of the program, so each command imports the
# room when it runs.
FILE = click.Path(dir_okay=False, path_type=Path)
ENGINE = click.option(
    "--engine",
    type=click.Choice(["auto", "numpy", "jax"]),
    default="auto",
    show_default=True,
    help="auto: jax for many networks where it is installed, else numpy.",
)
LABEL = click.option("--label", required=True, help="The column to learn.")
HIDDEN = click.option(
    "--hidden", default="16", show_default=True, help="Units of the hidden layers, as in 32,16."
)
ACTIVATION = click.option(
    "--activation",
    type=click.Choice(["tanh", "sigmoid", "relu"]),
    default="tanh",
    show_default=True,
)
RATE = click.option("--learning-rate", type=float, default=0.01, show_default=True)
MOMENTUM = click.option("--momentum", type=float, default=0.9, show_default=True)
EPOCHS = click.option("--epochs", type=click.IntRange(1), default=200, show_default=True)
PATIENCE = click.option(
    "--patience",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Stop after so many epochs without a better validation loss.",
)
SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def neural() -> None:
    """Train small networks on tables, predict, and study how good they are."""


@neural.command()
@click.argument("data", type=FILE)
@LABEL
@click.option("--out", type=FILE, default=Path("model.safetensors"), show_default=True)
@click.option("--regress", is_flag=True, help="The label is a number to predict, not a class.")
@click.option("--many", type=click.IntRange(1), default=1, help="Networks to train at once.")
@click.option(
    "--keep",
    type=click.Choice(["ensemble", "best"]),
    default="ensemble",
    show_default=True,
    help="With --many: average all the networks, or keep the best.",
)
@click.option("--resume", is_flag=True, help="Go on with the training in the --out file.")
@click.option("--plot", type=FILE, help="Draw the history into this SVG file.")
@click.option("--history", type=FILE, help="Write the history into this JSON Lines file.")
@click.option("--onnx", type=FILE, help="Export the model into this ONNX file too.")
@HIDDEN
@ACTIVATION
@RATE
@MOMENTUM
@EPOCHS
@PATIENCE
@SEED
@ENGINE
def train(data: Path, label: str, out: Path, **options: object) -> None:
    """Learn the column --label of the CSV file DATA from its other columns.

    The model is saved after every epoch (at most once a second), with all it takes to --resume.
    """
    from penstock.neural import read_table

    table = read_table(data, label)
    if options["many"] != 1:
        for name in ("resume", "plot", "history"):
            if options[name]:
                raise InputError(f"--{name} follows one network; leave out --many")
        _train_many(table, label, out, options)
    else:
        _train_one(table, label, out, options)


@neural.command()
@click.argument("model", type=FILE)
@click.argument("data", type=FILE)
def predict(model: Path, data: Path) -> None:
    """Print the CSV file DATA with the MODEL's answers in columns more."""
    from penstock.neural import (
        load_model,
        read_table,
    )

    trained = load_model(model)
    if not trained.features:
        raise InputError(f"{model} names no columns: it was not trained from a table")
    table = read_table(data, features=trained.features)
    answers = trained.predict(table.features).tolist()
    out = csv.writer(sys.stdout, lineterminator="\n")
    sure = [f"{trained.label}_probability"] if trained.classes else []
    out.writerow([*table.names, trained.label, *sure])
    outputs = trained.outputs(table.features)
    for row, answer, chances in zip(table.texts, answers, outputs, strict=True):
        out.writerow([*row, answer, *([f"{chances.max():.6f}"] if sure else [])])


@neural.command()
@click.argument("data", type=FILE)
@LABEL
@click.option("--seeds", type=click.IntRange(2), default=200, show_default=True)
@click.option("--folds", type=click.IntRange(2), help="Cross-validate instead of random splits.")
@click.option(
    "--members",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="With --folds: networks to average.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@HIDDEN
@ACTIVATION
@RATE
@MOMENTUM
@EPOCHS
@PATIENCE
@SEED
@ENGINE
def study(data: Path, label: str, **options: object) -> None:
    """Say how well such a network learns --label, on rows it has not seen, with intervals."""
    from penstock.neural import (
        Softmax,
        classify,
        cross_validate,
        read_table,
    )
    from penstock.neural import study as run

    if options["members"] != 1 and not options["folds"]:
        raise InputError("--members averages networks over folds: give --folds too")
    table = read_table(data, label)
    examples, classes = classify(table.features, table.labels)
    net = _estimator({**options, "regress": False, "many": 1})
    network = net.network(len(table.names), Softmax(len(classes)))
    plan = dataclasses.replace(net.plan(validated=True), precision="single")
    if options["folds"]:
        count, members, seed = (int(str(options[name])) for name in ("folds", "members", "seed"))
        found = cross_validate(network, examples, plan, count=count, members=members, seed=seed)
    else:
        found = run(network, examples, plan, seeds=int(str(options["seeds"])))
    click.echo(json.dumps(dataclasses.asdict(found)) if options["as_json"] else str(found))


def _train_one(table: Table, label: str, out: Path, options: dict[str, object]) -> None:
    from penstock.neural import (
        Course,
        Follower,
        load_training,
    )

    net = _estimator(options)
    past = load_training(out) if options["resume"] else None

    def named(model: Model) -> Model:
        model = dataclasses.replace(model, features=table.names, label=label)
        if options["regress"]:
            return model
        return dataclasses.replace(model, classes=tuple(sorted(set(table.labels))))

    with Follower(out, named, live=sys.stderr.isatty()) as follower:
        course = Course(watch=follower.show, resume=past)
        net.fit(table.features, _labels(table, options), course=course)
    done = net.training_
    assert done is not None  # one network was trained
    if not done.best_epoch:
        raise InputError(f"nothing learned: {done.reason}; try a lower --learning-rate")
    _finish(done, named(net.model_), out, options)


def _finish(done: Training, model: Model, out: Path, options: dict[str, object]) -> None:
    from penstock.neural import (
        save_history_plot,
        save_training,
        write_whole,
    )

    save_training(out, done, model)
    click.echo(f"best epoch {done.best_epoch}, stopped after epoch {done.epoch}: {done.reason}")
    for channel in ("valid_misclass", "valid_mse", "valid_nll"):
        if channel in done.history:
            click.echo(f"{channel} {done.history[channel][done.best_epoch - 1]:.4f}")
    click.echo(f"saved {out}")
    if options["plot"]:
        save_history_plot(Path(str(options["plot"])), done.history, done.best_epoch)
    if options["history"]:
        rows = [
            dict(zip(done.history, row, strict=True))
            for row in zip(*done.history.values(), strict=True)
        ]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        write_whole(Path(str(options["history"])), lines.encode())
    _onnx(model, options)
    if done.reason == "interrupted":
        raise Stopped(f"interrupted after epoch {done.epoch}: go on with --resume")


def _train_many(table: Table, label: str, out: Path, options: dict[str, object]) -> None:
    from penstock.neural import save_model

    net = _estimator(options)
    net.fit(table.features, _labels(table, options))
    many = net.many_
    assert many is not None  # --many is more than 1 here
    model = dataclasses.replace(net.model_, features=table.names, label=label)
    best = int(many.ranking[0])
    if options["keep"] == "best":
        model = dataclasses.replace(model, weights=model.weights[best : best + 1])
    save_model(out, model)
    click.echo(f"{len(many)} networks, best epoch of the best {many.best_epochs[best]}")
    click.echo(f"valid_nll {many.summary()}")
    click.echo(f"saved {out} ({options['keep']})")
    _onnx(model, options)


def _onnx(model: Model, options: dict[str, object]) -> None:
    if options["onnx"]:
        from penstock.neural import save_onnx

        save_onnx(Path(str(options["onnx"])), model)
        click.echo(f"exported {options['onnx']}")


def _labels(table: Table, options: dict[str, object]) -> list[float] | list[str]:
    if not options["regress"]:
        return list(table.labels)
    try:
        return [float(text) for text in table.labels]
    except ValueError as error:
        raise InputError(f"--regress needs numbers as labels: {error}") from error


def _estimator(options: dict[str, object]) -> NeuralClassifier | NeuralRegressor:
    from penstock.neural import NeuralClassifier, NeuralRegressor

    name = options["engine"]
    kind = NeuralRegressor if options["regress"] else NeuralClassifier
    return kind(
        _units(str(options["hidden"])),
        activation=str(options["activation"]),
        learning_rate=float(str(options["learning_rate"])),
        momentum=float(str(options["momentum"])),
        epochs=int(str(options["epochs"])),
        patience=int(str(options["patience"])),
        members=int(str(options["many"])),
        engine="jax" if name == "jax" else "numpy" if name == "numpy" else "auto",
        random_state=int(str(options["seed"])),
    )


def _units(text: str) -> tuple[int, ...]:
    """Return ``"32,16"`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(f"--hidden {text!r}: write units as in 32,16") from error
