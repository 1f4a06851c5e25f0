"""httpx.Client in a thread pool, one client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
from meter import Meter, arguments

base, items, concurrency = arguments()
meter = Meter()
limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
with httpx.Client(limits=limits) as client, ThreadPoolExecutor(concurrency) as pool:

    def call(key: int) -> bool:
        return client.get(f"{base}/users/{key}.json").json()["id"] == key

    good = sum(pool.map(call, range(items)))
meter.report(items, good)
