"""A model as an ONNX file, scaling included: features in, probabilities or numbers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.arrays import Floats
from penstock.neural.checkpoint import write_whole
from penstock.neural.model import Model

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

__all__ = ["save_onnx"]

OPSET = 17
NODES = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softmax": "Softmax"}


def save_onnx(path: Path, model: Model) -> None:
    """Write a model as ONNX: input ``features`` (rows, inputs), output ``outputs``, both float64.

    The graph holds the scaler, every member and their average, so that a runtime needs nothing
    else. The classes, the feature names and the label lie in the file's metadata.

    Raises:
        MissingExtra: onnx is not installed.
        StorageError: The file cannot be written.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("exporting to ONNX", "onnx", "onnx") from error

    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []

    def constant(name: str, values: Floats) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, dtype=np.float64), name))
        return name

    def node(kind: str, inputs: list[str], output: str) -> str:
        nodes.append(helper.make_node(kind, inputs, [output]))
        return output

    start = "features"
    if model.scaler is not None:
        centred = node("Sub", [start, constant("scaler.mean", model.scaler.mean)], "centred")
        start = node("Div", [centred, constant("deviation", model.scaler.deviation)], "scaled")
    outputs = []
    for member, weights in enumerate(model.weights):
        values = start
        parts = zip(model.network.layers, model.network.split(weights), strict=True)
        for number, (layer, (matrix, biases)) in enumerate(parts):
            name = f"m{member}.l{number}"
            product = node("MatMul", [values, constant(f"{name}.W", matrix)], f"{name}.product")
            values = node("Add", [product, constant(f"{name}.b", biases)], f"{name}.z")
            if layer.activation in NODES:
                values = node(NODES[layer.activation], [values], f"{name}.y")
        outputs.append(values)
    # Runtimes have no Mean of doubles: the outputs are added up one by one.
    total = outputs[0]
    for member, values in enumerate(outputs[1:], start=1):
        total = node("Add", [total, values], f"total{member}")
    mean = node("Mul", [total, constant("share", np.array(1 / len(outputs)))], "mean")
    if model.target is None:
        node("Identity", [mean], "outputs")
    else:
        wide = node("Mul", [mean, constant("target.deviation", model.target.deviation)], "wide")
        node("Add", [wide, constant("target.mean", model.target.mean)], "outputs")

    double = TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "penstock.neural",
        [helper.make_tensor_value_info("features", double, ["rows", model.network.inputs])],
        [helper.make_tensor_value_info("outputs", double, ["rows", model.network.outputs])],
        constants,
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    facts = {"classes": model.classes, "features": model.features}
    lists = {name: "\n".join(map(str, values)) for name, values in facts.items()}
    helper.set_model_props(whole, {**lists, "label": model.label})
    checker.check_model(whole)
    write_whole(path, whole.SerializeToString())
