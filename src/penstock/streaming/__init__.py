"""Long-lived HTTP streams, without loss: framed, resumed, counted, and honest about gaps."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
