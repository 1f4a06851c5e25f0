"""Bad input and refusals: one clear line, the right exit code, nothing lost, nothing burnt."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from penstock.simulator import Simulator
from penstock.store import open_readonly

from .conftest import PROGRAM, Files, Penstock

Simulators = Callable[..., Simulator]
GOOD = """\
[source]
kind = "range"
stop = 5
[api]
base = "https://api.example.com"
[request]
path = "/users/{key}.json"
[store]
path = "store"
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[api]", "[apl]"), "users.toml:4: unknown section [apl]; did you mean [api]?"),
        (("base =", "bse ="), "users.toml:5: unknown key 'bse' in [api]; did you mean 'base'?"),
        (('kind = "range"', 'kind = "rang"'), "users.toml:2: "),
        (("stop = 5", 'stop = "five"'), "users.toml:3: source.stop: expected int"),
        (("stop = 5", "stop ="), "users.toml:3:"),
        (("stop = 5\n", ""), "users.toml:1: [source] needs stop"),
        (('[store]\npath = "store"\n', ""), "section [store] is missing"),
        (("https://api.example.com", "api.example.com"), "is not a URL"),
        (("https://api.example.com", "https://me:pw@api.example.com"), "carries credentials"),
        (("{key}", "{id}"), "unknown place {id}"),
        (("{key}", "7"), "{key} stands nowhere"),
        (('.json"', '.json"\nquery = { of = "{id}" }'), "request.query: unknown place {id}"),
        (("stop = 5", "stop = 5\n[retry]\nattempts = 0"), "retry.attempts"),
        (("stop = 5", "stop = 5\n[budget]\nreserv = 5"), "did you mean 'reserve'?"),
        (
            ("stop = 5", "stop = 5\n[budget]\nreserve = 9\nlimits = [{count = 5, per = 1}]"),
            "leaves nothing",
        ),
        (("stop = 5", 'stop = 5\n[api.auth]\nkind = "basik"'), "did you mean 'basic'?"),
    ],
)
def test_a_bad_file_says_where_and_what(
    penstock: Penstock, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    assert change[0] in GOOD
    file = tmp_path / "users.toml"
    file.write_text(GOOD.replace(*change))
    for command in ("check", "run"):
        ended = penstock(command, file)
        assert ended.code == 2, ended
        assert says in ended.line
        assert "pw@" not in ended.err
    assert not (tmp_path / "store" / "ledger.sqlite").exists()


def test_a_good_file_is_planned_without_a_call(penstock: Penstock, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text(GOOD + "[budget]\nreserve = 90\nlimits = [{count = 100, per = 3600}]\n")
    plan = penstock("check", file, "--json")
    assert plan.code == 0
    assert plan.last["items"] == 5
    assert plan.last["seconds"] == 0
    file.write_text(file.read_text().replace("stop = 5", "stop = 25"))
    assert penstock("check", file, "--json").last["seconds"] == 7200
    assert "2 h 0 min" in penstock("check", file).out


@pytest.mark.parametrize("command", ["check", "run", "retry-failed"])
def test_a_missing_file_is_one_line(penstock: Penstock, tmp_path: Path, command: str) -> None:
    ended = penstock(command, tmp_path / "no.toml")
    assert ended.code == 2
    assert "no such file" in ended.line


def test_a_missing_source_file_is_one_line(penstock: Penstock, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text(GOOD.replace('kind = "range"\nstop = 5', 'kind = "lines"\npath = "ids.txt"'))
    ended = penstock("run", file)
    assert ended.code == 2
    assert "ids.txt: no such file" in ended.line


def test_an_unknown_command_or_option_is_one_line(penstock: Penstock) -> None:
    for arguments in (["hravest"], ["run"], ["run", "x.toml", "--jsno"]):
        ended = penstock(*arguments)
        assert ended.code == 2
        assert "--help" in ended.line


def test_a_wrong_password_stops_at_once_and_is_not_shown(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=200, limit=0, auth="basic")
    auth = 'auth = { kind = "basic", user = "penstock", password = "env:PASSWORD" }'
    file = pipeline(server.url, stop=200, more=auth)
    ended = penstock("run", file, env={"PASSWORD": "wrong-hunter2"})
    assert ended.code == 2
    assert "401 Unauthorized" in ended.line
    assert "hunter2" not in ended.err
    assert server.truth()["requests"] <= 8
    unset = penstock("run", file)
    assert unset.code == 2
    assert "PASSWORD is not set" in unset.line


def test_a_secret_in_the_file_is_refused(penstock: Penstock, pipeline: Files) -> None:
    auth = 'auth = { kind = "bearer", token = "abc" }'
    file = pipeline("http://127.0.0.1:9", more=auth)
    for command in ("check", "run"):
        ended = penstock(command, file)
        assert ended.code == 2
        assert 'write "env:NAME"' in ended.line
        assert "abc" not in ended.err


class _Html(BaseHTTPRequestHandler):
    """Answers 200 with a page of HTML, as a captive portal does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "13")
        self.end_headers()
        self.wfile.write(b"<html></html>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_body_that_is_not_json_fails_its_key_and_is_kept(
    penstock: Penstock, pipeline: Files
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Html) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        file = pipeline(url, "[retry]\nattempts = 1\n", stop=2)
        ended = penstock("run", file, "--json")
        server.shutdown()
        thread.join()
    assert (ended.code, ended.last["failed"], ended.last["landed"]) == (1, 2, 0)
    with open_readonly(file.parent / "store") as store:
        failures = list(store.failures())
    assert all("not JSON" in f.message and f.excerpt == "<html></html>" for f in failures)


def test_a_server_that_is_not_there_ends_with_exit_code_4(
    penstock: Penstock, pipeline: Files
) -> None:
    text = "[retry]\nattempts = 30\nbase = 0.01\ncap = 0.02\n"
    text += "[breaker]\nfailures = 5\npause = 0.02\ncap = 0.05\noutage = 0.3\n"
    ended = penstock("run", pipeline("http://127.0.0.1:9", text, stop=100), "--quiet")
    assert ended.code == 4
    assert "failed for too long" in ended.line


def test_a_store_of_a_newer_version_is_refused(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    file = pipeline(simulator(users=5, limit=0).url, stop=5)
    assert penstock("run", file).code == 0
    ledger = sqlite3.connect(file.parent / "store" / "ledger.sqlite")
    ledger.execute("PRAGMA user_version = 99")
    ledger.close()
    ended = penstock("run", file)
    assert ended.code == 2
    assert "newer penstock" in ended.line


def test_a_torn_segment_is_cut_back_and_the_run_goes_on(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    file = pipeline(simulator(users=9, limit=0).url, stop=5)
    assert penstock("run", file).code == 0
    segment = file.parent / "store" / "segment-000001.jsonl"
    with segment.open("ab") as torn:
        torn.write(b'{"key":99,"at":1.0,"bo')
    file.write_text(file.read_text().replace("stop = 5", "stop = 9"))
    assert penstock("run", file, "--json").last["landed"] == 9
    with open_readonly(file.parent / "store") as store:
        assert store.verify() == 9


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # its file has no room either


def test_a_full_disk_ends_with_one_line_and_what_landed_is_safe(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=1000, limit=0)
    file = pipeline(server.url, stop=1000)
    run = subprocess.run(
        [*PROGRAM, "run", str(file), "--quiet"],
        capture_output=True,
        text=True,
        preexec_fn=_small_files,
        timeout=60,
        check=False,
    )
    assert run.returncode == 4
    assert run.stderr.count("\n") == 1, run.stderr
    assert "nothing after the last safe group was kept" in run.stderr
    with open_readonly(file.parent / "store") as store:
        safe = store.status().landed
        assert store.verify() == safe
    assert 0 < safe < 1000
    done = penstock("run", file, "--json").last
    assert (done["landed"], done["skipped"]) == (1000, safe)


def test_a_library_without_memory_for_it_is_one_line(tmp_path: Path) -> None:
    """``ulimit -v 40000``: the loader's words came with a traceback and exit code 1."""
    words = "libcrypto.so.3: failed to map segment from shared object"
    (tmp_path / "pycurl.py").write_text(f"raise ImportError({words!r})")
    (tmp_path / "users.toml").write_text(GOOD)
    done = subprocess.run(
        [*PROGRAM, "run", "users.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("allowed", [11, 13, 16, 18])
def test_too_few_open_files_are_one_line_that_says_so(tmp_path: Path, allowed: int) -> None:
    (tmp_path / "users.toml").write_text(GOOD)
    words = shlex.join([*PROGRAM, "run", "users.toml"])
    done = subprocess.run(
        ["sh", "-c", f"ulimit -n {allowed}; exec {words}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {2, 4}
    assert done.stderr.count("\n") == 1, done.stderr
    assert "open files" in done.stderr


def test_output_into_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        " ".join([*PROGRAM, "--help", "|", "head", "-1"]),
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
