"""Small networks, monitored training: what Pylearn2 did, and its posts' results exactly.

>>> from penstock.neural import Network, Sigmoid, Softmax
>>> Network(8, (Sigmoid(20), Softmax(2))).size
222

NumPy is all that is imported; what a name needs comes when it is used.
"""

from penstock.lazy import attach
from penstock.neural import arrays as arrays  # says which extra is missing, for every module

__getattr__, __dir__, __all__ = attach(__name__)
