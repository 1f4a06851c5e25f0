"""Workers of a run as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["FILE", "ended", "started"]

FILE = """
store = "env:MONGO"
[source]
kind = "range"
stop = {stop}
[api]
base = "{base}"
concurrency = 5
[request]
path = "/users/{{key}}.json"
[cluster]
block = 20
lease = 2.0
"""


def started(command: str, file: Path, uri: str, *options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "penstock", command, str(file), "--json", "--quiet", *options]
    environment = {**os.environ, "MONGO": uri}
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=environment)


def ended(process: subprocess.Popen[str], timeout: float = 120) -> dict[str, Any]:
    try:
        out, complaint = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, complaint
    summary: dict[str, Any] = json.loads(out)
    return summary
