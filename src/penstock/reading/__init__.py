"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
