"""``penstock simulate`` as a real program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest

from penstock.simulator import CREDENTIALS, Simulator
from penstock.simulator.settings import AuthKind

PROGRAM = [sys.executable, "-m", "penstock.cli.main", "simulate"]


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_serves_and_ends_cleanly(number: signal.Signals) -> None:
    with start("--users", "5", "--json") as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["url"] == f"http://127.0.0.1:{line['port']}"
        with urllib.request.urlopen(line["url"] + "/users/4.json") as answer:
            assert json.load(answer)["id"] == 4
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credentials_are_printed_at_the_start(kind: AuthKind) -> None:
    with start("--auth", kind) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert line.startswith("simulating at http://127.0.0.1:")
    assert all(value in line for value in CREDENTIALS[kind].values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "many"], "--limit"),
        (["--limit", "-1"], "limit must be a whole number from 0"),
        (["--window", "0"], "window must be a number from 0.001"),
        (["--window", "nan"], "window"),
        (["--faults", "1.5"], "faults must be a number from 0 to 1"),
        (["--dialect", "draft-9"], "draft-8"),
        (["--auth", "digest"], "oauth1"),
        (["--mix", "404=1"], "mix"),
        (["--port", "70000"], "--port"),
        (["--users", "3", "--deleted", "4"], "deleted must be at most users"),
        (["--nothing"], "--nothing"),
        (["extra"], "extra"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(options: list[str], words: str) -> None:
    done = subprocess.run([*PROGRAM, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("penstock: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_port_in_use_is_one_line_and_exit_2(simulate: Callable[..., Simulator]) -> None:
    port = str(simulate().port)
    done = subprocess.run([*PROGRAM, "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
