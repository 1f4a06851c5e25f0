"""Clients side by side: measured in turn, the median of the rounds counts."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spine.machine import Bench, run_client

__all__ = ["Client", "Cost", "side_by_side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One side.

    Attributes:
        name: What it is called in the table.
        script: Its program in ``clients/``.
        items: How many requests: fewer for the slow ones, that a round may end.
        python: The interpreter that has what it needs.
        lands: Whether it is given a directory to land in.
    """

    name: str
    script: str
    items: int
    python: str = sys.executable
    lands: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What a client took: CPU seconds and wall seconds an item, greatest memory in bytes."""

    cpu: float
    wall: float
    memory: float

    def __str__(self) -> str:
        return f"{1 / self.wall:,.0f}/s, {self.memory / 1e6:.0f} MB"


def side_by_side(
    bench: Bench, url: str, clients: Sequence[Client], concurrency: int
) -> dict[str, Cost]:
    """Return what each client took, by name."""
    costs: dict[str, list[Cost]] = {client.name: [] for client in clients}
    for _ in range(bench.rounds):
        for client in clients:
            costs[client.name].append(_cost(_report(bench, url, client, concurrency)))
    return {name: _median(measured) for name, measured in costs.items()}


def _report(bench: Bench, url: str, client: Client, concurrency: int) -> Mapping[str, float]:
    items = max(50, client.items // 10) if bench.quick else client.items
    arguments: list[object] = [url, items, concurrency]
    if client.lands:
        arguments.append(bench.folder("landed"))
    return run_client(bench, client.script, *arguments, python=client.python)


def _cost(report: Mapping[str, float]) -> Cost:
    items = report["items"]
    return Cost(report["cpu"] / items, report["seconds"] / items, report["peak_rss"])


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.memory for cost in costs),
    )
