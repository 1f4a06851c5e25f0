"""``penstock neural``: train a network on a table, use it, and judge it honestly."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import sys
import tomllib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock.cli.output import JSON, note, tell
from penstock.errors import InputError, Stopped
from penstock.registry import did_you_mean

if TYPE_CHECKING:
    from penstock.neural import Model, NeuralClassifier, NeuralRegressor, Table, Task, Training

__all__ = ["neural"]

# NumPy takes ten times as long to import as the rest of the program, so each command imports the
# room when it runs.
FILE = click.Path(dir_okay=False, path_type=Path)
ENGINE = click.option(
    "--engine",
    type=click.Choice(["auto", "numpy", "jax"]),
    default="auto",
    help="auto: jax for many networks where it is installed, else numpy.",
)
LABEL = click.option("--label", required=True, help="The column to learn.")
HIDDEN = click.option("--hidden", default="100", help="Units of the hidden layers, as in 32,16.")
ACTIVATION = click.option(
    "--activation", type=click.Choice(["tanh", "sigmoid", "relu"]), default="relu"
)
RATE = click.option("--learning-rate", type=float, default=0.01)
MOMENTUM = click.option("--momentum", type=float, default=0.9)
EPOCHS = click.option("--epochs", type=click.IntRange(1), default=200)
PATIENCE = click.option(
    "--patience",
    type=click.IntRange(1),
    default=50,
    help="Stop after so many epochs without a better validation loss.",
)
SEED = click.option("--seed", type=click.IntRange(0), default=0)
# What a resumed training may change; another network is said by the training itself.
_FREE = frozenset(
    ("hidden", "activation", "epochs", "patience", "resume", "plot", "history", "engine", "onnx")
) | {"onnx_precision"}
# Keys of a [neural] table that only another command has; none of them changes a training.
_OF_OTHERS = frozenset(
    ("out", "many", "keep", "resume", "plot", "history", "onnx", "onnx-precision")
) | {"seeds", "folds", "members"}
Command = TypeVar("Command", bound=Callable[..., object])


def recipe(command: Command) -> Command:
    """Add the options that train and study share."""
    share = click.FloatRange(0, 1, max_open=True)
    options = [
        FEATURES, DROP, DECIMAL, HIDDEN, ACTIVATION, RATE, MOMENTUM,
        click.option("--batch-size", type=click.IntRange(1), default=10),
        click.option("--decay", type=click.FloatRange(0), default=0.0, help="Weight decay."),
        click.option("--solver", type=click.Choice(["sgd", "adam"]), default="sgd"),
        click.option("--dropout", type=share, default=0.0, help="Of the hidden layers' outputs."),
        EPOCHS, PATIENCE, SEED, ENGINE,
        click.option(
            "--config", type=FILE, is_eager=True, expose_value=False, callback=_configured,
            help="A TOML file whose table [neural] holds any of these options."
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _configured(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Take the table [neural] of a TOML file as defaults; what the command line says goes first."""
    if path is None:
        return
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    table = whole.get("neural")
    if not isinstance(table, dict):
        raise InputError(f"{path}: no table [neural]")
    known = {
        spelling.lstrip("-").lower(): parameter.name or ""
        for parameter in context.command.params
        for spelling in parameter.opts
    }
    for name, value in table.items():
        word = name.replace("_", "-")
        if word not in known and word in _OF_OTHERS:
            continue
        if word not in known or word == "config":
            raise InputError(f"{path}: [neural] {name}: {did_you_mean(word, sorted(known))}")
        key = known[word]
        listed = ",".join(map(str, value)) if isinstance(value, list) else value
        if key == "data":
            listed = str(path.parent / str(value))
        context.default_map = {**(context.default_map or {}), key: listed}


FEATURES = click.option("--features", help="Columns to learn from: NAME,NAME,…; all by default.")
DROP = click.option("--drop", help="Columns to leave away: NAME,NAME,…")
DECIMAL = click.option("--decimal", type=click.Choice([".", ","]), help="DATA's decimal mark.")


@click.group()
def neural() -> None:
    """Train small networks on tables, predict, and study how good they are."""


