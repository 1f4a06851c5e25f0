"""Models and trainings as files: safetensors for numbers, JSON for the rest, no pickle.

One file holds both, since the format keeps a JSON text beside its tensors: one rename makes the
whole of it appear. Each layer's matrix and biases lie under names (``best.hidden.W``), so any
reader of safetensors can use them. A checkpoint is a model file with more in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.arrays import Floats
from penstock.neural.columns import ColumnEncoding
from penstock.neural.datasets import Scaler
from penstock.neural.errors import BadCheckpoint, BadData
from penstock.neural.layers import Network, layer
from penstock.neural.model import Model
from penstock.neural.training import Training
from penstock.whole import whole_file

__all__ = ["load_model", "load_training", "save_model", "save_training", "write_whole"]

FORMAT = "penstock.neural/1"
T = TypeVar("T")


def save_model(path: Path, model: Model) -> None:
    """Write a model, whole or not at all.

    Raises:
        BadData: A class is neither text nor number.
        StorageError: The file cannot be written.
    """
    _write(path, _model_tensors(model), _model_facts(model))


def load_model(path: Path) -> Model:
    """Return the model of a file of :func:`save_model` or :func:`save_training`.

    Raises:
        BadCheckpoint: The file is missing, cut short, or something else.
    """
    tensors, facts = _read(path)
    return _broken_becomes(path, lambda: _model(tensors, facts))


def save_training(path: Path, training: Training, model: Model | None = None) -> None:
    """Write a training as it stands, whole or not at all.

    Args:
        path: Where to.
        training: What :func:`~penstock.neural.train` handed to its ``watch``.
        model: Scaling and names to keep with it, its weights being ignored.

    Raises:
        StorageError: The file cannot be written.
    """
    whole = replace(model, weights=training.model.weights) if model else training.model
    tensors = _model_tensors(whole)
    tensors |= _named(training.network, "weights", training.weights[np.newaxis])
    moments = training.velocity
    tensors |= _named(training.network, "velocity", moments[: training.network.size][np.newaxis])
    if len(moments) > training.network.size:
        tensors["adam"] = moments[training.network.size :]
    tensors |= {f"history.{name}": np.array(values) for name, values in training.history.items()}
    facts = _model_facts(whole) | {
        "epoch": training.epoch,
        "best_epoch": training.best_epoch,
        "generator": training.generator,
        "reason": training.reason,
        "recipe": training.recipe,
        "start": training.start if math.isfinite(training.start) else None,
    }
    _write(path, tensors, facts)


def load_training(path: Path, network: Network | None = None) -> Training:
    """Return the training of a checkpoint, to hand to ``train(..., resume=...)``.

    Args:
        path: A file of :func:`save_training`.
        network: What it has to be of; None takes any.

    Raises:
        BadCheckpoint: The file is missing, cut short, a model only, or of another network.
    """
    tensors, facts = _read(path)
    if "generator" not in facts:
        raise BadCheckpoint(f"{path} holds a model only: there is no training to resume")
    done = _broken_becomes(path, lambda: _training(tensors, facts))
    if network is not None and done.network != network:
        raise BadCheckpoint(f"{path} is of the network {done.network}, not of {network}")
    return done


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that its name holds the old content or the new, never a part.

    Raises:
        InputError: It cannot be written there.
        StorageError: The disk does not take it.
    """
    with whole_file(path) as file:
        file.write(content)


def _named(network: Network, prefix: str, weights: Floats) -> dict[str, Floats]:
    """Return each layer's matrix and biases under names, members first."""
    tensors: dict[str, Floats] = {}
    parts = [network.split(one) for one in weights]
    for number, name in enumerate(network.names):
        tensors[f"{prefix}.{name}.W"] = np.stack([member[number][0] for member in parts])
        tensors[f"{prefix}.{name}.b"] = np.stack([member[number][1] for member in parts])
    return tensors


def _flat(network: Network, prefix: str, tensors: Mapping[str, Floats]) -> Floats:
    parts: list[Floats] = []
    for name, (rows, units) in zip(network.names, network.shapes, strict=True):
        matrix, biases = tensors[f"{prefix}.{name}.W"], tensors[f"{prefix}.{name}.b"]
        if matrix.shape[1:] != (rows, units) or biases.shape[1:] != (units,):
            raise BadCheckpoint(f"layer {name} has shape {matrix.shape[1:]}, not {(rows, units)}")
        parts += [matrix.reshape(len(matrix), -1), biases]
    return np.concatenate(parts, axis=1)


