"""What to do when a service limits, fails or disconnects: rules without sockets or sleeping."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
