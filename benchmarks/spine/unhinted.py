"""A limit that nothing is said about: nginx's limit_req."""

from __future__ import annotations

from collections.abc import Iterator

from spine import servers
from spine.figures import Figure, at_least, at_most
from spine.machine import Bench, run_client

__all__ = ["unhinted"]

_RATE = 100
_BURST = 20
_CONCURRENCY = 50


def unhinted(bench: Bench) -> Iterator[Figure]:
    """100 a second, burst 20, bare 429s: how near to the rate, and at what price."""
    items = 500 if bench.quick else 3_000
    with servers.limited(bench, items, _RATE, _BURST) as server:
        store = bench.folder("landed")
        report = run_client(
            bench, "penstock_harvest.py", server.url, items, _CONCURRENCY, store, complete=False
        )
        statuses = server.statuses()
    ideal = (items - 1 - _BURST) / _RATE
    accepted, refused = statuses["200"], statuses["429"]
    allowed = 1 + _BURST + _RATE * report["seconds"]
    yield Figure(
        what="no hints: accepted of what the limit allowed meanwhile",
        value=100 * accepted / allowed,
        unit="%",
        aim=at_least(95),
        note=f"{items:,} items in {report['seconds']:.2f} s, ideal {ideal:.2f}",
    )
    yield Figure(
        what="  429s of all requests, by the server's count",
        value=100 * refused / statuses.total(),
        unit="%",
        aim=at_most(1),
        note=f"{refused:,} of {statuses.total():,}",
    )
    yield Figure(
        what="  lost",
        value=items - report["good"],
        aim=at_most(0),
        note=f"{accepted:,} answers 200",
    )
