"""What a run emits, carried to where operators look: Prometheus, OpenTelemetry, ``logging``."""

from penstock.telemetry.live import Live
from penstock.telemetry.logs import log_events
from penstock.telemetry.metrics import Metrics
from penstock.telemetry.opentelemetry_bridge import trace_events

__all__ = ["Live", "Metrics", "log_events", "trace_events"]
