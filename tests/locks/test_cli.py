"""`penstock lock`, as people and scripts run it: real processes and their exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.waiting import until

from penstock.locks import LockerRoom

PROGRAM = [sys.executable, "-m", "penstock.cli.main", "lock", "--store"]
PYTHON = [sys.executable, "-c"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


def running_in(store: str) -> Run:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, store, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return call


@pytest.fixture
def run(store: str) -> Run:
    """`penstock lock` in either store."""
    return running_in(store)


@pytest.fixture
def here(folder: str) -> Run:
    """`penstock lock` in a directory: for what has nothing to do with the store."""
    return running_in(folder)


@pytest.fixture
def start(store: str) -> Iterator[Start]:
    with started_in(store) as call:
        yield call


@pytest.fixture
def start_here(folder: str) -> Iterator[Start]:
    with started_in(folder) as call:
        yield call


@contextmanager
def started_in(store: str) -> Iterator[Start]:
    with ExitStack() as stack:

        def call(*words: str) -> subprocess.Popen[str]:
            popen = stack.enter_context(
                subprocess.Popen([*PROGRAM, store, *words], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(popen.kill)
            return popen

        yield call


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(ended.stdout)
    return decoded


def test_a_command_runs_with_its_token_and_its_exit_code_is_passed_on(
    run: Run, room: LockerRoom
) -> None:
    code = "import os, sys; print(os.environ['PENSTOCK_LOCK_TOKEN']); sys.exit(7)"
    first = run("run", "x", "--", *PYTHON, code)
    second = run("run", "x", "--", *PYTHON, code)
    assert (first.returncode, second.returncode) == (7, 7)
    assert int(second.stdout) > int(first.stdout) >= 1
    assert int(second.stdout) == room.status("x").token
    assert not room.status("x").locked


def test_a_command_that_a_signal_ended_gives_128_and_its_number(here: Run) -> None:
    ended = here("run", "x", "--", "sh", "-c", "kill -9 $$")
    assert ended.returncode == 128 + signal.SIGKILL


def test_options_of_the_command_are_its_own(here: Run) -> None:
    ended = here("run", "x", "--", "echo", "--timeout", "-h", "--", "a b")
    assert ended.stdout == "--timeout -h -- a b\n"


def test_who_cannot_get_it_in_time_ends_with_3(run: Run, room: LockerRoom) -> None:
    with room.lock_and_release("x", owner="ada"):
        for timeout in ("0", "0.1"):
            ended = run("run", "x", "--timeout", timeout, "--", "echo", "ran")
            assert ended.returncode == 3
            assert ended.stdout == ""
            assert ended.stderr.startswith("penstock: lock 'x' is held by 'ada'")
            assert ended.stderr.count("\n") == 1
    assert run("run", "x", "--timeout", "0", "--", "echo", "ran").stdout == "ran\n"


def test_a_command_waits_its_turn(start: Start, room: LockerRoom) -> None:
    with room.lock_and_release("x"):
        waiting = start("run", "x", "--", "echo", "ran")
        until(lambda: room.status("x").waiters)
    assert line_of(waiting) == "ran"
    assert waiting.wait() == 0


def test_a_command_is_ended_when_its_lock_is_lost(start: Start, run: Run) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('asked to end', flush=True)))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    running = start("run", "x", "--lease", "12", "--", *PYTHON, code)
    assert line_of(running) == "ready"
    forced = run("release", "x", "--force", "--json")
    assert "pid" in str(told(forced)["taken_from"])
    assert line_of(running) == "asked to end"
    assert running.wait() == 3


def test_a_command_that_will_not_end_is_made_to(start_here: Start, here: Run) -> None:
    code = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\nwhile True: signal.pause()"
    )
    words = ["--lease", "4.5", "--grace", "0.1"]
    running = start_here("run", "x", *words, "--", *PYTHON, code)
    assert line_of(running) == "ready"
    assert here("release", "x", "--force").returncode == 0
    assert running.wait() == 3


def test_a_killed_keeper_takes_its_command_with_it(start: Start, room: LockerRoom) -> None:
    """Else the command would go on beside that of the next holder."""
    code = "import os\nprint(os.getpid(), flush=True)\nwhile True: __import__('signal').pause()"
    running = start("run", "x", "--", *PYTHON, code)
    command = int(line_of(running))
    end = os.pidfd_open(command)
    running.kill()
    running.wait()
    __import__("select").select([end], [], [])  # readable when it has ended
    os.close(end)
    if "SQLite" in repr(room):
        room.lock("x", timeout=20).release()


def test_sigterm_reaches_the_command_and_releases(start: Start, room: LockerRoom) -> None:
    code = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\nwhile True: signal.pause()"
    )
    running = start("run", "x", "--", *PYTHON, code)
    assert line_of(running) == "ready"
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 5
    assert not room.status("x").locked


def test_sigterm_while_waiting_leaves_the_queue(start: Start, room: LockerRoom) -> None:
    with room.lock_and_release("x"):
        waiting = start("run", "x", "--", "echo", "ran")
        until(lambda: room.status("x").waiters)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait() == 3
        assert room.status("x").waiters == ()
    assert line_of(waiting) == ""


def test_status_and_list_tell_holder_since_lease_and_waiters(run: Run, room: LockerRoom) -> None:
    with room.lock_and_release("x", owner="ada"), room.reading("y", owner="bob"):
        status = told(run("status", "x", "--json"))
        assert {k: status[k] for k in ("name", "locked", "owner")} == {
            "name": "x",
            "locked": True,
            "owner": "ada",
        }
        assert 0 < float(str(status["lease_left"])) <= 30
        assert str(status["since"]).endswith("+00:00")
        listed = told(run("list", "--json"))["locks"]
        assert isinstance(listed, list)
        assert [(one["name"], one["owner"], one["waiters"]) for one in listed] == [
            ("x", "ada", []),
            ("y", "bob", []),
        ]
        assert "held by ada (token" in run("status", "x").stdout
        assert "ada" in run("list").stdout
    assert told(run("status", "x", "--json"))["locked"] is False
    assert told(run("list", "--json")) == {"locks": []}
    everything = told(run("list", "--json", "--all"))["locks"]
    assert isinstance(everything, list)
    assert [one["name"] for one in everything] == ["x", "y"]


def test_release_needs_force_and_says_who_held_it(run: Run, room: LockerRoom) -> None:
    with room.lock_and_release("x", owner="ada") as held:
        refused = run("release", "x")
        assert refused.returncode == 2
        assert "held by ada" in refused.stderr
        assert "--force" in refused.stderr
        assert room.status("x").locked
        assert "taken from ada" in run("release", "x", "--force").stdout
        assert not room.status("x").locked
        assert held.name == "x"
    assert "was free" in run("release", "x", "--force").stdout


def test_watch_tells_each_change(start: Start, room: LockerRoom) -> None:
    watching = start("watch", "x", "--every", "0.01", "--changes", "3", "--json")
    assert json.loads(line_of(watching))["locked"] is False
    with room.lock_and_release("x", owner="ada"):
        assert json.loads(line_of(watching))["owner"] == "ada"
    assert json.loads(line_of(watching))["locked"] is False
    assert watching.wait() == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["run", "x"], "Missing argument"),
        (["run", "", "--", "true"], "a lock's name"),
        (["run", "x" * 600, "--", "true"], "512 characters"),
        (["run", "x", "--timeout", "-1", "--", "true"], "timeout=-1.0"),
        (["run", "x", "--lease", "0.001", "--", "true"], "a lease is at least"),
        (["run", "x", "--grace", "-1", "--", "true"], "--grace"),
        (["watch", "--every", "0"], "--every"),
        (["status", "a\nb"], "printable"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(
    here: Run, folder: str, words: list[str], what: str
) -> None:
    Path(folder).mkdir()
    ended = here(*words)
    assert ended.returncode == 2
    assert what in ended.stderr
    assert ended.stderr.startswith("penstock: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["no-such-command-here"], 127, "no such command"),
        (["/etc/passwd"], 126, "may not be executed"),
    ],
)
def test_what_cannot_be_run_ends_as_in_a_shell(
    here: Run, words: list[str], code: int, what: str
) -> None:
    ended = here("run", "x", "--", *words)
    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1)
    assert what in ended.stderr


def test_who_does_not_wait_chooses_the_exit_code(here: Run, folder: str) -> None:
    with LockerRoom(folder) as room, room.lock_and_release("x"):
        assert here("run", "x", "-n", "--", "true").returncode == 3
        assert here("run", "x", "-n", "-E", "75", "--", "true").returncode == 75
        assert here("run", "x", "-w", "0", "-E", "0", "--", "true").returncode == 0


def test_help_needs_no_store() -> None:
    command = [*PROGRAM[:-1], "run", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "fencing token" in ended.stdout


@pytest.mark.parametrize("words", [["status", "x"], ["list"], ["release", "x", "--force"]])
def test_looking_makes_no_store(here: Run, folder: str, words: list[str]) -> None:
    ended = here(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no such directory" in ended.stderr
    assert not Path(folder).exists()


def test_a_store_that_is_a_file_is_refused(here: Run, folder: str) -> None:
    with open(folder, "w") as file:  # noqa: PTH123 - any file
        file.write("something else")
    ended = here("status", "x")
    assert ended.returncode == 2
    assert "is a file: name a directory" in ended.stderr


def test_the_place_may_be_told_by_a_variable(here: Run, folder: str) -> None:
    assert here("run", "x", "--", "true").returncode == 0
    words = [*PROGRAM, "env:LOCKS", "status", "x", "--json"]
    told_where = {**os.environ, "LOCKS": folder}
    ended = subprocess.run(words, env=told_where, capture_output=True, text=True, check=True)
    assert isinstance(told(ended)["token"], int)
