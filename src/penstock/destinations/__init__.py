"""What landed, in the place where people work: written as a file, or kept up to date."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
