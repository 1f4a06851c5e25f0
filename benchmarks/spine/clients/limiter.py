"""An uncontended Budget in the learned state: takes alone, and takes with their settling."""

from __future__ import annotations

import json
import sys
import time

from penstock import Budget
from penstock.resilience import Hints, Quota, Reset, Ticket

LIMIT = 1e9


def learned() -> Budget:
    """Return a budget that has been told of a window that will not end while we measure."""
    budget = Budget()
    ticket = budget.take(0.0)
    assert isinstance(ticket, Ticket)
    budget.settle(ticket, 0.01, hints())
    return budget


def hints() -> Hints:
    return Hints((Quota(name="default", limit=LIMIT, remaining=LIMIT - 1, reset=Reset(36000.0)),))


def takes(count: int) -> float:
    take = learned().take
    start = time.process_time()
    for _ in range(count):
        take(1.0)
    seconds = time.process_time() - start
    assert isinstance(take(1.0), Ticket)
    return seconds / count


def takes_and_settles(count: int, told: Hints | None) -> float:
    budget = learned()
    take, settle = budget.take, budget.settle
    start = time.process_time()
    for _ in range(count):
        settle(take(1.0), 1.01, told)  # type: ignore[arg-type] # a ticket: there is room
    return (time.process_time() - start) / count


def best(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


n = int(sys.argv[1])
report = {
    "items": n,
    "good": n,
    "take": best([takes(n) for _ in range(5)]),
    "plain": best([takes_and_settles(n, None) for _ in range(5)]),
    "told": best([takes_and_settles(n, hints()) for _ in range(5)]),
}
print(json.dumps(report))
