"""A durable harvest: budget, retry, ledger, landed. Says when it is ready to begin."""

from __future__ import annotations

import sys

from meter import Meter, arguments

from penstock import Api, Get, Pipeline
from penstock.store import LocalStore

base, items, concurrency = arguments()
sys.stdout.write("ready\n")
sys.stdout.flush()
meter = Meter()
with LocalStore(sys.argv[4]) as store:
    (
        Pipeline(range(items))
        .fetch(Api(base), lambda key: Get(f"/users/{key}.json"), concurrency=concurrency)
        .land(store)
    )
    landed = store.status().landed
meter.report(items, landed)
