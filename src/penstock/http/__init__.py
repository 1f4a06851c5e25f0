"""HTTP and REST APIs: requests as values, performed by one I/O thread under policy and budget."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
