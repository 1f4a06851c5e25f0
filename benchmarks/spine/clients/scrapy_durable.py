"""Scrapy with JOBDIR and a jsonlines feed: what it offers for a harvest that can be resumed."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import scrapy
from meter import Meter, arguments
from scrapy.crawler import CrawlerProcess

base, items, concurrency = arguments()
folder = Path(sys.argv[4])


class Users(scrapy.Spider):
    name = "users"

    async def start(self) -> AsyncIterator[scrapy.Request]:
        for key in range(items):
            yield scrapy.Request(f"{base}/users/{key}.json")

    def parse(self, response: scrapy.http.Response) -> Iterator[dict[str, object]]:
        yield response.json()


meter = Meter()
process = CrawlerProcess(
    {
        "JOBDIR": str(folder / "job"),
        "FEEDS": {str(folder / "users.jsonl"): {"format": "jsonlines"}},
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_ENABLED": False,
    }
)
process.crawl(Users)
process.start()
with (folder / "users.jsonl").open("rb") as lines:
    meter.report(items, sum(1 for _ in lines))
