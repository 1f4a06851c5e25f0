"""What the guards against strangers' servers and stores cost."""

from __future__ import annotations

from collections.abc import Iterator

from spine import servers
from spine.figures import Figure, at_most
from spine.machine import Bench, run_client

__all__ = ["guards"]


def guards(bench: Bench) -> Iterator[Figure]:
    """CPU an item with the guards over CPU without, in turn in one process."""
    items = 500 if bench.quick else 2_000
    with servers.fast(bench, items) as url:
        told = run_client(bench, "penstock_guards.py", url, items, 50, bench.folder("landed"))
    for what in ("fetch", "durable"):
        cost, least = told[f"{what} µs"], 100 * told[f"{what} least"]
        yield Figure(
            what=f"guards, of the CPU of {what}",
            value=100 * told[what],
            unit="%",
            aim=at_most(2),
            note=f"{cost:.0f} µs an item; by the least of each {least:.1f} %",
        )
