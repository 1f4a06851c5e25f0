"""A durable harvest of pages of a hundred rows: each row lands under its key."""

from __future__ import annotations

import sys

from meter import Meter, arguments

from penstock import Api, Pipeline
from penstock.http import PageFeed, PageNumber
from penstock.store import LocalStore

base, items, concurrency = arguments()
meter = Meter()
with LocalStore(sys.argv[4]) as store:
    style = PageNumber(size_param="per_page", size=100, total="total", items="items")
    feed = PageFeed(Api(base), "/pages/page", style, items="items", concurrency=concurrency)
    Pipeline(feed).land(store)
    landed = store.status().landed
meter.report(items, landed)
