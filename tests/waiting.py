"""Waiting for what another process or thread does, without taking the cores from it."""

import subprocess
import threading
from collections.abc import Callable

__all__ = ["until"]


def until(is_so: "Callable[[], object]", *alive: "subprocess.Popen[str]") -> None:
    """Return when something is so; fail where a process that has to live ended before it.

    Args:
        is_so: Looked at every now and then.
        alive: The processes.
    """
    pause = threading.Event()
    while not is_so():
        for process in alive:
            assert process.poll() is None, process.communicate()
        pause.wait(0.01)
