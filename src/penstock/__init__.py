"""Resilient data pipelines: data from services that limit, fail and disconnect, under control.

The names below are loaded when they are first used, so importing the package costs next to
nothing. Rooms are imported by name: ``from penstock.store import LocalStore``.
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