def _model_tensors(model: Model) -> dict[str, Floats]:
    tensors = _named(model.network, "best", model.weights)
    for name, scaler in (("scaler", model.scaler), ("target", model.target)):
        if scaler is not None:
            tensors |= {f"{name}.mean": scaler.mean, f"{name}.deviation": scaler.deviation}
    return tensors


def _model_facts(model: Model) -> dict[str, object]:
    for name in model.classes:
        if not isinstance(name, str | int | float):
            raise BadData(f"class {name!r}: only texts and numbers can be saved as classes")
    layers = [[x.activation, x.units, x.spread, x.bias, x.name] for x in model.network.layers]
    return {
        "format": FORMAT,
        "network": {"inputs": model.network.inputs, "layers": layers},
        "classes": list(model.classes),
        "features": list(model.features),
        "label": model.label,
        "columns": [[column.name, list(column.values), column.fill] for column in model.columns],
    }


def _network(facts: Mapping[str, object]) -> Network:
    shape = facts["network"]
    assert isinstance(shape, dict)  # an AssertionError is reported as a bad file
    layers = [
        replace(layer(kind, units), spread=spread, bias=bias, name=name)
        for kind, units, spread, bias, name in shape["layers"]
    ]
    return Network(shape["inputs"], tuple(layers))


def _model(tensors: Mapping[str, Floats], facts: dict[str, object]) -> Model:
    network = _network(facts)
    return Model(
        network=network,
        weights=_flat(network, "best", tensors),
        scaler=_scaler(tensors, "scaler", network.inputs),
        target=_scaler(tensors, "target", network.outputs),
        classes=tuple(_list(facts, "classes")),
        features=tuple(str(name) for name in _list(facts, "features")),
        label=str(facts["label"]),
        columns=tuple(_column(*parts) for parts in facts.get("columns", [])),  # type: ignore[attr-defined] # odd facts are a bad file
    )


def _column(name: str, values: list[str], fill: float | None) -> ColumnEncoding:
    return ColumnEncoding(str(name), tuple(map(str, values)), None if fill is None else float(fill))


def _scaler(tensors: Mapping[str, Floats], name: str, columns: int) -> Scaler | None:
    if f"{name}.mean" not in tensors:
        return None
    scaler = Scaler(tensors[f"{name}.mean"], tensors[f"{name}.deviation"])
    if scaler.mean.shape != (columns,) or scaler.deviation.shape != (columns,):
        raise BadCheckpoint(f"the {name} is not of {columns} columns")
    return scaler


def _training(tensors: Mapping[str, Floats], facts: dict[str, object]) -> Training:
    network = _network(facts)
    start = facts.get("start")
    moments = [_flat(network, "velocity", tensors)[0], tensors.get("adam", np.empty(0))]
    history = {
        name.removeprefix("history."): [float(number) for number in values]
        for name, values in tensors.items()
        if name.startswith("history.")
    }
    return Training(
        network=network,
        epoch=int(str(facts["epoch"])),
        weights=_flat(network, "weights", tensors)[0],
        velocity=np.concatenate(moments),
        best_weights=_flat(network, "best", tensors)[0],
        best_epoch=int(str(facts["best_epoch"])),
        history=history,
        generator=str(facts["generator"]),
        reason=str(facts["reason"]),
        recipe=str(facts.get("recipe", "")),
        start=math.nan if start is None else float(str(start)),
    )


def _list(facts: Mapping[str, object], key: str) -> list[object]:
    found = facts[key]
    assert isinstance(found, list)  # an AssertionError is reported as a bad file
    return found


def _write(path: Path, tensors: Mapping[str, Floats], facts: Mapping[str, object]) -> None:
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise MissingExtra("saving a network", "safetensors", "neural") from error
    arrays = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    write_whole(path, save(arrays, {"penstock": json.dumps(facts)}))


def _read(path: Path) -> tuple[dict[str, Floats], dict[str, object]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtra("loading a network", "safetensors", "neural") from error
    try:
        with safe_open(path, "numpy") as file:
            facts = json.loads((file.metadata() or {}).get("penstock", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except OSError as error:
        raise BadCheckpoint(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError) as error:
        raise BadCheckpoint(f"{path} is cut short or no checkpoint: {error}") from error
    if facts.get("format") != FORMAT:
        raise BadCheckpoint(f"{path} was not written by penstock.neural (format {FORMAT})")
    return tensors, facts


def _broken_becomes(path: Path, read: Callable[[], T]) -> T:
    """Run ``read``; a tensor or fact that is missing or odd becomes one clear error."""
    try:
        return read()
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise BadCheckpoint(f"{path} is damaged or incomplete: {error!r}") from error
