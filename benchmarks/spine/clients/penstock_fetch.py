"""penstock's fetch, each body decoded."""

from __future__ import annotations

from meter import Meter, arguments

from penstock import Api, Get
from penstock.pipeline import fetch

base, items, concurrency = arguments()
meter = Meter()
good = 0
api = Api(base)
results = fetch(range(items), api, lambda key: Get(f"/users/{key}.json"), concurrency=concurrency)
for result in results:
    good += result.unwrap().json()["id"] == result.key
meter.report(items, good)
