"""requests: one Session with a pool of connections, in a thread pool."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from meter import Meter, arguments
from requests.adapters import HTTPAdapter

base, items, concurrency = arguments()
meter = Meter()
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=concurrency))


def call(key: int) -> bool:
    return session.get(f"{base}/users/{key}.json").json()["id"] == key


with ThreadPoolExecutor(concurrency) as pool:
    good = sum(pool.map(call, range(items)))
meter.report(items, good)
