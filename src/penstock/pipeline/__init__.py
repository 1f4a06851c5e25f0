"""Lazy stages over plain generators: batches, many calls at once, landing.

Each stage pulls from the one before, holds a bounded window and nothing else, and can be used alone
in a ``for`` loop.
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
