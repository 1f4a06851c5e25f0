"""The bridge to OpenTelemetry, with the SDK that its users bring."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from penstock.events import Called, Events, Failed, Landed, RunEnded, RunStarted
from penstock.telemetry import trace_events


def test_a_run_is_a_span_and_its_calls_are_within_it() -> None:
    spans, reader, events = InMemorySpanExporter(), InMemoryMetricReader(), Events()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    stop = trace_events(events, tracers=tracers, meters=MeterProvider([reader]))
    events.emit(RunStarted(name="users", total=2))
    events.emit(Called(key="k", method="GET", status=200, seconds=0.25, attempt=1))
    events.emit(Called(key="k", method="GET", status=None, seconds=0.5, attempt=2))
    events.emit(Landed(count=1))
    events.emit(Failed(key="k", reason="no", error="GaveUp"))
    events.emit(RunEnded(name="users", landed=1, failed=1, seconds=1, error="stopped"))
    stop()
    events.emit(Landed(count=1))
    good, bad, run = spans.get_finished_spans()
    assert (good.name, run.name) == ("GET", "penstock run")
    assert good.parent is not None
    assert run.context is not None
    assert good.parent.span_id == run.context.span_id
    assert good.start_time
    assert good.end_time
    assert good.end_time - good.start_time == 250_000_000
    assert (good.status.is_ok, bad.status.is_ok, run.status.is_ok) == (True, False, False)
    assert run.status.description == "stopped"
    assert run.attributes is not None
    assert run.attributes["penstock.landed"] == 1
    data = reader.get_metrics_data()
    assert data is not None
    found = {m.name: m for m in data.resource_metrics[0].scope_metrics[0].metrics}
    assert set(found) == {"penstock.landed", "penstock.failed", "http.client.request.duration"}
    assert found["penstock.landed"].data.data_points[0].value == 1  # type: ignore[union-attr] # a sum
