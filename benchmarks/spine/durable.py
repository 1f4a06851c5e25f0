"""A harvest that lands: penstock beside dlt's bare fetch and Scrapy's resumable crawl."""

from __future__ import annotations

from collections.abc import Iterator

from spine import peers, servers
from spine.figures import Figure, at_least, at_most
from spine.machine import Bench
from spine.sides import Client, Cost, side_by_side
from spine.simulated import simulate

__all__ = ["durable"]

_CONCURRENCY = 50


def durable(bench: Bench) -> Iterator[Figure]:
    """Budget, retry, ledger and landed bodies: CPU an item, and a row of pages."""
    python = peers.python(bench)
    dlt, scrapy = peers.version("dlt"), peers.version("Scrapy")
    sides = [
        Client(name="penstock", script="penstock_harvest.py", items=20_000, lands=True),
        Client(name="bare pycurl, bodies read", script="pycurl_floor.py", items=20_000, lands=True),
        Client(name=f"{dlt}, bare fetch", script="dlt_threads.py", items=2_000, python=python),
        Client(
            name=f"{scrapy}, JOBDIR + jsonlines",
            script="scrapy_durable.py",
            items=2_000,
            python=python,
            lands=True,
        ),
    ]
    with servers.fast(bench, 20_000) as url:
        costs = side_by_side(bench, url, sides, _CONCURRENCY)
    mine = costs["penstock"]
    yield Figure(
        what="durable harvest, CPU an item",
        value=mine.cpu * 1e6,
        unit="µs",
        aim=at_most(90),
        note=str(mine),
    )
    yield _over(costs["bare pycurl, bodies read"], "durable item", mine, 1.25)
    rows = Client(name="pages", script="penstock_pages.py", items=20_000, lands=True)
    users = 2_000 if bench.quick else 20_000
    with simulate(bench, users=users, limit=0, gzip=0, chunked=0) as simulated:
        of_pages = side_by_side(bench, simulated.url, [rows], 4)["pages"]
    yield _over(costs["bare pycurl, bodies read"], "page row", of_pages, 0.15)
    for side, aim in zip(sides[2:], (15.0, 25.0), strict=True):
        cost = costs[side.name]
        yield Figure(
            what=f"  times less CPU than {side.name}",
            value=cost.cpu / mine.cpu,
            unit="x",
            aim=at_least(aim),
            note=f"{cost.cpu * 1e6:,.0f} µs; {cost}",
        )


def _over(floor: Cost, what: str, cost: Cost, aim: float) -> Figure:
    """Return a cost over that of a call in the bare loop, its body read and nothing parsed."""
    return Figure(
        what=f"  {what} over a call by bare pycurl",
        value=cost.cpu / floor.cpu,
        unit="x",
        aim=at_most(aim),
        note=f"{cost.cpu * 1e6:,.1f} of {floor.cpu * 1e6:,.1f} µs",
    )
