"""``penstock neural``: train a network on a table, use it, and judge it honestly."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import click

__all__ = ["neural"]
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def neural() -> None:
    """Train small networks on tables, predict, and study how good they are."""


@neural.command()
@click.argument("data", type=FILE)
@click.option("--label", required=True, help="Column to learn.")
@click.option("--out", type=FILE, default=Path("model.safetensors"), show_default=True)
@click.option("--hidden", default="16", show_default=True, help="Units, as in 16 or 32,16.")
@click.option("--epochs", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--engine", type=click.Choice(["numpy", "jax"]), default="numpy", show_default=True)
def train(  # noqa: PLR0913 - one argument an option
    data: Path, *, label: str, out: Path, hidden: str, epochs: int, seed: int, engine: str
) -> None:
    """Learn LABEL from the other columns of the CSV file DATA."""
    from dataclasses import replace  # noqa: PLC0415 - kept out of --help

    from penstock.neural import NeuralClassifier  # noqa: PLC0415 - NumPy is slow to import
    from penstock.neural.checkpoint import save_model  # noqa: PLC0415
    from penstock.neural.tables import read_table  # noqa: PLC0415

    table = read_table(data, label)
    net = NeuralClassifier(
        units(hidden),
        epochs=epochs,
        random_state=seed,
        engine="jax" if engine == "jax" else "numpy",
    ).fit(table.features, table.labels)
    done = net.training_
    save_model(out, replace(net.model_, features=table.names, label=label))
    click.echo(f"best epoch {done.best_epoch}, stopped after epoch {done.epoch}: {done.reason}")
    click.echo(f"saved {out}")


@neural.command()
@click.argument("model", type=FILE)
@click.argument("data", type=FILE)
def predict(model: Path, data: Path) -> None:
    """Print the CSV file DATA with MODEL's answer in a column more."""
    from penstock.neural.checkpoint import load_model  # noqa: PLC0415
    from penstock.neural.tables import read_table  # noqa: PLC0415

    trained = load_model(model)
    table = read_table(data, features=trained.features)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*table.names, trained.label])
    answers = trained.predict(table.features).tolist()
    for row, answer in zip(table.features.tolist(), answers, strict=True):
        out.writerow([*row, answer])


def units(text: str) -> tuple[int, ...]:
    """Return ``"32,16"`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: write units as in 32,16") from error
