"""What this machine knows for certain: seconds since it started, and which processes are alive."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["boot", "elapsed", "has_ended", "myself", "watch"]

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_AFTER_NAME = 2  # of /proc/PID/stat, what follows "(name) " begins with field 3
_STARTED = 22
_NO_PROCESS = 1 << 31  # larger numbers than any system gives


def elapsed() -> float:
    """Return seconds since this machine started: nobody can set it, and sleep counts too.

    It is the same for every process, so on one machine it is the store's clock; where the store
    is a server, it is how a holder counts down what the server allowed it.
    """
    return time.clock_gettime(_CLOCK)


@functools.cache
def boot() -> str:
    """Return what is different after each start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        if sys.platform == "darwin":
            words = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - a constant
        return "unknown"


def myself() -> str:
    """Return a name of this process that no other process ever has: ``pid.start.namespace``."""
    return _identity(os.getpid())


@functools.lru_cache(maxsize=2)  # a process and, after a fork, its child
def _identity(pid: int) -> str:
    return f"{pid}.{_started(pid) or 0}.{_namespace()}"


def _namespace() -> int:
    """Return the process namespace: in another one (a container) a number means another process."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _started(pid: int) -> int | None:
    """Return when a process began, in ticks, None where it has ended, 0 where nobody knows.

    A number alone is not enough: the system gives it to another process some time after.
    """
    try:
        # proc_pid_stat(5): the name, in parentheses, may hold spaces and parentheses itself.
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - asked at each wait: a Path costs more than the read
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else 0
    return None if fields[0] in b"ZX" else int(fields[_STARTED - _AFTER_NAME - 1])


def has_ended(process: str) -> bool:
    """Whether the process is known to have ended; False where that cannot be known from here.

    >>> has_ended(myself()), has_ended("1.1.1")
    (False, False)
    """
    pid, started, namespace = _parts(process)
    if namespace != _namespace() or not pid:
        return False
    now = _started(pid)
    if now == 0:  # no /proc here: a process of that number is taken for it
        return not _signalled(pid)
    return now != started


def _parts(process: str) -> tuple[int, int, int]:
    try:
        pid, started, namespace = map(int, process.split("."))
    except ValueError:
        return 0, 0, -1
    return (pid, started, namespace) if 0 <= pid < _NO_PROCESS else (0, 0, -1)


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watch(process: str) -> int | None:
    """Return a descriptor that becomes readable when the process ends, or None where none can be.

    To be asked before :func:`has_ended`: then an end between the two calls is seen by one of them.
    """
    pid, _, namespace = _parts(process)
    if namespace != _namespace() or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
