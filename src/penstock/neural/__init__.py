"""Small networks, monitored training: what Pylearn2 did, and its posts' results exactly.

>>> from penstock.neural import Network, Sigmoid, Softmax
>>> Network(8, (Sigmoid(20), Softmax(2))).size
222
"""

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
from penstock.neural.study import Study, cross_validate, study
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
