from penstock.telemetry.live import Live as Live
from penstock.telemetry.logs import log_events as log_events
from penstock.telemetry.metrics import Metrics as Metrics
from penstock.telemetry.opentelemetry_bridge import trace_events as trace_events
