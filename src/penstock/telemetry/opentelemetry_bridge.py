"""Events as traces and metrics of OpenTelemetry: its API only, the SDK is the user's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from penstock.errors import MissingExtra
from penstock.events import Called, Event, Events, Failed, Landed, Retry, RunEnded, RunStarted

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["trace_events"]


def trace_events(
    events: Events,
    *,
    tracers: TracerProvider | None = None,
    meters: MeterProvider | None = None,
) -> Callable[[], None]:
    """Make a span of each run and of each of its calls, and count; return how to stop it.

    Args:
        events: Those of the run.
        tracers: Where spans go; unset: the global provider.
        meters: Where numbers go; unset: the global provider.

    Raises:
        MissingExtra: opentelemetry-api is not installed.
    """
    return events.subscribe(_Bridge(tracers, meters).saw, calls=True)


@final
class _Bridge:
    """The span of the run, and the instruments."""

    def __init__(self, tracers: TracerProvider | None, meters: MeterProvider | None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise MissingExtra("tracing", "opentelemetry-api", "opentelemetry") from error
        self._trace = trace
        self._tracer = trace.get_tracer("penstock", tracer_provider=tracers)
        meter = metrics.get_meter("penstock", meter_provider=meters)
        self._landed = meter.create_counter("penstock.landed", "{record}")
        self._failed = meter.create_counter("penstock.failed", "{key}")
        self._retries = meter.create_counter("penstock.retries", "{call}")
        self._seconds = meter.create_histogram("http.client.request.duration", "s")
        self._run: Span | None = None

    def saw(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._run = self._tracer.start_span("penstock run")
                self._run.set_attribute("penstock.run", event.name)
            case RunEnded():
                self._ended(event)
            case Called():
                self._called(event)
            case Landed():
                self._landed.add(event.count)
            case Failed():
                self._failed.add(1, {"error.type": event.error})
            case Retry():
                self._retries.add(1)
            case _:
                pass

    def _ended(self, event: RunEnded) -> None:
        if self._run is None:
            return
        self._run.set_attributes({"penstock.landed": event.landed, "penstock.failed": event.failed})
        if event.error is not None:
            self._run.set_status(self._trace.StatusCode.ERROR, event.error)
        self._run.end()
        self._run = None

    def _called(self, event: Called) -> None:
        """Make the span of a call that has ended: from ``seconds`` ago until now."""
        now = time.time_ns()
        span = self._tracer.start_span(
            event.method,
            context=self._trace.set_span_in_context(self._run) if self._run else None,
            kind=self._trace.SpanKind.CLIENT,
            start_time=now - int(event.seconds * 1e9),
        )
        facts: dict[str, str | int] = {"http.request.method": event.method}
        if event.status is not None:
            facts["http.response.status_code"] = event.status
        self._seconds.record(event.seconds, facts)
        span.set_attributes({**facts, "http.request.resend_count": event.attempt - 1})
        if event.status is None or event.status >= 400:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(now)
