"""What a run emits, carried to where operators look: Prometheus, OpenTelemetry, ``logging``."""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
