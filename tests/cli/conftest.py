"""The program as people run it: real processes, real sockets, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.simulator import Simulator, SimulatorSettings

PROGRAM = [sys.executable, "-m", "penstock.cli.main"]


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``line`` is all of standard error where that is one line."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        assert "Traceback" not in self.err, self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()

    @property
    def last(self) -> dict[str, object]:
        """The JSON object of the last line."""
        decoded = json.loads(self.out.strip().splitlines()[-1])
        assert isinstance(decoded, dict)
        return decoded


Penstock = Callable[..., Ended]


@pytest.fixture
def penstock() -> Penstock:
    """Run ``penstock ARGUMENTS`` to its end."""

    def call(*arguments: object, stdin: str = "", env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={**os.environ, **(env or {})},
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def simulator() -> Iterator[Callable[..., Simulator]]:
    """Start simulators that end with the test."""
    running: list[Simulator] = []

    def start(**settings: object) -> Simulator:
        running.append(Simulator(SimulatorSettings(**settings)))  # type: ignore[arg-type]
        running[-1].__enter__()
        return running[-1]

    yield start
    for one in running:
        one.close()


@dataclass(frozen=True)
class Files:
    """Writes pipeline files."""

    folder: Path

    def __call__(self, url: str, text: str = "", *, stop: int = 50, more: str = "") -> Path:
        source = "" if "[source]" in text else f'[source]\nkind = "range"\nstop = {stop}\n'
        request = "" if "[request]" in text else '[request]\npath = "/users/{key}.json"\n'
        path = self.folder / "users.toml"
        path.write_text(
            f'{source}[api]\nbase = "{url}"\nconcurrency = 8\n{more}\n'
            f'{request}[store]\npath = "store"\n{text}',
            encoding="utf-8",
        )
        return path


@pytest.fixture
def pipeline(tmp_path: Path) -> Files:
    return Files(tmp_path)
