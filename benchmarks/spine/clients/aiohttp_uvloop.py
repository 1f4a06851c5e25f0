"""aiohttp on uvloop: a worker for each call under way, one session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import uvloop
from meter import Meter, arguments

base, items, concurrency = arguments()


async def work(session: aiohttp.ClientSession, keys: Iterator[int]) -> int:
    good = 0
    for key in keys:
        async with session.get(f"{base}/users/{key}.json") as response:
            good += (await response.json())["id"] == key
    return good


async def main() -> int:
    keys = iter(range(items))
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:
        return sum(await asyncio.gather(*(work(session, keys) for _ in range(concurrency))))


meter = Meter()
meter.report(items, uvloop.run(main()))