@neural.command()
@click.argument("data", type=FILE)
@LABEL
@click.option("--out", type=FILE, default=Path("model.safetensors"))
@click.option("--regress", is_flag=True, help="The label is a number to predict, not a class.")
@click.option("--many", type=click.IntRange(1), default=1, help="Networks to train at once.")
@click.option(
    "--keep",
    type=click.Choice(["ensemble", "best"]),
    default="ensemble",
    help="With --many: average all the networks, or keep the best.",
)
@click.option("--resume", is_flag=True, help="Go on with the training in the --out file.")
@click.option("--plot", type=FILE, help="Draw the history: .svg, .png or .pdf.")
@click.option("--history", type=FILE, help="Write the history into this JSON Lines file.")
@click.option("--onnx", type=FILE, help="Export the model into this ONNX file too.")
@click.option(
    "--onnx-precision",
    type=click.Choice(["double", "single"]),
    default="double",
    help="Of that file's inputs and outputs.",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.15,
    help="Share of the rows to stop by.",
)
@click.option(
    "--split",
    type=click.Choice(["random", "time"]),
    default="random",
    help="Which rows those are; time: the last ones.",
)
@click.option("--class-weight", type=click.Choice(["balanced"]), help="Rare classes count more.")
@click.option("--weights", "weight", help="The column that says how much each row counts.")
@recipe
def train(data: Path, label: str, out: Path, **options: Any) -> None:
    """Learn the column --label of the CSV file or Excel workbook DATA from its other columns.

    A column of words becomes an input for each of its categories; a missing number is taken for
    the column's median, which is said. The model is saved after every epoch (at most once a
    second), with all it takes to --resume. Exit code 1: a training that learned nothing.
    """
    task = _task(label, options)
    table = _table(data, task)
    for word in (*table.words, *task.words(table)):
        click.echo(word)
    if options["many"] != 1:
        for name in ("resume", "plot", "history"):
            if options[name]:
                raise InputError(f"--{name} follows one network; leave out --many")
        _train_many(table, task, out, options)
    else:
        _train_one(table, task, out, options)


def _task(label: str, options: dict[str, Any]) -> Task:
    from penstock.neural import CHOICES, Task

    features, drop = (
        tuple(name.strip() for name in (options[key] or "").split(",") if name.strip())
        for key in ("features", "drop")
    )
    return Task(
        label=label,
        regress=options["regress"],
        features=features,
        drop=drop,
        weights=options.get("weight") or "",
        decimal=options["decimal"] or "",
        hidden=_units(options["hidden"]),
        members=options.get("many", 1),
        seed=options["seed"],
        chosen={name: options[name] for name in CHOICES if name in options},
    )


def _table(data: Path, task: Task) -> Table:
    from penstock.neural import read_table

    table = read_table(data, task.label, task.features, drop=task.left_away, decimal=task.decimal)
    task.check(table)
    return table


@neural.command()
@click.argument("model", type=FILE)
@click.argument("data", type=FILE)
@click.option("--as", "name", help="What the answer's column is called.")
@click.option("--probabilities", is_flag=True, help="A column for each class's probability.")
@DECIMAL
def predict(model: Path, data: Path, name: str | None, **options: Any) -> None:
    """Print the file DATA as CSV, every column, with the MODEL's answers in columns more.

    The answer's column is called as the label was, or predicted_LABEL where DATA has a column of
    that name.
    """
    from penstock.neural import ColumnEncoding, load_model, read_table

    trained = load_model(model)
    if not trained.features:
        raise InputError(f"{model} names no columns: it was not trained from a table")
    columns = trained.columns or tuple(ColumnEncoding(feature) for feature in trained.features)
    table = read_table(data, columns=columns, decimal=options["decimal"] or "")
    name = name or trained.label
    if name in table.header:
        name = f"predicted_{name}"
    added = [name]
    if trained.classes:
        added.append(f"{name}_probability")
    if options["probabilities"]:
        added += [f"{name}_probability_{kind}" for kind in trained.classes]
    for column in added:
        if column in table.header:
            raise InputError(f"{data} has a column {column} already: name the answer with --as")
    outputs = trained.outputs(table.features)
    answers = trained.answers(outputs).tolist()
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*table.header, *added])
    for row, answer, chances in zip(table.texts, answers, outputs, strict=True):
        shares = [f"{share:.6f}" for share in (chances.max(), *chances)]
        out.writerow([*row, answer, *shares[: len(added) - 1]])


@neural.command()
@click.argument("data", type=FILE)
@LABEL
@click.option("--seeds", type=click.IntRange(2), default=200)
@click.option("--folds", type=click.IntRange(2), help="Cross-validate instead of random splits.")
@click.option(
    "--members", type=click.IntRange(1), default=1, help="With --folds: networks to average."
)
@JSON
@click.option("--regress", is_flag=True, help="The label is a number to predict, not a class.")
@recipe
def study(data: Path, label: str, **options: Any) -> None:
    """Say how well such a network learns --label, on rows it has not seen, with intervals."""
    if options["members"] != 1 and not options["folds"]:
        raise InputError("--members averages networks over folds: give --folds too")
    task = _task(label, options)
    how = {name: options[name] for name in ("seeds", "folds", "members")}
    table = _table(data, task)
    for word in task.words(table):
        note(word)
    found = task.study(table, **how)
    tell(found, str(found), as_json=bool(options["as_json"]))


