"""Small networks, monitored training: what Pylearn2 did, and its posts' results exactly.

>>> from penstock.neural import Network, Sigmoid, Softmax
>>> Network(8, (Sigmoid(20), Softmax(2))).size
222

NumPy is all that is imported; what a name needs comes when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import homes, later
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
    from penstock.neural.datasets import Examples, Scaler, chronological_split, classify, regress
    from penstock.neural.descent import SGD
    from penstock.neural.errors import (
        BadCheckpoint,
        BadData,
        NothingLearned,
        TrainingFailed,
        UnknownChannel,
    )
    from penstock.neural.estimator import NeuralClassifier, NeuralRegressor
    from penstock.neural.export import save_onnx
    from penstock.neural.layers import Layer, Linear, Network, ReLU, Sigmoid, Softmax, Tanh
    from penstock.neural.live_view import Follower
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
    "NothingLearned",
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
    "regress",
    "save_history_plot",
    "save_model",
    "save_onnx",
    "save_training",
    "study",
    "train",
    "write_whole",
]

# What a name needs is imported when it is used: importing the room stays as quick as NumPy.
_HOMES = {
    "checkpoint": "load_model load_training save_model save_training write_whole",
    "columns": "Column",
    "datasets": "regress Examples Scaler chronological_split classify",
    "descent": "SGD",
    "errors": "BadCheckpoint BadData NothingLearned TrainingFailed UnknownChannel",
    "estimator": "NeuralClassifier NeuralRegressor",
    "export": "save_onnx",
    "layers": "Layer Linear Network ReLU Sigmoid Softmax Tanh",
    "live_view": "Follower",
    "many": "Many fit_many",
    "model": "Model",
    "pima": "read_pima",
    "plot": "save_history_plot",
    "randomness": "Pylearn2Seeds Seeded",
    "recipe": "Course",
    "report": "ClassReport class_report",
    "runs": "Run",
    "schedules": "Cosine Exponential LinearDecay Ramp ReduceOnPlateau WarmUp",
    "stage": "features_of label",
    "stopping": "Epochs NotFinite Patience Seconds Target",
    "streams": "Stream",
    "studies": "NumberStudy Study cross_validate study",
    "tables": "Table read_table",
    "training": "Plan Training train",
}

if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, homes(**_HOMES))
