"""Small networks, monitored training: what Pylearn2 did, and its posts' results exactly.

>>> from penstock.neural import Network, Sigmoid, Softmax
>>> Network(8, (Sigmoid(20), Softmax(2))).size
222

NumPy is all that is imported; what a name needs comes when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.neural import arrays as arrays  # says which extra is missing, for every module

if TYPE_CHECKING:
    from penstock.neural.checkpoint import (
        load_model,
        load_training,
        save_model,
        save_training,
        write_whole,
    )
    from penstock.neural.columns import Column
    from penstock.neural.datasets import Examples, Scaler, chronological_split, classify
    from penstock.neural.descent import SGD
    from penstock.neural.estimator import NeuralClassifier, NeuralRegressor
    from penstock.neural.export import save_onnx
    from penstock.neural.faults import BadCheckpoint, BadData, TrainingFailed, UnknownChannel
    from penstock.neural.follow import Follower
    from penstock.neural.layers import Layer, Linear, Network, ReLU, Sigmoid, Softmax, Tanh
    from penstock.neural.many import Many, fit_many
    from penstock.neural.model import Model
    from penstock.neural.pima import read_pima
    from penstock.neural.plot import save_history_plot
    from penstock.neural.randomness import Pylearn2Seeds, Seeded
    from penstock.neural.recipe import Course
    from penstock.neural.report import ClassReport, class_report
    from penstock.neural.runs import Run
    from penstock.neural.schedules import (
        Cosine,
        Exponential,
        LinearDecay,
        Ramp,
        ReduceOnPlateau,
        WarmUp,
    )
    from penstock.neural.stage import features_of, label
    from penstock.neural.stopping import Epochs, NotFinite, Patience, Seconds, Target
    from penstock.neural.streams import Stream
    from penstock.neural.studies import NumberStudy, Study, cross_validate, study
    from penstock.neural.tables import Table, read_table
    from penstock.neural.training import Plan, Training, train

__all__ = [
    "SGD",
    "BadCheckpoint",
    "BadData",
    "ClassReport",
    "Column",
    "Cosine",
    "Course",
    "Epochs",
    "Examples",
    "Exponential",
    "Follower",
    "Layer",
    "Linear",
    "LinearDecay",
    "Many",
    "Model",
    "Network",
    "NeuralClassifier",
    "NeuralRegressor",
    "NotFinite",
    "NumberStudy",
    "Patience",
    "Plan",
    "Pylearn2Seeds",
    "Ramp",
    "ReLU",
    "ReduceOnPlateau",
    "Run",
    "Scaler",
    "Seconds",
    "Seeded",
    "Sigmoid",
    "Softmax",
    "Stream",
    "Study",
    "Table",
    "Tanh",
    "Target",
    "Training",
    "TrainingFailed",
    "UnknownChannel",
    "WarmUp",
    "chronological_split",
    "class_report",
    "classify",
    "cross_validate",
    "features_of",
    "fit_many",
    "label",
    "load_model",
    "load_training",
    "read_pima",
    "read_table",
    "save_history_plot",
    "save_model",
    "save_onnx",
    "save_training",
    "study",
    "train",
    "write_whole",
]

# What a name needs is imported when it is used: importing the room stays as quick as NumPy.
_LATER = {
    "NumberStudy": "studies",
    "ReduceOnPlateau": "schedules",
    "class_report": "report",
    "ClassReport": "report",
    "BadCheckpoint": "faults",
    "BadData": "faults",
    "Column": "columns",
    "Cosine": "schedules",
    "Course": "recipe",
    "Epochs": "stopping",
    "Examples": "datasets",
    "Exponential": "schedules",
    "Follower": "follow",
    "Layer": "layers",
    "Linear": "layers",
    "LinearDecay": "schedules",
    "Many": "many",
    "Model": "model",
    "Network": "layers",
    "NeuralClassifier": "estimator",
    "NeuralRegressor": "estimator",
    "NotFinite": "stopping",
    "Patience": "stopping",
    "Plan": "training",
    "Pylearn2Seeds": "randomness",
    "Ramp": "schedules",
    "ReLU": "layers",
    "Run": "runs",
    "SGD": "descent",
    "Scaler": "datasets",
    "Seconds": "stopping",
    "Seeded": "randomness",
    "Sigmoid": "layers",
    "Softmax": "layers",
    "Stream": "streams",
    "Study": "studies",
    "Table": "tables",
    "Tanh": "layers",
    "Target": "stopping",
    "Training": "training",
    "TrainingFailed": "faults",
    "UnknownChannel": "faults",
    "WarmUp": "schedules",
    "chronological_split": "datasets",
    "classify": "datasets",
    "cross_validate": "studies",
    "features_of": "stage",
    "fit_many": "many",
    "label": "stage",
    "load_model": "checkpoint",
    "load_training": "checkpoint",
    "read_pima": "pima",
    "read_table": "tables",
    "save_history_plot": "plot",
    "save_model": "checkpoint",
    "save_onnx": "export",
    "save_training": "checkpoint",
    "study": "studies",
    "train": "training",
    "write_whole": "checkpoint",
}

__getattr__ = later(__name__, _LATER)
