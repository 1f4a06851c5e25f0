"""Read and write what Java's data streams write and read, bit for bit."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
