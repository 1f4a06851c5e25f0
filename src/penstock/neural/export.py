"""A model as an ONNX file, scaling included: features in, probabilities or numbers out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from penstock.errors import MissingExtra
from penstock.neural.checkpoint import write_whole
from penstock.neural.descent import Precision
from penstock.neural.model import Model

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto, ValueInfoProto

__all__ = ["save_onnx"]

OPSET = 17
NODES = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softmax": "Softmax"}


def save_onnx(path: Path, model: Model, precision: Precision = "double") -> None:
    """Write a model as ONNX: input ``features`` (rows, inputs), output ``outputs``.

    The graph holds the scaler, every member and their average, so that a runtime needs nothing
    else. The classes, the feature names and the label lie in the file's metadata, lists as JSON too
    (``classes_json``).

    Args:
        path: Where to.
        model: What to write.
        precision: ``double``: input and output are float64. ``single``: float32, and for
            classes a second output ``label``, the likeliest of each row; within, the graph
            computes in double.

    Raises:
        MissingExtra: onnx is not installed.
        StorageError: The file cannot be written.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise MissingExtra("exporting to ONNX", "onnx", "onnx") from error

    graph, single = _Graph(), precision == "single"
    start = graph.node("Cast", ["features"], "doubles", to=TensorProto.DOUBLE)
    last = graph.scaled_back(model, graph.members(model, graph.scaled(model, start)))
    kind = TensorProto.FLOAT if single else TensorProto.DOUBLE
    graph.node("Cast", [last], "outputs", to=kind)
    found = [helper.make_tensor_value_info("outputs", kind, ["rows", model.network.outputs])]
    if model.classes and single:
        found.append(graph.label(model, last))
    made = helper.make_graph(
        graph.nodes,
        "penstock.neural",
        [helper.make_tensor_value_info("features", kind, ["rows", model.network.inputs])],
        found,
        graph.constants,
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    facts = {"classes": model.classes, "features": model.features}
    lists = {name: "\n".join(map(str, values)) for name, values in facts.items()}
    written = {f"{name}_json": json.dumps(values) for name, values in facts.items()}
    helper.set_model_props(whole, {**lists, **written, "label": model.label})
    checker.check_model(whole)
    write_whole(path, whole.SerializeToString())


@final
class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **options: int) -> str:
        from onnx import helper

        made = helper.make_node(kind, inputs, [output])
        made.attribute.extend(helper.make_attribute(name, x) for name, x in options.items())
        self.nodes.append(made)
        return output

    def doubles(self, name: str, values: npt.ArrayLike) -> str:
        return self.constant(name, np.asarray(values, dtype=np.float64))

    def scaled(self, model: Model, start: str) -> str:
        if model.scaler is None:
            return start
        centred = self.node("Sub", [start, self.doubles("mean", model.scaler.mean)], "centred")
        deviation = self.doubles("deviation", model.scaler.deviation)
        return self.node("Div", [centred, deviation], "scaled")

    def members(self, model: Model, start: str) -> str:
        """Add every member and their average."""
        total = ""
        for member, weights in enumerate(model.weights):
            values = start
            parts = zip(model.network.layers, model.network.split(weights), strict=True)
            for number, (layer, (matrix, biases)) in enumerate(parts):
                name = f"m{member}.l{number}"
                product = [values, self.doubles(f"{name}.W", matrix)]
                sums = [self.node("MatMul", product, f"{name}.product")]
                values = self.node("Add", [*sums, self.doubles(f"{name}.b", biases)], f"{name}.z")
                if layer.activation in NODES:
                    values = self.node(NODES[layer.activation], [values], f"{name}.y")
            # Runtimes have no Mean of doubles: the outputs are added up one by one.
            total = self.node("Add", [total, values], f"total{member}") if total else values
        return self.node("Mul", [total, self.doubles("share", 1 / len(model.weights))], "average")

    def scaled_back(self, model: Model, mean: str) -> str:
        if model.target is None:
            return mean
        deviation = self.doubles("target.deviation", model.target.deviation)
        wide = self.node("Mul", [mean, deviation], "wide")
        return self.node("Add", [wide, self.doubles("target.mean", model.target.mean)], "numbers")

    def label(self, model: Model, outputs: str) -> ValueInfoProto:
        """Add the likeliest class of each row."""
        from onnx import helper

        texts = isinstance(model.classes[0], str)
        names = np.array(model.classes, dtype=np.object_ if texts else None)
        place = self.node("ArgMax", [outputs], "place", axis=1, keepdims=0)
        self.node("Gather", [self.constant("classes", names), place], "label")
        kind = helper.np_dtype_to_tensor_dtype(names.dtype)
        return helper.make_tensor_value_info("label", kind, ["rows"])
