"""A real Dask scheduler with real workers, each a process that may be killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import final

__all__ = ["Dask"]


@final
class Dask:
    """A scheduler at a free port, and the workers that were started at it."""

    def __init__(self, uri: str) -> None:
        self._environment = {**os.environ, "MONGO": uri}
        words = ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
        self.scheduler = self._start("dask_scheduler", *words)
        self.workers: list[subprocess.Popen[str]] = []
        assert self.scheduler.stderr is not None
        found = None
        while found is None:
            line = self.scheduler.stderr.readline()
            assert line, "Dask's scheduler has ended"
            found = re.search(r"Scheduler at: +(tcp://\S+)", line)
        self.address = found[1]

    def _start(self, module: str, *options: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", f"distributed.cli.{module}", *options]
        return subprocess.Popen(
            words, stderr=subprocess.PIPE, text=True, env=self._environment, cwd="/"
        )

    def join(self) -> subprocess.Popen[str]:
        """Start one more worker."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        self.workers.append(self._start("dask_worker", self.address, *options))
        return self.workers[-1]

    def __enter__(self) -> Dask:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.communicate()
