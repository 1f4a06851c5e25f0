"""Fetch and decode: penstock beside the floor and the usual libraries."""

from __future__ import annotations

from collections.abc import Iterator

from spine import peers, servers
from spine.figures import Figure, at_least, at_most
from spine.machine import Bench
from spine.sides import Client, side_by_side

__all__ = ["fetch"]

_CONCURRENCY = 50


def fetch(bench: Bench) -> Iterator[Figure]:
    """1 KB bodies, concurrency 50, keep-alive: CPU a request and requests a CPU second."""
    python = peers.python(bench)
    aiohttp = f"{peers.version('aiohttp')} + {peers.version('uvloop')}"
    requests, httpx = peers.version("requests"), peers.version("httpx")
    sides = [
        Client(name="penstock", script="penstock_fetch.py", items=20_000),
        Client(name="bare pycurl multi", script="pycurl_floor.py", items=20_000),
        Client(name=aiohttp, script="aiohttp_uvloop.py", items=10_000, python=python),
        Client(name=requests, script="requests_threads.py", items=2_000, python=python),
        Client(name=f"{httpx}, threads", script="httpx_threads.py", items=2_000, python=python),
        Client(name=f"{httpx}, async", script="httpx_async.py", items=500, python=python),
    ]
    with servers.fast(bench, 20_000) as url:
        costs = side_by_side(bench, url, sides, _CONCURRENCY)
    mine = costs["penstock"]
    yield Figure(
        what="fetch + JSON parse, CPU a request",
        value=mine.cpu * 1e6,
        unit="µs",
        aim=at_most(60),
        note=str(mine),
    )
    floor = costs["bare pycurl multi"]
    yield Figure(
        what="  of that the floor: bare pycurl multi",
        value=floor.cpu * 1e6,
        unit="µs",
        note=f"penstock is {mine.cpu / floor.cpu:.2f}x; {floor}",
    )
    # The aim for httpx is held against the better of its two forms.
    better = min((side.name for side in sides[-2:]), key=lambda name: costs[name].cpu)
    aims = {aiohttp: 2.2, requests: 10.0, better: 18.0}
    for side in sides[2:]:
        cost = costs[side.name]
        yield Figure(
            what=f"  requests a CPU second over {side.name}",
            value=cost.cpu / mine.cpu,
            unit="x",
            aim=at_least(aims[side.name]) if side.name in aims else None,
            note=f"{cost.cpu * 1e6:,.0f} µs; {cost}",
        )
