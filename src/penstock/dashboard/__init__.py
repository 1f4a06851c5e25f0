"""Looking at runs from a browser: stores and heartbeats, drawn live, with two buttons."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
