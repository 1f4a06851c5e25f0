"""The stores that pass the same tests, and processes that lock in them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest
from tests.real.mongod import Mongo, failing_mongo, mongo, mongo_set

from penstock.locks import LockerRoom

__all__ = ["Process", "Start", "failing_mongo", "mongo", "mongo_set"]

WORKER = Path(__file__).with_name("worker.py")


class Process:
    """A worker of ours: another real process that locks in the same store."""

    def __init__(self, store: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, str(WORKER), store],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.heard()["did"] == "open"

    def say(self, *words: object) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        self.popen.stdin.flush()

    def heard(self) -> dict[str, object]:
        assert self.popen.stdout is not None
        said: dict[str, object] = json.loads(self.popen.stdout.readline())
        return said

    def do(self, *words: object) -> dict[str, object]:
        self.say(*words)
        return self.heard()

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def pause(self) -> None:
        """Stop it, and return when it stands still."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout):
            assert pipe is not None
            pipe.close()


Start = Callable[[], Process]


@pytest.fixture(params=["embedded", "shared"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of locks with nothing in it: the name to open it by."""
    if request.param == "embedded":
        return str(tmp_path / "locks")
    set_of_nodes: Mongo = request.getfixturevalue("mongo")
    return set_of_nodes.with_database


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A store of this machine, where a test is about nothing else."""
    return str(tmp_path / "locks")


@pytest.fixture
def room(store: str) -> Iterator[LockerRoom]:
    with LockerRoom(store) as opened:
        yield opened


@pytest.fixture
def process(store: str) -> Iterator[Start]:
    """Start processes that end with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Process(store))
