"""Processes that somebody else may have ended: named so that a recycled number is never hit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, final

__all__ = ["Condition", "Process", "condition", "identify", "send"]

Condition: TypeAlias = Literal["running", "paused", "dead"]

_STATE, _THREADS, _STARTED = 0, 17, 19  # fields of /proc/PID/stat, after the program's name
_ENDING = "E"


@final
@dataclass(frozen=True, slots=True)
class Process:
    """A process: the number that the system may give again, and the moment it was born."""

    pid: int
    born: str


def identify(pid: int) -> Process | None:
    """Return the process that has the number ``pid`` now, or None.

    >>> identify(os.getpid()) == identify(os.getpid())
    True
    >>> identify(2**22 + 1) is None
    True
    """
    found = _look(pid)
    return None if found is None else Process(pid, found[1])


def condition(process: Process | None) -> Condition:
    """Return whether ``process`` runs, is paused or is no more."""
    found = None if process is None else _look(process.pid)
    if process is None or found is None or found[1] != process.born:
        return "dead"
    return "paused" if found[0] in "Tt" else "running"


def send(process: Process, number: signal.Signals) -> bool:
    """Send a signal; False where the process is no more, also if another has its number now."""
    if sys.platform != "linux":
        return _send_if_same(process, number)
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The handle stays with the process that it was opened for, whatever the number becomes.
        if condition(process) == "dead":
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _send_if_same(process: Process, number: signal.Signals) -> bool:
    if condition(process) == "dead":
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _look(pid: int) -> tuple[str, str] | None:
    """Return the state's letter and the moment of birth; None for none and for a zombie."""
    found = _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)
    return None if found is None or found[0] == "Z" else found


def _from_proc(pid: int) -> tuple[str, str] | None:
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = told.rpartition(")")[2].split()  # the name before may hold anything
    state = fields[_STATE]
    if state == "Z" and int(fields[_THREADS]) > 1:
        state = _ENDING  # its first thread has ended; the others still hold its port and its files
    return state, f"{fields[_STARTED]}@{boot}"  # ticks count from the boot on


def _from_ps(pid: int) -> tuple[str, str] | None:
    told = subprocess.run(  # noqa: S603 - a number is no command
        ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    state, _, born = told.strip().partition(" ")
    return (state[0], born.strip()) if state else None
