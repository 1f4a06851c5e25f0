"""Metrics, as Prometheus itself reads them; traces, as OpenTelemetry's own SDK gets them."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ready import ready

from penstock import events
from penstock.errors import InputError
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
)
from penstock.pipeline import Lot, Pipeline, Position
from penstock.store import LocalStore
from penstock.telemetry import Metrics

HOSTILE = 'a"b\\c\nd{}'
SEEN: list[Event] = [
    Landed(count=3),
    Failed(key="secret-key", reason="no", error=HOSTILE, status=404),
    Failed(key="secret-key", reason="no", error="GaveUp"),
    Called(key="secret-key", method="GET", status=200, seconds=0.1, attempt=1),
    Called(key="secret-key", method="GET", status=None, seconds=0.1, attempt=2),
    Retry(key="secret-key", attempt=1, wait=1, reason="", status=429),
    Retry(key="secret-key", attempt=1, wait=1, reason="", status=503),
    Waiting(seconds=2.5, reason="quota"),
    BudgetSeen(limit=90, remaining=12, reset=3),
    BudgetSeen(limit=None, remaining=None, reset=None),
]


def counted(*events: Event) -> Metrics:
    metrics = Metrics(wall=lambda: 1000.0)
    for event in events:
        metrics.saw(event)
    return metrics


def test_promtool_reads_what_is_written_and_no_key_is_in_it(tmp_path: Path) -> None:
    metrics = counted(*SEEN, RunEnded(name="x", landed=3, failed=0, seconds=1))
    metrics.lag(lambda: 1.5)
    metrics.write(tmp_path / "x.prom")
    text = (tmp_path / "x.prom").read_text()
    subprocess.run([str(ready("promtool")), "check", "metrics"], input=text, text=True, check=True)
    assert "secret-key" not in text
    lines = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in text.splitlines()}
    assert lines["penstock_landed_total"] == "3.0"
    assert lines['penstock_failed_total{error="GaveUp",status="none"}'] == "1.0"
    assert lines['penstock_calls_total{status="200"}'] == "1.0"
    assert lines["penstock_retries_total"] == lines["penstock_refused_total"] == "1.0"
    assert lines['penstock_budget_remaining{budget="api"}'] == "12.0"
    assert lines['penstock_budget_limit{budget="api"}'] == "90.0"
    assert lines["penstock_budget_wait_seconds_total"] == "2.5"
    assert lines["penstock_stream_lag_seconds"] == "1.5"
    assert lines["penstock_last_success_timestamp_seconds"] == "1000.0"
    assert [path.name for path in tmp_path.iterdir()] == ["x.prom"]


def test_a_run_that_fails_keeps_the_last_success_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.prom"
    counted(RunEnded(name="x", landed=1, failed=0, seconds=1)).write(file)
    for bad in ({"failed": 1}, {"failed": 0, "error": "gave up"}):
        later = counted()
        later.recall(file)
        later.saw(RunEnded(name="x", landed=1, seconds=1, **bad))
        later.write(file)
        assert "penstock_last_success_timestamp_seconds 1000.0" in file.read_text()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.prom").write_text("{ not metrics")
    with pytest.raises(InputError, match="is not a file of metrics"):
        Metrics().recall(tmp_path / "x.prom")
    with pytest.raises(InputError, match="cannot be written"):
        Metrics().write(tmp_path / "none" / "x.prom")


@pytest.mark.parametrize("address", ["", ":", "9464x", ":0", ":99999", "localhost:http"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="not an address"):
        Metrics().serve(address)


def test_they_are_served_until_the_end_and_an_address_in_use_is_said() -> None:
    metrics = counted(Landed(count=7))
    port, stop = _served(metrics)
    with pytest.raises(InputError, match="in use"):
        metrics.serve(f"127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"penstock_landed_total 7.0" in answer.read()
    stop()
    metrics.serve(f"127.0.0.1:{port}")()


def _served(metrics: Metrics) -> tuple[int, Callable[[], None]]:
    for port in range(39464, 39564):
        try:
            return port, metrics.serve(f"127.0.0.1:{port}")
        except InputError:
            continue
    raise AssertionError("no port is free")


def test_a_pipeline_without_a_file_says_when_it_begins_and_ends(tmp_path: Path) -> None:
    seen: list[Event] = []
    told = Events()
    told.subscribe(seen.append)
    with LocalStore(tmp_path / "s") as store:
        Pipeline([1, 2]).in_threads(lambda n: n).land(store, events=told)
    assert seen[0].fields() == {"event": "runstarted", "name": "pipeline", "total": None}
    assert isinstance(seen[-1], RunEnded)
    assert (seen[-1].landed, seen[-1].failed, seen[-1].error) == (2, 0, None)


def test_a_run_that_breaks_says_why(tmp_path: Path) -> None:
    seen: list[Event] = []
    told = Events()
    told.subscribe(seen.append)
    with LocalStore(tmp_path / "s") as store, pytest.raises(OSError, match="gone"):
        Pipeline(_Broken()).land(store, events=told)
    assert isinstance(seen[-1], RunEnded)
    assert seen[-1].error == "the disk is gone"


class _Broken:
    name = source = "broken"

    def lots(self, position: Position | None) -> Iterator[Lot]:
        assert position is None
        raise OSError("the disk is gone")


def test_names_in_logs_do_not_depend_on_classes() -> None:
    names = set(events.__all__) - {"Event", "Events"}
    assert {name: getattr(events, name).__struct_config__.tag for name in names} == {
        "BudgetSeen": "budgetseen",
        "Called": "called",
        "Crossed": "crossed",
        "Failed": "failed",
        "Landed": "landed",
        "LeftOut": "leftout",
        "Notice": "notice",
        "Retry": "retry",
        "RunEnded": "runended",
        "RunStarted": "runstarted",
        "Waiting": "waiting",
        "WorkersSeen": "workersseen",
    }
