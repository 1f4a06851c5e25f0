"""What every client measures of itself: CPU of all its threads, wall time, greatest memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def _cpu() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def _peak() -> int:
    """Return the greatest resident memory in bytes (ru_maxrss would count what ran before exec)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class Meter:
    """Runs from when it is made; make it after the imports."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._cpu = _cpu()

    def report(self, items: int, good: int) -> None:
        """Print what it took, as the last line."""
        told = {
            "items": items,
            "good": good,
            "seconds": time.perf_counter() - self._start,
            "cpu": _cpu() - self._cpu,
            "peak_rss": _peak(),
        }
        sys.stdout.write("\n" + json.dumps(told) + "\n")
        sys.stdout.flush()


def arguments() -> tuple[str, int, int]:
    """Return base URL, number of items, concurrency."""
    return sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
