"""This machine: a core for the server, one for the client, and processes that end with us."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CLIENTS", "HERE", "Bench", "Trouble", "child", "described", "run_client"]

HERE = Path(__file__).resolve().parent
CLIENTS = HERE / "clients"
_LONGEST = 300.0  # a client that needs more hangs


class Trouble(Exception):
    """A part cannot be measured here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every part is given.

    Attributes:
        quick: Small numbers, to see whether it runs.
        nginx: Whether nginx may be used (else the simulator).
        work: A directory that is removed at the end.
        environments: Where the peers' environments are kept.
        server_core: Core of every server.
        client_core: Core of every client.
    """

    quick: bool
    nginx: bool
    work: Path
    environments: Path
    server_core: int
    client_core: int

    def folder(self, name: str) -> Path:
        """Make a new directory."""
        number = sum(1 for _ in self.work.iterdir())
        path = self.work / f"{number:04d}-{name}"
        path.mkdir()
        return path

    @property
    def rounds(self) -> int:
        """How often peers are measured in turn; the median counts."""
        return 1 if self.quick else 3


def on_core(core: int, program: Sequence[str]) -> list[str]:
    """Return the command that runs ``program`` on ``core`` and ends it when we end."""
    command = list(program)
    if shutil.which("taskset"):
        command = ["taskset", "-c", str(core), *command]
    if shutil.which("setpriv"):  # the kernel's word, kept also when we are killed
        command = ["setpriv", "--pdeathsig", "TERM", *command]
    return command


@contextlib.contextmanager
def child(
    core: int, program: Sequence[str], words: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run ``program`` on ``core`` until the block ends; its stderr goes to ``words``."""
    with words.open("w") as errors:
        process = subprocess.Popen(
            on_core(core, program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=cwd,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def run_client(
    bench: Bench,
    script: str,
    *arguments: object,
    python: str = sys.executable,
    complete: bool = True,
) -> Mapping[str, float]:
    """Run a client to its end on its core and return what it reports.

    Args:
        bench: Where and how.
        script: Its program in ``clients/``.
        arguments: Its arguments.
        python: The interpreter that has what it needs.
        complete: Whether a wrong or missing answer is trouble; else the caller counts them.

    Raises:
        Trouble: It failed, or got wrong answers.
    """
    program = [python, str(CLIENTS / script), *map(str, arguments)]
    try:
        done = subprocess.run(
            on_core(bench.client_core, program),
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            cwd=bench.work,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Trouble(f"{script} did not end within {_LONGEST:g} s") from error
    if done.returncode != 0:
        raise Trouble(f"{script} failed: {done.stderr.strip()[-500:]}")
    report: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    if complete and report["good"] != report["items"]:
        raise Trouble(f"{script}: {report['good']:g} of {report['items']:g} answers were right")
    return report


def cores() -> tuple[int, int]:
    """Return a core for the server and one for the client: the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1 % len(usable)]


def described(bench: Bench) -> dict[str, object]:
    """Say on what was measured."""
    model = next(
        (
            text.partition(":")[2].strip()
            for text in Path("/proc/cpuinfo").read_text().splitlines()
            if text.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "server core": bench.server_core,
        "client core": bench.client_core,
        "load before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
