"""Another process that has a store open with a token, and may be paused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from penstock.pipeline.result import Landing
from penstock.store import WritableStore

__all__ = ["Run", "land", "lands_nothing_any_more", "paused", "started"]

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


def land(store: WritableStore, key: str) -> None:
    store.settle([Landing(key, b'"from here"')], lambda _: None)
    store.flush()


def lands_nothing_any_more(before: Run, store: WritableStore) -> None:
    """Let a paused run, that had landed "a" and was told "b", go on beside who took its place."""
    assert store.state("a") == "landed"
    land(store, "c")
    before.popen.send_signal(signal.SIGCONT)
    said = before.heard()
    assert said.startswith("StoreInUse: another run has taken this store over")
    assert "its token is 8, ours 7" in said
    land(store, "d")
    assert [record.key for record in store.records()] == ["a", "c", "d"]
