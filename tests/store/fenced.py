"""Another process that has a store open with a token, and may be paused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

__all__ = ["Run", "paused", "started"]

WORKER = Path(__file__).with_name("fenced_worker.py")


class Run:
    """A process that settles a key for each line it is told."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen

    def heard(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def land(self, key: str) -> str:
        self.say(key)
        return self.heard()

    def say(self, key: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{key}\n")
        self.popen.stdin.flush()

    def pause(self) -> None:
        paused(self.popen)


def paused(popen: subprocess.Popen[str]) -> None:
    """Stop it, and return when it stands still."""
    popen.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, popen.pid, os.WSTOPPED)


def started(stack: ExitStack, place: Path | str, token: int) -> Run:
    """Start a run that ends with ``stack``, and return when it has the store."""
    words = [sys.executable, str(WORKER), str(place), str(token)]
    pipe = subprocess.PIPE
    popen = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
    stack.enter_context(popen)
    stack.callback(popen.kill)
    run = Run(popen)
    assert run.heard() == "open"
    return run
