"""Pipelines as files: read with exact errors, planned, and run. Knows every room; none knows it."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
