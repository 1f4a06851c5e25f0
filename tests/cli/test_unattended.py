"""Running where nobody looks: acknowledged failures, health, hooks, metrics, logs."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.real.conftest import free_port

from penstock.assembly.notify import Notifier
from penstock.assembly.sections import NotifySection
from penstock.cli.observed import _Screen
from penstock.errors import InputError, Stopped
from penstock.pipeline import Landing
from penstock.simulator import Simulator
from penstock.store import LocalStore
from penstock.testing.store_contract import failing, land

from .conftest import PROGRAM, Files, Penstock

Simulators = Callable[..., Simulator]
NOTIFY = '[notify]\nurl = "env:HOOK"\non = ["failed", "stopped", "gave-up", "done"]\n'


class Hook(ThreadingHTTPServer):
    """A hook that keeps what it is sent."""

    def __init__(self, status: int = 204) -> None:
        super().__init__(("127.0.0.1", 0), _Heard)
        self.status = status
        self.paths: list[str] = []
        self.signed: list[str | None] = []
        self.heard: list[dict[str, object]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/T0/secret-part?key=x"
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def news(self) -> list[object]:
        return [one["event"] for one in self.heard]


class _Heard(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.server.signed.append(self.headers["Authorization"])
        self.server.heard.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server
        server.shutdown()
        server.thread.join()


def test_acknowledged_failures_let_runs_end_with_0(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=10, limit=0)
    file, store = pipeline(server.url, stop=12), pipeline.folder / "store"
    assert penstock("run", file).code == 1
    assert penstock("acknowledge", store, "10", "--json").last == {"acknowledged": 1}
    assert penstock("run", file).code == 1
    assert penstock("acknowledge", store, "--status", "500", "--json").last == {"acknowledged": 0}
    assert penstock("acknowledge", store, "--status", "404", "--json").last == {"acknowledged": 1}
    ended = penstock("run", file, "--json")
    assert (ended.code, ended.last["failed"], ended.last["acknowledged"]) == (0, 2, 2)
    assert "2 failed (2 acknowledged)" in penstock("run", file).out
    assert penstock("retry-failed", file).code == 1  # they have failed again
    refused = penstock("acknowledge", store, "nobody")
    assert (refused.code, "'nobody' is not a failed key" in refused.line) == (2, True)


def test_status_is_a_check_of_health(penstock: Penstock, tmp_path: Path) -> None:
    with LocalStore(tmp_path / "s") as store:
        land(store, failing(1), failing(2))
    assert penstock("status", tmp_path / "s").code == 0
    assert penstock("status", tmp_path / "s", "--max-age", "2h", "--max-failed", "2").code == 0
    many = penstock("status", tmp_path / "s", "--max-failed", "1")
    assert (many.code, many.line) == (
        1,
        f"penstock: {tmp_path / 's'}: 2 keys are failed (--max-failed 1)",
    )
    with LocalStore(tmp_path / "s") as store:
        store.acknowledge([1, 2])
    assert penstock("status", tmp_path / "s", "--max-failed", "0").code == 0
    old = penstock("status", tmp_path / "s", "--max-age", "0.001s", "--json")
    assert old.code == 1
    assert "nothing landed for" in str(old.last["unhealthy"])
    assert penstock("status", tmp_path / "s", "--max-age", "soon").code == 2


def test_a_store_in_which_keys_only_fail_is_not_healthy(penstock: Penstock, tmp_path: Path) -> None:
    """Failures counted as signs of life: a service that refused all day was a healthy harvest."""
    hours = 3 * 3600
    with LocalStore(tmp_path / "s") as store:
        land(store, Landing(1, b"1"))
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "ledger.sqlite")) as ledger:
        ledger.execute("UPDATE segment SET at = at - ?", (hours,))
        ledger.commit()
    with LocalStore(tmp_path / "s") as store:
        land(store, failing(2))
    ill = penstock("status", tmp_path / "s", "--max-age", "2h", "--json")
    assert (ill.code, "nothing landed for 3" in str(ill.last["unhealthy"])) == (1, True)
    age = float(str(ill.last["updated"])) - float(str(ill.last["landed_at"]))
    assert age > hours - 60


def test_a_store_of_the_future_is_not_healthy(penstock: Penstock, tmp_path: Path) -> None:
    """A clock that was an hour ahead is set right: for an hour any age would do."""
    with LocalStore(tmp_path / "s") as store:
        land(store, failing(1))
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "ledger.sqlite")) as ledger:
        ledger.execute("UPDATE failure SET at = at + 3600")
        ledger.commit()
    ill = penstock("status", tmp_path / "s", "--max-age", "2h")
    assert (ill.code, "a clock is wrong" in ill.line) == (1, True)
    assert penstock("status", tmp_path / "s").code == 0


def test_a_hook_hears_the_first_failure_and_the_end_once_each(
    penstock: Penstock, simulator: Simulators, pipeline: Files, hook: Hook
) -> None:
    server = simulator(users=10, limit=0)
    file = pipeline(server.url, NOTIFY, stop=14)
    assert penstock("run", file, env={"HOOK": hook.url}).code == 1
    assert hook.news == ["failed", "done"]
    assert hook.heard[0]["name"] == "users"
    assert "404" in str(hook.heard[0]["text"])
    assert hook.heard[1] == {
        "event": "done",
        "name": "users",
        "text": "penstock users: done",
        "exit_code": 1,
        "store": str(pipeline.folder / "store"),
        "done": 14,
        "total": 14,
        "landed": 10,
        "failed": 4,
    }
    assert set(hook.paths) == {"/T0/secret-part?key=x"}


def test_a_hook_hears_that_a_run_could_not_begin_or_was_stopped(
    penstock: Penstock, simulator: Simulators, pipeline: Files, hook: Hook
) -> None:
    server = simulator(users=1000, limit=0, latency=0.5)
    file = pipeline(server.url, NOTIFY, stop=1000)
    with LocalStore(pipeline.folder / "store"):
        assert penstock("run", file, env={"HOOK": hook.url}).code == 3
    assert hook.news == ["stopped"]
    with subprocess.Popen(
        [*PROGRAM, "run", str(file), "-v"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOOK": hook.url},
    ) as running:
        assert running.stderr is not None
        assert "runstarted" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
    assert running.returncode == 3
    assert "runended" in rest
    assert "stopped by SIGINT" in rest
    assert hook.news == ["stopped", "stopped"]


def test_a_hook_that_refuses_is_said_without_its_address_and_changes_nothing(
    penstock: Penstock, simulator: Simulators, pipeline: Files, hook: Hook
) -> None:
    hook.status = 404
    server = simulator(users=10, limit=0)
    file = pipeline(server.url, NOTIFY, stop=10)
    ended = penstock("run", file, "--quiet", env={"HOOK": hook.url})
    assert ended.code == 0
    assert ended.line == "note: [notify]: the hook was not reached: HTTP status 404"
    assert penstock("run", file).code == 2


@pytest.mark.parametrize(
    "bad",
    ["", "no-url", "ftp://x.example/s3cret", "http:///s3cret", "http://[::1/s3cret",
     "http://x.example:99999/s3cret", "http://a b/s3cret", "http://x.example/s3cret\r\nX: y"],
)  # fmt: skip
def test_a_hook_without_an_address_is_one_line_that_does_not_show_it(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", bad)
    with pytest.raises(InputError, match="HOOK") as refused:
        Notifier(NotifySection(url="env:HOOK"), "x", dict, print)
    assert "s3cret" not in str(refused.value)


def test_user_and_password_of_a_hook_are_sent_and_not_shown(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", hook.url.replace("//", "//me:s3cret@"))
    told: list[str] = []
    notifier = Notifier(NotifySection(url="env:HOOK", on=("done",)), "x", dict, told.append)
    notifier.ended(0, "")
    assert (hook.news, told) == (["done"], [])
    assert hook.signed == ["Basic bWU6czNjcmV0"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404, 500])
def test_a_hook_that_took_nothing_is_said(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A redirect that was followed as a GET lost the news, and nobody was told."""
    monkeypatch.setenv("HOOK", hook.url)
    hook.status, told = status, list[str]()
    Notifier(NotifySection(url="env:HOOK", on=("done",)), "x", dict, told.append).ended(0, "")
    assert told == [f"[notify]: the hook was not reached: HTTP status {status}"]
    assert hook.paths == ["/T0/secret-part?key=x"]


