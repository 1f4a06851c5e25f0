"""The simulator as a child process: for benchmarks, and for clients that block."""

from __future__ import annotations

import dataclasses
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final

from penstock.errors import PenstockError
from penstock.simulator.ledger import Truth
from penstock.simulator.settings import SimulatorSettings, write_mix

__all__ = ["SimulatorProcess", "arguments", "simulator_process"]


@final
class SimulatorProcess:
    """A running child: its ``url``, ``port`` and ``pid``."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid

    def truth(self, *, ids: bool = False) -> Truth:
        """Ask the server what it counted; ``ids`` adds how often each id was served."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/_truth?ids={int(ids)}")
            truth: Truth = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return truth


def arguments(settings: SimulatorSettings, port: int = 0) -> list[str]:
    """Return what to say after ``penstock simulate`` to get ``settings``.

    >>> arguments(SimulatorSettings(limit=100, retry_dates=True))
    ['--port', '0', '--limit', '100', '--retry-dates']
    """
    said = ["--port", str(port)]
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        option = "--" + field.name.replace("_", "-")
        if value == field.default:
            continue
        if value is True:
            said.append(option)
        else:
            said += [option, write_mix(value) if field.name == "mix" else str(value)]
    return said


@contextmanager
def simulator_process(
    settings: SimulatorSettings | None = None, *, port: int = 0
) -> Iterator[SimulatorProcess]:
    """Run ``penstock simulate`` as a child that ends with the block.

    Raises:
        PenstockError: The child did not start; its own words are in the text.

    >>> with simulator_process(SimulatorSettings(users=10)) as simulator:
    ...     simulator.truth()["users"]
    10
    """
    # Its words go to a file: a pipe that nobody reads could fill up and stop it.
    with tempfile.TemporaryFile("w+") as words, _child(settings, port, words) as process:
        try:
            assert process.stdout is not None  # asked for below
            line = process.stdout.readline()
            if not line:
                process.wait()
                words.seek(0)
                raise PenstockError(f"the simulator did not start: {words.read().strip()}")
            yield SimulatorProcess(process, json.loads(line)["port"])
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _child(settings: SimulatorSettings | None, port: int, words: TextIO) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "penstock.cli.main", "simulate", "--json", "--until-eof"]
    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        program + arguments(settings or SimulatorSettings(), port),
        stdin=subprocess.PIPE,  # closes when we die, however we die
        stdout=subprocess.PIPE,
        stderr=words,
        text=True,
    )
