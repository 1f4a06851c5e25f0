"""dlt's requests helper in a thread pool: its fetch alone, nothing lands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dlt.sources.helpers import requests
from meter import Meter, arguments

base, items, concurrency = arguments()


def call(key: int) -> bool:
    return requests.get(f"{base}/users/{key}.json").json()["id"] == key


meter = Meter()
with ThreadPoolExecutor(concurrency) as pool:
    good = sum(pool.map(call, range(items)))
meter.report(items, good)