def test_ctrl_c_while_a_log_line_is_written_stops_all_the_same() -> None:
    class Interrupted(io.StringIO):
        def write(self, _text: str) -> int:
            raise Stopped("stopped by SIGINT")

    handler = _Screen(Interrupted())
    with pytest.raises(Stopped):
        handler.handle(logging.LogRecord("penstock", logging.INFO, "", 0, "x", None, None))


def test_metrics_are_left_in_a_file_and_logs_on_the_screen(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=10, limit=0)
    file, prom = pipeline(server.url, stop=11), pipeline.folder / "x.prom"
    words = ("--metrics-file", prom, "--metrics", f"127.0.0.1:{free_port()}")
    ended = penstock("run", file, "-vv", *words)
    assert ended.code == 1
    text = prom.read_text()
    assert "penstock_landed_total 10.0" in text
    assert 'penstock_failed_total{error="PermanentError",status="404"} 1.0' in text
    assert 'penstock_calls_total{status="200"} 10.0' in text
    assert "WARNING penstock.run: failed key=10" in ended.err
    assert ended.err.count("DEBUG penstock.run: called key=") == 11
    quiet = penstock("run", file, "--quiet", "--metrics-file", prom)
    assert (quiet.code, quiet.err) == (1, "")
    bad = penstock("run", file, "--metrics-file", pipeline.folder / "none" / "x.prom")
    assert (bad.code, "cannot be written" in bad.line) == (2, True)
