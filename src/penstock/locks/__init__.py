"""Locks that programs on many machines can trust: fair, leased, fenced."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
