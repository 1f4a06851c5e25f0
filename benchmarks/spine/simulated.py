"""`penstock simulate` as a server to measure against."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.simulator import Truth, WindowTruth
from spine.machine import Bench, Trouble, child

__all__ = ["Simulated", "simulate"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """`penstock simulate` in a process of its own."""

    url: str

    def truth(self) -> Truth:
        """Return what the server counted."""
        with urllib.request.urlopen(self.url + "/_truth", timeout=30) as answer:
            told: Truth = json.load(answer)
        return told

    def windows(self) -> list[WindowTruth]:
        """Return the windows of the only client."""
        (key,) = self.truth()["per_key"].values()
        return key["windows"]

    def reset(self) -> None:
        """Make the server forget its counts."""
        request = urllib.request.Request(self.url + "/_reset", method="POST")
        urllib.request.urlopen(request, timeout=30).close()


@contextlib.contextmanager
def simulate(bench: Bench, **settings: object) -> Iterator[Simulated]:
    """Run `penstock simulate` with ``settings`` on the server's core."""
    program = [sys.executable, "-m", "penstock.cli.main", "simulate"]
    program += ["--port", "0", "--json", "--until-eof"]
    for name, value in settings.items():
        program += ["--" + name.replace("_", "-"), str(value)]
    folder = bench.folder("simulate")
    with child(bench.server_core, program, folder / "words") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Trouble(f"penstock simulate: {(folder / 'words').read_text().strip()[-300:]}")
        yield Simulated(json.loads(line)["url"])
