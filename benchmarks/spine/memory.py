"""Memory of a durable harvest of a million items, looked at all the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from spine import servers
from spine.figures import Figure, at_most
from spine.machine import CLIENTS, Bench, Trouble, child

__all__ = ["memory"]

_EVERY = 0.25
_CONCURRENCY = 50
_MEGABYTE = 1e6


def memory(bench: Bench) -> Iterator[Figure]:
    """Resident memory at its peak, and how much it grew after the first tenth of the run."""
    items = 50_000 if bench.quick else 1_000_000
    words = bench.folder("memory") / "words"
    with servers.fast(bench, items) as url:
        script = str(CLIENTS / "penstock_harvest.py")
        store = str(bench.folder("landed"))
        program = [sys.executable, script, url, str(items), str(_CONCURRENCY), store]
        with child(bench.client_core, program, words) as process:
            samples = list(_samples(process))
            report = _report(process, words)
    if report["good"] != items:
        raise Trouble(f"{report['good']:g} of {items:,} items landed")
    tenths = [samples[len(samples) * n // 10] for n in range(1, 10)]
    yield Figure(
        what=f"memory at {items:,} items, durable: peak resident",
        value=report["peak_rss"] / _MEGABYTE,
        unit="MB",
        aim=at_most(80),
        note=f"{report['seconds']:.0f} s, {items / report['seconds']:,.0f}/s",
    )
    yield Figure(
        what="  growth from a tenth of the run to its end",
        value=(samples[-1] - tenths[0]) / _MEGABYTE,
        unit="MB",
        note="MB at each tenth: " + " ".join(f"{rss / _MEGABYTE:.0f}" for rss in tenths),
    )


def _samples(process: subprocess.Popen[str]) -> Iterator[int]:
    """Yield resident bytes, several times a second, until the process ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        resident = [text for text in status.read_text().splitlines() if text.startswith("VmRSS")]
        if resident:  # a process that has ended and was not waited for has none
            yield int(resident[0].split()[1]) * 1024
        time.sleep(_EVERY)


def _report(process: subprocess.Popen[str], words: Path) -> dict[str, float]:
    assert process.stdout is not None
    lines = process.stdout.read().strip().splitlines()
    if process.returncode != 0:
        raise Trouble(f"the harvest failed: {words.read_text().strip()[-500:]}")
    report: dict[str, float] = json.loads(lines[-1])
    return report