def _train_one(table: Table, task: Task, out: Path, options: dict[str, Any]) -> None:
    from penstock.neural import Course, Follower, NothingLearned, load_training

    net = task.estimator()
    past = load_training(out) if options["resume"] else None
    recipe = _fingerprint(table, task, options)
    if past is not None and past.recipe not in {"", recipe}:
        raise InputError(
            f"{out} is of another training (data, columns, --seed or options): train again, or"
            " resume with what it was begun with; only --epochs and --patience may differ"
        )

    with (
        warnings.catch_warnings(record=True) as caught,
        Follower(out, partial(task.named, table=table), live=sys.stderr.isatty()) as follower,
    ):
        warnings.simplefilter("always")
        both = past is None or "train_nll" in past.history  # a history goes on as it began
        course = Course(watch=follower.show, resume=past, recipe=recipe, both=both)
        net.fit(table.features, task.labels(table), task.row_weights(table), course=course)
    done = net.training_
    assert done is not None  # one network was trained
    if not done.best_epoch:
        raise NothingLearned(f"nothing learned: {done.reason}; try a lower --learning-rate")
    _finish(done, task.named(net.model_, table), out, options)
    _say_held_out(net)
    _report(caught)


def _report(caught: list[warnings.WarningMessage]) -> None:
    """Say what a training warned of; one that learned nothing ends with exit code 1."""
    from penstock.neural import NothingLearned, TrainingFailed

    for warning in caught:
        if isinstance(warning.message, TrainingFailed):
            raise NothingLearned(str(warning.message))
        note(str(warning.message))


def _say_held_out(net: NeuralClassifier | NeuralRegressor) -> None:
    """Print how well the rows that were held out are answered."""
    from penstock.neural import NeuralClassifier

    rows = net.held_out_
    if rows is None:
        return
    if isinstance(net, NeuralClassifier):
        click.echo(f"held-out rows by class:\n{net.report_}")
        return
    missed = float(((net.model_.outputs(rows.features) - rows.targets) ** 2).mean()) ** 0.5
    told = f"R2 {net.score(rows.features, rows.targets):.4g}, root mean squared error {missed:.4g}"
    click.echo(f"{len(rows)} held-out rows: {told}")


def _fingerprint(table: Table, task: Task, options: dict[str, Any]) -> str:
    """Return what has to be the same for a resumed training to be the same training."""
    whole = hashlib.sha256(table.features.tobytes())
    # What had no option when a training began, it was begun with the default of.
    later: dict[str, object] = {
        "batch_size": 10, "decay": 0.0, "solver": "sgd", "dropout": 0.0, "validation": 0.15,
        "split": "random", "class_weight": None, "weight": None,
    }  # fmt: skip
    chosen = {
        name: value
        for name, value in options.items()
        if name not in _FREE and (name not in later or value != later[name])
    }
    facts: list[object] = [
        task.label,
        repr(table.columns),
        table.labels,
        sorted(map(repr, chosen.items())),
    ]
    if task.weights:
        facts.append(task.row_weights(table))
    whole.update(json.dumps(facts).encode())
    return whole.hexdigest()[:16]


def _finish(done: Training, model: Model, out: Path, options: dict[str, Any]) -> None:
    from penstock.neural import (
        save_history_plot,
        save_training,
        write_whole,
    )

    save_training(out, done, model)
    click.echo(f"best epoch {done.best_epoch}, stopped after epoch {done.epoch}: {done.reason}")
    for channel in ("valid_misclass", "valid_mse", "valid_nll"):
        if channel in done.history:
            best = done.history[channel][done.best_epoch - 1]
            click.echo(f"{channel} {best:.4f}" if abs(best) < 1e6 else f"{channel} {best:.4g}")
    click.echo(f"saved {out}")
    if options["plot"]:
        save_history_plot(options["plot"], done.history, done.best_epoch)
    if options["history"]:
        rows = [
            dict(zip(done.history, row, strict=True))
            for row in zip(*done.history.values(), strict=True)
        ]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        write_whole(options["history"], lines.encode())
    _onnx(model, options)
    if done.reason == "interrupted":
        raise Stopped(f"interrupted after epoch {done.epoch}: go on with --resume")


def _train_many(table: Table, task: Task, out: Path, options: dict[str, Any]) -> None:
    from penstock.neural import save_model

    net = task.estimator()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(table.features, task.labels(table), task.row_weights(table))
    many = net.many_
    assert many is not None  # --many is more than 1 here
    model = task.named(net.model_, table)
    best = int(many.ranking[0])
    if options["keep"] == "best":
        model = dataclasses.replace(model, weights=model.weights[best : best + 1])
    save_model(out, model)
    click.echo(f"{len(many)} networks, best epoch of the best {many.best_epochs[best]}")
    click.echo(f"valid_nll {many.summary()}")
    click.echo(f"saved {out} ({options['keep']})")
    _onnx(model, options)
    _say_held_out(net)
    _report(caught)


def _onnx(model: Model, options: dict[str, Any]) -> None:
    if options["onnx"]:
        from penstock.neural import save_onnx

        single = options["onnx_precision"] == "single"
        save_onnx(options["onnx"], model, "single" if single else "double")
        click.echo(f"exported {options['onnx']}")


def _units(text: str) -> tuple[int, ...]:
    """Return ``"32,16"`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(f"--hidden {text!r}: write units as in 32,16") from error
