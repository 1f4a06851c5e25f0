"""Metrics of a run for Prometheus: scraped while it runs, or left in a file for a collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

from penstock.errors import InputError, MissingExtra
from penstock.events import (
    BudgetSeen,
    Called,
    Event,
    Events,
    Failed,
    Landed,
    Retry,
    RunEnded,
    Waiting,
    WorkersSeen,
)

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Metric
    from prometheus_client.samples import Sample

__all__ = ["Metrics"]

_QUOTA = (420, 429)
_SUCCESS = "penstock_last_success_timestamp_seconds"


@final
class Metrics:
    """Counts what events tell. Subscribe with :meth:`follow`; then serve it or write it to a file.

    No label ever holds a key.

    Args:
        budget: What the label ``budget`` of the budget's metrics says.
        wall: Seconds since 1970 UTC.
        stream: Of several streams, which one: see :meth:`together`.

    Attributes:
        registry: The ``CollectorRegistry`` of prometheus_client that holds them.
        stream: Of several streams, which one.

    >>> events, metrics = Events(), Metrics()
    >>> stop = metrics.follow(events)
    >>> events.emit(Landed(count=3))
    >>> metrics.registry.get_sample_value("penstock_landed_total")
    3.0

    Raises:
        MissingExtra: prometheus_client is not installed.
    """

    def __init__(
        self, budget: str = "api", wall: Callable[[], float] = time.time, stream: str = ""
    ) -> None:
        try:
            import prometheus_client
        except ImportError as error:
            raise MissingExtra("metrics", "prometheus_client", "metrics") from error
        self._library = prometheus_client
        self.registry = prometheus_client.CollectorRegistry()
        self._wall = wall
        self._landed = self._counter("landed", "Records that are safe in the store.")
        self._failed = self._counter("failed", "Keys that ended as failed.", "error", "status")
        self._calls = self._counter("calls", "Calls that have ended.", "status")
        self._retries = self._counter("retries", "Calls made again after a failure.")
        self._refused = self._counter("refused", "Calls refused for lack of quota.")
        self._waited = self._counter("budget_wait_seconds", "Seconds spent waiting for a gate.")
        self._remaining = self._gauge("budget_remaining", "Requests left, as last seen.", "budget")
        self._limit = self._gauge("budget_limit", "Requests allowed, as last seen.", "budget")
        self._workers = self._gauge("workers", "Workers at work, where a scheduler starts them.")
        self._permits = self._gauge("budget_permits", "Calls that those workers have leave for.")
        self._success = self._gauge(
            "last_success_timestamp_seconds", "When a run last ended with nothing failed."
        )
        self._budget, self.stream = budget, stream

    @classmethod
    def together(cls, parts: Sequence[Metrics]) -> Metrics:
        """Return those of several streams, to serve or write: the label ``stream`` says whose."""
        whole = cls()
        whole.registry = whole._library.CollectorRegistry()
        whole.registry.register(_Labelled(parts))
        return whole

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return self._library.Counter(f"penstock_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return self._library.Gauge(f"penstock_{name}", about, labels, registry=self.registry)

    def follow(self, events: Events) -> Callable[[], None]:
        """Count what ``events`` tell from now on; return how to stop it."""
        return events.subscribe(self.saw, calls=True)

    def saw(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Landed():
                self._landed.inc(event.count)
            case Failed():
                self._failed.labels(event.error, _status(event.status)).inc()
            case Called():
                self._calls.labels(_status(event.status)).inc()
            case Retry():
                (self._refused if event.status in _QUOTA else self._retries).inc()
            case Waiting():
                self._waited.inc(event.seconds)
            case BudgetSeen():
                self._saw_budget(event)
            case WorkersSeen():
                self._workers.set(event.count)
                self._permits.set(event.permits)
            case RunEnded() if event.error is None and not event.failed:
                self._success.set(self._wall())
            case _:
                pass

    def _saw_budget(self, event: BudgetSeen) -> None:
        for gauge, value in ((self._remaining, event.remaining), (self._limit, event.limit)):
            if value is not None:
                gauge.labels(self._budget).set(value)

    def lag(self, seconds: Callable[[], float]) -> None:
        """Add the lag of a stream: ``seconds()`` is asked at each look."""
        self._gauge("stream_lag_seconds", "How old the newest message is.").set_function(seconds)

    def serve(self, address: str) -> Callable[[], None]:
        """Serve them at ``address``, such as ``:9464`` or ``127.0.0.1:9464``; return how to stop.

        Raises:
            InputError: The address is not one, or is in use.
        """
        host, _, port = address.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise InputError(f"{address!r} is not an address to serve metrics at; write :9464")
        try:
            server, thread = self._library.start_http_server(
                int(port),
                host.strip("[]") or "0.0.0.0",  # noqa: S104 - as Prometheus has it: ":9464" is everywhere
                self.registry,
            )
        except OSError as error:
            raise InputError(f"metrics at {address}: {error.strerror or error}") from error

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def recall(self, path: str | Path) -> None:
        """Take over from the file of the last run when one last succeeded.

        Raises:
            InputError: The file is there and is something else.
        """
        from prometheus_client.parser import text_string_to_metric_families as parsed

        try:
            text = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
            for family in parsed(text):
                for sample in family.samples:
                    if sample.name == _SUCCESS and sample.labels.get("stream", "") == self.stream:
                        self._success.set(sample.value)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is not a file of metrics: {error}") from error

    def write(self, path: str | Path) -> None:
        """Write them to ``path``, whole or not at all, for node_exporter's textfile collector.

        Raises:
            InputError: It cannot be written.
        """
        try:
            self._library.write_to_textfile(str(path), self.registry)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from error


@final
class _Labelled:
    """Collects what others hold, with the label of each."""

    def __init__(self, parts: Sequence[Metrics]) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for part in self._parts:
            for family in part.registry.collect():
                whole = families.setdefault(family.name, family)
                told = [_labelled(sample, part.stream) for sample in family.samples]
                whole.samples = told if whole is family else whole.samples + told
        return families.values()


def _labelled(sample: Sample, stream: str) -> Sample:
    return sample._replace(labels={**sample.labels, "stream": stream})


def _status(status: int | None) -> str:
    return "none" if status is None else str(status)
