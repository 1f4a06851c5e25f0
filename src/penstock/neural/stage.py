"""A trained model as a stage over records: each goes on with its label in it.

The stage is a plain generator over mappings; it knows no pipeline and no store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from penstock.neural.arrays import Floats
from penstock.neural.columns import ColumnEncoding
from penstock.neural.errors import BadData
from penstock.neural.model import Model

__all__ = ["features_of", "label"]


def label(
    records: Iterable[Mapping[str, object]],
    model: Model,
    *,
    field: str = "label",
    batch: int = 256,
) -> Iterator[dict[str, object]]:
    """Yield each record with the model's answer added, in order.

    ``record[field]`` is the class (or the number), and for classes
    ``record[field + "_probability"]`` how sure the model is of it. At most ``batch`` records are
    held at a time; with ``batch=1`` each goes on as soon as it lands.

    Args:
        records: Mappings that hold the model's features: see :func:`features_of`.
        model: With ``features`` set.
        field: Key of the answer.
        batch: Records to run through the network at once.

    Raises:
        BadData: A record lacks a feature, or has one that is no finite number.

    >>> from penstock.neural import Linear, Network
    >>> double = Model(network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]),
    ...                features=("x",))
    >>> list(label([{"id": 7, "x": 21}], double, field="twice"))
    [{'id': 7, 'x': 21, 'twice': 42.0}]
    """
    if not model.features:
        raise BadData("label: the model has no feature names; train it from a table with a header")
    if batch < 1:
        raise BadData(f"label: batch={batch}: give at least 1")
    # A generator's checks would wait for the first record: only the loop is one.
    return _labelled(iter(records), model, field, batch)


def _labelled(
    records: Iterator[Mapping[str, object]], model: Model, field: str, batch: int
) -> Iterator[dict[str, object]]:
    number = 0
    while group := list(islice(records, batch)):
        table = np.array([_row(x, model, number + at) for at, x in enumerate(group)])
        number += len(group)
        yield from map(dict, _answers(group, model, table, field))


def _answers(
    group: list[Mapping[str, object]], model: Model, table: Floats, field: str
) -> Iterator[dict[str, object]]:
    outputs = model.outputs(table)
    answers = model.answers(outputs).tolist()
    for record, answer, output in zip(group, answers, outputs, strict=True):
        labelled = {**record, field: answer}
        if model.network.kind == "softmax":
            labelled[f"{field}_probability"] = float(output.max())
        yield labelled


def _row(record: Mapping[str, object], model: Model, number: int) -> list[float]:
    try:
        return features_of(record, model)
    except BadData as error:
        raise BadData(f"record {number}: {error}") from error


def features_of(record: Mapping[str, object], model: Model) -> list[float]:
    """Return the record's features in the model's order.

    A feature is found under its name, or where its name is a dotted path into nested objects:
    as ``penstock export --flatten`` names the columns that a model was trained on.

    Raises:
        BadData: A feature is not there, or is no finite number.

    >>> from penstock.neural import Linear, Network
    >>> model = Model(network=Network(2, (Linear(1),)), weights=np.zeros((1, 3)),
    ...               features=("age", "size.width"))
    >>> features_of({"age": 7, "size": {"width": 2.5}}, model)
    [7.0, 2.5]
    """
    if not model.columns:
        return [_feature(record, name) for name in model.features]
    return [number for column in model.columns for number in _inputs(record, column)]


def _inputs(record: Mapping[str, object], column: ColumnEncoding) -> list[float]:
    value = record[column.name] if column.name in record else _nested(record, column.name)
    if column.values:
        text = "" if value is None else str(value).strip()
        return column.inputs(text)
    if value is None or value == "":
        return column.inputs(None)
    return column.inputs(_feature(record, column.name))


def _feature(record: Mapping[str, object], name: str) -> float:
    value = record[name] if name in record else _nested(record, name)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass  # a whole number beyond all floats
    raise BadData(f"{name!r}: {value!r} is no finite number")


def _nested(record: Mapping[str, object], name: str) -> object:
    value: object = record
    for step in name.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise BadData(f"no feature {name!r}")
        value = value[step]
    return value
