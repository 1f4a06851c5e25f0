"""httpx.AsyncClient: a worker for each call under way, one client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
from meter import Meter, arguments

base, items, concurrency = arguments()


async def work(client: httpx.AsyncClient, keys: Iterator[int]) -> int:
    good = 0
    for key in keys:
        good += (await client.get(f"{base}/users/{key}.json")).json()["id"] == key
    return good


async def main() -> int:
    keys = iter(range(items))
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits) as client:
        return sum(await asyncio.gather(*(work(client, keys) for _ in range(concurrency))))


meter = Meter()
meter.report(items, asyncio.run(main()))
