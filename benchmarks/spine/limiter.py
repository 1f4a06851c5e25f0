"""What asking the budget costs."""

from __future__ import annotations

from collections.abc import Iterator

from spine.figures import Figure, at_most
from spine.machine import Bench, run_client

__all__ = ["limiter"]


def limiter(bench: Bench) -> Iterator[Figure]:
    """Uncontended, in the learned state: one window known, room in it."""
    report = run_client(bench, "limiter.py", 20_000 if bench.quick else 200_000)
    yield Figure(
        what="limiter: an uncontended Budget.take",
        value=report["take"] * 1e6,
        unit="µs",
        aim=at_most(2),
        note="learned state; the loop's own cost is in it",
    )
    yield Figure(
        what="  take and settle, an answer without hints", value=report["plain"] * 1e6, unit="µs"
    )
    yield Figure(
        what="  take and settle, an answer that tells a quota",
        value=report["told"] * 1e6,
        unit="µs",
    )
