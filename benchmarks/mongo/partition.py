"""The drill's fifteen kinds of operation under kill, step-down, pause and partition in turn.

    unshare -n .venv/bin/python benchmarks/mongo/partition.py [--seconds 480]

Needs root and Linux: in a network of its own (unshare -n) all packets from and to the primary are
dropped, so that its connections stay open and nothing comes. Prints what the drill prints; ends
with 1 where the proxy showed an error, or lost or doubled anything.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from itertools import cycle
from pathlib import Path
from typing import cast

from penstock.mongo import run_drill
from penstock.mongo.dev import DevSet


def ip(*words: str) -> None:
    """Change this network."""
    subprocess.run(["ip", *words], check=True)


class Cut:
    """A set whose pauses are, every other time, a partition."""

    def __init__(self, dev: DevSet) -> None:
        self.dev = dev
        self.cut: list[tuple[str, str]] = []
        self.turns = cycle([False, True])
        self.partitions = 0

    def kill(self, target: str) -> list[int]:
        return self.dev.kill(target)

    def step_down(self, target: str, *, seconds: int) -> list[int]:
        return self.dev.step_down(target, seconds=seconds)

    def pause(self, target: str) -> list[int]:
        if not next(self.turns):
            return self.dev.pause(target)
        (node,) = [node for node in self.dev.status().nodes if node.role == "primary"]
        port = node.host.rpartition(":")[2]
        self.cut = [("dport", port), ("sport", port)]
        self.partitions += 1
        for one in self.cut:
            ip("rule", "add", "pref", "10", "ipproto", "tcp", *one, "blackhole")
        return [node.number]

    def heal(self) -> None:
        while self.cut:
            ip("rule", "del", "pref", "10", "ipproto", "tcp", *self.cut.pop(), "blackhole")
        self.dev.heal()


def main() -> int:
    """Start a set, fail it, print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=480.0)
    given = parser.parse_args()
    ip("link", "set", "lo", "up")
    ip("rule", "add", "pref", "100", "lookup", "local")  # behind ours
    ip("rule", "del", "pref", "0")
    with tempfile.TemporaryDirectory() as folder:
        dev = DevSet.start(Path(folder) / "set")
        cut = Cut(dev)
        try:
            faults = ("pause", "kill", "pause", "stepdown")
            report = run_drill(
                dev.uri,
                dev=cast(DevSet, cut),
                seconds=given.seconds,
                faults=faults,
                tell=lambda words: print(words, file=sys.stderr, flush=True),
            )
        finally:
            cut.heal()
            dev.stop(remove=True)
    print(json.dumps(dataclasses.asdict(report) | {"partitions": cut.partitions}, default=str))
    ours = report.proxy
    return int(bool(ours.errors or ours.lost or ours.duplicated or ours.torn))


if __name__ == "__main__":
    sys.exit(main())
