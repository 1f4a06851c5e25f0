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
    from penstock.neural.datasets import Examples, Scaler, chronological_split, classify
    from penstock.neural.descent import SGD
    from penstock.neural.estimator import NeuralClassifier, NeuralRegressor
    from penstock.neural.faults import BadCheckpoint, BadData, UnknownChannel
    from penstock.neural.layers import Layer, Linear, Network, ReLU, Sigmoid, Softmax, Tanh
    from penstock.neural.many import Many, fit_many
    from penstock.neural.model import Model
    from penstock.neural.pima import read_pima
    from penstock.neural.randomness import Pylearn2Seeds, Seeded
    from penstock.neural.runs import Run
    from penstock.neural.schedules import Cosine, Exponential, LinearDecay, Ramp, WarmUp
    from penstock.neural.stage import label
    from penstock.neural.stopping import Epochs, NotFinite, Patience, Seconds, Target
    from penstock.neural.streams import Stream
    from penstock.neural.studies import Study, cross_validate, study
    from penstock.neural.training import Plan, Training, train

__all__ = [
    "SGD",
    "BadCheckpoint",
    "BadData",
    "Cosine",
    "Epochs",
    "Examples",
    "Exponential",
    "Layer",
    "Linear",
    "LinearDecay",
    "Many",
    "Model",
    "Network",
    "NeuralClassifier",
    "NeuralRegressor",
    "NotFinite",
    "Patience",
    "Plan",
    "Pylearn2Seeds",
    "Ramp",
    "ReLU",
    "Run",
    "Scaler",
    "Seconds",
    "Seeded",
    "Sigmoid",
    "Softmax",
    "Stream",
    "Study",
    "Tanh",
    "Target",
    "Training",
    "UnknownChannel",
    "WarmUp",
    "chronological_split",
    "classify",
    "cross_validate",
    "fit_many",
    "label",
    "read_pima",
    "study",
    "train",
]

# What a name needs is imported when it is used: importing the room stays as quick as NumPy.
_LATER = {
    "BadCheckpoint": "faults",
    "BadData": "faults",
    "Cosine": "schedules",
    "Epochs": "stopping",
    "Examples": "datasets",
    "Exponential": "schedules",
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
    "Tanh": "layers",
    "Target": "stopping",
    "Training": "training",
    "UnknownChannel": "faults",
    "WarmUp": "schedules",
    "chronological_split": "datasets",
    "classify": "datasets",
    "cross_validate": "studies",
    "fit_many": "many",
    "label": "stage",
    "read_pima": "pima",
    "study": "studies",
    "train": "training",
}

__getattr__ = later(__name__, _LATER)
